"""``octet routes``: why a packet to an address goes where it goes.

What lives here: one command, and how its answer reads. What it must not know: models, the kernel.
"""

import json
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from octet.cli import output
from octet.cli.agent import CONFIG, ConfigFile, ask
from octet.cli.on_node import LabName, Where, run_there
from octet.errors import BadConfigurationError

app = typer.Typer(
    no_args_is_help=True,
    help="Where packets of a node go, and why.",
    epilog=output.examples("octet routes why 10.244.3.64", "octet routes why 10.244.3.64 node1 --name racks"),
)


@app.callback()
def routes() -> None:
    """Where packets of a node go, and why."""


@app.command(
    epilog=output.examples(
        "octet routes why 10.244.3.64",
        "octet routes why fd00:10:244::5 --config /etc/octet/agent.toml --json",
        "octet routes why 10.244.3.64 node1",
    )
)
def why(
    address: Annotated[str, typer.Argument(help="An IP address: a pod's, a node's, any.")],
    node: Where = "",
    config: ConfigFile = CONFIG,
    name: LabName = None,
    as_json: output.Json = False,
) -> None:
    """Say which block or node CIDR an address is in, whose it is, and the way a packet really takes.

    The way is asked of the kernel at this moment. Exit 3 when something is wrong with it, or no agent
    answers.
    """
    try:
        wanted = ip_address(address)
    except ValueError:
        problem = "is no IP address"
        raise BadConfigurationError("octet routes why", "ADDRESS", address, problem) from None
    if node:
        raise typer.Exit(run_there(name, node, "routes", "why", str(wanted), as_json=as_json))
    from octet.agent.config import load

    path = f"/routes?{urlencode({'to': str(wanted)})}"
    told = json.loads(ask(load(config).run / "health.sock", path))
    if as_json:
        output.print_json(told)
    else:
        typer.echo("\n".join(f"{word:10}{text}" for word, text in _lines(told)))
        for text in told["problems"]:
            output.note(text)
    if told["problems"]:
        raise typer.Exit(output.NOT_READY)


def _lines(told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what there is to say, a word before each."""
    yield "address", f"{told['address']}{_of(told['owner'])}"
    yield from _whose(told)
    route = told["route"]
    if route is None:
        yield "route", "none"
    else:
        told_by = f", told by {', '.join(told['told_by'])}" if told["told_by"] else ""
        where = "" if route["kind"] == "unicast" else f" {route['kind']}"
        yield "route", f"{route['destination']}{where}, {route['owner']}{told_by}"
        for hop in route["hops"] if len(route["hops"]) > 1 else ():
            yield "", f"shared out {_hop(hop)}"
    yield "by", told["transport"]
    if told["next_hop"] is not None:
        machine = f", wrapped for {told['machine']}" if told["machine"] else ""
        yield "next hop", f"{_hop(told['next_hop'])}{machine}"


def _whose(told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    here = " (this one)" if told["node"] == told["on"] else ""
    node = f"node {told['node']}{here}" if told["node"] else "no node"
    if told["kind"] in ("block", "node CIDR"):
        pool = f" of IPPool {told['pool']}" if told["pool"] else ""
        apart = ", on another node than its block" if told["apart"] else ""
        yield told["kind"], f"{told['prefix']}{pool}: {node}{apart}"
    elif told["kind"] == "node":
        yield "node", f"{told['node']}{here}"
    elif told["kind"] == "service":
        yield "service", "an address that whoever serves services turns into a pod's"
    else:
        yield "outside", "in no network of the cluster"


def _of(owner: str | None) -> str:
    return f" of {owner}" if owner else ""


def _hop(hop: dict[str, Any]) -> str:
    return " ".join([*(["via", hop["via"]] if hop["via"] else []), "dev", hop["dev"]])
