"""``octet facts``: what is known of CNI providers, each answer with its day and its source.

What lives here: the screens of one provider or many. What it must not know: what follows from a fact.
"""

import datetime as dt
import textwrap
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from octet.choose import facts
from octet.choose.facts import catalogue, models, saying
from octet.choose.facts.models import OurModel
from octet.choose.facts.values import Fact, Provider, Step, Truth
from octet.cli import facts_numbers, output
from octet.errors import NotFoundError

WIDTH = 100
STALE_DAYS = 365
"""After so many days a fact is worth another look."""

LISTED = (
    "status",
    "latest-release",
    "overlay",
    "native",
    "bgp",
    "policy-ingress",
    "policy-egress",
    "encryption",
)
"""What the list shows unless told otherwise."""

app = typer.Typer(
    help="What is known of CNI providers: each answer with its day and its source.",
    epilog=output.examples(
        "octet facts list",
        "octet facts show calico",
        "octet facts compare flannel kopeio-vxlan",
        "octet facts stale",
        "octet facts numbers weave",
    ),
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="A provider, as in the list.")]


def today() -> dt.date:
    """Return the day on which a person reads this, in UTC."""
    return dt.datetime.now(dt.UTC).date()


@app.command(
    "list",
    epilog=output.examples(
        "octet facts list", "octet facts list --key ipv6-only --key multicast", "octet facts list --json"
    ),
)
def listing(
    keys: Annotated[
        list[str] | None, typer.Option("--key", help="A question to show, by key; repeat it.")
    ] = None,
    as_json: output.Json = False,
) -> None:
    """Print every provider in a line, and whether Octet has a model of it, which is not the provider."""
    known = facts.load()
    asked = tuple(keys) if keys else LISTED
    for key in asked:
        _key(key)
    ours = {model.name: model for model in models.ours(today())}
    rows = [
        [each.name, *(_answer(each, key) for key in asked), _ours(ours.get(each.model))]
        for each in known.providers
    ]
    records = [
        {"provider": each.name, "title": each.title, "our_model": _our_record(ours.get(each.model))}
        | {"facts": [saying.record(each.facts[key]) for key in asked if key in each.facts]}
        for each in known.providers
    ]
    output.table(
        "Providers, as their authors ship them",
        ["provider", *asked, "Octet's model of it"],
        rows,
        as_json=as_json,
        json_rows=records,
    )
    if not as_json:
        output.note(f"The oldest fact is of {known.oldest}. With days and sources: octet facts show PROVIDER")


def _answer(provider: Provider, key: str) -> str | None:
    """Return what a table says; None where the question doesn't arise (a limit without one, a flag)."""
    return saying.said(provider.facts[key]) if key in provider.facts else None


def _key(name: str) -> catalogue.Key:
    known = {key.name: key for key in catalogue.KEYS}
    if name not in known:
        raise NotFoundError(f"no question has the key {name!r}", hint=f"one of {', '.join(known)}")
    return known[name]


def _ours(model: OurModel | None) -> str:
    if model is None:
        return "none"
    return f"octet {model.name}" if model.runs else "no row yet"


@app.command(
    epilog=output.examples(
        "octet facts show flannel", "octet facts show flannel --here", "octet facts show weave --json"
    )
)
def show(
    name: Name,
    here: Annotated[
        bool, typer.Option("--here", help="Also try what our model of it needs from this machine's kernel.")
    ] = False,
    as_json: output.Json = False,
) -> None:
    """Print all that is known of one provider, then what is true of Octet's model of it."""
    provider = facts.load().get(name)
    model = models.of(provider.model, today(), _probed() if here else None) if provider.model else None
    if as_json:
        output.print_json(_whole(provider, model))
        return
    typer.echo(f"{provider.title}, the original: {provider.summary}\n")
    typer.echo(f"{textwrap.fill(provider.packet, WIDTH)}\n")
    for title, columns, rows in (*_tables(provider), *_our_tables(model)):
        output.table(f"\n{title}", columns, rows, as_json=False)
    if model is None:
        typer.echo("\nOctet has no model of it and doesn't set out to.")
    elif not model.runs:
        typer.echo(f"\nOctet has no row for {model.name} yet: nothing here runs its network model.")


Table = tuple[str, list[str], list[list[object]]]
"""Title, columns, rows."""


def _tables(provider: Provider) -> Iterator[Table]:
    for group, title in catalogue.GROUPS.items():
        told = (*provider.facts.values(), *provider.limits)
        held = [fact for fact in told if catalogue.BY_NAME[fact.key].group == group]
        if held:
            yield _facts(title, held)
    if provider.steps:
        columns = ["installer", "from version", "state", "out on", "as of", "source", "note"]
        rows = [_step(step) for step in provider.steps]
        yield f"{provider.title}: what installers let you do, from a version on", columns, rows


def _step(step: Step) -> list[object]:
    state, note = saying.state(step), step.note or None
    return [step.installer, step.version, state, step.date, step.as_of, step.source, note]


def _our_tables(model: OurModel | None) -> Iterator[Table]:
    if model is not None and model.runs:
        yield _facts(f"Not the original: {model.title}", list((model.facts or {}).values()))
        needed: list[list[object]] = [
            [need.feature, need.here.value, need.why or None] for need in model.needs
        ]
        yield "What our model needs from this kernel", ["feature", "here", "why"], needed


def _facts(title: str, told: list[Fact]) -> Table:
    rows: list[list[object]] = [
        [catalogue.BY_NAME[fact.key].question, saying.said(fact), fact.note or None, saying.where(fact)]
        for fact in told
    ]
    return title, ["question", "answer", "note", "as of, source"], rows


def _probed() -> dict[str, tuple[Truth, str]]:
    from octet.kernel.features import Answer, probe

    truths = {Answer.YES: Truth.YES, Answer.NO: Truth.NO, Answer.UNKNOWN: Truth.UNKNOWN}
    return {name: (truths[finding.answer], finding.why) for name, finding in probe().items()}


def _whole(provider: Provider, model: OurModel | None) -> dict[str, Any]:
    return {
        "provider": provider.name,
        "title": provider.title,
        "summary": provider.summary,
        "packet": provider.packet,
        "good_for": list(provider.good_for),
        "facts": [saying.record(fact) for fact in provider.facts.values()],
        "limits": [saying.record(fact) for fact in provider.limits],
        "installers": [saying.step_record(step) for step in provider.steps],
        "releases": [
            {"version": each.version, "date": each.date.isoformat(), "source": each.source}
            for each in provider.releases
        ],
        "counts": [saying.count_record(count) for count in provider.counts],
        "our_model": _our_record(model),
    }


def _our_record(model: OurModel | None) -> dict[str, Any] | None:
    if model is None:
        return None
    return {
        "name": model.name,
        "title": model.title,
        "runs": model.runs,
        "here": model.here.value,
        "variants": list(model.variants),
        "facts": [saying.record(fact) for fact in (model.facts or {}).values()],
        "needs": [{"feature": n.feature, "here": n.here.value, "why": n.why or None} for n in model.needs],
    }


@app.command(
    epilog=output.examples(
        "octet facts compare calico cilium",
        "octet facts compare flannel kopeio-vxlan --all",
        "octet facts compare calico canal --json",
    )
)
def compare(
    one: Name,
    other: Name,
    everything: Annotated[bool, typer.Option("--all", help="Also what is the same.")] = False,
    as_json: output.Json = False,
) -> None:
    """Print where two providers differ; what is unknown or unverified of either counts as a difference."""
    known = facts.load()
    first, second = known.get(one), known.get(other)
    asked = [key for key in catalogue.KEYS if {key.name} & (first.facts.keys() | second.facts.keys())]
    pairs = [(key, first.facts.get(key.name), second.facts.get(key.name)) for key in asked]
    shown = [pair for pair in pairs if everything or not _same(pair[1], pair[2])]
    rows = [
        [key.name, key.question, _answer(first, key.name), _answer(second, key.name)] for key, _, _ in shown
    ]
    records = [
        {"key": key.name, "question": key.question}
        | {first.name: a and saying.record(a), second.name: b and saying.record(b)}
        for key, a, b in shown
    ]
    output.table(
        f"{first.title} and {second.title}, the originals",
        ["key", "question", first.name, second.name],
        rows,
        as_json=as_json,
        json_rows=records,
    )


def _same(one: Fact | None, other: Fact | None) -> bool:
    if one is None or other is None:
        return False
    sure = one.truth is not Truth.UNKNOWN and other.truth is not Truth.UNKNOWN
    return sure and one.value == other.value


@app.command(
    epilog=output.examples(
        "octet facts stale", "octet facts stale --before 2024-01-01", "octet facts stale --days 30 --json"
    )
)
def stale(
    before: Annotated[
        dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Older than this day, instead of --days.")
    ] = None,
    days: Annotated[int, typer.Option(min=0, help="Older than so many days.")] = STALE_DAYS,
    as_json: output.Json = False,
) -> None:
    """Print the facts that nobody has looked at for long, oldest first."""
    limit = before.date() if before else today() - dt.timedelta(days=days)
    old = facts.load().stale(limit)
    rows = [[fact.as_of, each.name, fact.key, saying.said(fact), fact.source] for each, fact in old]
    records = [{"provider": each.name} | saying.record(fact) for each, fact in old]
    columns = ["as of", "provider", "key", "answer", "source"]
    output.table(f"{len(rows)} facts from before {limit}", columns, rows, as_json=as_json, json_rows=records)


facts_numbers.add(app)
