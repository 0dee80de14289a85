from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Interface, ip_address, ip_network

import pytest

from octet.blueprint import Blueprint, ConfigFile, Link
from octet.blueprint.nft import Chain, Packet
from octet.cli.main import main
from octet.cluster.bgp import BGPConfiguration
from octet.cluster.changes import Underlay
from octet.cluster.felix import FelixConfiguration
from octet.cluster.indexes import Named, Nodes
from octet.cluster.objects import Node
from octet.cluster.pools import IPPool
from octet.cluster.view import View
from octet.errors import BadConfigurationError
from octet.kernel.fake_nft import Machine, Tracer
from octet.models import Running, example, find
from octet.models.calico import told


def running(**options: object) -> Running:
    return find("calico").parse(options, source="agent.toml")


FAR = Underlay("eth0", 1500, v4=IPv4Interface("192.0.2.1/32"))


def text(held: Blueprint, name: str) -> str:
    """Return the text of one of BIRD's files."""
    return next(each.text for each in held.of(ConfigFile) if each.name == name)


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


@pytest.mark.parametrize(
    ("key", "device", "less"), [("ipipMode", "ipip.calico", 20), ("vxlanMode", "vxlan.calico", 50)]
)
def test_a_pool_that_wants_a_tunnel_gets_one(key: str, device: str, less: int) -> None:
    """A pool's mode makes a device and takes its overhead from pods; BIRD leaves wrapped routes alone."""
    view = with_pool(**{key: "Always"})
    held = running().node(view)
    assert device in {link.name for link in held.of(Link)}
    assert running().network(view).mtu == 1500 - less
    assert "if net ~ 10.244.0.0/16 then return true;" in text(held, "policy.conf")
    assert not any(
        "nothing tunnels" in why for why in running().obstacles(replace(view, underlay=FAR), view.peers[0])
    )


@pytest.mark.parametrize(("key", "most"), [("vxlanMTU", 1300), ("ipipMTU", 1450)])
def test_an_operator_may_lower_the_mtu_of_a_tunnel(key: str, most: int) -> None:
    """FelixConfiguration's MTU counts while there is such a tunnel, and where it is less than what fits."""
    item = {"metadata": {"name": "default"}, "spec": {key: 1300, "vxlanVNI": 77}}
    settings = Named.of([FelixConfiguration.from_object(item)])
    view = replace(with_pool(vxlanMode="Always"), felix_config=settings)
    assert running().network(view).mtu == most
    assert "vni 77" in str(
        next(link for link in running().node(view).of(Link) if link.name == "vxlan.calico")
    )


def passed(destination: str, **loops: str) -> bool:
    """Tell whether a node that announces 10.96.0.0/16 forwards a packet, by what configurations say."""
    announced = {"metadata": {"name": "default"}, "spec": {"serviceClusterIPs": [{"cidr": "10.96.0.0/16"}]}}
    said = [
        FelixConfiguration.from_object(
            {"metadata": {"name": name.replace("_", ".")}, "spec": {"serviceLoopPrevention": word}}
        )
        for name, word in loops.items()
    ]
    configured = Named.of([BGPConfiguration.from_object(announced)])
    rules = running().node(replace(with_pool(), bgp_config=configured, felix_config=Named.of(said)))
    routes = {ip_network("0.0.0.0/0"): "eth0"}
    machine = Machine(addresses={"eth0": (ip_address("192.0.2.1"),)}, routes=routes)
    packet = Packet(ip_address("198.51.100.1"), ip_address(destination), "tcp", 40000, 80, iif="eth0")
    return Tracer(rules, machine).trace(packet).accepted


@pytest.mark.parametrize(
    ("loops", "passes"),
    [
        ({}, False),
        ({"default": "Drop"}, False),
        ({"default": "Reject"}, False),
        ({"default": "Disabled"}, True),
        ({"default": "Disabled", "node_node1": "Drop"}, False),
    ],
)
def test_a_service_that_nobody_answers_goes_no_way_round(loops: dict[str, str], passes: bool) -> None:
    """The router that knows the range from this node would get the packet back; other packets pass."""
    assert passed("10.96.7.7", **loops) is passes
    assert passed("203.0.113.9", **loops)


def test_without_announced_services_nothing_is_guarded() -> None:
    """A node that tells no range holds no rule for it."""
    assert not [each for each in running().node(with_pool()).of(Chain) if each.name == "service-guard"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"assign_ipv4": "perhaps"}, "assign_ipv4 = 'perhaps': must be true or false"),
        ({"ipv4_pools": "p"}, "ipv4_pools = 'p': must be a list"),
        ({"first_pools": {"vxlanMode": "Sometimes"}}, r"IPPool first_pools: spec\.vxlanMode"),
        ({"first_pools": {"cidr": "10.0.0.0/8"}}, r"first_pools\.cidr"),
        ({"first_pools": 1}, "first_pools = 1: must be fields"),
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


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("BGPPeer", "reachableBy"),
        ("BGPConfiguration", "serviceExternalIPs"),
        ("FelixConfiguration", "vxlanMTU"),
    ],
)
def test_what_is_read_of_the_cluster_is_listed(
    capsys: pytest.CaptureFixture[str], kind: str, field: str
) -> None:
    """`octet models show calico` names the resources and the fields of them that have a meaning."""
    with suppress(SystemExit):
        main(["models", "show", "calico"])
    (line,) = (each for each in capsys.readouterr().out.splitlines() if each.startswith(f"{kind} "))
    assert field in line
