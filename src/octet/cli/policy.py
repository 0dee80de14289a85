"""``octet policy``: why a flow may pass, what a change would alter, and whether the kernel does what is said.

What lives here: the commands and how they print. What it must not know: what policies mean.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from octet.cli import output
from octet.cli.output import Json, examples

if TYPE_CHECKING:
    from octet.measure.verifying import Difference

app = typer.Typer(
    no_args_is_help=True,
    help="Who may talk to whom: explained, compared, verified.",
    epilog=examples("octet policy verify"),
)

Name = Annotated[
    str | None,
    typer.Option("--name", help="Which lab; may be left out where only one is up.", show_default=False),
]


@app.callback()
def policy() -> None:
    """Who may talk to whom: explained, compared, verified."""


@app.command(epilog=examples("octet policy verify", "octet policy verify --name tour --json"))
def verify(name: Name = None, as_json: Json = False) -> None:
    """Compare the kernel with the specification: every pair of pods, every port that matters, real packets.

    Also from pods to nodes and the outside, and from nodes to their own pods. Exit 1 where they differ.
    """
    from octet.lab import Lab
    from octet.measure.verifying import verify as compare

    found = compare(Lab.find(name))
    rows = [_difference(each) for each in found.differences]
    columns = ("From", "To", "Traffic", "Kernel", "Specification", "Because")
    keys = [column.lower() for column in columns]
    listed = [dict(zip(keys, row, strict=True)) for row in rows]
    counts = {key: getattr(found, key) for key in ("pods", "flows", "passed", "undecided", "seconds")}
    if rows or as_json:
        output.table("", columns, rows, json_rows={**counts, "differences": listed}, as_json=as_json)
    output.note(
        f"{found.pods} pods, {found.flows} flows in {found.seconds:.1f} s: "
        f"{found.passed} arrived, {found.flows - found.passed} did not"
        + (f", {found.undecided} depend on names that nobody has learned" if found.undecided else "")
    )
    if not as_json:
        typer.echo(f"{len(rows)} differences")
    if rows:
        raise typer.Exit(output.FAILED)


def _difference(each: "Difference") -> list[object]:
    asked = each.question
    word = {True: "passes", False: "does not pass"}
    said = {True: "allowed", False: "denied"}
    reasons = "; ".join(str(reason) for reason in each.verdict.reasons)
    return [
        asked.source.name,
        asked.destination.name,
        str(asked.traffic),
        word[each.passed],
        said[bool(each.verdict.allowed)],
        reasons,
    ]
