"""From what the kernel logs to lines with names, and from its counters to totals."""

from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

import pytest

from octet.agent.denials import LOGGED_LINES, Denials
from octet.agent.flows import Flows
from octet.agent.metrics import Metrics
from octet.cluster.changes import Underlay
from octet.cluster.objects import Node, Pod
from octet.cluster.view import View
from octet.kernel.nflog import Logged
from octet.kernel.probing import Probe, packet
from octet.policy.rules import Origin
from octet.policy.told import DENIED, denied, logged, prefix

POLICY = Origin("NetworkPolicy", "shop", "deny")
_, DENIAL = denied(POLICY, "default", "Ingress", reject=False)
_, NOTE = logged(Origin("Calico GlobalNetworkPolicy", "", "look", 0), "security", "Egress")
TOLD = {each.prefix: each for each in (DENIAL, NOTE)}
PODS = {("shop", "web"): Pod("web", "shop", ips=(ip_address("10.0.0.1"),))}
NODES = {"node1": Node("node1", internal_ips=(ip_address("192.0.2.1"),))}
VIEW = View("node1", Underlay("eth0", 1500), nodes=NODES, pods=PODS)  # type: ignore[arg-type]


@pytest.fixture
def metrics() -> Metrics:
    """An agent's metrics."""
    return Metrics()


@pytest.fixture
def denials(metrics: Metrics) -> Denials:
    """Everything but the kernel."""
    return Denials(Flows(lambda: 1000.0), metrics.denied, lambda: TOLD, lambda: VIEW, ThreadPoolExecutor(1))


def sent(source: str, destination: str, port: int = 80, told: str = DENIAL.prefix) -> Logged:
    ends = ip_address(source), ip_address(destination)
    return Logged(told, packet(Probe("", "", *ends, 6, 4000, port), 1))


def test_a_line_has_names_port_policy_and_tier(denials: Denials) -> None:
    """Pods and nodes are named, strangers are addresses."""
    denials.take([sent("192.0.2.1", "10.0.0.1"), sent("203.0.113.9", "10.0.0.1")])
    first, second = denials.flows.since(0)
    assert (first.verdict, first.direction, first.policy, first.tier) == (
        "denied",
        "Ingress",
        "NetworkPolicy shop/deny",
        "default",
    )
    assert (first.source, first.destination, first.protocol, first.port) == ("node1", "shop/web", "TCP", 80)
    assert second.source == second.source_address == "203.0.113.9"


def test_what_a_policy_logs_is_not_denied(denials: Denials) -> None:
    """Calico's Log is told as logged, with the rule that asked for it."""
    denials.take([sent("10.0.0.1", "203.0.113.9", told=NOTE.prefix)])
    (line,) = denials.flows.since(0)
    assert (line.verdict, line.policy) == ("logged", "Calico GlobalNetworkPolicy look rule 1")


def test_what_no_rule_of_ours_says_is_left_out(denials: Denials) -> None:
    """Another prefix in our group, or bytes that are no packet, make no line."""
    denials.take(
        [sent("10.0.0.1", "10.0.0.2", told="octet deny Ingress other"), Logged(DENIAL.prefix, b"\x45")]
    )
    assert denials.flows.since(0) == []


def test_the_agents_own_log_is_bounded(denials: Denials, caplog: pytest.LogCaptureFixture) -> None:
    """One reading puts a few lines into the log, however many flows were denied."""
    with caplog.at_level("INFO"):
        denials.take(sent("203.0.113.9", "10.0.0.1", port) for port in range(1, 100))
    assert len(caplog.records) == LOGGED_LINES


def test_totals_survive_counters_that_begin_again(metrics: Metrics) -> None:
    """A chain that was made anew counts from nothing; what Prometheus sees never goes down."""
    for count in (5, 8, 2):
        metrics.denied.read({DENIAL: count})
    labels = 'direction="Ingress",policy="NetworkPolicy shop/deny",tier="default"'
    assert f"octet_policy_denied_packets_total{{{labels}}} 10.0" in metrics.text().decode().splitlines()


def test_policies_that_are_gone_leave_the_metrics(metrics: Metrics) -> None:
    """Series of deleted policies do not pile up."""
    metrics.denied.read({DENIAL: 5})
    metrics.denied.read({})
    assert "shop/deny" not in metrics.text().decode()


@pytest.mark.parametrize(
    "name", ['x" drop; flush ruleset "', "n\nl", "\x1b[2J", "é" * 300, "a" * 253, "`id`$(id)"]
)
def test_no_name_of_a_policy_gets_out_of_its_quotes(name: str) -> None:
    """Whatever a policy is called, its prefix and comments are plain, short, and its own."""
    hostile = Origin("NetworkPolicy", "shop", name)
    chain, told = denied(hostile, "default", "Ingress", reject=True)
    text = str(chain)
    assert name not in text or name.isalnum()
    assert all(character.isprintable() or character in "\n\t" for character in text)
    assert len(told.prefix) <= 100
    assert told.prefix != prefix(DENIED, Origin("NetworkPolicy", "shop", name + "x"), "Ingress")
