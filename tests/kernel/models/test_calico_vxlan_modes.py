"""Calico's VXLAN between three nodes, one of them behind a router: Always and CrossSubnet."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import permutations

import pytest

import hands
from crossing import PINGS, UNDERLAY, Site, relocated
from octet.attach.routed import RoutedAttach
from octet.blueprint import Blueprint
from octet.ipam.blocks.selection import Defaults
from octet.kernel.reconcile import prune
from octet.models import Running, example
from octet.models.encapsulation import IN_VXLAN
from octet.transport.calico.nodes import vtep_mac
from octet.transport.calico.vxlan import CalicoVxlan
from snapshot import snapshot
from tunnelled import cluster

pytestmark = pytest.mark.kernel

RUNNING = Running(RoutedAttach(), CalicoVxlan(IN_VXLAN, bare=True), blocks=Defaults((4, 6)))
DEVICE = {4: "vxlan.calico", 6: "vxlan-v6.calico"}
OVERHEAD = {4: 50, 6: 70}
WRAPPED = {4: "ip protocol udp udp dport 4789", 6: "meta nfproto ipv6 udp dport 4789"}


def site(ends: ExitStack, mode: str, families: str = "v4") -> Site:
    return Site(
        ends, RUNNING, lambda me: relocated(cluster(families, vxlan=mode, nodes=3, me=me), me)
    ).build()


@pytest.fixture
def always() -> Iterator[Site]:
    with ExitStack() as ends:
        yield site(ends, "Always")


@pytest.fixture
def crossing() -> Iterator[Site]:
    with ExitStack() as ends:
        yield site(ends, "CrossSubnet")


@pytest.mark.parametrize("families", ["v4", "v6"])
@pytest.mark.parametrize("mode", ["Always", "CrossSubnet"])
def test_who_is_wrapped_and_how_much_fits(mode: str, families: str) -> None:
    """Every pod reaches every other with its whole MTU; CrossSubnet wraps what crosses the router only.

    The largest packet fills the underlay's 1500 bytes to the last one, and one byte more is refused.
    """
    family = example.FAMILIES[families][0]
    with ExitStack() as ends:
        made = site(ends, mode, families)
        mtu = 1500 - OVERHEAD[family]
        assert {each.mtu for each in made.endpoints.values()} == {mtu}
        for one, other in permutations(UNDERLAY, 2):
            before = made.sent(one, DEVICE[family])
            assert made.ping(one, other, family, mtu), (one, other)
            wrapped = mode == "Always" or 3 in {one, other}
            assert made.sent(one, DEVICE[family]) - before == (PINGS if wrapped else 0), (one, other)
        full = 1500 if family == 4 else 1460  # an IPv6 header does not count itself (RFC 8200, 3)
        size = f"ip length {full}" if family == 4 else f"ip6 length {full}"
        counts = made.passing(f"{WRAPPED[family]} {size}")
        assert made.ping(1, 3, family, mtu)
        assert counts() == [2 * PINGS]
        assert not made.ping(1, 3, family, mtu + 1, count=1)


def test_a_nodes_own_processes_have_the_tunnels_address(always: Site) -> None:
    """What node1 itself sends to a pod of node3 has the tunnel's address, to which the answer goes."""
    assert "10.244.1.62" in hands.run(always.nodes[1], f"ip route get {always.address(3)}")
    assert hands.succeeds(always.nodes[1], f"ping -c 2 -i 0.05 -W 1 {always.address(3)}")


def test_other_addresses_of_the_node_are_answered_through_the_tunnel_too(always: Site) -> None:
    """A process that has bound the underlay's address is seen with the tunnel's: nothing comes back bare."""
    counts = always.passing("ip saddr 10.244.0.0/16", "udp dport 4789")
    assert hands.succeeds(always.nodes[1], f"ping -c 2 -i 0.05 -W 1 -I 192.0.2.1 {always.address(3)}")
    assert counts() == [0, 4]


def test_what_is_between_nodes_is_not_tracked(always: Site) -> None:
    """Outer packets are untracked both ways, so that no policy for hosts cuts them, and leave no entries."""
    hands.run(always.nodes[3], "nft add table inet seen")
    for hook in ("input", "output"):
        hands.run(always.nodes[3], f"nft add chain inet seen {hook} {{type filter hook {hook} priority 1;}}")
        for state in ("==", "!="):
            rule = f"{hook} udp dport 4789 ct state {state} untracked counter"
            hands.run(always.nodes[3], f"nft add rule inet seen {rule}")
    assert always.ping(1, 3)
    shown = hands.run(always.nodes[3], "nft list table inet seen").splitlines()
    hands.run(always.nodes[3], "nft delete table inet seen")
    counts = [int(line.split(" packets ")[1].split()[0]) for line in shown if " packets " in line]
    assert counts == [PINGS, 0, PINGS, 0]


def test_a_machine_that_is_no_node_gets_nothing_in(always: Site) -> None:
    """The router wraps a packet as a node would: dropped; as soon as it counts as a node, it arrives."""
    mac, inner = vtep_mac("node3", None, 4), vtep_mac("node2", None, 4)
    setup = (
        f"link add smuggler address {inner} type vxlan id 4096 dstport 4789 local 198.51.100.254 remote "
        "198.51.100.3"
    )
    entry = f"neigh add {always.address(3)} lladdr {mac} dev smuggler"
    source = "10.244.2.44"
    assert not always.smuggle(3, f"{setup}; {entry}", source)
    chain = hands.run(always.nodes[3], "nft list chain inet octet tunnel-vxlan4")
    assert "packets 0" not in chain
    hands.run(always.nodes[3], "nft add element inet octet tunnel-nodes4 { 198.51.100.254 }")
    assert always.smuggle(3, f"{setup}; {entry}", source)


@pytest.mark.parametrize(
    "disturbance",
    [
        "ip link del vxlan.calico",
        "ip link set vxlan.calico down",
        "ip link set vxlan.calico address 66:00:00:00:00:01",
        "ip route del 10.244.3.0/26",
        "ip addr del 10.244.1.62/32 dev vxlan.calico",
        "nft flush chain inet octet tunnel-vxlan4",
        "nft flush set inet octet tunnel-nodes4",
    ],
)
def test_what_somebody_breaks_is_mended(always: Site, disturbance: str) -> None:
    """After a comparison the node holds what it should, and pods are reached again."""
    always.mend(1, disturbance)
    assert always.ping(1, 3, size=1450)


def test_a_change_of_mode_moves_the_routes(always: Site) -> None:
    """From Always to CrossSubnet near pods go as they are at once, and far ones stay in the tunnel."""
    always.become(RUNNING, lambda me: relocated(cluster(vxlan="CrossSubnet", me=me), me))
    before = always.sent(1, "vxlan.calico")
    assert always.ping(1, 2, size=1450)
    assert always.sent(1, "vxlan.calico") == before
    assert always.ping(1, 3, size=1450)
    assert always.sent(1, "vxlan.calico") == before + PINGS


def test_nothing_is_left(always: Site) -> None:
    """A node that lets go of everything is as it was before."""
    bare = snapshot(always.nodes[1])
    assert "vxlan.calico" in bare["links"]
    assert prune(always.kernels[1], Blueprint()).ok
    always.kernels[1].reap()
    left = snapshot(always.nodes[1])
    assert left["links"] == ["eth0", "lo"]
    assert left["nft"] == ""
    assert left["neighbours"] == []
    assert not [route for route in left["routes"] if str(route["dst"]).startswith("10.")]
