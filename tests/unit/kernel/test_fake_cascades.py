"""The fake loses what the kernel loses: with links, addresses, carriers and namespaces."""

import errno
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from node_state import NODE_STATE
from octet.blueprint import Address, Blueprint, Bridge, Change, Link, Route, Veth, Vxlan, nft
from octet.kernel.fake import FakeKernel, World
from refusals import REFUSALS, STANDING

BRIDGE = Link("br0", Bridge(), "bridge", mtu=1400)
ADDRESS = Address("br0", ip_interface("10.1.0.1/24"))
ADDRESS6 = Address("br0", ip_interface("fd01::1/64"))
ROUTE = Route(ip_network("10.3.0.0/24"), "br0", ip_address("10.1.0.3"), source=ip_address("10.1.0.1"))
TUNNEL = Link("vx0", Vxlan(1, 8472, ip_address("10.1.0.1"), lower="br0"), "overlay")
INSIDE = Link("eth0", Veth("pod0"), "pod", mtu=1400)
OUTSIDE = Link("pod0", Veth("eth0"), "pod", mtu=1400, master="br0")


@pytest.fixture
def kernel() -> FakeKernel:
    """A node with a bridge and what stands on it."""
    kernel = FakeKernel()
    assert kernel.apply(Change(add=(BRIDGE, ADDRESS, ADDRESS6, ROUTE, TUNNEL))).ok
    return kernel


def attach(kernel: FakeKernel) -> tuple[int, FakeKernel]:
    number = kernel.world.create()
    pod = kernel.enter(number)
    assert pod.apply(Change(add=(INSIDE,))).ok
    assert kernel.apply(Change(add=(OUTSIDE,))).ok
    return number, pod


def test_all_goes_with_a_link(kernel: FakeKernel) -> None:
    """Addresses, routes and the VXLAN device above go with the link that they are on."""
    kernel.delete(BRIDGE.key)
    assert kernel.read(Blueprint()) == Blueprint()


def test_routes_and_ipv6_addresses_go_when_a_link_is_set_down(kernel: FakeKernel) -> None:
    """Setting a link down keeps its IPv4 addresses only."""
    down = replace(BRIDGE, up=False)
    assert kernel.apply(Change(alter=((BRIDGE, down),))).ok
    assert set(kernel.read(Blueprint())) == {down, ADDRESS, TUNNEL}


def test_a_route_goes_with_its_source(kernel: FakeKernel) -> None:
    """Deleting an IPv4 address deletes the routes that prefer it, without a word."""
    kernel.delete(ADDRESS.key)
    assert not kernel.holds(ROUTE.key)


def test_both_ends_of_a_pair_go_together(kernel: FakeKernel) -> None:
    """Deleting one end, or the namespace it is in, deletes the other."""
    number, pod = attach(kernel)
    kernel.world.destroy(number)
    assert not kernel.holds(OUTSIDE.key)
    _, pod = attach(kernel)
    kernel.delete(OUTSIDE.key)
    assert not pod.holds(INSIDE.key)


def test_a_port_loses_its_bridge_but_not_its_life(kernel: FakeKernel) -> None:
    """Deleting a bridge leaves its ports without master."""
    attach(kernel)
    kernel.delete(BRIDGE.key)
    assert kernel.read(Blueprint([OUTSIDE])).of(Link) == [replace(OUTSIDE, master=None)]


def test_a_pod_goes_in_two_steps(kernel: FakeKernel) -> None:
    """A removed pod link is nobody's at once, and is deleted with its other end by reaping."""
    _, pod = attach(kernel)
    assert kernel.apply(Change(remove=(OUTSIDE,))).ok
    assert not kernel.holds(OUTSIDE.key)
    assert pod.holds(INSIDE.key)
    assert (kernel.reap(), kernel.reap()) == (1, 0)
    assert not pod.holds(INSIDE.key)


def test_a_retired_name_is_free_for_a_new_pod(kernel: FakeKernel) -> None:
    """An attachment that comes back before reaping takes the name again."""
    attach(kernel)
    kernel.apply(Change(remove=(OUTSIDE,)))
    _, pod = attach(kernel)
    assert pod.holds(INSIDE.key)


def test_a_taken_name_stops_a_pair(kernel: FakeKernel) -> None:
    """Where the node's name is somebody's, nothing of the pair is made."""
    kernel.plant(replace(OUTSIDE, master=None))
    pod = kernel.enter(kernel.world.create())
    (failure,) = pod.apply(Change(add=(INSIDE,))).failed
    assert failure.errno == errno.EEXIST
    assert not pod.holds(INSIDE.key)


@pytest.mark.parametrize("what", REFUSALS)
def test_the_fake_refuses_what_the_kernel_refuses(what: str) -> None:
    """A mistake fails in a unit test with the errno that it would have on a node."""
    kernel = FakeKernel()
    assert kernel.apply(Change(add=STANDING)).ok
    item, number = REFUSALS[what]
    assert [failure.errno for failure in kernel.apply(Change(add=(item,))).failed] == [number]


def test_entering_needs_a_namespace() -> None:
    """A number that no namespace has is refused like a descriptor that is none."""
    with pytest.raises(OSError, match="not a network namespace"):
        FakeKernel(World()).enter(77)


def test_a_pods_mtu_is_lowered_from_the_node(kernel: FakeKernel) -> None:
    """The other end of a pair takes the MTU that it is told."""
    _, pod = attach(kernel)
    kernel.set_peer_mtu("pod0", 1300)
    assert pod.read(Blueprint()).of(Link)[0].mtu == 1300


def test_the_fake_says_where_a_packet_goes() -> None:
    """The table that a fake holds answers for packets, with the node's addresses and routes."""
    kernel = FakeKernel()
    kernel.apply(Change(add=tuple(NODE_STATE)))
    rule = nft.Rule(nft.Compare(nft.L4PROTO, "tcp"), nft.Compare(nft.DPORT, 80), nft.DROP)
    assert kernel.apply(Change(add=(nft.Chain("into", (rule,), nft.Hook("filter", "input", 0)),))).ok
    to_node = nft.Packet(ip_address("10.1.0.5"), ip_address("10.1.0.1"), destination_port=80, iif="br0")
    assert not kernel.trace(to_node).accepted
    assert kernel.trace(replace(to_node, destination_port=81)).accepted
