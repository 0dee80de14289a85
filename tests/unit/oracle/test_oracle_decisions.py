"""What the oracle says beside tables of pods: names, nodes, other protocols, refusals, and its reasons."""

from ipaddress import ip_address

import pytest

import policy_world
from octet.errors import BadConfigurationError
from octet.oracle import Flow, World, decide
from policy_cases import policy

XA, XB, YA = (ip_address(policy_world.ADDRESSES[name]) for name in ("x/a", "x/b", "y/a"))
NODE_1, NODE_2 = (ip_address(address) for address in policy_world.NODES.values())
WORLD = ip_address("203.0.113.7")


def world(*policies, **more):
    stated = [policy(each, each.get("kind", "NetworkPolicy")) for each in policies]
    return World([*policy_world.objects().values(), *stated], **more)


def kube(**spec):
    return {"name": "p", "namespace": "x", "spec": {"podSelector": {}, **spec}}


def cluster(**spec):
    subject = {"namespaces": {"matchLabels": {"ns": "x"}}}
    base = {"tier": "Admin", "priority": 1, "subject": subject}
    return {"kind": "ClusterNetworkPolicy", "name": "c", "spec": {**base, **spec}}


def calico(**spec):
    return {"kind": "GlobalNetworkPolicy", "name": "g", "spec": spec}


def allowed(held, *flow, **more):
    return decide(held, Flow(*flow, **more)).allowed


def test_names_that_nobody_has_learned_leave_it_open():
    """A rule by domain name is open until it is known what that means to who asks, where it would matter."""
    rules = [{"action": "Accept", "to": [{"domainNames": ["*.example.org"]}]}]
    deny = {"action": "Deny", "to": [{"networks": ["0.0.0.0/0"]}]}
    open_end, closed = cluster(egress=rules), cluster(egress=[*rules, deny])
    assert allowed(world(open_end), XA, WORLD, "TCP", 443) is True
    assert allowed(world(closed), XA, WORLD, "TCP", 443) is None
    assert allowed(world(closed, names={XA: {"www.example.org": [WORLD]}}), XA, WORLD, "TCP", 443) is True
    assert allowed(world(closed, names={XB: {"www.example.org": [WORLD]}}), XA, WORLD, "TCP", 443) is False
    assert allowed(world(closed, names={XA: {"example.org": [WORLD]}}), XA, WORLD, "TCP", 443) is False
    assert allowed(world(closed, names={}), XA, WORLD, "TCP", 443) is False
    assert "not known" in str(decide(world(closed), Flow(XA, WORLD, "TCP", 443)))


def test_a_node_reaches_its_own_pods_only():
    """Probes of the kubelet pass whatever policy says; from another node policy decides, by address."""
    isolated = world(kube())
    assert allowed(isolated, NODE_1, XA, "TCP", 80) is True
    assert allowed(isolated, ip_address("10.244.1.1"), XA, "TCP", 80, node="node-1") is True
    assert allowed(isolated, ip_address("10.244.2.0"), XA, "TCP", 80, node="node-2") is False
    assert allowed(isolated, NODE_2, XA, "TCP", 80) is False
    opened = world(kube(ingress=[{"from": [{"ipBlock": {"cidr": f"{NODE_2}/32"}}]}]))
    assert allowed(opened, NODE_2, XA, "TCP", 80) is True


def test_egress_to_the_own_node_is_policed():
    """A pod that may reach nobody does not reach its node either."""
    closed = world(kube(policyTypes=["Egress"]))
    assert allowed(closed, XA, NODE_1, "TCP", 10250) is False
    assert allowed(world(), XA, NODE_1, "TCP", 10250) is True


def test_a_pod_reaches_itself_but_not_through_a_service():
    """Its own address is always open to a pod; a service that leads back to it is traffic like any other."""
    closed = world(kube(policyTypes=["Ingress", "Egress"]))
    assert allowed(closed, XA, XA, "TCP", 80) is True
    assert allowed(closed, XA, XA, "TCP", 80, hairpin=True) is False


def test_ports_are_questions_of_protocols_that_have_them():
    """Without ports a rule means every protocol, with ports none but the stated."""
    whole, tcp = world(kube(ingress=[{}])), world(kube(ingress=[{"ports": [{"port": 80}]}]))
    assert allowed(whole, XB, XA, "ICMP", icmp=(8, 0)) is True
    assert allowed(tcp, XB, XA, "ICMP", icmp=(8, 0)) is False
    assert allowed(whole, XB, XA, "47") is True
    assert allowed(tcp, XB, XA, "47") is False


@pytest.mark.parametrize(
    ("rule", "types"),
    [
        ({"icmp": {"type": 8}}, {(8, 0): True, (8, 1): True, (0, 0): False}),
        ({"icmp": {"type": 8, "code": 0}}, {(8, 0): True, (8, 1): False, (0, 0): False}),
        ({"notICMP": {"type": 8}}, {(8, 0): False, (0, 0): True}),
        ({"notICMP": {"type": 3, "code": 4}}, {(3, 4): False, (3, 3): True}),
    ],
)
def test_icmp_goes_by_type_and_code(rule, types):
    """Calico's icmp and notICMP compare the type, and the code where one is stated."""
    held = world(calico(types=["Ingress"], ingress=[{"action": "Allow", "protocol": "ICMP", **rule}]))
    assert {icmp: allowed(held, XB, XA, "ICMP", icmp=icmp) for icmp in types} == types


def test_neighbours_are_found_and_pods_are_no_routers():
    """Neighbour discovery passes a pod that may do nothing; a router advertisement of a pod never passes."""
    closed = World(
        [*(_v6(item) for item in policy_world.objects().values()), policy(kube(), "NetworkPolicy")]
    )
    source, target = ip_address("fd00::102"), ip_address("fd00::103")
    assert allowed(closed, source, target, "ICMPv6", icmp=(135, 0)) is True
    assert allowed(closed, source, target, "ICMPv6", icmp=(128, 0)) is False
    assert (
        allowed(
            World([_v6(i) for i in policy_world.objects().values()]), source, target, "ICMPv6", icmp=(134, 0)
        )
        is False
    )


def _v6(item):
    if item["kind"] != "Pod":
        return item
    third, fourth = item["status"]["podIP"].split(".")[2:]
    address = f"fd00::{third}{int(fourth):02x}"
    return {**item, "status": {"podIPs": [{"ip": item["status"]["podIP"]}, {"ip": address}]}}


def test_source_ports_are_calicos_only():
    """A rule may name the port that a connection comes from."""
    held = world(
        calico(
            types=["Ingress"],
            ingress=[{"action": "Allow", "protocol": "TCP", "source": {"ports": ["1000:2000"]}}],
        )
    )
    assert allowed(held, XB, XA, "TCP", 80, source_port=1500) is True
    assert allowed(held, XB, XA, "TCP", 80, source_port=2001) is False


def test_http_cannot_be_seen_in_a_packet():
    """A rule with http matches nothing, so what it would allow stays closed."""
    held = world(calico(types=["Ingress"], ingress=[{"action": "Allow", "http": {"methods": ["GET"]}}]))
    assert allowed(held, XB, XA, "TCP", 80) is False


def test_reasons_name_policy_and_rule():
    """A verdict says which rule of which policy decided, in which tier, or that a tier's end did."""
    held = world(kube(ingress=[{"ports": [{"port": 80}]}, {"ports": [{"port": 81}]}]))
    verdict = decide(held, Flow(XB, XA, "TCP", 81))
    assert (verdict.reason.tier, verdict.reason.policy, verdict.reason.rule) == (
        "default",
        "NetworkPolicy x/p",
        "ingress[1]",
    )
    assert decide(held, Flow(XB, XA, "TCP", 82)).reason.rule == ""
    assert str(decide(held, Flow(XB, XA, "TCP", 82))).startswith("denied: ")
    assert str(decide(world(), Flow(WORLD, NODE_1))) == "allowed: neither end has policy"


@pytest.mark.parametrize(
    "stated",
    [
        kube(policyTypes=["Both"]),
        kube(ingress=[{"from": [{}]}]),
        kube(ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}]}]),
        kube(ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}]}]),
        kube(ingress=[{"ports": [{"port": "http", "endPort": 90}]}]),
        kube(ingress=[{"ports": [{"endPort": 90}]}]),
        kube(ingress=[{"ports": [{"port": 91, "endPort": 90}]}]),
        kube(ingress=[{"ports": [{"port": 0}]}]),
        kube(ingress=[{"ports": [{"protocol": "ICMP"}]}]),
        cluster(tier="Other"),
        cluster(priority=1001),
        cluster(subject={}),
        cluster(ingress=[{"action": "Allow", "from": [{"namespaces": {}}]}]),
        cluster(ingress=[{"action": "Accept", "from": []}]),
        cluster(egress=[{"action": "Deny", "to": [{"domainNames": ["a.org"]}]}]),
        cluster(ingress=[{"action": "Accept", "from": [{"namespaces": {}}], "protocols": [{"icmp": {}}]}]),
        calico(selector="pod ="),
        calico(types=["Sideways"]),
        calico(ingress=[{"action": "Accept"}]),
        calico(tier="not-there"),
        calico(ingress=[{"action": "Allow", "destination": {"ports": [80]}}]),
        calico(ingress=[{"action": "Allow", "protocol": "TCP", "icmp": {"type": 8}}]),
        calico(doNotTrack=True, preDNAT=True),
    ],
)
def test_what_the_api_refuses_is_not_judged(stated):
    """An object that cannot be in a cluster has no meaning."""
    with pytest.raises(BadConfigurationError):
        decide(world(stated), Flow(XB, XA, "TCP", 80))
