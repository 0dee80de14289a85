from dataclasses import replace
from ipaddress import ip_network

import pytest

from octet.blueprint import ConfigFile
from octet.cluster.indexes import Named, Nodes
from octet.cluster.objects import Node
from octet.cluster.pools import IPPool
from octet.cluster.view import View
from octet.errors import BadConfigurationError
from octet.models import Running, example, find
from octet.models.calico import told


def running(**options: object) -> Running:
    return find("calico").parse(options, source="agent.toml")


def with_pool(**spec: object) -> View:
    """Return the example whose only pool says this, too."""
    item = {"metadata": {"name": "p"}, "spec": {"cidr": "10.244.0.0/16", **spec}}
    return replace(example.view(running()), pools=Named.of([IPPool.from_object(item)]))


def test_own_blocks_are_told() -> None:
    """A node tells its peers the blocks that are its own, and nobody else's."""
    assert told(with_pool()) == (ip_network("10.244.1.0/26"),)


def test_a_pool_may_be_kept_from_bgp() -> None:
    """Blocks of a pool with disableBGPExport are not told."""
    assert told(with_pool(disableBGPExport=True)) == ()


@pytest.mark.parametrize("key", ["ipipMode", "vxlanMode"])
def test_a_pool_that_wants_a_tunnel_is_refused(key: str) -> None:
    """Nothing is sent bare that an operator wanted in a tunnel: the node says which pool it is."""
    with pytest.raises(BadConfigurationError, match=rf"IPPool p: spec\.{key} = 'Always'.*no tunnels"):
        running().node(with_pool(**{key: "Always"}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"assign_ipv4": "perhaps"}, "assign_ipv4 = 'perhaps': must be true or false"),
        ({"ipv4_pools": "p"}, "ipv4_pools = 'p': must be a list"),
        ({"mtu": 1400}, "mtu = 1400: is no option of calico"),
        ({"assign_ipv4": False, "assign_ipv6": "false"}, r"families = \[\]"),
    ],
)
def test_bad_options_are_refused_by_name(options: dict[str, object], message: str) -> None:
    """A wrong option names file, field and value."""
    with pytest.raises(BadConfigurationError, match=message):
        running(**options)


def test_a_cluster_without_a_family_has_pods_without_it() -> None:
    """Both families are meant where the cluster has both; an option takes one away."""
    both, one = running().blocks, running(assign_ipv6="false").blocks
    assert both is not None
    assert one is not None
    assert (both.families, one.families) == ((4, 6), (4,))
    assert both.within([ip_network("10.244.0.0/16")]).families == (4,)
    assert both.within([]).families == (4, 6)


def test_a_node_behind_a_router_is_named() -> None:
    """Pods of a node on another network can't be reached without a tunnel, and a person is told why."""
    view = example.view(running())
    far = Node("node2", internal_ips=(ip_network("198.51.100.2/32")[0],))
    (why,) = running().obstacles(replace(view, nodes=Nodes.of([far])), far)
    assert why == "node node2 at 198.51.100.2 is not on 192.0.2.0/24, and nothing tunnels to it"
    assert running().obstacles(view, view.peers[0]) == ()


def test_a_peer_without_a_common_family_has_no_session() -> None:
    """A node that has no address yet, or of the other family only, adds nothing."""
    view = example.view(running())
    assert len(running().peer(view, Node("node2"))) == 0
    assert "no IPv4 InternalIP" in running().obstacles(view, Node("node2"))[0]


def test_a_node_without_ipv4_has_an_identity() -> None:
    """BGP identifies speakers by 32 bits: of the node's name where it has no IPv4 address."""
    held = running().node(example.view(running(), (6,)))
    main = next(each.text for each in held.of(ConfigFile) if each.name == "bird.conf")
    (line,) = (each for each in main.splitlines() if each.startswith("router id "))
    assert line != "router id 0.0.0.0;"
