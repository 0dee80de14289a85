"""Commands about one node: this machine's agent, or a node of a lab's.

What lives here: the two arguments that say which, and the same command run on a lab's node. What it must not
know: what any command asks.
"""

import sys
from typing import Annotated

import typer

from octet.errors import NotFoundError

Where = Annotated[
    str, typer.Argument(help="A node of a lab; without one, this machine's agent.", show_default=False)
]
LabName = Annotated[
    str | None, typer.Option("--name", help="Which lab; may be left out where only one is up.")
]


def run_there(name: str | None, node: str, *words: str, as_json: bool) -> int:
    """Ask where the node's agent is: the same command, run on the node; return its exit code.

    Raises:
        NotFoundError, OctetError: there is no such lab or node.
    """
    from octet.lab import Lab
    from octet.lab.cluster import HOME
    from octet.lab.join import enter

    lab = Lab.find(name)
    nodes = lab.info()["nodes"]
    if node not in nodes:
        raise NotFoundError(f"no node {node!r} in the lab {lab.name}", hint=f"nodes: {', '.join(nodes)}")
    config = HOME / node / "agent.toml"
    command = [sys.executable, "-m", "octet.cli.main", *words, "--config", str(config)]
    with lab.doors(node) as doors:
        return enter(doors, [*command, *(["--json"] if as_json else [])])
