"""``octet policy``: why a flow may pass, what a change would alter, and whether the kernel does what is said.

What lives here: the commands and how they print. What it must not know: what policies mean.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from octet.cli import output
from octet.cli.output import Json, examples
from octet.errors import BadConfigurationError

if TYPE_CHECKING:
    from octet.cluster.view import View
    from octet.measure.verifying import Difference
    from octet.policy.telling.answers import Answer
    from octet.policy.telling.explain import Step

app = typer.Typer(
    no_args_is_help=True,
    help="Who may talk to whom: explained, compared, verified.",
    epilog=examples(
        "octet policy explain shop/web shop/db --port 5432/tcp",
        "octet policy diff old/ new/",
        "octet policy verify",
    ),
)

Name = Annotated[
    str | None,
    typer.Option("--name", help="Which lab; may be left out where only one is up.", show_default=False),
]
Files = Annotated[
    Path | None,
    typer.Option(help="Manifests of pods, namespaces, nodes and policies, in place of a lab."),
]
_WORDS = {True: "allowed", False: "denied"}
_MOST_SIDES = 2
_COMMON = {"Pod", "Namespace", "Node", "Service", "EndpointSlice", "ServiceAccount"}
"""What of a lab both sides are about, where they hold policies alone."""

End = "A pod (namespace/name or name), a node, an address or a CIDR outside."


@app.command(
    epilog=examples(
        "octet policy explain shop/web shop/db --port 5432/tcp",
        "octet policy explain guest/visitor 198.51.100.0/24 --files examples/policy/",
        "octet policy explain node1 shop/web --json",
    )
)
def explain(
    source: Annotated[str, typer.Argument(help=End)],
    destination: Annotated[str, typer.Argument(help=End)],
    port: Annotated[
        str, typer.Option(help="Such as 80/tcp, 53/udp, icmp. Left out: every port that makes a difference.")
    ] = "",
    files: Files = None,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Say whether a flow may pass: which policies select either end, and which rule decides, in which tier.

    It is about the first packet of a connection, after a service's address became a pod's.
    """
    from octet.policy.telling.answers import answers
    from octet.policy.telling.traffic import read

    wanted = read(port) if port else None
    view = _view(files, name, source, destination)
    found = answers(view, source, destination, wanted, _closed(alone=files is not None, name=name))
    if as_json:
        output.print_json([_as_json(each) for each in found])
        return
    for number, each in enumerate(found):
        typer.echo(("\n" if number else "") + "\n".join(map(output.printable, _lines(each))))


def _view(files: Path | None, name: str | None, source: str, destination: str) -> "View":
    """Return the cluster of files, or a lab's as the ends' nodes know it."""
    from octet.lab import Lab
    from octet.lab.fabric import UPLINK
    from octet.lab.reading import completed, files_of, names_of, objects_of, refused_of, view_of
    from octet.policy.telling.ends import find

    if files is not None:
        objects, others = files_of(files)
        if others:
            output.note(f"left out: {', '.join(others)}")
        return view_of(completed(objects)[0])
    lab = Lab.find(name)
    view = view_of(objects_of(lab), UPLINK)
    nodes = [next((end.node for end in find(view, each, ())), "") for each in (source, destination)]
    view = replace(view, refused=refused_of(lab, dict.fromkeys(node for node in nodes if node)))
    return replace(view, learned=names_of(lab, nodes[0])) if nodes[0] else view


def _closed(*, alone: bool, name: str | None) -> tuple[int, ...]:
    """Return the UDP ports that no pod may send to: a lab's, or of files alone those of every model."""
    from octet.lab import Lab
    from octet.lab.reading import closed_of
    from octet.policy.gates import TUNNELS

    return TUNNELS if alone else closed_of(Lab.find(name))


def _as_json(answer: "Answer") -> dict[str, Any]:
    return {
        "source": answer.source,
        "destination": answer.destination,
        "traffic": answer.traffic,
        "families": list(answer.families),
        "allowed": answer.allowed,
        "steps": [asdict(step) for step in answer.steps],
    }


def _lines(answer: "Answer") -> Iterator[str]:
    yield f"{answer.source} -> {answer.destination}, {answer.traffic}: {_WORDS[answer.allowed]}"
    for step in answer.steps:
        yield from _step(step)


def _step(step: "Step") -> Iterator[str]:
    word = _WORDS[step.allowed]
    if not step.direction:
        yield f"  {word}: {step.words}"
        return
    yield f"  {step.direction.lower()} of {step.pod}: {word}"
    yield f"    {step.words}"
    for tier, policies in step.selecting:
        yield f"    selected in tier {tier} by {', '.join(policies)}"


@app.command(
    epilog=examples(
        "octet policy diff old/ new/ --cluster pods.yaml",
        "octet policy diff new/",
        "octet policy diff new/ --exit-code",
        "octet policy diff --staged",
    )
)
def diff(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[OLD] NEW", help="Manifests: files or directories. OLD left out is the lab that is up."
        ),
    ] = None,
    cluster: Annotated[
        Path | None, typer.Option(help="Manifests of what both have: pods, namespaces, nodes.")
    ] = None,
    *,
    staged: Annotated[
        bool, typer.Option("--staged", help="What if Calico's staged policies were enforced? OLD alone.")
    ] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit 1 where something would change.")
    ] = False,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Say which flows a change of policies would alter, before it is applied.

    With OLD, either side is whole as it stands. Without, NEW is what the lab has after `octet lab apply -f
    NEW`: objects are created or replaced, and none goes. A side without pods has those of the other one, or
    of the lab.
    """
    from octet.policy.telling.difference import compare

    sides = _staged(paths or [], name) if staged else _sides(paths or [], cluster, name)
    alone = bool(paths) if staged else len(paths or []) > 1
    found = compare(*sides, _closed(alone=alone, name=name))
    rows = [
        [
            _WORDS[each.allowed],
            output.printable(each.sources),
            output.printable(each.destinations),
            each.traffic,
            output.printable(each.because) or None,
        ]
        for each in found.changes
    ]
    columns = ("Now", "From", "To", "Traffic", "Because")
    whole = {"flows": found.flows, "not_compared": found.alone, "changes": _dictionaries(columns, rows)}
    if rows or as_json:
        output.table("", columns, rows, json_rows=whole, as_json=as_json)
    else:
        typer.echo("no flow would change")
    if found.alone and not as_json:
        output.note(f"not compared, because only one side has them: {', '.join(found.alone)}")
    if rows and exit_code:
        raise typer.Exit(output.FAILED)


def _sides(paths: Sequence[Path], cluster: Path | None, name: str | None) -> "tuple[View, View]":
    """Return what there is and what there would be."""
    from octet.lab import Lab
    from octet.lab.fabric import UPLINK
    from octet.lab.reading import completed, files_of, objects_of, over, view_of

    if not 1 <= len(paths) <= _MOST_SIDES:
        hint = "OLD and NEW, or NEW alone, or --staged"
        raise BadConfigurationError("policy diff", "paths", len(paths), "must be one or two", hint=hint)
    read = [files_of(path) for path in paths]
    for others in dict.fromkeys(others for _, others in read if others):
        output.note(f"left out: {', '.join(others)}")
    sides = [objects for objects, _ in read]
    common = files_of(cluster)[0] if cluster is not None else []
    if len(sides) == 1:
        there = objects_of(Lab.find(name))
        old, new = completed(over(common, there), over(common, over(there, sides[0])))
        return view_of(old, UPLINK), view_of(new, UPLINK)
    populated = next((objects for objects in (common, *sides) if _has_pods(objects)), None)
    shared = objects_of(Lab.find(name)) if populated is None else populated
    around = [item for item in shared if item["kind"] in _COMMON]
    below = [common if _has_pods(side) else over(around, common) for side in sides]
    old, new = completed(*(over(each, side) for each, side in zip(below, sides, strict=True)))
    return view_of(old), view_of(new)


def _staged(paths: Sequence[Path], name: str | None) -> "tuple[View, View]":
    """Return what there is, and what there would be with the staged policies in force."""
    from octet.lab import Lab
    from octet.lab.reading import completed, enforced, files_of, objects_of, view_of

    if len(paths) > 1:
        raise BadConfigurationError("policy diff", "paths", len(paths), "must be one at most with --staged")
    objects = files_of(paths[0])[0] if paths else objects_of(Lab.find(name))
    old, new = completed(objects, enforced(objects))
    return view_of(old), view_of(new)


def _has_pods(objects: Sequence[dict[str, Any]]) -> bool:
    return any(item["kind"] == "Pod" for item in objects)


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
    counts = {key: getattr(found, key) for key in ("pods", "flows", "passed", "undecided", "seconds")}
    whole = {**counts, "differences": _dictionaries(columns, rows)}
    if not as_json:
        output.note(
            f"{found.pods} pods, {found.flows} flows in {found.seconds:.1f} s: "
            f"{found.passed} arrived, {found.flows - found.passed} did not"
            + (f", {found.undecided} depend on names" if found.undecided else "")
        )
        typer.echo(f"{len(rows)} differences")
    if rows or as_json:
        output.table("", columns, rows, json_rows=whole, as_json=as_json)
    if rows:
        raise typer.Exit(output.FAILED)


def _dictionaries(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[dict[str, object]]:
    keys = [column.lower() for column in columns]
    return [dict(zip(keys, row, strict=True)) for row in rows]


def _difference(each: "Difference") -> list[object]:
    asked = each.question
    return [
        asked.source.name,
        asked.destination.name,
        str(asked.traffic),
        "passes" if each.passed else "does not pass",
        "allowed" if each.verdict.allowed else "denied",
        output.printable("; ".join(map(str, each.verdict.reasons))),
    ]
