"""The published tables in whole labs, and policy while agents die, come back, and change their minds."""

import random
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_address

import pytest

import policy_cases
from octet.errors import OctetError
from octet.kernel import namespaces
from octet.oracle import Flow
from policy_cases import policy
from policy_stream import Stream
from policy_table_lab import NODES, TableLab, table_lab

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(900)]

MODELS = ("canal", "flannel:policy", "calico", "kube-router")
CHANGES, KILLS = 1000, 6
STREAM = 9999  # where nobody else listens
CUT = 15.0
"""Seconds within which a flow is cut among all the connections that the tables before have left."""


@pytest.fixture(scope="module", params=MODELS)
def lab(request: pytest.FixtureRequest) -> Iterator[TableLab]:
    """A lab with the pods of the cases."""
    with table_lab(request.param) as made:
        yield made


@pytest.fixture
def clean(lab: TableLab) -> Iterator[TableLab]:
    """The same; whatever policies a test left are deleted."""
    yield lab
    for item in lab.lab.get("networkpolicy"):
        lab.delete(item)


def kube(name: str, **spec: object) -> dict:
    return policy({"name": name, "namespace": "x", "spec": spec}, "NetworkPolicy")


CLOSED = kube("p", podSelector={}, policyTypes=["Ingress", "Egress"])
FROM_Y = kube("p", podSelector={}, ingress=[{"from": [{"namespaceSelector": {"matchLabels": {"ns": "y"}}}]}])
FROM_Z = kube("p", podSelector={}, ingress=[{"from": [{"namespaceSelector": {"matchLabels": {"ns": "z"}}}]}])
ONLY_Y = ("deny * -> x/*", "allow y/* -> x/*")
ONLY_Z = ("deny * -> x/*", "allow z/* -> x/*")
NOBODY = ("deny * -> x/*", "deny x/* -> *")


@pytest.mark.parametrize("file", ["netpol", "clusternetworkpolicy", "calico", "cyclonus"])
def test_published_tables_in_a_lab(lab: TableLab, file: str) -> None:
    """Every case by the lab's own verbs: all pairs of nine pods, both ports, TCP, UDP and SCTP."""
    assert [text for case in policy_cases.cases(file) for text in lab.play(case)] == []


def streamed(lab: TableLab, *sources: str) -> Stream:
    """Return a stream of new connections from pods to every pod of x."""
    flows = [
        (
            source,
            target,
            Flow(ip_address(lab.addresses[source]), ip_address(lab.addresses[target]), "UDP", STREAM),
        )
        for source in sources
        for target in lab.addresses
        if target.startswith("x/") and source != target
    ]
    return Stream(lab.places, flows)


def passed(stream: Stream) -> int:
    assert min(each.sent for each in stream.counts) > 0
    return sum(len(each.arrived) for each in stream.counts)


def lost(stream: Stream) -> int:
    assert min(each.sent for each in stream.counts) > 0
    return sum(each.sent - len(each.arrived) for each in stream.counts)


def test_a_dead_agent_leaves_the_rules(clean: TableLab) -> None:
    """With both agents dead policy stays as it is, and a pod that starts gets no network."""
    clean.apply([FROM_Y])
    assert clean.differences(ONLY_Y) == []
    for node in NODES:
        clean.lab.kill_agent(node)
    try:
        assert clean.differences(ONLY_Y) == []
        with pytest.raises(OctetError):
            clean.lab.run("late", NODES[0], namespace="y")
    finally:
        for node in NODES:
            clean.lab.start_agent(node)
    assert clean.differences(ONLY_Y) == []


def test_changes_while_the_agent_was_dead(clean: TableLab) -> None:
    """Policies that changed meanwhile are made true; nobody gets in whom old and new keep out."""
    clean.apply([FROM_Y])
    assert clean.differences(ONLY_Y) == []
    outsiders = streamed(clean, "x/a", "x/b")
    with outsiders.running():
        for node in NODES:
            clean.lab.kill_agent(node)
        clean.apply([FROM_Z])
        for node in NODES:
            clean.lab.start_agent(node)
        assert clean.differences(ONLY_Z) == []
    assert passed(outsiders) == 0


def test_agents_die_during_a_thousand_changes(clean: TableLab) -> None:
    """Whenever agents are killed, nobody ever gets in whom no policy allows, and the end is as specified."""
    dice = random.Random(4)
    clean.apply([FROM_Y])
    assert clean.differences(ONLY_Y) == []
    kills = sorted(dice.sample(range(20, CHANGES - 20), KILLS))
    outsiders = streamed(clean, "x/a", "x/c")
    with outsiders.running():
        for number in range(CHANGES):
            clean.apply([dice.choice((FROM_Y, FROM_Z, CLOSED))])
            if number in kills:
                node = dice.choice(NODES)
                clean.lab.kill_agent(node)
                time.sleep(0.05 * dice.random())
                clean.lab.start_agent(node)
        clean.apply([FROM_Z])
        assert clean.differences(ONLY_Z) == []
    assert passed(outsiders) == 0


def test_what_all_policies_allow_never_stops(clean: TableLab) -> None:
    """Changes and a killed agent cost not one new connection that every policy on the way allows."""
    more = {"from": [{"namespaceSelector": {"matchLabels": {"ns": "y"}}}], "ports": [{"protocol": "UDP"}]}
    also_z = {"from": [{"namespaceSelector": {"matchLabels": {"ns": "z"}}}]}
    versions = [
        kube("p", podSelector={}, ingress=[more, *extra])
        for extra in ([], [also_z], [{"ports": [{"port": 81}]}])
    ]
    clean.apply(versions[:1])
    assert clean.differences(("deny * -> x/*", "allow y/* -> x/* */UDP")) == []
    insiders = streamed(clean, "y/a", "y/b")
    with insiders.running():
        for number in range(60):
            clean.apply([versions[number % 3]])
        clean.lab.kill_agent(NODES[0])
        clean.lab.start_agent(NODES[0])
        clean.apply([versions[1]])
    assert lost(insiders) == 0


def test_udp_flows_are_cut_too(clean: TableLab) -> None:
    """A client that keeps sending from one port is cut off by a policy as a new one would be."""
    target = ip_address(clean.addresses["x/a"])
    with namespaces.inside(clean.places["x/a"]):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with namespaces.inside(clean.places["y/b"]):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with closing(server), closing(client):
        server.bind((str(target), 5000))
        server.settimeout(0.3)
        client.connect((str(target), 5000))
        for _ in range(5):
            client.send(b"before")
            data, who = server.recvfrom(100)
            server.sendto(data, who)
            assert client.recv(100) == b"before"
        clean.apply([FROM_Z])
        assert clean.differences(ONLY_Z) == []
        assert _silent(client, server), "the flow goes on"


def _silent(client: socket.socket, server: socket.socket) -> bool:
    """Tell whether a client that keeps sending is not heard any more: three times running, within CUT."""
    silences, end = 0, time.monotonic() + CUT
    while silences < 3 and time.monotonic() < end:
        client.send(b"after")
        try:
            server.recv(100)
            silences = 0
        except TimeoutError:
            silences += 1
    return silences == 3
