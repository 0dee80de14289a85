"""Is the kernel's answer the specification's? Every pair of a lab, every port that matters, real packets.

What lives here: the questions, both answers, and their differences. What it must not know: what was compiled
(the oracle says what should be), how packets are sent.
"""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from octet.kernel.probing import ICMP, Probe
from octet.lab import Lab
from octet.lab.arrivals import probe
from octet.lab.fabric import UPLINK
from octet.lab.names import OUTSIDE, Plan
from octet.lab.reading import as_api, closed_of, names_of, objects_of, view_of
from octet.oracle import Flow, Verdict, World, decide
from octet.policy.gates import TUNNELS
from octet.policy.telling.traffic import ECHO, Traffic, single_ports, worth_asking

Object = Mapping[str, Any]
Address = IPv4Address | IPv6Address

SETTLE = 1.0
"""Seconds after which a difference is asked about again: what was just applied may be on its way."""

_UDP = 17
_SOURCE_PORTS = range(32768, 61000)  # net.ipv4.ip_local_port_range, the kernel's default


@dataclass(frozen=True, slots=True)
class Place:
    """Somebody who can send or receive.

    Attributes:
        name: of a pod ``namespace/name``, of a node, or ``outside``.
        node: where a pod runs; of a node, itself.
        pod: is it a pod?
    """

    name: str
    addresses: tuple[Address, ...]
    node: str
    pod: bool


@dataclass(frozen=True, slots=True)
class Question:
    """One flow between two places."""

    source: Place
    destination: Place
    traffic: Traffic
    flow: Flow


@dataclass(frozen=True, slots=True)
class Difference:
    """A flow that the kernel treats unlike the specification says."""

    question: Question
    passed: bool
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Verification:
    """What came out.

    Attributes:
        pods: how many there were.
        flows: how many were asked about.
        passed: how many of them arrived.
        undecided: how many the specification leaves to what names mean, which was not known.
        seconds: how long all took.
    """

    pods: int
    flows: int
    passed: int
    undecided: int
    seconds: float
    differences: tuple[Difference, ...]


def verify(lab: Lab) -> Verification:
    """Ask the kernel and the specification about every flow of a lab.

    Between pods, from each pod to the nodes and to the world outside, and from each node to its own pods.
    Packets that are sent are made up, and carry nothing; what is denied is counted as denied.

    Raises:
        OctetError: the lab does not answer, or probing failed.
    """
    begin = time.monotonic()
    objects = objects_of(lab)
    asked = list(questions(objects, places(objects, lab), closed_of(lab)))
    answers = _answers(lab, objects, asked)
    doubtful = [_again(each.question) for each in _differences(answers)]
    differences: tuple[Difference, ...] = ()
    if doubtful:
        time.sleep(SETTLE)
        differences = tuple(_differences(_answers(lab, objects_of(lab), doubtful)))
    pods = {each.source.name for each in asked if each.source.pod}
    passed = sum(arrived for _, arrived, _ in answers)
    undecided = sum(verdict.allowed is None for _, _, verdict in answers)
    seconds = time.monotonic() - begin
    return Verification(len(pods), len(asked), passed, undecided, seconds, differences)


Answers = list[tuple[Question, bool, Verdict]]


def _again(question: Question) -> Question:
    """Return a question about another connection: one that was let through before is let through again."""
    if question.flow.source_port is None:
        return question
    return replace(question, flow=replace(question.flow, source_port=random.choice(_SOURCE_PORTS)))


def _answers(lab: Lab, objects: Sequence[Object], asked: Sequence[Question]) -> Answers:
    arrived = probe(lab, [_probe(each) for each in asked])
    world = _world(lab, objects)
    return [(each, found, decide(world, each.flow)) for each, found in zip(asked, arrived, strict=True)]


def _world(lab: Lab, objects: Sequence[Object]) -> World:
    """Return the cluster with what names mean to its pods, as far as they have asked."""
    nodes = (item["metadata"]["name"] for item in objects if item["kind"] == "Node")
    names = {asker: held for node in nodes for asker, held in names_of(lab, node).items()}
    return World([as_api(item) for item in objects], names=names)


def _differences(answers: Answers) -> Iterator[Difference]:
    for question, arrived, verdict in answers:
        if verdict.allowed is not None and verdict.allowed is not arrived:
            yield Difference(question, arrived, verdict)


def _probe(each: Question) -> Probe:
    flow = each.flow
    ends = flow.source, flow.destination
    ports = flow.source_port or 0, flow.port or 0
    return Probe(each.source.name, each.destination.name, *ends, each.traffic.protocol, *ports)


def places(objects: Sequence[Object], lab: Lab) -> list[Place]:
    """Return pods that run, nodes, and the world outside."""
    view = view_of(objects, UPLINK)
    pods = [Place("/".join(pod.key), pod.own_ips, pod.node, pod=True) for pod in view.pods.values()]
    nodes = [Place(node.name, node.internal_ips, node.name, pod=False) for node in view.nodes.values()]
    beyond = tuple(each.ip for each in Plan.of(lab.info()["family"]).beyond)
    return [*(pod for pod in pods if pod.addresses), *nodes, Place(OUTSIDE, beyond, "", pod=False)]


def questions(
    objects: Sequence[Object], everybody: Sequence[Place], closed: Sequence[int] = TUNNELS
) -> Iterator[Question]:
    """Yield every flow that is asked about; pods are not asked to send to ``closed`` UDP ports."""
    traffic = list(single_ports(worth_asking([view_of(objects, UPLINK)])))
    for source in everybody:
        for destination in everybody:
            if source is not destination and _judged(source, destination):
                yield from _flows(source, destination, traffic, closed)


def _judged(source: Place, destination: Place) -> bool:
    """Is policy asked: from a pod, or from a node to a pod of its own?

    From elsewhere packets may have another source address where they arrive than where they began.
    """
    return source.pod or (destination.pod and bool(source.node) and source.node == destination.node)


def _flows(
    source: Place, destination: Place, traffic: Sequence[Traffic], closed: Sequence[int]
) -> Iterator[Question]:
    ends = ((a, b) for a in source.addresses for b in destination.addresses if a.version == b.version)
    for mine, theirs in ends:
        for each in traffic:
            if each.protocol in ICMP.values() and each.protocol != ICMP[mine.version]:
                continue
            if source.pod and each.protocol == _UDP and each.port in closed:
                continue  # no policy opens these: a pod sends no packets in packets
            yield Question(source, destination, each, _flow(source, mine, theirs, each))


def _flow(source: Place, mine: Address, theirs: Address, traffic: Traffic) -> Flow:
    node = "" if source.pod else source.node
    if traffic.protocol in ECHO:
        word = "ICMP" if traffic.protocol == ICMP[4] else "ICMPv6"
        return Flow(mine, theirs, word, icmp=(ECHO[traffic.protocol], 0), interface=UPLINK, node=node)
    sending = random.choice(_SOURCE_PORTS)  # any will do that was not used a moment ago
    return Flow(mine, theirs, str(traffic.protocol), traffic.port, sending, interface=UPLINK, node=node)
