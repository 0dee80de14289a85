from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Interface, ip_network

import pytest

from octet.blueprint import Blueprint, Link
from octet.cluster.view import View
from octet.transport.flannel.netconf import VxlanBackend
from octet.transport.flannel.vxlan import flannel_vxlan
from octet.transport.reach import PodNetworks
from octet.transport.vxlan import VxlanTransport

ViewOf = Callable[..., View]

MAC = "6e:53:6b:01:02:03"
VXLAN = flannel_vxlan(VxlanBackend(), PodNetworks())
DIRECT = flannel_vxlan(VxlanBackend(direct_routing=True), PodNetworks())


def lines(blueprint: Blueprint) -> list[str]:
    return str(blueprint).splitlines()


def to(view: View, name: str, transport: VxlanTransport = VXLAN) -> list[str]:
    return lines(transport.peer(view, view.nodes[name]))


def test_the_device_of_an_ipv4_node(flannel: ViewOf, changed: ViewOf) -> None:
    """flannel.1 has VNI, port and lower device as in flannel, its annotated MAC, the subnet's address."""
    view = changed(flannel(), "node1", backend_data=f'{{"VNI":1,"VtepMAC":"{MAC}"}}')
    assert lines(VXLAN.node(view)) == [
        "address 10.244.1.0/32 dev flannel.1",
        f"link flannel.1 vxlan (transport vxlan) mtu 1450 mac {MAC} vni 1 port 8472 local 192.0.2.1 dev eth0",
        "sysctl net/ipv4/conf/flannel.1/rp_filter = 2",
        "sysctl net/ipv6/conf/flannel.1/accept_ra = 0",
    ]
    (link,) = VXLAN.node(view).of(Link)
    assert (link.detail.lower, link.detail.learning, link.ipv6_autoconf) == ("eth0", False, False)


def test_the_device_of_an_ipv6_node(flannel: ViewOf, changed: ViewOf) -> None:
    """IPv6 pods have a device of their own over the IPv6 underlay, with 70 bytes less."""
    view = changed(flannel("v6"), "node1", backend_v6_data=f'{{"VNI":1,"VtepMAC":"{MAC}"}}')
    assert lines(VXLAN.node(view)) == [
        "address fd00:10:244:1::/128 dev flannel-v6.1",
        (
            f"link flannel-v6.1 vxlan (transport vxlan) mtu 1430 mac {MAC} "
            "vni 1 port 8472 local 2001:db8::1 dev eth0"
        ),
        "sysctl net/ipv6/conf/flannel-v6.1/accept_ra = 0",
    ]


def test_a_peer_is_three_entries(flannel: ViewOf, changed: ViewOf) -> None:
    """A peer is its inner address's MAC, the machine with that MAC, and the route, all from annotations."""
    view = changed(
        flannel(), "node2", backend_data=f'{{"VNI":1,"VtepMAC":"{MAC}"}}', public_ip="198.51.100.7"
    )
    assert to(view, "node2") == [
        f"fdb {MAC} dst 198.51.100.7 dev flannel.1",
        f"neighbour 10.244.2.0 lladdr {MAC} dev flannel.1",
        "route 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink",
    ]


def test_an_ipv6_peer_is_three_entries(flannel: ViewOf, changed: ViewOf) -> None:
    """IPv6 pods of a peer are reached over its IPv6 address."""
    view = changed(flannel("v6"), "node2", backend_v6_data=f'{{"VNI":1,"VtepMAC":"{MAC}"}}')
    assert to(view, "node2") == [
        f"fdb {MAC} dst 2001:db8::2 dev flannel-v6.1",
        f"neighbour fd00:10:244:2:: lladdr {MAC} dev flannel-v6.1",
        "route fd00:10:244:2::/64 via fd00:10:244:2:: dev flannel-v6.1 onlink",
    ]


def test_dual_stack_is_both(flannel: ViewOf) -> None:
    """A dual-stack peer has the entries of both families, on a device each."""
    view = flannel("dual")
    assert [line.split()[0] for line in to(view, "node2")] == ["fdb"] * 2 + ["neighbour"] * 2 + ["route"] * 2
    assert [link.name for link in VXLAN.node(view).of(Link)] == ["flannel.1", "flannel-v6.1"]


def test_a_peer_without_a_family_contributes_the_other(flannel: ViewOf, changed: ViewOf) -> None:
    """A peer whose IPv6 is not announced is reached over IPv4, and the missing half is named."""
    view = changed(flannel("dual"), "node2", public_ipv6=None)
    assert to(view, "node2")[-1] == "route 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink"
    assert VXLAN.obstacles(view, view.nodes["node2"]) == (
        "node node2 has no usable annotation flannel.alpha.coreos.com/public-ipv6",
    )


def test_direct_routing_on_the_same_network(flannel: ViewOf, changed: ViewOf) -> None:
    """A peer on this node's own network is routed to without any tunnel entry; one behind a router is not."""
    view = changed(flannel(), "node3", public_ip="198.51.100.7")
    assert to(view, "node2", DIRECT) == ["route 10.244.2.0/24 via 192.0.2.2 dev eth0"]
    assert to(view, "node3", DIRECT)[-1] == "route 10.244.3.0/24 via 10.244.3.0 dev flannel.1 onlink"


def test_direct_routing_of_ipv6(flannel: ViewOf) -> None:
    """Direct routing works for IPv6 alike."""
    assert to(flannel("v6"), "node2", DIRECT) == ["route fd00:10:244:2::/64 via 2001:db8::2 dev eth0"]


def test_direct_routing_keeps_the_tunnels_mtu(flannel: ViewOf) -> None:
    """Pods keep the MTU of the tunnel even if all peers are near now: the next one may not be."""
    assert DIRECT.mtu(flannel()) == VXLAN.mtu(flannel()) == 1450


def test_the_mac_is_the_same_before_and_after_the_annotation(flannel: ViewOf, changed: ViewOf) -> None:
    """A node computes the MAC that it announces: with or without its annotation the blueprint is one."""
    view = flannel("dual")
    unsaid = changed(view, "node1", backend_data=None, backend_v6_data=None)
    assert VXLAN.node(unsaid) == VXLAN.node(view)
    assert VXLAN.annotations(unsaid) == VXLAN.annotations(view)


def test_nodes_have_macs_of_their_own(flannel: ViewOf) -> None:
    """No two nodes and no two families share a MAC."""
    view = flannel("dual")
    data = [value for node in view.nodes.values() for key, value in node.annotations.items() if "data" in key]
    assert len(set(data)) == 6


@pytest.mark.parametrize(
    "garbage", ["", "null", "[]", "{", '{"VtepMAC":"01:00:5e:00:00:01"}', '{"VtepMAC":7}']
)
def test_a_peer_with_unusable_data_is_left_out(flannel: ViewOf, changed: ViewOf, garbage: str) -> None:
    """Whatever a peer's annotation holds, it costs that peer only, and is named."""
    view = changed(flannel(), "node2", backend_data=garbage)
    assert to(view, "node2") == []
    assert "backend-data" in VXLAN.obstacles(view, view.nodes["node2"])[0]
    assert to(view, "node3") != []


def test_a_peer_of_another_vni_is_left_out(flannel: ViewOf, changed: ViewOf) -> None:
    """A peer in another VXLAN would drop every packet, so it has no entries."""
    view = changed(flannel(), "node2", backend_data=f'{{"VNI":7,"VtepMAC":"{MAC}"}}')
    assert VXLAN.obstacles(view, view.nodes["node2"]) == ("node node2 has VNI 7, this node 1",)


def test_an_old_flanneld_does_not_say_its_vni(flannel: ViewOf, changed: ViewOf) -> None:
    """Data without a VNI, as flanneld once wrote it, is taken."""
    view = changed(flannel(), "node2", backend_data=f'{{"VtepMAC":"{MAC}"}}')
    assert to(view, "node2")[0] == f"fdb {MAC} dst 192.0.2.2 dev flannel.1"


def test_a_peer_with_our_mac_is_left_out(flannel: ViewOf, changed: ViewOf) -> None:
    """A copied annotation cannot make this node send to itself."""
    view = flannel()
    ours = view.nodes["node1"].annotations["flannel.alpha.coreos.com/backend-data"]
    copied = changed(view, "node2", backend_data=ours)
    assert VXLAN.obstacles(copied, copied.nodes["node2"]) == (
        f"node node2 says that its device has this node's MAC {ours[-19:-2]}",
    )


def test_a_new_address_of_the_underlay_is_another_blueprint(flannel: ViewOf) -> None:
    """When the node's own address changes, its device does, and so does what it announces."""
    view = flannel()
    moved = replace(view, underlay=replace(view.underlay, v4=IPv4Interface("192.0.2.77/24")))
    assert VXLAN.node(moved).of(Link)[0].detail.local == IPv4Interface("192.0.2.77").ip
    assert VXLAN.annotations(moved)["flannel.alpha.coreos.com/public-ip"] == "192.0.2.77"


def test_another_vni_and_port(flannel: ViewOf) -> None:
    """VNI and port of net-conf.json are the device's, and the VNI is part of its name."""
    transport = flannel_vxlan(VxlanBackend(vni=42, port=4789, learning=True), PodNetworks())
    (link,) = transport.node(flannel()).of(Link)
    assert (link.name, link.detail.vni, link.detail.port) == ("flannel.42", 42, 4789)
    assert link.detail.learning


def test_the_networks_of_net_conf_decide_the_families(flannel: ViewOf) -> None:
    """A dual-stack node whose net-conf.json has one network gets one device."""
    transport = flannel_vxlan(VxlanBackend(), PodNetworks((ip_network("10.244.0.0/16"),)))
    assert [link.name for link in transport.node(flannel("dual")).of(Link)] == ["flannel.1"]
