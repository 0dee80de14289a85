"""Which sessions Calico's resources give to nodes: mesh, reflectors, routers, and what is told on them."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface, ip_address, ip_network

import pytest
from msgspec import structs

from octet.blueprint import ConfigFile, Secret
from octet.cluster.changes import Underlay
from octet.cluster.view import View
from octet.errors import BadConfigurationError
from octet.transport.bgp import NextHop, Session
from octet.transport.calico.advertising import advertised
from octet.transport.calico.directory import ANNOTATED
from octet.transport.calico.peering import filters_of, with_node, with_routers
from octet.transport.calico.settings import configuration, ports, speaker
from octet.transport.calico.speaking import CalicoBgp
from octet.transport.reach import Obstacle

NODES = ("a1", "a2", "b1", "b2")
PREFIX = "projectcalico.org/"


def seen(me: str, *objects: dict, **annotations: dict[str, str]) -> View:
    """The view of a node of two racks, a and b, of two nodes each; 10.1.RACK.NUMBER."""
    rack, number = ord(me[0]) - 96, int(me[1])
    underlay = Underlay(
        "eth0", 1500, IPv4Interface(f"10.1.{rack}.{number}/24"), IPv6Interface(f"fd00:{rack}::{number}/64")
    )
    view = View(me=me, underlay=underlay, service_cidrs=(ip_network("10.96.0.0/16"),))
    for name in NODES:
        addresses = [f"10.1.{ord(name[0]) - 96}.{name[1]}", f"fd00:{ord(name[0]) - 96}::{name[1]}"]
        item = {
            "metadata": {
                "name": name,
                "labels": {"rack": name[0], **({"rr": ""} if name in ("a2", "b1") else {})},
                "annotations": {PREFIX + key: value for key, value in annotations.get(name, {}).items()},
            },
            "status": {"addresses": [{"type": "InternalIP", "address": each} for each in addresses]},
        }
        view, _ = view.with_event("Node", ("ADDED", item))
    for item in objects:
        view, _ = view.with_event(item["kind"], ("ADDED", item))
    return view


def resource(kind: str, name: str = "default", **spec: object) -> dict:
    return {"kind": kind, "metadata": {"name": name}, "spec": spec}


NO_MESH = resource("BGPConfiguration", nodeToNodeMeshEnabled=False)
REFLECTED = resource("BGPPeer", "rr", nodeSelector="all()", peerSelector="has(rr)")
IDS = {"a2": {"RouteReflectorClusterID": "244.0.0.1"}, "b1": {"RouteReflectorClusterID": "244.0.0.1"}}
TOR = resource("BGPPeer", "tor", nodeSelector="rack == 'a'", peerIP="10.1.1.254", asNumber=65001)


def peers(view: View) -> dict[str, Session]:
    """A node's sessions with other nodes, by their names."""
    me = speaker(view)
    return {each.name: each for peer in view.peers for each in with_node(view, me, peer)}


def routers(view: View) -> dict[str, Session]:
    return {name: make() for name, make in with_routers(view, speaker(view))}


def both_ways(*objects: dict, **annotations: dict[str, str]) -> set[str]:
    """Pairs that have a session, checked from both ends."""
    held = {me: set(peers(seen(me, *objects, **annotations))) for me in NODES}
    for me, others in held.items():
        assert all(me in held[other] for other in others), "one end waits for the other for ever"
    return {f"{me}-{other}" for me, others in held.items() for other in others if me < other}


def test_without_a_word_it_is_a_mesh() -> None:
    """Every node has a session with every other one."""
    assert len(both_ways()) == 6
    assert routers(seen("a1")) == {}


def test_reflectors_alone() -> None:
    """Without a mesh, who is selected peers with everybody, and with the other reflector once."""
    assert both_ways(NO_MESH, REFLECTED, **IDS) == {"a1-a2", "a1-b1", "a2-b1", "a2-b2", "b1-b2"}
    view = seen("a2", NO_MESH, REFLECTED, **IDS)
    clients = {name: each.client_of for name, each in peers(view).items()}
    assert clients == {"a1": IPv4Address("244.0.0.1"), "b1": None, "b2": IPv4Address("244.0.0.1")}


def test_a_reflector_is_out_of_the_mesh() -> None:
    """A node with a cluster id is known to nobody until a BGPPeer names it."""
    assert both_ways(**IDS) == {"a1-b2"}


def test_a_peer_may_be_for_one_end_only() -> None:
    """With reversePeering Manual the selected nodes don't peer by themselves."""
    one = resource("BGPPeer", "one", node="a1", peerSelector="has(rr)", reversePeering="Manual")
    assert set(peers(seen("a1", NO_MESH, one))) == {"a2", "b1"}
    assert peers(seen("a2", NO_MESH, one)) == {}


def test_a_peers_fields_are_the_sessions() -> None:
    """What a BGPPeer says of a pair's session counts before the mesh; its password is a reference only."""
    said = resource(
        "BGPPeer",
        "one",
        nodeSelector="rack == 'a'",
        peerSelector="rack == 'b'",
        filters=["f"],
        maxRestartTime="30s",
        password={"secretKeyRef": {"name": "bgp", "key": "p"}},
        nextHopMode="Self",
    )
    held = peers(seen("a1", said))["b1"]
    assert (held.imports, held.exports, held.restart_time) == (("f",), ("f",), 30)
    assert (held.password, held.next_hop) == (Secret("kube-system", "bgp", "p"), NextHop.SELF)
    assert peers(seen("a1", said))["a2"].password is None


def test_what_one_end_claims_to_be_the_other_expects() -> None:
    """A local AS number is that of the node that the BGPPeer means; the selected one peers with it."""
    said = resource("BGPPeer", "one", node="a1", peerSelector="rack == 'b'", localASNumber=64999)
    mine, theirs = peers(seen("a1", said))["b1"], peers(seen("b1", said))["a1"]
    assert (mine.local_asn, mine.asn) == (64999, 64512)
    assert (theirs.local_asn, theirs.asn) == (None, 64999)


def test_of_two_words_about_one_router_the_first_counts() -> None:
    """A BGPPeer for all nodes and one for the rack with one address are one session."""
    twice = resource("BGPPeer", "everywhere", peerIP="10.1.1.254", asNumber=65009)
    assert {name: each.asn for name, each in routers(seen("a1", TOR, twice)).items()} == {"everywhere": 65009}


def test_the_meshs_password_and_ports() -> None:
    """The mesh has a password and a restart time of its own; a node may listen elsewhere."""
    mesh = resource(
        "BGPConfiguration",
        nodeMeshPassword={"secretKeyRef": {"name": "m", "key": "p"}},
        nodeMeshMaxRestartTime="90s",
        listenPort=1790,
    )
    view = seen("a1", mesh, resource("BGPConfiguration", "node.b1", listenPort=1791))
    held = peers(view)
    assert (held["b1"].port, held["b2"].port, speaker(view).port) == (1791, 1790, 1790)
    assert (held["b1"].password, held["b1"].restart_time) == (Secret("kube-system", "m", "p"), 90)


def test_ports_of_bgp_are_everybodys() -> None:
    """The usual port, those at which nodes listen, and those of routers."""
    router = resource("BGPPeer", "a", peerIP="10.0.0.1:1791", asNumber=1)
    assert ports(seen("a1", resource("BGPConfiguration", listenPort=1790), router)) == (179, 1790, 1791)
    assert ports(seen("a1", TOR)) == (179,)


def test_nodes_have_as_numbers_of_their_own() -> None:
    """An annotation counts before the configuration of all; nodes of two AS speak eBGP with each other."""
    view = seen("a1", resource("BGPConfiguration", asNumber=64600), b1={"ASNumber": "65010"})
    assert speaker(view).asn == 64600
    assert {name: each.asn for name, each in peers(view).items()} == {"a2": 64600, "b1": 65010, "b2": 64600}
    assert speaker(seen("b1", b1={"ASNumber": "1.10"}), ()).asn == 65546


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ({"ASNumber": "none"}, r"annotations\[projectcalico.org/ASNumber\]"),
        ({"RouteReflectorClusterID": "1"}, "244.0.0.1"),
    ],
)
def test_a_wrong_annotation_is_named(annotation: dict[str, str], message: str) -> None:
    """The node, the annotation and its value are in the error."""
    with pytest.raises(BadConfigurationError, match=message):
        peers(seen("a1", b1=annotation))


def test_where_a_node_is_reached() -> None:
    """At what its annotation says, else at its InternalIP; what is no address is no way to it."""
    view = seen("a1", b1={"IPv4Address": "10.9.9.9/24"}, b2={"IPv4Address": "nowhere"})
    found = {name: ANNOTATED.address(view, view.nodes[name], 4) for name in ("a2", "b1", "b2")}
    assert (found["a2"], found["b1"]) == (ip_address("10.1.1.2"), ip_address("10.9.9.9"))
    assert isinstance(found["b2"], Obstacle)
    assert ANNOTATED.announce(view)[PREFIX + "IPv4Address"] == "10.1.1.1/24"


def test_a_racks_router_is_peered_with_by_its_rack() -> None:
    """A direct session over one hop, for both families, and only for the nodes that are selected."""
    held = routers(seen("a1", TOR))["tor"]
    assert (held.hops, held.families, held.asn, held.node, held.passes_on) == (1, (4, 6), 65001, False, True)
    assert routers(seen("b1", TOR)) == {}


def test_each_family_has_its_session_where_an_operator_says_so() -> None:
    """With a BGPPeer for each of a router's addresses, each speaks about its own family."""
    six = resource("BGPPeer", "tor6", nodeSelector="rack == 'a'", peerIP="fd00:1::fe", asNumber=65001)
    held = routers(seen("a1", TOR, six))
    assert (held["tor"].families, held["tor6"].families) == ((4,), (6,))


def test_a_far_router_and_one_of_our_own_as() -> None:
    """A router elsewhere is reached over several hops, TTL security says how many; iBGP has all paths."""
    far = resource(
        "BGPPeer", "far", peerIP="192.0.2.1:1790", asNumber=65001, ttlSecurity=3, reachableBy="10.1.1.9"
    )
    ours = resource("BGPPeer", "ours", peerIP="10.1.1.200", asNumber=64512, sourceAddress="None")
    held = routers(seen("a1", far, ours))
    assert (held["far"].hops, held["far"].ttl_security, held["far"].port) == (3, True, 1790)
    assert held["far"].reached_by == ip_address("10.1.1.9")
    assert (held["ours"].hops, held["ours"].add_paths, held["ours"].passes_on) == (64, True, False)
    assert not held["ours"].bound


def test_a_peer_that_is_a_node_is_one() -> None:
    """A BGPPeer that names a node by its address means a session between nodes; one's own is none."""
    named = resource("BGPPeer", "n", peerIP="10.1.2.1", asNumber=64512)
    view = seen("a1", NO_MESH, named)
    assert routers(view) == {}
    assert {name: each.node for name, each in peers(view).items()} == {"b1": True}
    assert routers(seen("b1", NO_MESH, named)) == {}


def test_filters_are_files_of_their_own() -> None:
    """A BGPFilter is one file; another one for one peer is one other file."""
    rule = {"action": "Reject", "cidr": "10.0.0.0/8", "matchOperator": "In", "prefixLength": {"min": 25}}
    view = seen("a1", TOR, resource("BGPFilter", "f", exportV4=[rule]))
    ((_, make),) = filters_of(view)
    held = make()
    assert (held.export_v4[0].cidr, held.export_v4[0].lengths) == (ip_network("10.0.0.0/8"), (25, 32))
    files = {each.name: each for each in CalicoBgp(lambda _: ()).node(view).of(ConfigFile)}
    changed = seen(
        "a1",
        resource(
            "BGPPeer", "tor", nodeSelector="rack == 'a'", peerIP="10.1.1.254", asNumber=65001, filters=["f"]
        ),
        resource("BGPFilter", "f", exportV4=[rule]),
    )
    after = {each.name: each for each in CalicoBgp(lambda _: ()).node(changed).of(ConfigFile)}
    assert {name for name in after if after[name] != files.get(name)} == {"peer.tor.conf"}


SERVICES = resource(
    "BGPConfiguration",
    serviceClusterIPs=[{"cidr": "10.96.0.0/16"}],
    serviceExternalIPs=[{"cidr": "198.51.100.0/24"}],
    serviceLoadBalancerIPs=[{"cidr": "203.0.113.0/24"}],
)


def service(name: str, policy: str = "Cluster", **spec: object) -> dict:
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"type": "LoadBalancer", "externalTrafficPolicy": policy, **spec},
        "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}},
    }


def endpoints(name: str, node: str, *, ready: bool = True) -> dict:
    return {
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": "shop", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"], "nodeName": node, "conditions": {"ready": ready}}],
    }


def announced(view: View) -> set[str]:
    return {str(each) for each in advertised(view, configuration(view, view.me))}


def test_services_are_announced_as_ranges() -> None:
    """A service of all nodes is announced as its network, where that is one to announce; others are not."""
    web = service("web", clusterIPs=["10.96.0.10"], externalIPs=["198.51.100.7", "192.0.2.99"])
    assert announced(seen("a1", SERVICES, web)) == {"10.96.0.0/16", "198.51.100.0/24", "203.0.113.0/24"}
    assert announced(seen("a1", web)) == set()


def test_a_local_service_is_announced_where_it_is_ready() -> None:
    """With traffic policy Local only nodes with a ready endpoint announce the service's addresses."""
    web = service("web", "Local", clusterIPs=["10.96.0.10"])
    own = {"10.96.0.10/32", "203.0.113.7/32"}
    assert announced(seen("a1", SERVICES, web, endpoints("web", "a1"))) == own
    assert announced(seen("a2", SERVICES, web, endpoints("web", "a1"))) == set()
    assert announced(seen("a1", SERVICES, web, endpoints("web", "a1", ready=False))) == set()
    assert announced(seen("a1", SERVICES, web)) == set()


def test_a_local_service_is_announced_in_the_families_that_are_ready() -> None:
    """A service of both families whose pods have IPv4 only has nobody to answer at its IPv6 address."""
    ranges = [{"cidr": "10.96.0.0/16"}, {"cidr": "fd00:96::/112"}]
    both = resource("BGPConfiguration", serviceClusterIPs=ranges)
    web = service("web", "Local", clusterIPs=["10.96.0.10", "fd00:96::10"])
    assert announced(seen("a1", both, web, endpoints("web", "a1"))) == {"10.96.0.10/32"}


@pytest.mark.parametrize("spec", [{"type": "ExternalName"}, {"clusterIP": "None"}])
def test_a_service_that_no_proxy_answers_is_not_announced(spec: dict[str, str]) -> None:
    """Names of something elsewhere, and headless services: kube-proxy skips both, whatever they say."""
    web = service("web", externalIPs=["198.51.100.7"], **spec)
    assert announced(seen("a1", SERVICES, web)) == set()


def test_one_missing_slice_blanks_nobody_else() -> None:
    """A service without its endpoint slices has no say in whether another one is announced."""
    other = service("other", "Local", externalIPs=["198.51.100.9"])
    held = seen("a1", SERVICES, service("web", "Local"), endpoints("web", "a1"), other)
    assert announced(held) == {"203.0.113.7/32"}


def test_load_balancers_may_be_announced_one_by_one() -> None:
    """Without aggregation each address is announced by itself."""
    single = resource(
        "BGPConfiguration",
        serviceLoadBalancerIPs=[{"cidr": "203.0.113.0/24"}],
        serviceLoadBalancerAggregation="Disabled",
    )
    assert announced(seen("a1", single, service("web"))) == {"203.0.113.7/32"}


def test_an_excluded_node_announces_no_service() -> None:
    """Kubernetes' label keeps a node from load balancers."""
    view = seen("a1", SERVICES, service("web"))
    labels = {**view.nodes["a1"].labels, "node.kubernetes.io/exclude-from-external-load-balancers": ""}
    item = {"metadata": {"name": "a1", "labels": labels}}
    assert announced(view) != set()
    assert announced(view.with_event("Node", ("MODIFIED", item))[0]) == set()


def test_our_own_services_are_not_believed() -> None:
    """What this cluster announces as its services nobody else may announce to it."""
    held = {str(each) for each in speaker(seen("a1", SERVICES), ()).refused}
    assert held == {"10.96.0.0/16", "198.51.100.0/24", "203.0.113.0/24"}


def test_a_node_beyond_a_router_is_reached_through_routers_that_know_it() -> None:
    """Without tunnel and without a session with a router nobody would know the way, and a person is told."""
    transport = CalicoBgp(lambda _: ())
    alone, peered = seen("a1"), seen("a1", TOR)
    assert ["nothing tunnels" in why for why in transport.obstacles(alone, alone.nodes["b1"])] == [True, True]
    assert transport.obstacles(peered, peered.nodes["b1"]) == ()
    assert transport.obstacles(alone, alone.nodes["a2"]) == ()


def test_a_peers_change_is_one_files() -> None:
    """What one node is told apart changes its session's file, and no other node's."""
    transport = CalicoBgp(lambda _: ())
    before, after = seen("a1"), seen("a1", b1={"ASNumber": "65010"})
    changed = {
        name: transport.peer(before, before.nodes[name]) != transport.peer(after, after.nodes[name])
        for name in ("a2", "b1", "b2")
    }
    assert changed == {"a2": False, "b1": True, "b2": False}
    assert transport.node(before) == transport.node(after)


def test_one_router_that_cannot_be_spoken_to_costs_itself() -> None:
    """A session that no speaker can be told is named; filters, what is announced and other routers stand."""
    view = seen("a1", TOR, resource("BGPPeer", "other", peerIP="10.1.1.253", asNumber=65002))
    held = view.bgp_peers["", "tor"]
    broken = replace(view, bgp_peers={**view.bgp_peers, ("", "tor"): structs.replace(held, keepalive=65535)})
    speaking = CalicoBgp(lambda _: ())
    files = {each.name for each in speaking.node(broken).of(ConfigFile)}
    assert "peer.other.conf" in files
    assert "owned.conf" in files
    assert "peer.tor.conf" not in files
    (unsure,) = speaking.unsure(broken)
    assert unsure.files == "peer.tor.conf"
    assert "timers.hold" in unsure.why


def test_a_filter_that_nobody_knows_is_named() -> None:
    """BIRD does not say which filter a session lacks; a remark does, on the nodes it is about."""
    lost = resource("BGPPeer", "far", node="a1", peerIP="10.9.9.9", asNumber=65009, filters=["f", "nowhere"])
    said = "BGPPeer far: spec.filters: nowhere is no BGPFilter's name, so BIRD refuses its session"
    told = {me: CalicoBgp(tuple).remarks(seen(me, lost, resource("BGPFilter", "f"))) for me in ("a1", "a2")}
    assert told == {"a1": (said,), "a2": ()}


def test_a_node_that_says_no_as_number_speaks_to_nobody() -> None:
    """With a wrong one nothing of BGP is decided, and the reason says node and annotation."""
    view, speaking = seen("a1", TOR, a1={"ASNumber": "many"}), CalicoBgp(lambda _: ())
    assert len(speaking.node(view)) == 0
    (unsure,) = speaking.unsure(view)
    assert unsure.covers(("daemon", "bgp"))
    assert "Node a1: metadata.annotations[projectcalico.org/ASNumber] = 'many'" in unsure.why


def test_a_node_that_claims_a_routers_address_takes_no_session_away() -> None:
    """An annotation that is no InternalIP counts where the AS number fits, too; either way it is said."""
    view = seen("a1", TOR, b1={"IPv4Address": "10.1.1.254/24"})
    assert set(routers(view)) == {"tor"}
    (why,) = CalicoBgp(lambda _: ()).remarks(view)
    assert why.startswith("BGPPeer tor is taken for a router: node b1 says in an annotation that it is at")
    view = seen("a1", TOR, b1={"IPv4Address": "10.1.1.254/24", "ASNumber": "65001"})
    assert routers(view) == {}
    (why,) = CalicoBgp(lambda _: ()).remarks(view)
    assert why.startswith("BGPPeer tor is taken for a node")
    assert CalicoBgp(lambda _: ()).remarks(seen("a1", TOR)) == ()
