"""Egress by name against real DNS packets: believed from the cluster's resolver, for who asked, for its time.

The resolver is a pod behind a service whose port is not its own, as some clusters have it.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from octet.lab import Lab
from policy_lab import DNS, Cluster, dns_service, egress, octet, until
from policy_programs import ASK, DUET, ECHO, FLOOD, KEEP, RESOLVE, RESOLVER, SERVER, TALK

pytestmark = [pytest.mark.lab, pytest.mark.slow]

MODELS = ("canal", "flannel:policy")
BEYOND = "198.51.100.1"
"""The world outside, where the server is that pods may reach by name only."""

TTL = 10
ANYBODY = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
"""Pods may ask anybody anything."""


@pytest.fixture(scope="module", params=MODELS)
def lab(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster with DNS, two jailed pods beside each other, and a pod that does as it likes."""
    model = request.param
    held = Cluster(f"names-{model.replace(':', '-')}", model, {})
    octet("lab", "up", "--name", held.name, "--model", model, "--nodes", "2")
    try:
        for pod in ("one", "two"):
            held.run(pod, "node1", label=pod)
        held.run("free", "node2", label="free")
        serve = ("--", sys.executable, "-c", RESOLVER, BEYOND, str(TTL), "5353", "")
        where = ("--name", held.name, "--node", "node2", "-n", "kube-system")
        octet("lab", "run", "dns", *where, *serve)
        held.learn()
        for node in ("node1", "node2"):
            assert held.exec(node, "nft", translated(held.addresses["dns"][0])) == ""
        with held.running("outside", sys.executable, "-c", f"print('up', flush=True)\n{SERVER}"):
            yield held
    finally:
        octet("lab", "down", held.name)


@pytest.fixture
def believed(lab: Cluster, tmp_path: Path) -> Iterator[Cluster]:
    """The cluster's DNS service is known, and the jailed pods may reach *.example.com by name only."""
    path = tmp_path / "dns.json"
    path.write_text(json.dumps(dns_service(lab.addresses["dns"][0], 5353)))
    octet("lab", "apply", "-f", str(path), "--name", lab.name)
    with lab.policy(tmp_path, named("one"), named("two")):
        yield lab
    assert json.loads(agent(lab, "/state"))["failures"] == []


def translated(goal: str) -> str:
    """What kube-proxy would do with the service."""
    rules = "".join(f"ip daddr {DNS} {each} dport 53 dnat to {goal}:5353; " for each in ("udp", "tcp"))
    return f"table ip dns {{ chain pre {{ type nat hook prerouting priority -101; {rules}}}\n}}"


def named(label: str, domains: str = "*.example.com", *rules: object) -> dict[str, Any]:
    policy = egress(label, *(rules or (ANYBODY, {"ports": [{"port": 5353, "protocol": "UDP"}]}, TCP)))
    policy["metadata"]["annotations"] = {"policy.octet.dev/domains": domains}
    return policy


TCP = {"ports": [{"port": 5353, "protocol": "TCP"}]}


def resolve(lab: Cluster, pod: str, name: str, server: str = DNS, kind: str = "udp") -> str:
    return lab.exec(pod, sys.executable, "-c", RESOLVE, server, name, kind)


def reach(lab: Cluster, pod: str, seconds: float = 0.7) -> str:
    """What a pod hears from the server outside; an answer's way into the rules may cost a repeated packet."""
    return lab.exec(pod, sys.executable, "-c", ASK, "tcp", BEYOND, "80", str(seconds))


def agent(lab: Cluster, path: str) -> str:
    """What the agent of the jailed pods' node says."""
    return Lab.find(lab.name).ask_agent("node1", path)


def test_a_name_opens_to_who_asked_and_for_its_time(believed: Cluster) -> None:
    """One pod asks and gets there; the other, under the same words, never asked; then the time is over."""
    assert reach(believed, "one") == "silence"
    assert resolve(believed, "one", "www.example.com") == BEYOND
    begun = time.monotonic()
    assert reach(believed, "one", 3) == "yes"
    assert reach(believed, "two") == "silence"
    assert resolve(believed, "two", "www.example.org") == BEYOND
    assert reach(believed, "two") == "silence"
    time.sleep(max(begun + TTL - time.monotonic(), 0))
    assert until(lambda: reach(believed, "one") == "silence")


def test_what_was_cut_for_want_of_a_name_goes_on_when_it_is_known(believed: Cluster, tmp_path: Path) -> None:
    """A flow that runs falls silent under a policy about a name nobody asked for, and is heard once one did.

    It is the same connection all the time: the pod sends on from its port, and nothing else is allowed there.
    """
    believed.run("late", "node1", label="late")
    far = believed.running("outside", sys.executable, "-c", ECHO, BEYOND, "9000")
    with far, believed.voice("late", sys.executable, "-c", DUET, "9001", BEYOND, "9000") as flow:
        assert until(lambda: flow.last == "heard", 20)
        with believed.policy(tmp_path, named("late")):
            assert until(lambda: flow.last == "silence", 20)
            assert reach(believed, "late") == "silence"
            assert flow.last == "silence"
            assert resolve(believed, "late", "www.example.com") == BEYOND
            assert until(lambda: flow.last == "heard", 20)


def test_rogue_resolvers_teach_nothing(believed: Cluster) -> None:
    """Answers of a host outside, of a pod, and of a pod to which the resolver's own address was led."""
    serve = (sys.executable, "-c", RESOLVER, BEYOND, "300", "53")
    free = believed.addresses["free"][0]
    with believed.running("outside", *serve, BEYOND), believed.running("free", *serve, free):
        for server in (BEYOND, free):
            for kind in ("udp", "tcp"):
                assert resolve(believed, "one", "www.example.com", server, kind) == BEYOND
                assert reach(believed, "one") == "silence", (server, kind)
        theft = f"ip daddr {DNS} udp dport 53 dnat to {free}:53"
        rules = f"table ip theft {{ chain pre {{ type nat hook prerouting priority -102; {theft}; }}\n}}"
        assert believed.exec("node1", "nft", rules) == ""
        try:
            assert resolve(believed, "one", "www.example.com") == BEYOND
            assert reach(believed, "one") == "silence"
        finally:
            believed.exec("node1", "nft", "delete table ip theft")


def test_a_cache_on_the_node_whose_packets_are_not_tracked(believed: Cluster) -> None:
    """NodeLocal DNSCache has the service's address on the node, and keeps its packets from tracking."""
    apart = f"udp dport 53 ip daddr {DNS} notrack; udp sport 53 ip saddr {DNS} notrack;"
    hooks = {"pre": "prerouting", "out": "output"}
    chains = "\n".join(
        f"chain {name} {{ type filter hook {hook} priority -300; {apart} }}" for name, hook in hooks.items()
    )
    believed.exec("node1", "ip", "addr", "add", f"{DNS}/32", "dev", "lo")
    assert believed.exec("node1", "nft", f"table ip cache {{\n{chains}\n}}") == ""
    serve = (sys.executable, "-c", RESOLVER, BEYOND, str(TTL), "53", DNS)
    try:
        with believed.running("node1", *serve):
            assert resolve(believed, "one", "cache.example.com") == BEYOND
            assert reach(believed, "one", 3) == "yes"
            assert reach(believed, "two") == "silence"
    finally:
        believed.exec("node1", "nft", "delete table ip cache")
        believed.exec("node1", "ip", "addr", "del", f"{DNS}/32", "dev", "lo")


def test_without_a_resolver_to_believe_names_mean_nothing(lab: Cluster, tmp_path: Path) -> None:
    """Where the cluster's DNS service is not known, its answers open nothing, and the agent says so."""
    path = tmp_path / "dns.json"
    path.write_text(json.dumps(dns_service(lab.addresses["dns"][0], 5353)))
    octet("lab", "apply", "-f", str(path), "--name", lab.name)
    octet("lab", "delete", "service", "kube-dns", "-n", "kube-system", "--name", lab.name)
    with lab.policy(tmp_path, named("two")):
        assert DNS not in json.loads(agent(lab, "/state"))["resolvers"]
        assert resolve(lab, "two", "www.example.com") == BEYOND
        assert reach(lab, "two") == "silence"


def test_a_flood_of_names_costs_nobody_else_his(believed: Cluster, tmp_path: Path) -> None:
    """A pod asks for two thousand names that its policy is about; the other's name still means something."""
    greedy = named("two", "*.flood.example")
    greedy["metadata"]["name"] = "greedy"
    asking = (sys.executable, "-c", KEEP, DNS, "www.example.com")
    with believed.policy(tmp_path, greedy), believed.running("one", *asking):
        assert reach(believed, "one", 3) == "yes"
        assert int(believed.exec("two", sys.executable, "-c", FLOOD, DNS, "2000")) > 1000
        assert reach(believed, "one", 3) == "yes"
        known = json.loads(agent(believed, "/state"))["names"]
        assert known[believed.addresses["one"][0]]["www.example.com"] == [BEYOND]
        assert 64 < len(known[believed.addresses["two"][0]]) <= 512


def test_a_killed_agent_cuts_nothing_that_a_name_allowed(believed: Cluster) -> None:
    """A connection to a name goes on while the agent is dead, when it is back, and after the name's time."""
    assert resolve(believed, "one", "long.example.com") == BEYOND
    assert reach(believed, "one", 3) == "yes"
    with believed.running("one", sys.executable, "-c", TALK, BEYOND) as talk:
        octet("lab", "fault", "kill-agent", "node1", "--name", believed.name)
        time.sleep(1)
        octet("lab", "fault", "start-agent", "node1", "--name", believed.name)
        assert reach(believed, "one", 3) == "yes"
        assert reach(believed, "two") == "silence"
        assert until(lambda: reach(believed, "one") == "silence", 4 * TTL + 20)
        time.sleep(2)
        assert talk.poll() is None


def test_answers_by_tcp(believed: Cluster) -> None:
    """A cut answer opens nothing and is counted; the whole one by TCP opens what it says."""
    assert resolve(believed, "two", "cut.example.com") == "cut"
    assert reach(believed, "two") == "silence"
    assert resolve(believed, "two", "cut.example.com", kind="tcp") == BEYOND
    assert reach(believed, "two", 3) == "yes"
    assert 'octet_policy_dns_messages_total{outcome="truncated"} 1.0' in agent(believed, "/metrics")
