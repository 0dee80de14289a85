"""The agent says why a packet goes where it goes: what the cluster says, beside what the kernel does."""

import json
from ipaddress import ip_address, ip_network
from types import SimpleNamespace
from typing import Any, cast

from octet.agent.desired import Desired
from octet.agent.network import Network
from octet.agent.routing import Routing
from octet.blueprint.base import union
from octet.kernel.daemons import Daemons
from octet.kernel.ways import Hop, Match, Way
from octet.models import example, find

NOWHERE = Way(None, refusal="Network is unreachable")


def routing(model: str, way: Way, said: str = "") -> Routing:
    """A node of the example cluster whose kernel answers so, and whose speaker says so."""
    running = find(model).parse({}, source="test")
    view = example.view(running)
    desired = Desired()
    desired.replace(("node",), union([running.node(view), running.peer(view, view.peers[0])]))
    lines = tuple(SimpleNamespace(text=text) for text in said.splitlines())
    daemons = SimpleNamespace(running={"bgp"} if said else set(), ask=lambda *_: SimpleNamespace(lines=lines))
    return Routing(
        running,
        cast("Network", SimpleNamespace(view=view)),
        desired,
        cast("Daemons", daemons),
        lambda _: way,
    )


def matched(destination: str, protocol: int, hop: Hop | None, kind: str = "unicast", metric: int = 0) -> Way:
    match = Match(ip_network(destination), kind, protocol, metric, 254, (hop,) if hop else ())
    return Way(match, hop, refusal="" if hop else "Invalid argument")


def why(made: Routing, address: str) -> dict[str, Any]:
    status, _, body = made.answer(f"to={address}")
    assert status == 200
    told: dict[str, Any] = json.loads(body)
    return told


def test_a_block_told_by_bgp() -> None:
    """Block, pool, node, the route and whose word it is, and the next hop."""
    way = matched("10.244.2.0/26", 12, Hop(ip_address("192.0.2.2"), "eth0"), metric=111)
    told = why(routing("calico", way, "10.244.2.0/26 unicast [node:node2 07:01] * (100/0) [i]"), "10.244.2.9")
    assert (told["kind"], told["prefix"], told["node"]) == ("block", "10.244.2.0/26", "node2")
    assert (told["transport"], told["told_by"], told["problems"]) == ("BGP", ["node2"], [])
    assert told["route"]["owner"] == "octet (bird)"
    assert told["next_hop"] == {"via": "192.0.2.2", "dev": "eth0"}


def test_a_tunnel_says_which_machine_it_is_for() -> None:
    """Neighbour and forwarding entry behind the next hop lead to the other node's address."""
    way = matched("10.244.2.0/24", 111, Hop(ip_address("10.244.2.0"), "flannel.1"))
    told = why(routing("flannel", way), "10.244.2.9")
    assert (told["kind"], told["transport"], told["machine"]) == ("node CIDR", "vxlan flannel.1", "192.0.2.2")


def test_a_free_address_of_our_own_block() -> None:
    """The blackhole is no fault of the route: nobody has the address."""
    told = why(routing("calico", matched("10.244.1.0/26", 111, None, "blackhole")), "10.244.1.9")
    assert told["problems"] == ["no pod of this node has it: 10.244.1.0/26 is a blackhole for what is free"]


def test_a_shorter_route_is_said_to_take_it() -> None:
    """Without a route of its own a block's packets take the default route, and a person is told."""
    way = matched("0.0.0.0/0", 3, Hop(ip_address("192.0.2.254"), "eth0"))
    (problem,) = why(routing("calico", way), "10.244.2.9")["problems"]
    assert problem == "no route for 10.244.2.0/26: 0.0.0.0/0 takes it, whoever knows the way there"


def test_no_way_at_all_and_nobodys_address() -> None:
    """The kernel's own words, and that no node has the address."""
    told = why(routing("calico", NOWHERE), "10.244.200.9")
    assert told["problems"] == [
        "no node has a block that it is in",
        "the kernel sends it nowhere: Network is unreachable",
    ]
    assert told["transport"] == "nowhere"


def test_what_is_no_address_is_refused() -> None:
    """A question about no address is the asker's fault."""
    assert routing("calico", NOWHERE).answer("to=web")[0] == 400
    assert routing("calico", NOWHERE).answer("")[0] == 400
