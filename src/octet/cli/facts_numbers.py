"""``octet facts numbers``, ``why-forks`` and ``refresh``: counts of projects, and what they are worth.

What lives here: three commands of ``octet facts``. What it must not know: HTTP, which counts decide anything
(none does).
"""

import datetime as dt
import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from octet.choose import facts
from octet.choose.facts import saying
from octet.choose.facts.numbers import keeping
from octet.choose.facts.numbers.figures import BY_NAME, FIGURES, WHY_FORKS, about, trend
from octet.choose.facts.values import Count
from octet.cli import output

if TYPE_CHECKING:  # httpx is loaded by `refresh` only
    from octet.choose.facts.numbers.refreshing import Outcome, Project

GITHUB = "https://api.github.com"
SCORECARD = "https://api.scorecard.dev"
PATIENCE = 60.0

WIDTH = 100
SHOWN = (
    "stars",
    "forks",
    "contributors",
    "commits-12m",
    "authors-12m",
    "bus-factor",
    "releases-12m",
    "archived",
)


def data_home() -> Path:
    """Return where this user's programs keep what they fetched (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "octet"


def cache_home() -> Path:
    """Return where this user's programs keep what can be fetched again (the same specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "octet"


Store = Annotated[
    Path | None, typer.Option(help="File of fetched counts. [default: octet/counts.json in the user's data]")
]


def add(app: typer.Typer) -> None:
    """Give ``octet facts`` these commands."""
    app.command(
        epilog=output.examples(
            "octet facts numbers", "octet facts numbers weave", "octet facts numbers calico --json"
        )
    )(numbers)
    app.command("why-forks", epilog=output.examples("octet facts why-forks", "octet facts why-forks --json"))(
        why_forks
    )
    app.command(
        epilog=output.examples(
            "octet facts refresh",
            "octet facts refresh --provider flannel --provider weave",
            "octet facts refresh --wait 3600",
        )
    )(refresh)


def kept(store: Path | None) -> tuple[Count, ...]:
    """Return all counts there are: those that come with Octet and those that were fetched here."""
    return keeping.together(keeping.shipped(), keeping.read(store or data_home() / "counts.json"))


def numbers(
    name: Annotated[str | None, typer.Argument(help="A provider: its counts over time.")] = None,
    store: Store = None,
    as_json: output.Json = False,
) -> None:
    """Print what was counted of each project, each figure by itself: they are never added into a score."""
    counts = keeping.by_provider(kept(store))
    if name is not None:
        _over_time(facts.load().get(name).name, counts.get(name, ()), as_json=as_json)
        return
    rows = [[each.name, *_latest(counts.get(each.name, ()))] for each in facts.load().providers]
    records = [saying.count_record(count) for rows in counts.values() for count in rows]
    title = "The last count of each figure and its year; - was not counted. No figure decides anything."
    columns = ["provider", *(BY_NAME[figure].title for figure in SHOWN)]
    output.table(title, columns, rows, as_json=as_json, json_rows=records)


def _latest(counts: tuple[Count, ...]) -> list[str | None]:
    ends = [trend(counts, figure) for figure in SHOWN]
    return [f"{_number(points[-1].value)} ({points[-1].date:%Y})" if points else None for points in ends]


def _over_time(name: str, counts: tuple[Count, ...], *, as_json: bool) -> None:
    points = [(figure, point) for figure in FIGURES for point in trend(counts, figure.name)]
    rows = [
        [figure.title, point.date, _number(point.value), _change(point.per_year), point.source]
        for figure, point in points
    ]
    records = [
        {"figure": figure.name, "date": point.date, "value": point.value}
        | {"per_year": point.per_year, "source": point.source, "shows": figure.shows, "hides": figure.hides}
        for figure, point in points
    ]
    title = f"{name}: what was counted, and its change for a year since the row before"
    columns = ["figure", "on", "count", "per year", "source"]
    output.table(title, columns, rows, as_json=as_json, json_rows=records)


def _number(value: float | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def _change(per_year: float | None) -> str | None:
    return None if per_year is None else about(per_year)


def why_forks(as_json: output.Json = False) -> None:
    """Print why forks matter, and what each count shows and doesn't."""
    if as_json:
        output.print_json(_worth())
        return
    for paragraph in WHY_FORKS:
        sources = "; ".join(paragraph.sources)
        typer.echo(f"{textwrap.fill(paragraph.text, WIDTH)}\n{textwrap.indent(sources, '  [')}]\n")
    rows = [[figure.title, figure.shows, figure.hides, figure.source or None] for figure in FIGURES]
    output.table(
        "What each count is worth", ["count", "shows", "does not show", "source"], rows, as_json=False
    )


def _worth() -> dict[str, Any]:
    return {
        "why_forks": [{"text": each.text, "sources": list(each.sources)} for each in WHY_FORKS],
        "figures": [
            {"name": each.name, "title": each.title, "unit": each.unit or None}
            | {"shows": each.shows, "hides": each.hides, "source": each.source or None}
            for each in FIGURES
        ],
    }


def refresh(
    providers: Annotated[
        list[str] | None, typer.Option("--provider", help="Only this one; repeat it for more.")
    ] = None,
    store: Store = None,
    cache: Annotated[
        Path | None, typer.Option(help="Directory of answers. [default: octet/facts in the user's cache]")
    ] = None,
    github: Annotated[str, typer.Option(help="GitHub's API.")] = GITHUB,
    scorecard: Annotated[str, typer.Option(help="OpenSSF's API.")] = SCORECARD,
    wait: Annotated[float, typer.Option(min=0, help="Wait at most so many seconds for a limit.")] = PATIENCE,
    again: Annotated[bool, typer.Option("--again", help="Also what has a row of today.")] = False,
    as_json: output.Json = False,
) -> None:
    """Fetch today's counts from GitHub and OpenSSF; offline, keep what is there and say so.

    GITHUB_TOKEN is used if it is set (5,000 requests an hour instead of 60); it is sent to GitHub's API only.
    Ends with code 3 where a limit lasts longer than --wait: what is done stays done, run it again later.
    """
    from octet.choose.facts.numbers.api import Api
    from octet.choose.facts.numbers.refreshing import refresh as fetch
    from octet.choose.facts.numbers.refreshing import run_name

    today, place = dt.datetime.now(dt.UTC).date(), cache or cache_home() / "facts"
    projects = _projects(providers)
    run = run_name(place, today, again=again)
    token = os.environ.get("GITHUB_TOKEN", "")
    asked = Api(github.rstrip("/"), place, run, token=token, patience=wait)
    scored = Api(scorecard.rstrip("/"), place, run, patience=wait)
    file = store or data_home() / "counts.json"
    outcome = fetch(projects, today, asked, scored, file, again=again, tell=output.note)
    asked.close()
    scored.close()
    _print_outcome(outcome, asked.asked + scored.asked, kept(store), as_json=as_json)
    if outcome.why is not None and not outcome.offline:
        raise outcome.why


def _projects(wanted: list[str] | None) -> list["Project"]:
    from octet.choose.facts.numbers.refreshing import Project

    known = facts.load()
    chosen = [known.get(name) for name in wanted] if wanted else list(known.providers)
    found = []
    for provider in chosen:
        repository = provider.facts["repository"].value
        if isinstance(repository, str):
            found.append(Project(provider.name, repository))
        else:
            output.note(f"{provider.name}: has no repository of its own to ask about")
    return found


def _print_outcome(outcome: "Outcome", asked: int, counts: tuple[Count, ...], *, as_json: bool) -> None:
    for sentence in outcome.gone:
        output.note(f"left out: {sentence}")
    if outcome.had:
        output.note(f"had a row of today: {', '.join(outcome.had)} (--again fetches them anew)")
    if outcome.offline:
        newest = max((row.date for row in counts), default=None)
        output.note(f"offline: {outcome.why}. {len(counts)} rows are kept, the newest of {newest}.")
    if outcome.left:
        output.note(f"not got to: {', '.join(outcome.left)}")
    if not outcome.fetched and not as_json:
        return
    rows = [[row.provider, *(_cell(row.figures.get(figure)) for figure in SHOWN)] for row in outcome.fetched]
    columns = ["provider", *(BY_NAME[figure].title for figure in SHOWN)]
    title = f"{len(rows)} rows of today, by {asked} requests"
    records = [saying.count_record(row) for row in outcome.fetched]
    output.table(title, columns, rows, as_json=as_json, json_rows=records)


def _cell(value: float | bool | None) -> str | None:
    return None if value is None else _number(value)
