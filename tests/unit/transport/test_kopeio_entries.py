from collections.abc import Callable
from ipaddress import ip_network

import pytest

from octet.blueprint import Blueprint, Link
from octet.cluster.view import View
from octet.transport.kopeio import kopeio_vxlan, vtep_mac
from octet.transport.reach import PodNetworks

ViewOf = Callable[..., View]
KOPEIO = kopeio_vxlan(PodNetworks())


def lines(blueprint: Blueprint) -> list[str]:
    return str(blueprint).splitlines()


@pytest.mark.parametrize(
    ("cidr", "mac"),
    [("100.96.1.0/24", "00:53:64:60:01:00"), ("10.244.255.0/24", "00:53:0a:f4:ff:00")],
)
def test_the_mac_is_the_originals(cidr: str, mac: str) -> None:
    """00:53 and the four bytes of the pod CIDR's address, which the original's peers compute as well."""
    assert vtep_mac(ip_network(cidr)) == mac


def test_the_mac_of_an_ipv6_cidr_is_local() -> None:
    """Where the original has no mapping, the MAC is locally administered and differs by CIDR."""
    one, other = vtep_mac(ip_network("fd00:1::/64")), vtep_mac(ip_network("fd00:2::/64"))
    assert one != other
    assert int(one[:2], 16) & 0b11 == 0b10


def test_the_device_of_an_ipv4_node(flannel: ViewOf) -> None:
    """vxlan1 has VNI 1, IANA's port, no lower device, and the real overhead of 50 bytes."""
    blueprint = KOPEIO.node(flannel("v4", "kopeio-vxlan"))
    assert lines(blueprint) == [
        "address 10.244.1.0/32 dev vxlan1",
        "link vxlan1 vxlan (transport vxlan) mtu 1450 mac 00:53:0a:f4:01:00 vni 1 port 4789 local 192.0.2.1",
        "sysctl net/ipv4/conf/vxlan1/rp_filter = 2",
        "sysctl net/ipv6/conf/vxlan1/accept_ra = 0",
    ]
    assert blueprint.of(Link)[0].detail.lower is None


def test_the_second_device_of_a_dual_stack_node(flannel: ViewOf) -> None:
    """IPv6 pods have vxlan1-v6 over the IPv6 underlay."""
    four, six = KOPEIO.node(flannel("dual", "kopeio-vxlan")).of(Link)
    assert (four.name, four.mtu, six.name, six.mtu) == ("vxlan1", 1450, "vxlan1-v6", 1430)
    assert str(six.detail.local) == "2001:db8::1"


def test_a_peer_is_computed_from_its_node_object(flannel: ViewOf) -> None:
    """Without any annotation a peer is reached: its CIDR gives the MAC, its InternalIP the machine."""
    view = flannel("v4", "kopeio-vxlan")
    assert not view.nodes["node2"].annotations
    assert lines(KOPEIO.peer(view, view.nodes["node2"])) == [
        "fdb 00:53:0a:f4:02:00 dst 192.0.2.2 dev vxlan1",
        "neighbour 10.244.2.0 lladdr 00:53:0a:f4:02:00 dev vxlan1",
        "route 10.244.2.0/24 via 10.244.2.0 dev vxlan1 onlink",
    ]


def test_an_ipv6_peer(flannel: ViewOf) -> None:
    """IPv6 peers are computed alike."""
    view = flannel("v6", "kopeio-vxlan")
    mac = vtep_mac(ip_network("fd00:10:244:2::/64"))
    assert lines(KOPEIO.peer(view, view.nodes["node2"])) == [
        f"fdb {mac} dst 2001:db8::2 dev vxlan1-v6",
        f"neighbour fd00:10:244:2:: lladdr {mac} dev vxlan1-v6",
        "route fd00:10:244:2::/64 via fd00:10:244:2:: dev vxlan1-v6 onlink",
    ]


def test_the_first_address_by_its_text(flannel: ViewOf, changed: ViewOf) -> None:
    """Of several InternalIPs the original takes the first in the order of their text, so peers agree."""
    view = changed(flannel("v4", "kopeio-vxlan"), "node2", ips="192.0.2.9 192.0.2.10 2001:db8::2")
    assert "dst 192.0.2.10 " in str(KOPEIO.peer(view, view.nodes["node2"]))


def test_a_peer_without_an_address_waits(flannel: ViewOf, changed: ViewOf) -> None:
    """A node that has not said its address has no entries yet."""
    view = changed(flannel("v4", "kopeio-vxlan"), "node2", ips="2001:db8::2")
    assert len(KOPEIO.peer(view, view.nodes["node2"])) == 0
    assert KOPEIO.obstacles(view, view.nodes["node2"]) == ("node node2 has no IPv4 InternalIP",)


def test_nothing_is_announced(flannel: ViewOf) -> None:
    """The model needs no annotations, and writes none."""
    assert KOPEIO.annotations(flannel("dual", "kopeio-vxlan")) == {}
