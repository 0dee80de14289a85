from collections.abc import Callable
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octet.cluster.objects import Node
from octet.cluster.view import View
from octet.errors import BadConfigurationError
from octet.models import find
from octet.transport.flannel.annotations import VxlanData, read_vxlan_data, wanted_local

ViewOf = Callable[..., View]

AS_FLANNELD_WRITES = '{"VNI":1,"VtepMAC":"7a:1c:9d:00:fe:01"}'


def annotations(view: View, model: str = "flannel") -> dict[str, str]:
    said = find(model).parse({}, source="test").annotations(view)
    return {key.removeprefix("flannel.alpha.coreos.com/"): value for key, value in said.items()}


def test_backend_data_is_flannelds_to_the_byte() -> None:
    """What flanneld wrote is read, and written again it is the same text."""
    data = read_vxlan_data(AS_FLANNELD_WRITES)
    assert data == VxlanData("7a:1c:9d:00:fe:01", 1)
    assert data.text() == AS_FLANNELD_WRITES


def test_backend_data_is_read_as_go_reads_it() -> None:
    """Keys count in any case, unknown ones do not count, MACs may be in capitals."""
    text = ' {"vtepmac": "7A:1C:9D:00:FE:01", "Vni": 5, "Other": []} '
    assert read_vxlan_data(text) == VxlanData("7a:1c:9d:00:fe:01", 5)


@given(st.text(max_size=40) | st.recursive(st.text(), st.lists).map(str))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Annotations are written by others: the reader answers with data or with nothing."""
    assert read_vxlan_data(text) is None


@given(st.integers(0, 2**24 - 1), st.binary(min_size=6, max_size=6))
def test_data_survives_the_way_there_and_back(vni: int, octets: bytes) -> None:
    """Every VNI with every MAC that a station can have is read as it was written."""
    data = VxlanData(bytes([octets[0] & 0xFE | 2, *octets[1:]]).hex(":"), vni)
    assert read_vxlan_data(data.text()) == data


def test_a_large_vni_is_cut_in_flannelds_annotation() -> None:
    """Flanneld writes 16 bits of the VNI; such a peer is in the same VXLAN all the same."""
    assert VxlanData("02:00:00:00:00:01", 70000 & 0xFFFF).matches(70000)
    assert not VxlanData("02:00:00:00:00:01", 4465).matches(4464)


def test_an_ipv4_vxlan_node_says(flannel: ViewOf, changed: ViewOf) -> None:
    """An IPv4 node writes five annotations, with the names flanneld has for them."""
    view = changed(flannel(), "node1", backend_data=AS_FLANNELD_WRITES)
    assert annotations(view) == {
        "kube-subnet-manager": "true",
        "backend-type": "vxlan",
        "backend-data": AS_FLANNELD_WRITES,
        "public-ip": "192.0.2.1",
    }


def test_an_ipv6_vxlan_node_says(flannel: ViewOf, changed: ViewOf) -> None:
    """An IPv6 node has annotations of its own for data and address."""
    view = changed(flannel("v6"), "node1", backend_v6_data=AS_FLANNELD_WRITES)
    assert annotations(view) == {
        "kube-subnet-manager": "true",
        "backend-type": "vxlan",
        "backend-v6-data": AS_FLANNELD_WRITES,
        "public-ipv6": "2001:db8::1",
    }


def test_a_host_gateway_node_says(flannel: ViewOf) -> None:
    """host-gw has no data, which flanneld writes as null."""
    assert annotations(flannel("dual", "flannel:host-gw"), "flannel:host-gw") == {
        "kube-subnet-manager": "true",
        "backend-type": "host-gw",
        "backend-data": "null",
        "backend-v6-data": "null",
        "public-ip": "192.0.2.1",
        "public-ipv6": "2001:db8::1",
    }


def test_an_operator_overwrites_what_is_announced(flannel: ViewOf, changed: ViewOf) -> None:
    """Behind NAT an annotation says which address peers shall use; the device keeps its own."""
    view = changed(flannel(), "node1", public_ip_overwrite="203.0.113.9", node_public_ip="203.0.113.8")
    assert annotations(view)["public-ip"] == "203.0.113.9"
    assert "local 192.0.2.1" in str(find("flannel").parse({}, source="test").node(view))


def test_an_impossible_overwrite_is_refused(flannel: ViewOf, changed: ViewOf) -> None:
    """A typing error in the overwrite is named by node and annotation, not announced to everybody."""
    view = changed(flannel(), "node1", public_ip_overwrite="203.0.113")
    with pytest.raises(BadConfigurationError, match=r"Node node1: .*public-ip-overwrite.*IPv4 address"):
        annotations(view)


def test_a_node_without_a_cidr_says_nothing(flannel: ViewOf, changed: ViewOf) -> None:
    """Before it has pods to be reached, a node does not ask to be."""
    view = flannel()
    stranger = changed(changed(view, "new"), "new", ips="192.0.2.9")
    assert annotations(View("new", view.underlay, stranger.nodes, view.pod_cidrs)) == {}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"kube_subnet_manager": None}, "kube-subnet-manager=true"),
        ({"kube_subnet_manager": "false"}, "kube-subnet-manager=true"),
        ({"backend_type": "host-gw"}, "has backend 'host-gw', this node 'vxlan'"),
        ({"public_ip": None}, "no usable annotation flannel.alpha.coreos.com/public-ip"),
        ({"public_ip": "2001:db8::2"}, "no usable annotation flannel.alpha.coreos.com/public-ip"),
        ({"public_ip": "224.0.0.1"}, "which is no machine's address"),
        ({"public_ip": "192.0.2.1"}, "which is this node's own"),
    ],
)
def test_who_is_no_peer(flannel: ViewOf, changed: ViewOf, said: dict[str, str], reason: str) -> None:
    """A node that flannel does not manage, of another backend or without an address is not reached."""
    view = changed(flannel(), "node2", **said)
    running = find("flannel").parse({}, source="test")
    assert len(running.peer(view, view.nodes["node2"])) == 0
    assert reason in running.obstacles(view, view.nodes["node2"])[0]


def test_the_interface_an_operator_wants() -> None:
    """node-public-ip chooses the underlay's interface by its address; nonsense chooses none."""
    node = Node("n", annotations={"flannel.alpha.coreos.com/node-public-ip": "192.0.2.5"})
    assert wanted_local(node, 4) == ip_address("192.0.2.5")
    assert wanted_local(node, 6) is None
