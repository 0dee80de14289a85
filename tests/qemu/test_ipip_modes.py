"""Calico's IPIP between three nodes, one of them behind a router: Always and CrossSubnet."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import combinations

import pytest

import hands
from crossing import PINGS, UNDERLAY, Site, relocated
from octet.attach.routed import RoutedAttach
from octet.blueprint import Blueprint
from octet.cluster.view import View
from octet.ipam.blocks.selection import Defaults
from octet.kernel.reconcile import prune
from octet.models import Running
from octet.models.encapsulation import IN_IPIP
from octet.transport.ipip import DEVICE, IpipTransport
from snapshot import snapshot
from tunnelled import cluster

pytestmark = pytest.mark.qemu

RUNNING = Running(RoutedAttach(), IpipTransport(IN_IPIP, bare=True), blocks=Defaults((4,)))
MTU = 1500 - 20


def views(mode: str) -> Callable[[int], View]:
    return lambda me: relocated(cluster(ipip=mode, me=me), me)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The nodes, built once: what a test changes it puts back."""
    with ExitStack() as ends:
        yield Site(ends, RUNNING, views("Always")).build()


@pytest.mark.parametrize("mode", ["CrossSubnet", "Always"])
def test_who_is_wrapped_and_how_much_fits(site: Site, mode: str) -> None:
    """Every pod reaches every other with its whole MTU; CrossSubnet wraps what crosses the router only.

    The largest packet fills the underlay's 1500 bytes to the last one, and one byte more is refused. A pool's
    mode changes while nodes run.
    """
    site.become(RUNNING, views(mode))
    assert {each.mtu for each in site.endpoints.values()} == {MTU}
    for one, other in combinations(UNDERLAY, 2):
        before = site.sent(one, DEVICE)
        assert site.ping(one, other, size=MTU), (one, other)
        wrapped = mode == "Always" or other == 3
        assert site.sent(one, DEVICE) - before == (PINGS if wrapped else 0), (one, other)
    counts = site.passing("ip protocol 4 ip length 1500", "ip saddr 10.244.0.0/16")
    assert site.ping(1, 3, size=MTU)
    assert counts() == [2 * PINGS, 0]
    assert not site.ping(1, 3, size=MTU + 1, count=1)


def test_a_nodes_own_processes_have_the_tunnels_address(site: Site) -> None:
    """What node1 itself sends to a pod of node3 has the tunnel's address, to which the answer goes."""
    assert "10.244.1.62" in hands.run(site.nodes[1], f"ip route get {site.address(3)}")
    assert hands.succeeds(site.nodes[1], f"ping -c 2 -i 0.05 -W 1 {site.address(3)}")


def test_a_machine_that_is_no_node_gets_nothing_in(site: Site) -> None:
    """The router wraps a packet as a node would: dropped; as soon as it counts as a node, it arrives."""
    setup = "link add smuggler type ipip local 198.51.100.254 remote 198.51.100.3"
    assert not site.smuggle(3, setup, "10.244.2.44")
    assert "packets 0" not in hands.run(site.nodes[3], "nft list chain inet octet tunnel-ipip4")
    hands.run(site.nodes[3], "nft add element inet octet tunnel-nodes4 { 198.51.100.254 }")
    assert site.smuggle(3, setup, "10.244.2.44")
    site.become(RUNNING, views("Always"))


@pytest.mark.parametrize(
    "disturbance",
    [
        "ip link del ipip.calico",
        "ip link set ipip.calico down",
        "ip link set ipip.calico mtu 1400",
        "ip link set ipip.calico type ipip local 192.0.2.77 remote any",
        "nft flush chain inet octet tunnel-ipip4",
    ],
)
def test_what_somebody_breaks_is_mended(site: Site, disturbance: str) -> None:
    """After a comparison the node holds what it should, and pods are reached again."""
    site.mend(1, disturbance)
    assert site.ping(1, 3, size=MTU)


def test_nothing_is_left(site: Site) -> None:
    """A node that lets go of everything is as it was before."""
    assert DEVICE in snapshot(site.nodes[1])["links"]
    assert prune(site.kernels[1], Blueprint()).ok
    site.kernels[1].reap()
    left = snapshot(site.nodes[1])
    assert left["links"] == ["eth0", "lo"]
    assert left["nft"] == ""
    assert not [route for route in left["routes"] if str(route["dst"]).startswith("10.")]
