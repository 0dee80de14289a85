from dataclasses import replace

import pytest

from octet.blueprint import Blueprint, Link, Route
from octet.blueprint.nft import Element
from octet.models.encapsulation import IN_IPIP
from octet.transport.calico.nodes import IPIP
from octet.transport.ipip import IpipTransport
from tunnelled import behind_a_router, cluster, without_annotation

TRANSPORT, ALONE = IpipTransport(IN_IPIP), IpipTransport(IN_IPIP, bare=True)


def lines(blueprint: Blueprint) -> list[str]:
    return str(blueprint).splitlines()


def routes(blueprint: Blueprint) -> list[str]:
    return [str(route) for route in blueprint.of(Route)]


def test_one_device_serves_all_peers() -> None:
    """It has no remote, the tunnel's own address, and 20 bytes less than the underlay."""
    found = TRANSPORT.node(cluster(ipip="Always"))
    assert lines(found)[:2] == [
        "address 10.244.1.62/32 dev ipip.calico",
        "chain tunnel-ipip4 {",
    ]
    assert 'oifname "ipip.calico" fib saddr type local ip saddr != 10.244.1.62 masquerade' in str(found)
    assert [str(link) for link in found.of(Link)] == [
        "link ipip.calico ipip (transport ipip) mtu 1480 local 192.0.2.1 remote any"
    ]
    assert "sysctl net/ipv4/conf/ipip.calico/rp_filter = 2" in lines(found)


def test_a_block_is_behind_the_machine_that_holds_it() -> None:
    """The route's gateway is the peer's underlay address, which the device takes for the outer header."""
    view = cluster(ipip="Always")
    assert routes(TRANSPORT.peer(view, view.nodes["node2"])) == [
        "route 10.244.2.0/26 via 192.0.2.2 dev ipip.calico onlink"
    ]


def test_cross_subnet_wraps_what_a_router_would_drop() -> None:
    """Near nodes' routes are left to BGP, those of nodes behind a router go through the tunnel."""
    near, far = cluster(ipip="CrossSubnet"), behind_a_router(cluster(ipip="CrossSubnet"))
    assert routes(TRANSPORT.peer(near, near.nodes["node2"])) == []
    assert routes(TRANSPORT.peer(far, far.nodes["node2"])) == [
        "route 10.244.2.0/26 via 192.0.2.2 dev ipip.calico onlink"
    ]


def test_without_bgp_near_routes_are_made_here() -> None:
    """Where nobody hears of blocks, the transport itself leads to near nodes, as they are."""
    view = cluster(ipip="CrossSubnet")
    assert routes(ALONE.peer(view, view.nodes["node2"])) == ["route 10.244.2.0/26 via 192.0.2.2 dev eth0"]


def test_a_cluster_without_such_pools_has_nothing_of_it() -> None:
    """No device, no list, no route, and pods have the whole MTU; nor has one whose pools are in VXLAN."""
    for view in (cluster(), cluster(vxlan="Always")):
        assert len(TRANSPORT.node(view)) == len(ALONE.peer(view, view.nodes["node2"])) == 0
        assert TRANSPORT.mtu(view) == 1500
        assert TRANSPORT.obstacles(view, view.nodes["node2"]) == ()


@pytest.mark.parametrize("mode", ["Always", "CrossSubnet"])
def test_what_pods_may_send(mode: str) -> None:
    """20 bytes less, also where most peers are near: which are changes with every node that joins."""
    assert TRANSPORT.mtu(cluster(ipip=mode)) == 1480


def test_ipv6_goes_as_it_is() -> None:
    """Calico's IPIP carries IPv4: an IPv6 block has no route here."""
    view = cluster("dual", ipip="Always")
    assert all(
        route.destination.version == 4 for route in TRANSPORT.peer(view, view.nodes["node2"]).of(Route)
    )


def test_known_nodes_may_send_whether_near_or_not() -> None:
    """The peer may be told another prefix length than we are, and wrap what we would not."""
    view = cluster(ipip="CrossSubnet")
    elements = TRANSPORT.peer(view, view.nodes["node2"]).of(Element)
    assert [str(each) for each in elements] == ["element tunnel-nodes4 { 192.0.2.2 }"]


def test_strangers_may_not_send() -> None:
    """Protocol 4 from whoever is no node is dropped where it comes in, before anything is unwrapped."""
    text = str(TRANSPORT.node(cluster(ipip="Always")))
    assert "meta l4proto 4 ip saddr != @tunnel-nodes4 counter drop" in text
    assert "type filter hook input" in text


def test_before_the_tunnel_has_an_address() -> None:
    """Pods need none: the device and the routes are there, and the node's own processes wait."""
    view = without_annotation(cluster(ipip="Always"), "node1", IPIP.annotation)
    assert "address" not in {line.split()[0] for line in lines(TRANSPORT.node(view))}
    assert "masquerade" not in str(TRANSPORT.node(view))
    assert len(TRANSPORT.node(view).of(Link)) == 1
    assert len(routes(TRANSPORT.peer(view, view.nodes["node2"]))) == 1


def test_a_node_without_ipv4_says_so() -> None:
    """Pods of an IPIP pool can't be reached from a node whose underlay has no IPv4."""
    view = cluster("dual", ipip="Always")
    view = replace(view, underlay=replace(view.underlay, v4=None))
    assert len(TRANSPORT.node(view)) == len(TRANSPORT.peer(view, view.nodes["node2"])) == 0
    assert TRANSPORT.obstacles(view, view.nodes["node2"]) == ("this node has no IPv4 address on eth0",)
