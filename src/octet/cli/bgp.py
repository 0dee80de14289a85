"""``octet bgp``: what a node's BGP speaker does.

What lives here: one command. What it must not know: BIRD, how sessions come about.
"""

import json
from typing import Any

import typer

from octet.cli import output
from octet.cli.agent import CONFIG, ConfigFile, ask
from octet.cli.on_node import LabName, Where, run_there

app = typer.Typer(
    no_args_is_help=True,
    help="BGP sessions of this node or of a lab's.",
    epilog=output.examples("octet bgp status", "octet bgp status node1 --name racks"),
)


@app.callback()
def bgp() -> None:
    """BGP sessions of this node or of a lab's."""


@app.command(
    epilog=output.examples(
        "octet bgp status",
        "octet bgp status --config /etc/octet/agent.toml --json",
        "octet bgp status node1",
    )
)
def status(
    node: Where = "",
    config: ConfigFile = CONFIG,
    name: LabName = None,
    as_json: output.Json = False,
) -> None:
    """Show every BGP session: state and for how long, prefixes in and out, the last error.

    Exit 3 when the agent does not answer, or a session is not established.
    """
    if node:
        raise typer.Exit(run_there(name, node, "bgp", "status", as_json=as_json))
    from octet.agent.config import load

    state = json.loads(ask(load(config).run / "health.sock", "/bgp"))
    rows = [_row(each) for each in state["sessions"]]
    columns = ["Peer", "Address", "AS", "State", "For", "In", "Out", "Last error"]
    output.table("", columns, rows, json_rows=state, as_json=as_json)
    for text in state["problems"]:
        output.note(text)
    if state["problems"] or any(each["state"] != "Established" for each in state["sessions"]):
        raise typer.Exit(output.NOT_READY)


def _row(each: dict[str, Any]) -> tuple[object, ...]:
    state = f"{each['state']} (routes kept)" if each["kept"] else each["state"]
    incoming, outgoing = (
        " ".join(f"v{family['family']}:{family[way]}" for family in each["families"]) or "-"
        for way in ("in", "out")
    )
    since = "-" if each["seconds"] is None else _duration(each["seconds"])
    return each["peer"], each["address"], each["as"], state, since, incoming, outgoing, each["error"]


def _duration(seconds: float) -> str:
    """Return a time in its two largest units: ``3d4h``, ``5m12s``, ``0.8s``."""
    if seconds < 60:
        return f"{seconds:.1f}s" if seconds < 10 else f"{seconds:.0f}s"
    whole = int(seconds)
    for large, small, size, below in (("d", "h", 86400, 3600), ("h", "m", 3600, 60), ("m", "s", 60, 1)):
        if whole >= size:
            return f"{whole // size}{large}{whole % size // below}{small}"
    return f"{whole}s"
