"""``octet flows``: what policies denied a moment ago, or logged, of a lab or of this node's agent.

What lives here: asking agents, one line a flow. What it must not know: how an agent came to know.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from octet.cli import output
from octet.cli.output import Json, examples
from octet.errors import NotReadyError

app = typer.Typer()

Ask = Callable[[str], str]
"""Return what an agent answers to a path of its health socket."""

PAUSE = 0.5
"""Seconds between two questions of ``--follow``."""


@app.command(
    epilog=examples(
        "octet flows --denied",
        "octet flows --denied -f",
        "octet flows --denied --pod shop/web --json",
        "octet flows --config /etc/octet/agent.toml",
    )
)
def flows(
    *,
    denied: Annotated[
        bool, typer.Option("--denied", help="Leave out what Calico's Log rules tell of.")
    ] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    pod: Annotated[str, typer.Option(help="Only flows from or to this one: namespace/name.")] = "",
    name: Annotated[
        str | None,
        typer.Option("--name", help="Which lab; may be left out where only one is up.", show_default=False),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="The TOML file of an agent, in place of a lab: its node alone.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show flows that policies denied, with pods, direction, port, policy and tier.

    The kernel tells of 10 packets a second of each policy; repeats of a flow are one line with their number.
    Every packet is counted: `octet_policy_denied_packets_total` of each agent's `/metrics`. With --follow,
    --json is one object a line.
    """
    listening = _Listening(_agents(name, config))

    def wanted(line: Mapping[str, Any]) -> bool:
        ends = (line["source"], line["destination"])
        return (not denied or line["verdict"] == "denied") and (not pod or pod in ends)

    if follow:
        _follow(listening, wanted, as_json=as_json)
    found = [line for line in listening.lines() if wanted(line)]
    columns = ("Time", "Node", "Verdict", "Direction", "From", "To", "Traffic", "Policy", "Tier", "Packets")
    output.table("", columns, [_row(line) for line in found], json_rows=found, as_json=as_json)


def _follow(
    listening: "_Listening", wanted: Callable[[Mapping[str, Any]], bool], *, as_json: bool
) -> NoReturn:
    while True:
        for line in filter(wanted, listening.lines()):
            text = json.dumps(line) if as_json else "  ".join(str(cell) for cell in _row(line))
            typer.echo(text)
        time.sleep(PAUSE)


def _agents(name: str | None, config: Path | None) -> dict[str, Ask]:
    """Return how to ask each agent, by node."""
    if config is not None:
        from octet.agent.config import load
        from octet.cli.agent import ask

        held = load(config)
        return {held.node: partial(ask, held.run / "health.sock")}
    from octet.lab import Lab

    lab = Lab.find(name)
    nodes = [node["metadata"]["name"] for node in lab.get("nodes")]
    return {node: partial(lab.ask_agent, node) for node in nodes}


class _Listening:
    """What several agents tell, one reading after the other, each line once."""

    def __init__(self, agents: Mapping[str, Ask]) -> None:
        self._agents = agents
        self._seen: dict[str, int] = {}
        self._silent: dict[str, NotReadyError] = {}

    def lines(self) -> list[dict[str, Any]]:
        """Return new lines by time; who does not answer is named once, and waited for if ever one did.

        Raises:
            NotReadyError: none answers, and none has.
        """
        found: list[dict[str, Any]] = []
        for node, ask in self._agents.items():
            try:
                found += self._of(node, ask)
                self._silent.pop(node, None)
            except NotReadyError as error:
                if self._seen and node not in self._silent:
                    output.note(str(error))
                self._silent[node] = error
        if not self._seen:
            raise next(iter(self._silent.values()))
        return sorted(found, key=lambda line: float(line["time"]))

    def _of(self, node: str, ask: Ask) -> Iterator[dict[str, Any]]:
        since = self._seen.get(node, 0)
        answer = json.loads(ask(f"/flows?since={since}"))
        if answer["last"] < since:  # another agent than before: its numbers begin again
            answer = json.loads(ask("/flows?since=0"))
        self._seen[node] = answer["last"]
        return ({"node": node, **_whole(line)} for line in answer["flows"])


def _whole(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line with what an agent leaves out because it is nothing."""
    return {"port": 0, "source_port": 0, "icmp": "", "count": 1, **line}


def _row(line: Mapping[str, Any]) -> list[object]:
    return [
        time.strftime("%H:%M:%S", time.localtime(line["time"])),
        output.printable(line["node"]),
        line["verdict"],
        line["direction"],
        _end(line, "source"),
        _end(line, "destination"),
        _traffic(line),
        output.printable(line["policy"]),
        output.printable(line["tier"]),
        line["count"],
    ]


def _end(line: Mapping[str, Any], end: str) -> str:
    name, address = output.printable(line[end]), output.printable(line[f"{end}_address"])
    return name if name == address else f"{name} ({address})"


def _traffic(line: Mapping[str, Any]) -> str:
    protocol = output.printable(line["protocol"])
    if line["icmp"]:
        return f"{protocol} {output.printable(line['icmp'])}"
    return f"{line['port']}/{protocol}" if line["port"] else protocol
