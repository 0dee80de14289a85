"""How a decision is printed: the answer first, then what it stands on.

What lives here: the screen. What it must not know: how a decision comes about.
"""

import textwrap
from collections.abc import Iterable, Iterator

import msgspec
import typer

from octet.choose import telling
from octet.choose.decision import Decision, Finding, Run
from octet.choose.sensitivity import percent
from octet.cli import output

WIDTH = 110


def show(decision: Decision, *, as_json: bool, everything: bool = False) -> None:
    """Print a decision, the answer first; ``everything`` is what it stands on, too.

    Raises typer.Exit with 1 when nothing is left.
    """
    if as_json:
        output.print_json(msgspec.to_builtins(decision))
    else:
        _text("", [decision.headline, f"  {decision.rule}"])
        _text("For it", telling.because(decision.reasons_for, cited=everything))
        _text("Against it", telling.because(decision.reasons_against, cited=everything))
        _text("To have somebody left", telling.relaxed(decision))
        if everything:
            _tables(decision, as_json=as_json)
        else:
            _text("Ruled out", telling.out(decision))
        _text("What would change the answer", telling.changes(decision, everything=everything))
        if everything:
            _text('Left open by "don\'t know"', telling.left_open(decision))
            _text("Missing", telling.missing(decision))
        _text("How to run it now", (line for run in decision.run for line in _ways(run)))
        _text("Notes", (f"  {note}" for note in decision.notes))
        if decision.oldest is not None:
            _text("Oldest fact used", [f"  {telling.where(decision.oldest)}"])
        if not everything:
            _text("", ["", telling.more(decision)])
    if decision.outcome == "nothing":
        raise typer.Exit(output.FAILED)


def _text(title: str, lines: Iterable[str]) -> None:
    """Print lines under a title, wrapped below their own indentation; nothing where there are none."""
    held = list(lines)
    if title and held:
        typer.echo(f"\n{title}")
    for line in held:
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        typer.echo(textwrap.fill(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False))


def _tables(decision: Decision, *, as_json: bool) -> None:
    """Print who is in the race, who waits for a proof, and who is out, with what did it."""
    ranked = [
        (
            place.title,
            f"{place.value:.2f} [{place.low:.2f}, {place.high:.2f}]",
            "verify first" if place.first_share is None else percent(place.first_share),
            f"octet {place.model}" if place.model else None,
        )
        for place in decision.ranking
    ]
    if ranked:
        typer.echo()
        columns = ["provider", "value", "first in", "our model of it"]
        output.table("Who is left", columns, ranked, as_json=as_json, fold=WIDTH)
    out = [
        (each.title, finding.constraint, finding.because, _source(finding))
        for each in decision.excluded
        for finding in each.findings
    ]
    if out:
        typer.echo()
        output.table(
            "Ruled out", ["provider", "by", "because", "source, date"], out, as_json=as_json, fold=WIDTH
        )
    others = [(each.title, each.text) for each in decision.why_not if not each.text.startswith("ruled out")]
    if others:
        typer.echo()
        output.table("Why not the others", ["provider", "because"], others, as_json=as_json, fold=WIDTH)


def _source(finding: Finding) -> str:
    """Return where the facts were read; without any, what said so instead."""
    read = "; ".join(f"{each.source}, {each.as_of}" for each in finding.evidence)
    return read or ("your answer" if finding.constraint == "leaving" else "no such step in the facts")


def _ways(run: Run) -> Iterator[str]:
    yield f"  {run.title}: {run.note}"
    if run.octet:
        yield f"    $ {run.octet}"
    yield from (f"    {line}" for line in run.original)
