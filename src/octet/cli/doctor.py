"""``octet doctor``: what this kernel can do, what needs it, and whether a model would run here.

What lives here: one command. What it must not know: how features are tried (``kernel.probes``).
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from octet.cli import completing, output
from octet.kernel import features
from octet.kernel.features import FEATURES, Answer, Feature, Finding

if TYPE_CHECKING:
    from octet.models import Running

PROGRAM = "a program that the agent runs"

app = typer.Typer(
    help="What this kernel can do, and what needs it.",
    epilog=output.examples("octet doctor", "octet doctor --model flannel", "octet doctor --json"),
)


@app.callback(invoke_without_command=True)
def doctor(
    *,
    model: Annotated[
        str | None,
        typer.Option(
            help="Only what this model needs, programs too; exit code 1 if it can't run here at all.",
            autocompletion=completing.models,
        ),
    ] = None,
    as_json: output.Json = False,
) -> None:
    """Try out every kernel feature, in namespaces that are thrown away, and print what was found.

    Nothing of the host is changed. As an ordinary user some features can't be tried: it says which and why.
    """
    running = None if model is None else _running(model)
    needed, sometimes = _needed(running) if running is not None else (FEATURES, ())
    shown = tuple(feature for feature in FEATURES if feature in (*needed, *sometimes))
    programs = {} if running is None else _programs(running)
    found = features.probe()
    rows = [_row(feature, found[feature.name]) for feature in shown]
    records = [_record(feature, found[feature.name]) for feature in shown]
    output.table(
        f"What {model or 'Octet'} can use of this machine",
        ["feature", "here", "what it is", "needed for", "if not"],
        [*rows, *(_program_row(name, why, str(model)) for name, why in programs.items())],
        as_json=as_json,
        json_rows=[*records, *(_program_record(name, why, str(model)) for name, why in programs.items())],
    )
    if model:
        _judge(model, needed, sometimes, programs)


def _judge(
    model: str, needed: Iterable[Feature], sometimes: Iterable[Feature], programs: Mapping[str, str]
) -> None:
    """Say what a model lacks here; exit code 1 if it can't run at all."""
    lacking = [*features.lacking(feature.name for feature in needed), *filter(None, programs.values())]
    for sentence in lacking:
        output.note(f"{model} will not run here: {sentence}")
    for sentence in features.lacking(feature.name for feature in sometimes):
        output.note(f"{model} will not run here where a cluster needs it: {sentence}")
    if lacking:
        raise typer.Exit(output.FAILED)


def _running(model: str) -> "Running":
    from octet import models

    return models.find(model).parse({}, source="octet doctor")


def _needed(running: "Running") -> tuple[tuple[Feature, ...], tuple[Feature, ...]]:
    """Return what a model needs in every cluster, and what it needs in some."""
    from octet.models.needs import needs, sometimes

    always, at_times = set(needs(running)), set(sometimes(running))
    return (
        tuple(feature for feature in FEATURES if feature.name in always),
        tuple(feature for feature in FEATURES if feature.name in at_times),
    )


def _programs(running: "Running") -> dict[str, str]:
    """Return the programs of a model, and what is to be done where one is not installed."""
    from octet.kernel.daemons import absent
    from octet.models.needs import programs

    return {name: absent(name) for name in programs(running)}


def _program_row(name: str, why: str, model: str) -> tuple[str | None, ...]:
    return name, (Answer.NO if why else Answer.YES).value, PROGRAM, model, why or None


def _program_record(name: str, why: str, model: str) -> dict[str, object]:
    answer = (Answer.NO if why else Answer.YES).value
    return {
        "feature": name,
        "answer": answer,
        "why": why or None,
        "summary": PROGRAM,
        "needed_for": [model],
        "since": None,
        "option": None,
    }


def _row(feature: Feature, finding: Finding) -> tuple[str | None, ...]:
    absent = None if finding.answer is Answer.YES else f"{finding.why}; {_cure(feature, finding)}"
    uses = ", ".join(feature.needed_for)
    return feature.name, finding.answer.value, feature.summary, uses, absent


def _cure(feature: Feature, finding: Finding) -> str:
    if finding.answer is Answer.UNKNOWN:
        return f"in Linux since {feature.since}"
    return f"{feature.option}, in Linux since {feature.since}"


def _record(feature: Feature, finding: Finding) -> dict[str, object]:
    return {
        "feature": feature.name,
        "answer": finding.answer.value,
        "why": finding.why or None,
        "summary": feature.summary,
        "needed_for": feature.needed_for,
        "since": feature.since,
        "option": feature.option,
        "instead": feature.instead or None,
    }
