from dataclasses import replace

import pytest
from msgspec import structs

from octet.attach.routed import RoutedAttach
from octet.blueprint import Link, Route
from octet.cluster.indexes import Named
from octet.cluster.pools import IPPool
from octet.cluster.view import View
from octet.ipam.blocks.selection import Defaults
from octet.models import Running
from octet.models.encapsulation import IN_IPIP, IN_VXLAN, addresses, left
from octet.models.needs import needs, sometimes
from octet.transport.bgp import Left
from octet.transport.calico.nodes import IPIP, VXLAN
from octet.transport.calico.vxlan import CalicoVxlan
from octet.transport.ipip import IpipTransport
from octet.transport.together import Together
from octet.transport.tunnelling import Carried, Mode
from tunnelled import cluster


def pool(view: View, family: int) -> IPPool:
    return next(each for each in view.pools.values() if each.cidr.version == family)


def test_a_pool_says_which_tunnel_its_blocks_go_through() -> None:
    """IpipMode is IPIP's affair, vxlanMode VXLAN's; each has the blocks of its own pools."""
    view = cluster(ipip="CrossSubnet")
    (carried,) = IN_IPIP.of(view, "node2")
    assert (str(carried.prefix), carried.mode) == ("10.244.2.0/26", Mode.CROSS_SUBNET)
    assert list(IN_VXLAN.of(view, "node2")) == []
    assert (IN_IPIP.used(view, 4), IN_IPIP.used(view, 6), IN_VXLAN.used(view, 4)) == (True, False, False)


def test_two_pools_have_two_ways() -> None:
    """IPv4 blocks of an IPIP pool and IPv6 blocks of a VXLAN pool share a cluster."""
    view = cluster("dual", ipip="Always")
    six = structs.replace(pool(view, 6), vxlan_mode="Always")
    view = replace(view, pools=Named.of([pool(view, 4), six]))
    assert [str(each.prefix) for each in IN_IPIP.of(view, "node2")] == ["10.244.2.0/26"]
    assert [str(each.prefix) for each in IN_VXLAN.of(view, "node2")] == ["fd00:10:244:2::/122"]


@pytest.mark.parametrize(("mode", "unless_near"), [("Always", False), ("CrossSubnet", True)])
def test_bgp_leaves_alone_what_is_wrapped(mode: str, unless_near: bool) -> None:
    """All of an Always pool, of a CrossSubnet pool what is not near, of a pool without a tunnel nothing."""
    view = cluster("dual", ipip=mode)
    assert left(view) == (Left(pool(view, 4).cidr, unless_near=unless_near),)
    assert left(cluster("dual")) == ()


def test_a_disabled_pool_keeps_its_tunnel() -> None:
    """Nothing is handed out of it any more, and its pods are still reached."""
    view = cluster(ipip="Always")
    view = replace(view, pools=Named.of([structs.replace(pool(view, 4), disabled=True)]))
    assert IN_IPIP.used(view, 4)
    assert [carried.mode for carried in IN_IPIP.of(view, "node2")] == [Mode.ALWAYS]


def test_a_block_outside_of_every_pool_is_nobodys() -> None:
    """What a node claims beyond the pools is not carried to it."""
    view = cluster(ipip="Always")
    other = IPPool.from_object(
        {"metadata": {"name": "o"}, "spec": {"cidr": "10.9.0.0/16", "ipipMode": "Always"}}
    )
    assert list(IN_IPIP.of(replace(view, pools=Named.of([other])), "node2")) == []


def test_each_device_needs_an_address() -> None:
    """Calico's handles and annotations: one for IPIP, one for each family of VXLAN."""
    assert addresses(cluster("dual")) == ()
    assert addresses(cluster("dual", ipip="Always")) == (IPIP,)
    assert addresses(cluster("dual", vxlan="Always")) == (VXLAN[4], VXLAN[6])


@pytest.mark.parametrize(
    ("mode", "near", "wrapped"),
    [
        (Mode.ALWAYS, True, True),
        (Mode.ALWAYS, False, True),
        (Mode.CROSS_SUBNET, True, False),
        (Mode.CROSS_SUBNET, False, True),
        (Mode.NEVER, True, False),
        (Mode.NEVER, False, False),
    ],
)
def test_when_a_packet_is_wrapped(mode: Mode, near: bool, wrapped: bool) -> None:
    """CrossSubnet is about whether a router is between the two nodes."""
    assert mode.wraps(near=near) is wrapped


def test_a_share_is_what_is_carried_and_when() -> None:
    """Every prefix comes with its pool's own mode."""
    view = cluster("dual", vxlan="CrossSubnet")
    assert {carried.mode for carried in IN_VXLAN.of(view, "node3")} == {Mode.CROSS_SUBNET}
    assert all(isinstance(carried, Carried) for carried in IN_VXLAN.of(view, "node3"))


def test_what_a_kernel_must_have_depends_on_the_pools() -> None:
    """A cluster whose pools have no tunnel needs none; what one would need is known beforehand."""
    transport = Together((IpipTransport(IN_IPIP), CalicoVxlan(IN_VXLAN)))
    running = Running(RoutedAttach(), transport, blocks=Defaults((4, 6)))
    assert not {"ipip", "vxlan", "vxlan6"} & set(needs(running))
    assert {"ipip", "vxlan", "vxlan6"} <= set(sometimes(running))


def test_several_transports_are_one() -> None:
    """Their devices, routes, ports and reasons together, and the MTU of the widest."""
    transport = Together((IpipTransport(IN_IPIP), CalicoVxlan(IN_VXLAN)))
    view = cluster("dual", ipip="Always")
    six = structs.replace(pool(view, 6), vxlan_mode="Always")
    view = replace(view, pools=Named.of([pool(view, 4), six]))
    assert [link.name for link in transport.node(view).of(Link)] == ["ipip.calico", "vxlan-v6.calico"]
    assert transport.mtu(view) == 1430
    assert transport.ports == (4789,)
    routes = transport.peer(view, view.nodes["node2"]).of(Route)
    assert [route.link for route in routes] == ["ipip.calico", "vxlan-v6.calico"]
    assert transport.obstacles(view, view.nodes["node2"]) == ()
