"""``octet doctor``: what this kernel can do, what needs it, and whether a model would run here.

What lives here: one command. What it must not know: how features are tried (``kernel.probes``).
"""

from typing import Annotated

import typer

from octet.cli import completing, output
from octet.kernel import features
from octet.kernel.features import FEATURES, Answer, Feature, Finding

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
            help="Only what this model needs; exit code 1 if it can't run here at all.",
            autocompletion=completing.models,
        ),
    ] = None,
    as_json: output.Json = False,
) -> None:
    """Try out every kernel feature, in namespaces that are thrown away, and print what was found.

    Nothing of the host is changed. As an ordinary user some features can't be tried: it says which and why.
    """
    needed, sometimes = _needed(model) if model is not None else (FEATURES, ())
    shown = tuple(feature for feature in FEATURES if feature in (*needed, *sometimes))
    found = features.probe()
    output.table(
        f"What {model or 'Octet'} can use of this kernel",
        ["feature", "here", "what it is", "needed for", "if not"],
        [_row(feature, found[feature.name]) for feature in shown],
        as_json=as_json,
        json_rows=[_record(feature, found[feature.name]) for feature in shown],
    )
    lacking = features.lacking(feature.name for feature in needed) if model else ()
    for sentence in lacking:
        output.note(f"{model} will not run here: {sentence}")
    for sentence in features.lacking(feature.name for feature in sometimes):
        output.note(f"{model} will not run here where a cluster needs it: {sentence}")
    if lacking:
        raise typer.Exit(output.FAILED)


def _needed(model: str) -> tuple[tuple[Feature, ...], tuple[Feature, ...]]:
    """Return what a model needs in every cluster, and what it needs in some."""
    from octet import models
    from octet.models.needs import needs, sometimes

    running = models.find(model).parse({}, source="octet doctor")
    always, at_times = set(needs(running)), set(sometimes(running))
    return (
        tuple(feature for feature in FEATURES if feature.name in always),
        tuple(feature for feature in FEATURES if feature.name in at_times),
    )


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
