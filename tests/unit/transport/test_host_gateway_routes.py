from collections.abc import Callable
from dataclasses import replace

import pytest

from octet.cluster.view import View
from octet.errors import BadConfigurationError
from octet.transport.flannel.vxlan import flannel_host_gateway
from octet.transport.host_gateway import HostGateway
from octet.transport.reach import PodNetworks

ViewOf = Callable[..., View]
PLAIN = HostGateway()
FLANNEL = flannel_host_gateway(PodNetworks())


@pytest.mark.parametrize("transport", [PLAIN, FLANNEL])
def test_a_peer_is_a_route_per_family(flannel: ViewOf, transport: HostGateway) -> None:
    """The peer's own address is the gateway to its pods, in each family."""
    view = flannel("dual", "flannel:host-gw")
    assert str(transport.peer(view, view.nodes["node2"])).splitlines() == [
        "route 10.244.2.0/24 via 192.0.2.2 dev eth0",
        "route fd00:10:244:2::/64 via 2001:db8::2 dev eth0",
    ]


def test_the_node_itself_needs_nothing(flannel: ViewOf) -> None:
    """There is no device, and the underlay's MTU is the pods'."""
    view = flannel("dual", "flannel:host-gw")
    assert len(FLANNEL.node(view)) == 0
    assert FLANNEL.mtu(view) == 1500


def test_a_peer_behind_a_router_is_named(flannel: ViewOf, changed: ViewOf) -> None:
    """A route through somebody else's network would not work, so there is none, and it is said why."""
    view = changed(flannel("v4", "flannel:host-gw"), "node2", public_ip="198.51.100.2")
    assert len(FLANNEL.peer(view, view.nodes["node2"])) == 0
    assert FLANNEL.obstacles(view, view.nodes["node2"]) == (
        "node node2 at 198.51.100.2 is not on 192.0.2.0/24, which this node is on",
    )


def test_an_underlay_without_the_family_is_named(flannel: ViewOf) -> None:
    """An IPv6 peer can't be on the network of a node that has no IPv6 address."""
    view = flannel("dual", "flannel:host-gw")
    bare = replace(view, underlay=replace(view.underlay, v6=None))
    assert "is not on any IPv6 network" in PLAIN.obstacles(bare, bare.nodes["node2"])[0]


def test_translated_addresses_are_refused(flannel: ViewOf, changed: ViewOf) -> None:
    """Flannel's host-gw refuses a public address that is not the interface's own."""
    view = changed(flannel("v4", "flannel:host-gw"), "node1", public_ip_overwrite="203.0.113.9")
    with pytest.raises(BadConfigurationError, match=r"public-ip-overwrite.* = '203.0.113.9'.*192.0.2.1"):
        FLANNEL.node(view)


def test_plain_routes_need_no_annotations(flannel: ViewOf) -> None:
    """Without flannel's directory, Node objects are enough and nothing is announced."""
    view = flannel("v4", "kopeio-vxlan")
    assert len(PLAIN.peer(view, view.nodes["node2"])) == 1
    assert PLAIN.annotations(view) == {}
