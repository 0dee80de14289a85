"""Who has sessions with whom, and what is in them."""

import base64
from ipaddress import ip_address, ip_network

import pytest

from kube_nodes import node, seen
from octet.blueprint import Blueprint, ConfigFile
from octet.cluster.indexes import Named
from octet.cluster.objects import Node, Service, ServicePort
from octet.errors import BadConfigurationError
from octet.transport.kube_router import Advertised, Flags, KubeRouter, Overlay, Router
from octet.transport.kube_router.annotations import POD_CIDRS
from octet.transport.reach import PodNetworks
from octet.transport.tunnelling import Mode

TOR = Router(ip_address("192.0.2.254"), 65001)


def texts(made: Blueprint) -> dict[str, str]:
    return {each.name: each.text for each in made.of(ConfigFile)}


def meets(one: Node, other: Node, **flags: object) -> str:
    """Return the text of node1's session with another; empty where there is none."""
    running = KubeRouter(Flags(**flags))  # type: ignore[arg-type]
    return "".join(texts(running.peer(seen(one, other), other)).values())


def test_every_node_meets_every_other() -> None:
    """A full mesh within the cluster's AS number is what there is without a word."""
    held = meets(node(1), node(2))
    assert "local 192.0.2.1 as 64512;" in held
    assert "neighbor 192.0.2.2 port 179 as 64512;" in held
    assert "graceful restart time 90;" in held
    assert not meets(node(1), node(2), internal=False)


def test_without_a_mesh_nodes_of_one_as_meet() -> None:
    """Each says its AS number; who says none is named, and meets nobody."""
    alone = {"full_mesh": False}
    assert meets(node(1, node_asn="64601"), node(2, node_asn="64601"), **alone)
    assert not meets(node(1, node_asn="64601"), node(2, node_asn="64602"), **alone)
    assert not meets(node(1, node_asn="64601"), node(2), **alone)
    assert not meets(node(1), node(2, node_asn="64601"), **alone)
    running = KubeRouter(Flags(full_mesh=False))
    view = seen(node(1), node(2))
    assert len(running.node(view)) == 0
    assert "kubectl annotate node node1 kube-router.io/node.asn=64512" in running.remarks(view)[0]
    assert "node2 says no AS number" in running.obstacles(view, node(2))[0]


def test_clients_meet_reflectors_of_their_cluster() -> None:
    """Ids are compared; a reflector meets everybody who is not another one's client, and reflects to them."""
    server, client = node(1, rr_server="1"), node(2, rr_client="0.0.0.1")
    held = meets(server, client)
    assert "rr client;" in held
    assert "rr cluster id 0.0.0.1;" in held
    assert 'proto ~ "node:*"' in held
    assert meets(node(1, rr_client="1"), node(2, rr_server="1"))
    assert not meets(node(1, rr_client="1"), node(2, rr_server="2"))
    assert not meets(node(1, rr_client="1"), node(2, rr_client="1"))
    assert meets(node(1, rr_server="1"), node(2))


def test_a_router_is_told_what_is_ours_alone() -> None:
    """Pods and service addresses, lengthened and marked as annotations say; nothing that others told."""
    me = node(1, prepend_as="64512", prepend_n="2", communities="65000:7")
    made = texts(KubeRouter(Flags(routers=(TOR,))).node(seen(me)))["peer.192.0.2.254.conf"]
    assert "direct;" in made
    assert 'proto = "owned4" || proto = "services4"' in made
    assert "RTS_BGP" not in made
    assert made.count("bgp_path.prepend(64512);") == 2
    assert "bgp_community.add((65000, 7));" in made
    quiet = texts(KubeRouter(Flags(routers=(TOR,), tell_pods=False, hops=2)).node(seen(me)))
    assert "owned4" not in quiet["peer.192.0.2.254.conf"]
    assert "multihop 2;" in quiet["peer.192.0.2.254.conf"]


def test_a_router_of_our_own_as_may_be_behind_a_hop() -> None:
    """The flag is about eBGP's hops; within an AS peers may be anywhere (RFC 4271, 5.1.3)."""
    ours = Router(ip_address("198.51.100.254"), 64512)
    made = texts(KubeRouter(Flags(routers=(ours, TOR))).node(seen(node(1))))
    assert "multihop" in made["peer.198.51.100.254.conf"]
    assert "direct;" in made["peer.192.0.2.254.conf"]


def test_a_told_address_is_never_believed() -> None:
    """Without ranges, too: nobody may take a service's address away by telling it himself."""
    web = Service("web", "shop", external_ips=(ip_address("203.0.113.7"),), ports=(ServicePort(80),))
    told = Flags(advertised=Advertised(external=True, strict=False))
    policy = texts(KubeRouter(told).node(seen(node(1), services=Named.of([web]))))["policy.conf"]
    assert "203.0.113.7/32+" in policy
    assert (
        "203.0.113.7" not in texts(KubeRouter().node(seen(node(1), services=Named.of([web]))))["policy.conf"]
    )


def test_routers_of_flags_come_before_a_nodes_own() -> None:
    """As in the original: a node's annotations name routers only where no flag does."""
    own = node(1, peer_ips="192.0.2.253", peer_asns="65003")
    assert "peer.192.0.2.253.conf" in texts(KubeRouter().node(seen(own)))
    flagged = texts(KubeRouter(Flags(routers=(TOR,))).node(seen(own)))
    assert "peer.192.0.2.254.conf" in flagged
    assert "peer.192.0.2.253.conf" not in flagged


def test_the_next_hop_may_be_the_sessions_own_address() -> None:
    """With --override-nexthop a router is told the address that the session is from."""
    router = Router(TOR.address, TOR.asn, source=ip_address("192.0.2.77"))
    for override, said in ((True, "192.0.2.77"), (False, "192.0.2.1")):
        flags = Flags(routers=(router,), override_next_hop=override)
        made = texts(KubeRouter(flags).node(seen(node(1))))["peer.192.0.2.254.conf"]
        assert "local 192.0.2.77 as 64512;" in made
        assert f"next hop address {said};" in made
    listening = node(1, listen="192.0.2.78")
    made = texts(KubeRouter(Flags(routers=(TOR,))).node(seen(listening)))["peer.192.0.2.254.conf"]
    assert "local 192.0.2.78 as 64512;" in made


def test_services_and_what_a_node_refuses_are_never_believed() -> None:
    """Service ranges of cluster and flags, and the node's own list, whoever tells them."""
    flags = Flags(service_ranges=(ip_network("10.97.0.0/16"),))
    policy = texts(KubeRouter(flags).node(seen(node(1, reject="203.0.113.0/24"))))["policy.conf"]
    assert all(f"{each}+" in policy for each in ("10.96.0.0/16", "10.97.0.0/16", "203.0.113.0/24"))


def test_a_password_is_in_no_text_that_is_shown() -> None:
    """A session's file has the place of the password where the password is."""
    secret = base64.b64encode(b"hush").decode()
    me = node(1, peer_ips="192.0.2.254", peer_asns="65001", peer_passwords=secret)
    (file,) = (each for each in KubeRouter().node(seen(me)).of(ConfigFile) if each.name.startswith("peer."))
    assert "hush" not in repr(file) + str(file) + file.text
    assert "<secret in Node node1, metadata.annotations[kube-router.io/peer.passwords][0]>" in file.text
    assert any(getattr(part, "value", "") == "hush" for part in file.parts)


@pytest.mark.parametrize(
    ("said", "undecided"),
    [({"prepend_as": "64512"}, ["peer.*"]), ({"reject": "x"}, ["policy.conf", "peer.*"])],
)
def test_a_bad_annotation_costs_the_sessions_with_routers_only(
    said: dict[str, str], undecided: list[str]
) -> None:
    """What is said to routers or kept from them is not decided of half of it; nodes meet all the same."""
    running, view = KubeRouter(Flags(routers=(TOR,))), seen(node(1, **said), node(2))  # type: ignore[arg-type]
    assert [each.files for each in running.unsure(view)] == undecided
    assert all("Node node1: metadata.annotations[" in each.why for each in running.unsure(view))
    held = texts(running.node(view))
    assert "owned.conf" in held
    assert not any(name.startswith("peer.") for name in held)
    assert texts(running.peer(view, node(2)))


def test_a_bad_role_of_this_node_leaves_its_bgp_undecided() -> None:
    """Who does not know its part says nothing; a peer's bad one is told as its obstacle."""
    view = seen(node(1, rr_client="x"))
    assert not texts(KubeRouter().node(view))
    (unsure,) = KubeRouter().unsure(view)
    assert unsure.covers(("daemon", "bgp"))
    assert unsure.covers(("config", "bgp", "node.node2.conf"))
    assert not unsure.covers(("route", "x"))
    assert "rr.client" in unsure.why
    bad = node(2, rr_client="x")
    with pytest.raises(BadConfigurationError, match="Node node2"):
        KubeRouter().peer(seen(node(1), bad), bad)
    assert KubeRouter(Flags(full_mesh=False)).remarks(seen(node(1, node_asn="x"))) == ()


def test_a_node_in_another_subnet_needs_a_router_or_a_tunnel() -> None:
    """It is named where neither is there; with a router that knows pods all is well."""
    far = node(2, subnet=3)
    view = seen(node(1), far)
    (why,) = KubeRouter().obstacles(view, far)
    assert why.startswith("node node2 at 192.0.3.2 is not on 192.0.2.0/24: without enable-overlay nothing")
    assert KubeRouter(Flags(routers=(TOR,))).obstacles(view, far) == ()
    assert KubeRouter(Flags(routers=(TOR,), tell_pods=False)).obstacles(view, far) != ()
    assert KubeRouter(overlay=Overlay(mode=Mode.CROSS_SUBNET)).obstacles(view, far) == ()


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        (Mode.NEVER, ""),
        (Mode.CROSS_SUBNET, "if net ~ 10.244.0.0/16 && !(bgp_next_hop ~ 192.0.2.0/24) then return true;"),
        (Mode.ALWAYS, "if net ~ 10.244.0.0/16 then return true;"),
    ],
)
def test_what_is_wrapped_is_left_to_the_overlay(mode: Mode, wanted: str) -> None:
    """BIRD installs pods' routes but those that a tunnel carries."""
    policy = texts(KubeRouter(overlay=Overlay(mode=mode)).node(seen(node(1))))["policy.conf"]
    left = policy.partition("function left4() {")[2].partition("return false;")[0].strip()
    assert left == wanted


NETWORKS = PodNetworks(annotations=POD_CIDRS)


def test_a_node_may_say_its_pod_cidr_itself() -> None:
    """The deprecated annotation, then the newer one, then the spec; BGP tells what came of it."""
    assert NETWORKS.cidr(node(1), 4) == ip_network("10.244.1.0/24")
    newer = node(1, pod_cidrs="10.244.9.0/24, fd00:1::/64")
    assert NETWORKS.cidr(newer, 4) == ip_network("10.244.9.0/24")
    assert NETWORKS.cidr(newer, 6) == ip_network("fd00:1::/64")
    both = node(1, pod_cidr="10.244.8.0/24", pod_cidrs="10.244.9.0/24")
    assert NETWORKS.cidr(both, 4) == ip_network("10.244.8.0/24")
    assert "route 10.244.8.0/24 unreachable;" in texts(KubeRouter().node(seen(both)))["owned.conf"]


def test_of_two_nodes_that_say_one_pod_cidr_the_first_has_it() -> None:
    """The other one is named; a list that is none is refused by name."""
    view = seen(node(1), node(2, pod_cidr="10.244.7.0/24"), node(3, pod_cidr="10.244.7.0/24"))
    assert KubeRouter().obstacles(view, view.nodes["node2"]) == ()
    (why,) = KubeRouter().obstacles(view, view.nodes["node3"])
    assert why == "pod CIDR 10.244.7.0/24 of node node3 belongs to node node2"
    with pytest.raises(BadConfigurationError, match=r"kube-router\.io/pod-cidrs\] = 'all'"):
        NETWORKS.cidr(node(1, pod_cidrs="all"), 4)
    with pytest.raises(BadConfigurationError, match="two prefixes of one family"):
        NETWORKS.cidr(node(1, pod_cidrs="10.244.1.0/24,10.244.2.0/24"), 4)
