"""kube-router's overlay between three nodes, one of them behind a router: IP in IP, and GUE."""

import errno
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import combinations

import pytest

import hands
from crossing import PINGS, UNDERLAY, Site, relocated
from octet.attach.bridge import BridgeAttach
from octet.blueprint import Blueprint, FouPort
from octet.cluster.view import View
from octet.kernel.reconcile import make_gone, prune
from octet.models import Running, example
from octet.transport.kube_router import Overlay, device
from octet.transport.tunnelling import Mode
from snapshot import snapshot

pytestmark = pytest.mark.qemu


@dataclass(frozen=True)
class Kind:
    """One way to wrap.

    Attributes:
        full: what the router sees of a packet that fills the underlay.
    """

    name: str
    family: int
    in_udp: int | None
    overhead: int
    full: str

    def __str__(self) -> str:
        return self.name


KINDS = (
    Kind("ipip", 4, None, 20, "ip protocol 4 ip length 1500"),
    Kind("gue", 4, 5555, 20 + 8 + 4, "udp dport 5555 ip length 1500"),
    Kind("ip6tnl", 6, None, 40, "ip6 nexthdr 41 ip6 length 1460"),
    Kind("gue over IPv6", 6, 5555, 40 + 8 + 4, "udp dport 5555 ip6 length 1460"),
)


def running(kind: Kind, mode: Mode) -> Running:
    overlay = Overlay(mode=mode, in_udp=kind.in_udp, bare=True)
    return Running(BridgeAttach("kube-bridge"), overlay, masquerade=False)


def views(kind: Kind) -> Callable[[int], View]:
    return lambda me: relocated(example.view(running(kind, Mode.ALWAYS), (kind.family,), 3, me), me)


def tunnel(other: int, family: int) -> str:
    """Return the name of any node's tunnel to one."""
    return device(next(each.ip for each in UNDERLAY[other] if each.version == family))


def follow(made: Site, kind: Kind, mode: Mode) -> None:
    """See that every pod reaches every other with its whole MTU, and what is wrapped on the way."""
    for one, other in combinations(UNDERLAY, 2):
        name = tunnel(other, kind.family)
        before = made.sent(one, name)
        assert made.ping(one, other, kind.family, 1500 - kind.overhead), (one, other)
        wrapped = mode is Mode.ALWAYS or other == 3
        assert made.sent(one, name) - before == (PINGS if wrapped else 0), (one, other)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_who_is_wrapped_and_how_much_fits(kind: Kind) -> None:
    """Type full wraps everything; type subnet, changed to while nodes run, what crosses the router only.

    The largest packet fills the underlay's 1500 bytes to the last one, and one byte more is refused.
    """
    with ExitStack() as ends:
        made, mtu = Site(ends, running(kind, Mode.ALWAYS), views(kind)).build(), 1500 - kind.overhead
        assert {each.mtu for each in made.endpoints.values()} == {mtu}
        follow(made, kind, Mode.ALWAYS)
        made.become(running(kind, Mode.CROSS_SUBNET), views(kind))
        follow(made, kind, Mode.CROSS_SUBNET)
        counts = made.passing(kind.full)
        assert made.ping(1, 3, kind.family, mtu)
        assert counts() == [2 * PINGS]
        assert not made.ping(1, 3, kind.family, mtu + 1, count=1)


@pytest.fixture(scope="module")
def gue() -> Iterator[Site]:
    """Nodes with tunnels in UDP, built once: what a test changes it puts back."""
    with ExitStack() as ends:
        yield Site(ends, running(KINDS[1], Mode.CROSS_SUBNET), views(KINDS[1])).build()


def test_pods_reach_nodes_through_the_tunnel(gue: Site) -> None:
    """A pod's packets to node3 itself are wrapped, by table 77; node1's own are not."""
    name = tunnel(3, 4)
    before = gue.sent(1, name)
    assert gue.reach(1, "198.51.100.3", 1500 - 32)
    assert gue.sent(1, name) == before + PINGS
    assert hands.succeeds(gue.nodes[1], "ping -c 1 -W 1 198.51.100.3")
    assert gue.sent(1, name) == before + PINGS


def test_a_machine_that_is_no_node_gets_nothing_in(gue: Site) -> None:
    """The router wraps a packet as node2 would: it is dropped at the port."""
    setup = (
        "link add smuggler type ipip local 198.51.100.254 remote 198.51.100.3 encap gue "
        "encap-sport auto encap-dport 5555"
    )
    assert not gue.smuggle(3, setup, "10.244.2.44")
    assert "packets 0" not in hands.run(gue.nodes[3], "nft list chain inet octet tunnel-gue4")


@pytest.mark.parametrize(
    "disturbance",
    [
        "ip link del tun-c6336403",
        "ip link set tun-c6336403 type ipip local 192.0.2.1 remote 198.51.100.3 ttl 64",
        "ip fou del port 5555",
        "ip rule del lookup 77",
        "ip route flush table 77",
    ],
)
def test_what_somebody_breaks_is_mended(gue: Site, disturbance: str) -> None:
    """After a comparison the node holds what it should, and pods and nodes are reached again."""
    gue.mend(1, disturbance)
    assert gue.ping(1, 3, size=1500 - 32)
    assert gue.reach(1, "198.51.100.3")


def test_a_port_of_somebody_else_is_left_alone(gue: Site) -> None:
    """Who has opened 5555 before us keeps it: we say so, and do not close it when we go."""
    kernel, node = gue.kernels[2], gue.nodes[2]
    assert make_gone(kernel, Blueprint([FouPort(5555)])).ok
    hands.run(node, "ip fou add port 5555 ipproto 4")
    (failed,) = prune(kernel, gue.wanted[2]).failed
    assert (failed.item, failed.errno) == (FouPort(5555), errno.EEXIST)
    assert make_gone(kernel, Blueprint([FouPort(5555)])).ok
    assert "port 5555 ipproto 4" in hands.run(node, "ip fou show")
    hands.run(node, "ip fou del port 5555")
    assert prune(kernel, gue.wanted[2]).ok


def test_nothing_is_left(gue: Site) -> None:
    """A node that lets go of everything is as it was before: no port, rule, table or tunnel."""
    assert "5555" in hands.run(gue.nodes[1], "ip fou show")
    assert prune(gue.kernels[1], Blueprint()).ok
    gue.kernels[1].reap()
    left = snapshot(gue.nodes[1])
    assert left["links"] == ["eth0", "lo"]
    assert (left["nft"], hands.run(gue.nodes[1], "ip fou show")) == ("", "")
    assert not [rule for rule in left["rules"] if rule.get("table") == "77"]
    assert not [route for route in left["routes"] if str(route["dst"]).startswith("10.")]
