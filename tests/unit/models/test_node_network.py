from dataclasses import replace
from ipaddress import ip_address, ip_network

import msgspec
import pytest

from octet.cluster.indexes import Nodes
from octet.cluster.view import View
from octet.errors import BadConfigurationError, NotReadyError
from octet.models import Running, example, find, together

FLANNEL = find("flannel").parse({}, source="test")


def with_cidrs(view: View, *cidrs: str) -> View:
    node = msgspec.structs.replace(view.nodes["node1"], pod_cidrs=tuple(map(ip_network, cidrs)))
    return replace(view, nodes=Nodes.of([node, *view.peers]))


def with_mtu(view: View, mtu: int) -> View:
    return replace(view, underlay=replace(view.underlay, mtu=mtu))


def test_this_nodes_share() -> None:
    """A dual-stack node has both CIDRs, the first address of each, and the smaller MTU."""
    network = FLANNEL.network(example.view(FLANNEL, (4, 6)))
    assert (network.v4, network.gateway_v4) == (ip_network("10.244.1.0/24"), ip_address("10.244.1.1"))
    assert (network.v6, network.gateway_v6) == (
        ip_network("fd00:10:244:1::/64"),
        ip_address("fd00:10:244:1::1"),
    )
    assert network.mtu == 1430
    assert network.cluster == (ip_network("10.244.0.0/16"), ip_network("fd00:10:244::/48"))


@pytest.mark.parametrize("change", [lambda v: replace(v, me="new"), with_cidrs])
def test_without_a_cidr_it_is_not_ready(change: object) -> None:
    """A node that the cluster doesn't know, or that has no CIDR yet, is told to wait and who gives one."""
    with pytest.raises(NotReadyError, match=r"has no pod CIDR yet .*--allocate-node-cidrs"):
        FLANNEL.network(change(example.view(FLANNEL)))


def test_without_an_address_of_the_family_it_is_not_ready() -> None:
    """IPv6 pods of a node without an IPv6 address could reach nobody: that is said, not half done."""
    view = example.view(FLANNEL, (4, 6))
    bare = replace(view, underlay=replace(view.underlay, v6=None))
    with pytest.raises(NotReadyError, match="node1 has an IPv6 pod CIDR, but eth0 no IPv6 address"):
        FLANNEL.network(bare)


def test_a_cidr_outside_of_the_cluster_is_refused() -> None:
    """A CIDR that is not the cluster's would be masqueraded and never routed: it names the node."""
    with pytest.raises(
        BadConfigurationError, match=r"Node node1: spec.podCIDRs = '10.99.1.0/24'.*10.244.0.0/16"
    ):
        FLANNEL.network(with_cidrs(example.view(FLANNEL), "10.99.1.0/24"))


def test_a_cidr_without_room_is_refused() -> None:
    """Two addresses are no room for a gateway and a pod."""
    with pytest.raises(BadConfigurationError, match="has no room for a pod"):
        FLANNEL.network(with_cidrs(example.view(FLANNEL), "10.244.1.0/31"))


def test_a_cluster_without_networks_is_refused() -> None:
    """Without knowing what is inside, everything would be masqueraded."""
    with pytest.raises(BadConfigurationError, match=r"cluster: pod_cidrs = \[\]: is empty"):
        FLANNEL.network(replace(example.view(FLANNEL), pod_cidrs=()))


@pytest.mark.parametrize(("families", "smallest"), [((4,), 626), ((6,), 1350), ((4, 6), 1350)])
def test_the_smallest_underlay(families: tuple[int, ...], smallest: int) -> None:
    """Inside of the tunnel IPv6 needs 1280 bytes and IPv4 576; less is refused with what would do."""
    view = example.view(FLANNEL, families)
    assert FLANNEL.network(with_mtu(view, smallest)).mtu in (576, 1280)
    with pytest.raises(BadConfigurationError, match=f"an underlay MTU of {smallest} would do"):
        FLANNEL.network(with_mtu(view, smallest - 1))


def test_the_networks_of_net_conf_count() -> None:
    """Networks in flannel's options are the cluster's, whatever the agent was told."""
    running = find("flannel").parse({"Network": "10.0.0.0/8"}, source="test")
    network = running.network(example.view(running, (4, 6)))
    assert (network.cluster, network.v6, network.mtu) == ((ip_network("10.0.0.0/8"),), None, 1450)


def whole(running: Running, view: View) -> tuple[int, tuple[str, ...]]:
    blueprint, left_out = running.whole(view)
    return len(blueprint), left_out


def test_the_whole_is_node_and_peers() -> None:
    """Together they are what the kernel shall hold, without pods."""
    view = example.view(FLANNEL, (4,), nodes=5)
    assert whole(FLANNEL, view) == (len(FLANNEL.node(view)) + 4 * 3, ())


def test_a_copied_annotation_costs_the_copy_only() -> None:
    """Of two peers that claim one MAC the first has it; the other is left out, named, and all else stands."""
    view = example.view(FLANNEL, (4,), nodes=4)
    copy = msgspec.structs.replace(view.nodes["node3"], annotations=dict(view.nodes["node2"].annotations))
    moved = dict(copy.annotations) | {"flannel.alpha.coreos.com/public-ip": "192.0.2.3"}
    nodes = {**view.nodes, "node3": msgspec.structs.replace(copy, annotations=moved)}
    count, left_out = whole(FLANNEL, replace(view, nodes=Nodes.of(nodes.values())))
    assert count == len(FLANNEL.node(view)) + 2 * 3
    assert [sentence.split(" claims ")[0] for sentence in left_out] == ["node node3"]


def test_equal_parts_are_no_clash() -> None:
    """Two peers that want the very same object can both have it."""
    view = example.view(FLANNEL)
    node, peer = FLANNEL.node(view), FLANNEL.peer(view, view.peers[0])
    blueprint, left_out = together(node, [("a", peer), ("b", peer)])
    assert (len(blueprint), left_out) == (len(node) + len(peer), ())
