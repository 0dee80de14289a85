from ipaddress import ip_address

import pytest
from msgspec import structs

from octet.blueprint import Blueprint, Link, Route
from octet.models.encapsulation import IN_VXLAN
from octet.transport.calico.nodes import VXLAN, VXLAN_MACS, vtep_mac
from octet.transport.calico.vxlan import CalicoVxlan
from tunnelled import behind_a_router, cluster, without_annotation

TRANSPORT, ALONE = CalicoVxlan(IN_VXLAN), CalicoVxlan(IN_VXLAN, bare=True)


def lines(blueprint: Blueprint) -> list[str]:
    return str(blueprint).splitlines()


def test_the_device_is_calicos() -> None:
    """VNI 4096 at IANA's port, its MAC made of the node's name, its address the tunnel's."""
    found = TRANSPORT.node(cluster(vxlan="Always"))
    (link,) = found.of(Link)
    assert (link.name, link.mtu, link.mac) == ("vxlan.calico", 1450, vtep_mac("node1", None, 4))
    assert str(link).endswith("vni 4096 port 4789 local 192.0.2.1 dev eth0")
    assert "address 10.244.1.62/32 dev vxlan.calico" in lines(found)


def test_the_mac_is_felix_own() -> None:
    """``f`` and five bytes of what ``sha1sum`` says of the name, with ``-v6`` behind it for IPv6."""
    assert vtep_mac("node1", None, 4) == "66:f9:37:c3:7e:94"
    assert vtep_mac("node1", None, 6) == "66:0f:35:f2:60:df"


def test_a_peer_is_one_far_end_with_its_blocks_behind() -> None:
    """Its tunnel's address has the computed MAC at its machine, and is the gateway to its blocks."""
    view, mac = cluster(vxlan="Always"), vtep_mac("node2", None, 4)
    assert lines(TRANSPORT.peer(view, view.nodes["node2"])) == [
        "element tunnel-nodes4 { 192.0.2.2 }",
        f"fdb {mac} dst 192.0.2.2 dev vxlan.calico",
        f"neighbour 10.244.2.62 lladdr {mac} dev vxlan.calico",
        "route 10.244.2.0/26 via 10.244.2.62 dev vxlan.calico onlink",
    ]


def test_ipv6_has_a_device_of_its_own() -> None:
    """vxlan-v6.calico is over the IPv6 underlay, whose header is 20 bytes longer."""
    view = cluster("dual", vxlan="Always")
    assert [(link.name, link.mtu) for link in TRANSPORT.node(view).of(Link)] == [
        ("vxlan.calico", 1450),
        ("vxlan-v6.calico", 1430),
    ]
    text = str(TRANSPORT.peer(view, view.nodes["node2"]))
    assert "route fd00:10:244:2::/122 via fd00:10:244:2::3e dev vxlan-v6.calico onlink" in text


@pytest.mark.parametrize(("families", "mtu"), [("v4", 1450), ("v6", 1430), ("dual", 1430)])
def test_what_pods_may_send(families: str, mtu: int) -> None:
    """50 bytes less over IPv4, 70 over IPv6."""
    assert TRANSPORT.mtu(cluster(families, vxlan="CrossSubnet")) == mtu


def test_cross_subnet_wraps_what_a_router_would_drop() -> None:
    """To near nodes packets go as they are: by BGP's routes, or by ours where there is no BGP."""
    near, far = cluster(vxlan="CrossSubnet"), behind_a_router(cluster(vxlan="CrossSubnet"))
    assert TRANSPORT.peer(near, near.nodes["node2"]).of(Route) == []
    assert [str(each) for each in ALONE.peer(near, near.nodes["node2"]).of(Route)] == [
        "route 10.244.2.0/26 via 192.0.2.2 dev eth0"
    ]
    assert [str(each) for each in ALONE.peer(far, far.nodes["node2"]).of(Route)] == [
        "route 10.244.2.0/26 via 10.244.2.62 dev vxlan.calico onlink"
    ]


def test_a_peer_without_a_tunnel_address_waits() -> None:
    """Its blocks have no gateway yet; who reads the status learns why."""
    view = without_annotation(cluster(vxlan="Always"), "node2", VXLAN[4].annotation)
    assert TRANSPORT.peer(view, view.nodes["node2"]).of(Route) == []
    assert TRANSPORT.obstacles(view, view.nodes["node2"]) == (
        "node node2 has no usable annotation projectcalico.org/IPv4VXLANTunnelAddr",
    )


@pytest.mark.parametrize(
    ("text", "address"),
    [("10.244.2.62", "10.244.2.62"), ("fd00::1", None), ("10.244.2.62/32", None), ("", None), ("x", None)],
)
def test_only_an_address_of_the_family_is_taken(text: str, address: str | None) -> None:
    """Anything else in the annotation is as good as none."""
    node = structs.replace(cluster().nodes["node2"], annotations={VXLAN[4].annotation: text})
    assert VXLAN[4].of(node) == (ip_address(address) if address else None)


def test_a_node_may_tell_another_mac() -> None:
    """VXLANTunnelMACAddr is believed if it is a MAC that a station may have, as Felix believes it."""
    node = cluster().nodes["node2"]
    told = structs.replace(node, annotations={VXLAN_MACS[4]: "66:00:00:00:00:07"})
    forged = structs.replace(node, annotations={VXLAN_MACS[4]: "ff:ff:ff:ff:ff:ff"})
    assert vtep_mac("node2", told, 4) == "66:00:00:00:00:07"
    assert vtep_mac("node2", forged, 4) == vtep_mac("node2", None, 4)


def test_a_peer_with_this_nodes_mac_is_left_out() -> None:
    """Packets to it would end here."""
    view = cluster(vxlan="Always")
    copied = {**view.nodes["node2"].annotations, VXLAN_MACS[4]: vtep_mac("node1", None, 4)}
    peer = structs.replace(view.nodes["node2"], annotations=copied)
    assert TRANSPORT.peer(view, peer).of(Route) == []
    assert "has this node's MAC" in TRANSPORT.obstacles(view, peer)[0]


def test_strangers_may_not_send() -> None:
    """UDP to the port from whoever is no node is dropped where it comes in."""
    text = str(TRANSPORT.node(cluster("dual", vxlan="Always")))
    assert "meta l4proto udp th dport 4789 ip saddr != @tunnel-nodes4 counter drop" in text
    assert "meta l4proto udp th dport 4789 ip6 saddr != @tunnel-nodes6 counter drop" in text


def test_a_cluster_without_such_pools_has_nothing_of_it() -> None:
    """No device, no list, no route, no port that pods must not send to is needed."""
    view = cluster(ipip="Always")
    assert len(TRANSPORT.node(view)) == len(ALONE.peer(view, view.nodes["node2"])) == 0
    assert TRANSPORT.mtu(view) == 1500
