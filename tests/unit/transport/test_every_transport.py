from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from octet.attach.bridge import BridgeAttach
from octet.blueprint import Route
from octet.blueprint.base import union
from octet.blueprint.layer3 import MAIN_TABLE
from octet.cluster.view import View
from octet.models import example
from octet.models.model import Running
from octet.transport.parts import TRANSPORTS
from octet.transport.reach import PodNetworks

ViewOf = Callable[..., View]
BY_NAME = pytest.mark.parametrize("name", TRANSPORTS)


def cluster(name: str, families: str = "dual", nodes: int = 3, me: int = 1) -> View:
    running = Running(BridgeAttach("cni0"), TRANSPORTS[name](PodNetworks()))
    return example.view(running, example.FAMILIES[families], nodes, me)


@BY_NAME
@given(nodes=st.integers(1, 40), families=st.sampled_from(["v4", "v6", "dual"]))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_node_and_its_peers_never_conflict(name: str, nodes: int, families: str) -> None:
    """However many peers there are, what they add goes together with what the node has."""
    view, transport = cluster(name, families, nodes), TRANSPORTS[name](PodNetworks())
    peers = [transport.peer(view, peer) for peer in view.peers]
    assert len(union([transport.node(view), *peers])) == len(transport.node(view)) + sum(map(len, peers))


@BY_NAME
def test_a_peer_that_joins_adds_its_own_entries_only(name: str) -> None:
    """Nothing about the node or the other peers changes when one node joins."""
    before, after = cluster(name, nodes=3), cluster(name, nodes=4)
    transport = TRANSPORTS[name](PodNetworks())
    assert transport.node(after) == transport.node(before)
    assert [transport.peer(after, peer) for peer in before.peers] == [
        transport.peer(before, peer) for peer in before.peers
    ]
    assert len(transport.peer(after, after.nodes["node4"])) > 0


@BY_NAME
def test_every_pod_of_every_peer_is_routed(name: str) -> None:
    """Each pod CIDR of each peer has exactly one route that all packets are led by."""
    view, transport = cluster(name), TRANSPORTS[name](PodNetworks())
    found = [route for peer in view.peers for route in transport.peer(view, peer).of(Route)]
    routes = [route.destination for route in found if route.table == MAIN_TABLE]
    assert sorted(map(str, routes)) == sorted(str(cidr) for peer in view.peers for cidr in peer.pod_cidrs)


@BY_NAME
@pytest.mark.parametrize(
    ("cidr", "reason"),
    [
        ("0.0.0.0/0", "outside of the cluster's pod network"),
        ("192.0.2.0/24", "outside of the cluster's pod network"),
        ("10.244.1.0/24", "overlaps this node's own"),
        ("10.244.0.0/16", "overlaps this node's own"),
        ("10.244.2.0/24", "belongs to node node2"),
    ],
)
def test_no_node_takes_what_is_not_its_own(name: str, changed: ViewOf, cidr: str, reason: str) -> None:
    """A node that claims everything, this node's pods or another peer's gets no route at all."""
    view = changed(cluster(name, "v4"), "node3", cidrs=cidr)
    transport = TRANSPORTS[name](PodNetworks())
    assert len(transport.peer(view, view.nodes["node3"])) == 0
    assert reason in transport.obstacles(view, view.nodes["node3"])[0]
    assert len(transport.peer(view, view.nodes["node2"])) > 0


@BY_NAME
def test_a_peer_without_a_cidr_waits(name: str, changed: ViewOf) -> None:
    """A node that has just joined contributes nothing until it is given a CIDR."""
    view = changed(cluster(name, "v4"), "node9", ips="192.0.2.9")
    transport = TRANSPORTS[name](PodNetworks())
    assert len(transport.peer(view, view.nodes["node9"])) == 0
    assert transport.obstacles(view, view.nodes["node9"]) == ("node node9 has no IPv4 pod CIDR yet",)


@BY_NAME
def test_a_peer_that_cannot_be_reached_says_why(name: str) -> None:
    """A peer without entries has a sentence for each family; one that is reached has none."""
    view, transport = cluster(name), TRANSPORTS[name](PodNetworks())
    assert [transport.obstacles(view, peer) for peer in view.peers] == [(), ()]


@BY_NAME
def test_the_way_there_and_the_way_back_have_one_mtu(name: str) -> None:
    """Two nodes of one cluster agree on what their pods may send."""
    transport = TRANSPORTS[name](PodNetworks())
    assert transport.mtu(cluster(name, me=1)) == transport.mtu(cluster(name, me=2))


@BY_NAME
def test_before_the_cluster_knows_this_node(name: str) -> None:
    """A node without an object of its own has no devices, no peers and nothing to say."""
    view, transport = replace(cluster(name), me="nobody"), TRANSPORTS[name](PodNetworks())
    assert len(transport.node(view)) == len(transport.peer(view, view.peers[0])) == 0
    assert transport.annotations(view) == {}
