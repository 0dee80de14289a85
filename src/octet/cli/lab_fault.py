"""``octet lab fault``: break things of a lab, and mend them.

What lives here: the verbs, and how every verb of ``octet lab`` finds its lab. What it must not know: how
anything is broken (``octet.lab``).
"""

from typing import TYPE_CHECKING, Annotated

import typer

from octet.cli import completing
from octet.cli.output import examples

if TYPE_CHECKING:
    from octet.lab import Lab

app = typer.Typer(
    no_args_is_help=True,
    help="Break things, and mend them.",
    epilog=examples("octet lab fault cut node2", "octet lab fault heal"),
)

Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        help="Which lab; may be left out where only one is up.",
        show_default=False,
        autocompletion=completing.labs,
    ),
]
Node = Annotated[str, typer.Argument(help="A node, such as node1.", autocompletion=completing.nodes)]
Router = Annotated[str, typer.Argument(help="A router, such as tor1.", autocompletion=completing.routers)]
Broken = Annotated[
    str,
    typer.Argument(
        help="A node, a router, or a router's link: node1, tor1, tor1/up1.",
        autocompletion=completing.machines,
    ),
]


def find(name: str | None) -> "Lab":
    """Return a lab that is up, by name, or the only one. Raises NotFoundError, OctetError."""
    from octet.lab import Lab

    return Lab.find(name)


@app.command(
    epilog=examples(
        "octet lab fault cut node2", "octet lab fault cut node1 node2", "octet lab fault cut tor1 spine1"
    )
)
def cut(
    node: Broken,
    peer: Annotated[
        str, typer.Argument(help="Lose only what passes between the two.", autocompletion=completing.machines)
    ] = "",
    name: Name = None,
) -> None:
    """Unplug a node, a router or a router's link, or lose everything between two.

    Between routers, and between a router and a node, a cut is a pulled cable: both ends notice at once
    (`fault drop` loses in silence). Two nodes are cut from each other in the switch of their rack.

    The agents' store is not on the switch: a cut node still hears of changes.
    """
    find(name).cut(node, peer)


@app.command(epilog=examples("octet lab fault heal", "octet lab fault heal node2"))
def heal(
    node: Annotated[
        str,
        typer.Argument(
            help="Only what is broken at this node or router.", autocompletion=completing.machines
        ),
    ] = "",
    peer: Annotated[
        str, typer.Argument(help="Only what is broken between the two.", autocompletion=completing.machines)
    ] = "",
    name: Name = None,
) -> None:
    """Mend cables and losses: all, those of a node, or those between two."""
    find(name).heal(node, peer)


@app.command(
    epilog=examples(
        "octet lab fault drop --percent 1",
        "octet lab fault drop node1 node2 --percent 30 --protocol udp --port 8472",
    )
)
def drop(
    node: Annotated[
        str,
        typer.Argument(help="Sent or received by this node or router.", autocompletion=completing.machines),
    ] = "",
    peer: Annotated[
        str, typer.Argument(help="With this one at the other end.", autocompletion=completing.machines)
    ] = "",
    percent: Annotated[float, typer.Option(help="How many of a hundred packets.")] = 100.0,
    protocol: Annotated[
        str,
        typer.Option(
            help="tcp, udp, sctp, icmp, icmpv6, ipip, gre, esp.", autocompletion=completing.protocols
        ),
    ] = "",
    port: Annotated[int, typer.Option(help="Destination or source port of tcp, udp, sctp.")] = 0,
    name: Name = None,
) -> None:
    """Lose packets in the switch or at routers, as those see them: protocol and port are the outer packet's.

    Delay, jitter, reordering and duplication are not offered: they need the kernel's netem scheduler.
    """
    find(name).drop(percent, node=node, peer=peer, protocol_name=protocol, port=port)


@app.command("kill-agent", epilog=examples("octet lab fault kill-agent node1"))
def kill_agent(node: Node, name: Name = None) -> None:
    """Kill a node's agent with SIGKILL; it stays dead until start-agent."""
    find(name).kill_agent(node)


@app.command("start-agent", epilog=examples("octet lab fault start-agent node1"))
def start_agent(node: Node, name: Name = None) -> None:
    """Start a node's agent again and wait until it is ready."""
    find(name).start_agent(node)


@app.command("kill-router", epilog=examples("octet lab fault kill-router tor1"))
def kill_router(router: Router, name: Name = None) -> None:
    """Kill a router's software with SIGKILL; it stays dead until start-router.

    Its kernel goes on forwarding by what it was last told; `fault cut` takes the whole router away.
    """
    find(name).kill_router(router)


@app.command("start-router", epilog=examples("octet lab fault start-router tor1"))
def start_router(router: Router, name: Name = None) -> None:
    """Start a router's software again and wait until it can be asked."""
    find(name).start_router(router)
