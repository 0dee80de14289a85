"""Network policies are read as Kubernetes means them, and refused where Kubernetes would refuse them."""

from ipaddress import ip_network

import pytest

from octet.cluster.netpol import EGRESS, INGRESS
from octet.cluster.objects import IPBlock, NetworkPolicy, Peer, Port, Requirement, Rule, Selector
from octet.errors import BadConfigurationError


def policy(**spec):
    return {"metadata": {"name": "web", "namespace": "shop"}, "spec": spec}


def read(**spec):
    return NetworkPolicy.from_object(policy(**spec))


def equal(**labels):
    return Selector(tuple(Requirement(key, "In", (value,)) for key, value in labels.items()))


def test_a_policy_is_read_whole():
    """Selector, directions, peers and ports of both directions are read."""
    rule = {
        "from": [{"podSelector": {"matchLabels": {"app": "a"}}, "namespaceSelector": {}}],
        "ports": [{"protocol": "UDP", "port": 53}, {"port": "http"}, {"port": 8000, "endPort": 8100}],
    }
    block = {"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}
    got = read(podSelector={"matchLabels": {"app": "db"}}, ingress=[rule], egress=[block])
    assert got == NetworkPolicy(
        name="web",
        namespace="shop",
        pods=equal(app="db"),
        types=(INGRESS, EGRESS),
        ingress=(
            Rule(
                (Peer(pods=equal(app="a"), namespaces=Selector()),),
                (Port("UDP", 53), Port("TCP", "http"), Port("TCP", 8000, 8100)),
            ),
        ),
        egress=(Rule((Peer(block=IPBlock(ip_network("10.0.0.0/8"), (ip_network("10.1.0.0/16"),))),)),),
    )


@pytest.mark.parametrize(
    ("spec", "types"),
    [
        ({}, (INGRESS,)),
        ({"egress": []}, (INGRESS,)),
        ({"egress": [{}]}, (INGRESS, EGRESS)),
        ({"policyTypes": [EGRESS]}, (EGRESS,)),
        ({"policyTypes": [EGRESS, INGRESS]}, (INGRESS, EGRESS)),
        ({"policyTypes": [INGRESS], "egress": [{}]}, (INGRESS,)),
    ],
)
def test_directions_follow_the_api_reference(spec, types):
    """Unstated directions are ingress, and egress only where an egress rule is; stated ones are as stated."""
    assert read(podSelector={}, **spec).types == types


def test_an_empty_rule_allows_everything_and_no_rule_nothing():
    """A rule without peers and ports is kept as such; a policy without rules has none."""
    assert (read(ingress=[{}]).ingress, read(ingress=[]).ingress) == ((Rule(),), ())


def test_an_absent_selector_is_not_an_empty_one():
    """A peer's absent selector stays None: own namespace, or all pods; an empty one selects everything."""
    pods_only, spaces_only = (
        read(ingress=[{"from": [{"podSelector": {}}, {"namespaceSelector": {}}]}]).ingress[0].peers
    )
    assert (pods_only, spaces_only) == (Peer(pods=Selector()), Peer(namespaces=Selector()))


@pytest.mark.parametrize(
    ("operator", "values", "matching"),
    [
        ("In", ["a", "b"], ["a", "b"]),
        ("NotIn", ["a", "b"], ["c", None]),
        ("Exists", [], ["a", "b", "c"]),
        ("DoesNotExist", [], [None]),
    ],
)
def test_operators_mean_what_kubernetes_means(operator, values, matching):
    """Each operator matches just the labels that Kubernetes' selectors match; NotIn also a missing key."""
    requirement = {"key": "k", "operator": operator, **({"values": values} if values else {})}
    selector = read(podSelector={"matchExpressions": [requirement]}).pods
    found = [each for each in ("a", "b", "c", None) if selector.matches({"k": each} if each else {})]
    assert found == matching


def test_all_requirements_must_hold():
    """Every requirement of a selector must hold: matchLabels and matchExpressions are joined by and."""
    selector = read(
        podSelector={"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]}
    ).pods
    assert selector.matches({"a": "1", "b": "x"})
    assert not selector.matches({"a": "1"})
    assert not selector.matches({"a": "2", "b": "x"})


REFUSED = [
    ({"policyTypes": ["Both"]}, "spec.policyTypes"),
    ({"ingress": [{"from": [{}]}]}, "spec.ingress[0].from[0].podSelector"),
    (
        {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}]}]},
        "spec.ingress[0].from[0].ipBlock",
    ),
    ({"egress": [{"to": [{"ipBlock": {"cidr": "ten"}}]}]}, "spec.egress[0].to[0].ipBlock.cidr"),
    (
        {"egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}]}]},
        "spec.egress[0].to[0].ipBlock.except",
    ),
    (
        {"egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["fd00::/64"]}}]}]},
        "spec.egress[0].to[0].ipBlock.except",
    ),
    ({"ingress": [{"ports": [{"protocol": "tcp"}]}]}, "spec.ingress[0].ports[0].protocol"),
    ({"ingress": [{"ports": [{"port": 70000}]}]}, "spec.ingress[0].ports[0].port"),
    ({"ingress": [{"ports": [{"port": "http", "endPort": 9}]}]}, "spec.ingress[0].ports[0].endPort"),
    ({"ingress": [{"ports": [{"port": 10, "endPort": 9}]}]}, "spec.ingress[0].ports[0].endPort"),
    ({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}}, "matchExpressions[0].operator"),
    ({"podSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}, "matchExpressions[0].values"),
    ({"podSelector": {"matchExpressions": [{"operator": "Exists"}]}}, "matchExpressions[0].key"),
]


@pytest.mark.parametrize(("spec", "field"), REFUSED, ids=[field for _, field in REFUSED])
def test_what_kubernetes_refuses_is_refused(spec, field):
    """A policy the API server would not accept is refused by the field's name, never half understood."""
    with pytest.raises(BadConfigurationError) as refused:
        read(**spec)
    assert refused.value.source == "NetworkPolicy shop/web"
    assert refused.value.field.endswith(field)
