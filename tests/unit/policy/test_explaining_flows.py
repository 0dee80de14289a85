"""Why a flow may pass: the examples of the tree, asked about as a person would."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from octet.cluster.netpol import EGRESS, INGRESS
from octet.cluster.view import View
from octet.errors import BadConfigurationError, NotFoundError
from octet.lab.reading import as_api, completed, files_of, view_of
from octet.oracle import Flow, World, decide
from octet.policy.telling.answers import Answer, answers
from octet.policy.telling.ends import at, of_pod
from octet.policy.telling.explain import Explainer
from octet.policy.telling.traffic import ECHO, NAMES, read, worth_asking

EXAMPLES = Path(__file__).parents[3] / "examples/policy"
OBJECTS = completed(files_of(EXAMPLES)[0])[0]


@pytest.fixture(scope="module")
def view() -> View:
    """The cluster of examples/policy, whose pods have addresses that nobody names."""
    return view_of(OBJECTS)


def only(view: View, source: str, destination: str, port: str) -> Answer:
    (found,) = answers(view, source, destination, read(port))
    return found


def test_an_allowed_flow_names_the_rule_at_each_end(view: View) -> None:
    """Egress of the source and ingress of the destination each say policy, tier, and what the rule says."""
    answer = only(view, "shop/web", "shop/db", "5432/tcp")
    assert answer.allowed
    assert [(step.direction, step.pod, step.tier) for step in answer.steps] == [
        (EGRESS, "shop/web", "default"),
        (INGRESS, "shop/db", "default"),
    ]
    out, into = answer.steps
    assert out.policy == "NetworkPolicy shop/web-to-db"
    assert out.words == (
        "NetworkPolicy shop/web-to-db rule 1 in tier default "
        "allows 5432/TCP to pods with app=db of namespace shop"
    )
    assert ("default", ("NetworkPolicy shop/default-deny", "NetworkPolicy shop/web-to-db")) in out.selecting
    assert into.rule == "NetworkPolicy shop/db-from-web rule 1"


def test_default_deny_says_which_policies_select_the_pod(view: View) -> None:
    """Where no rule matches, the policies that select the pod are named, and their tier."""
    answer = only(view, "monitoring/grafana", "shop/web", "9102")
    assert not answer.allowed
    last = answer.steps[-1]
    assert (last.direction, last.tier, last.rule) == (INGRESS, "default", "")
    assert "no rule of NetworkPolicy shop/default-deny, NetworkPolicy shop/web-front-door" in last.words


def test_default_allow_says_that_nothing_forbids(view: View) -> None:
    """Where no policy selects the pod for a direction, that is the reason."""
    answer = only(view, "shop/web", "guest/visitor", "80")
    assert answer.steps[-1].words == "no policy selects it for ingress, and what nothing forbids is allowed"


def test_a_passing_tier_hands_over(view: View) -> None:
    """Pass is no verdict: the next tier decides, and where none does, that is said."""
    answer = only(view, "monitoring/prometheus", "shop/web", "9102")
    assert answer.allowed
    assert answer.steps[0].words.startswith("every tier that selects it for egress passes it on")
    assert (
        "metrics/TCP from pods with app=prometheus of namespaces with purpose=monitoring"
        in answer.steps[1].words
    )


def test_an_ordered_denial_names_its_tier(view: View) -> None:
    """A Calico policy of an earlier tier wins over whatever later ones allow."""
    answer = only(view, "shop/suspect", "shop/db", "5432")
    assert not answer.allowed
    assert (answer.steps[0].tier, answer.steps[0].policy) == (
        "security",
        "Calico GlobalNetworkPolicy security.quarantine",
    )


def test_a_network_is_told_in_the_parts_that_policies_tell_apart(view: View) -> None:
    """A CIDR with a hole has an answer for each part; parts with the same answer are one."""
    found = answers(view, "shop/payment", "198.51.100.0/24", read("443"))
    assert {(each.destination, each.allowed) for each in found} == {
        ("the rest of 198.51.100.0/24", True),
        ("198.51.100.128/25", False),
    }
    (whole,) = answers(view, "198.51.100.0/24", "shop/web", read("80"))
    assert (whole.source, whole.allowed) == ("198.51.100.0/24", True)


def test_names_are_mentioned_where_they_might_decide(view: View) -> None:
    """Egress that a domain name could allow says so, since what the name means is not in any object."""
    answer = only(view, "shop/payment", "203.0.113.9", "443")
    assert not answer.allowed
    assert "api.payments.example" in answer.steps[0].words


def test_without_a_port_every_port_is_accounted_for(view: View) -> None:
    """The answers of all ports together are everything, each port in one of them."""
    found = answers(view, "guest/visitor", "shop/web", None)
    assert [(each.traffic, each.allowed) for each in found] == [
        ("TCP but 80, UDP, SCTP, ICMP echo", False),
        ("80/TCP", True),
    ]


def test_who_is_not_policed_is_said(view: View) -> None:
    """A pod reaches itself, and no pod sends VXLAN, whatever policies say."""
    assert "reaches itself" in only(view, "shop/web", "shop/web", "81").steps[0].words
    tunnel = only(view, "guest/visitor", "203.0.113.9", "4789/udp")
    assert not tunnel.allowed
    assert "VXLAN" in tunnel.steps[0].words


def test_the_running_models_own_port_is_closed(view: View) -> None:
    """What a model closes to pods decides about a tunnel's port, and nothing else does."""
    for closed, denied in (((9999,), True), ((), False)):
        (found,) = answers(view, "guest/visitor", "203.0.113.9", read("9999/udp"), closed)
        assert ("VXLAN" in found.steps[0].words) is denied
        (usual,) = answers(view, "guest/visitor", "203.0.113.9", read("4789/udp"), closed)
        assert "VXLAN" not in usual.steps[0].words


@pytest.mark.parametrize(
    ("source", "port", "kind", "said"),
    [
        ("nobody", "80", NotFoundError, "no pod and no node"),
        ("shop/nobody", "80", NotFoundError, "there are guest/visitor"),
        ("shop/web", "80/quic", BadConfigurationError, "such as 80/tcp"),
        ("shop/web", "0", BadConfigurationError, "no port"),
        ("shop/web", "65536/udp", BadConfigurationError, "no port"),
        ("2001:db8::1", "80", NotFoundError, "one family"),
    ],
)
def test_wrong_questions_are_refused(
    view: View, source: str, port: str, kind: type[Exception], said: str
) -> None:
    """A name, port or protocol that is not there is named, with what would do."""
    with pytest.raises(kind, match=said):
        answers(view, source, "shop/db", read(port))


def test_explaining_agrees_with_the_specification(view: View) -> None:
    """Every pair of pods and every port of the examples is explained as the oracle decides it."""
    world, explainer = World(map(as_api, OBJECTS), names={}), Explainer(view)
    outside = at(view, ip_address("198.51.100.7"))
    ends = [*(of_pod(pod) for pod in view.pods.values()), outside, at(view, ip_address("169.254.169.254"))]
    wrong = []
    for source in ends:
        for destination in ends:
            for traffic in worth_asking([view]):
                for each in explainer.explain(source, destination, traffic):
                    icmp = (ECHO[traffic.protocol], 0) if traffic.protocol in ECHO else None
                    flow = Flow(
                        source.addresses[0],
                        destination.addresses[0],
                        NAMES[traffic.protocol],
                        traffic.port or None,
                        40000,
                        icmp,
                    )
                    said = all(step.allowed for step in each.steps)
                    if said is not decide(world, flow).allowed:
                        wrong.append(str(flow))
    assert wrong == []
