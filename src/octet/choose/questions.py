"""The questions as a person hears them, in elimination order, and which answers could make a difference.

What lives here: words, and the answers worth trying for a field. What it must not know: terminals, rankings.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from octet.choose import steps
from octet.choose.decision import Answer
from octet.choose.facts import Facts
from octet.choose.facts.catalogue import version
from octet.choose.requirements import FIELDS, NOTHING_TO_LEAVE, Requirements, choices, kind_of

KERNELS = ("3.10", "4.4", "4.19", "5.4", "5.10", "5.15", "6.1", "6.6")
"""Kernels that distributions have kept for years: enough to see where the oldest kernel matters."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Attributes:
        why: what the answer decides, so that nobody has to guess why it is asked.
    """

    field: str
    text: str
    why: str


QUESTIONS: tuple[Question, ...] = (
    Question(
        "installer",
        "What sets your cluster up?",
        "an installer brings some providers, refuses others, and hides some of what a provider can do",
    ),
    Question("installer_version", "Which version of it?", "support for a provider comes and goes"),
    Question(
        "kubernetes", "Which version of Kubernetes?", "installers refuse some providers from a version on"
    ),
    Question(
        "bring_your_own",
        "Would you install and look after a provider that your installer doesn't bring?",
        "what an installer never had or has removed is then still possible, and yours to look after",
    ),
    Question("cloud", "Where are your nodes?", "some providers are made of one cloud's own parts"),
    Question(
        "private_topology",
        "Are nodes in private subnets, each zone with a route table of its own?",
        "who writes routes into one cloud table cannot serve several",
    ),
    Question(
        "ip_family", "Which addresses do pods need?", "not every provider, and not every installer, has IPv6"
    ),
    Question(
        "policy_ingress",
        "Must NetworkPolicy decide what reaches pods?",
        "some providers accept policies and do nothing",
    ),
    Question(
        "policy_egress",
        "Must NetworkPolicy decide what pods reach?",
        "egress is what policy engines learned last",
    ),
    Question(
        "policy_cluster_wide",
        "Must there be policies for the whole cluster, above those of namespaces?",
        "Kubernetes' own NetworkPolicy has none; it takes a provider's own kind",
    ),
    Question("policy_by_name", "Must policies name DNS names?", "few can, and some sell it"),
    Question(
        "encryption",
        "Must what passes between nodes be encrypted?",
        "few can, and fewer through an installer",
    ),
    Question("multicast", "Do pods need multicast between nodes?", "most networks of pods drop it"),
    Question("windows", "Are there Windows nodes?", "it takes a data path of its own"),
    Question("layer2", "Are all nodes on one layer-2 segment?", "plain routes between nodes need that"),
    Question("bgp", "Shall your own routers learn pod routes by BGP?", "it takes a provider that speaks it"),
    Question(
        "udp_only", "Does only UDP pass between some nodes?", "plain routes and IP-in-IP don't get through"
    ),
    Question(
        "partial_mesh",
        "Are there nodes that cannot reach each other directly?",
        "somebody in between must relay",
    ),
    Question("nodes", "How many nodes are there?", "routes, subnets and sessions run out"),
    Question("nodes_in_two_years", "How many in two years?", "changing a provider later is disruptive"),
    Question(
        "kernel", "What is the oldest kernel of any node?", "data paths in the kernel need what is in it"
    ),
    Question("kube_proxy_replacement", "Shall it do the work of kube-proxy?", "only some can"),
    Question(
        "outside_database",
        "May it need a database that you run (etcd)?",
        "one more thing to back up, to upgrade and to repair at night",
    ),
    Question(
        "paid_support",
        "Must there be somebody who sells support?",
        "companies close, and support ends with them",
    ),
    Question("maintained", "Must its authors still publish fixes?", "some that still run have nobody left"),
    Question(
        "leaving",
        "Which provider is there now and has to go? (none, if there is none)",
        "it is no answer, and leaving it may interrupt the network",
    ),
)
"""Every question, in elimination order: what rules out most, and saves other questions, comes first."""

BY_FIELD: Mapping[str, Question] = {question.field: question for question in QUESTIONS}


def answers(field: str, requirements: Requirements, facts: Facts) -> tuple[Answer, ...]:
    """Return the answers worth trying: all of them, or for numbers and versions those where facts change."""
    kind = kind_of(field)
    if kind == "bool":
        return (True, False)
    if kind == "choice":
        return choices(field)
    return tuple(dict.fromkeys(_OPEN[field](requirements, facts)))


def _installer_versions(requirements: Requirements, facts: Facts) -> Iterator[str]:
    """Yield every version in which the installer changed its mind about some provider, newest first."""
    installer = requirements.installer or ""
    found = {step.version for provider in facts.providers for step in steps.of(provider, installer)}
    yield from sorted(found, key=version, reverse=True)


def _kubernetes_versions(requirements: Requirements, facts: Facts) -> Iterator[str]:
    installer = requirements.installer or ""
    found = {step.kubernetes for provider in facts.providers for step in steps.of(provider, installer)}
    yield from sorted(filter(None, found), key=version, reverse=True)


def _numbers(_requirements: Requirements, facts: Facts) -> Iterator[int]:
    """Yield one more than each number at which somebody's cluster is full."""
    largest = [
        provider.facts["largest-cluster"]
        for provider in facts.providers
        if "largest-cluster" in provider.facts
    ]
    routes = [
        limit for provider in facts.providers for limit in provider.limits if limit.key == "limit-routes"
    ]
    found = {fact.value for fact in (*largest, *routes) if isinstance(fact.value, int)}
    yield 3
    yield from (number + 1 for number in sorted(found))


def _kernels(_requirements: Requirements, _facts: Facts) -> Iterator[str]:
    yield from KERNELS


def _leaving(_requirements: Requirements, facts: Facts) -> Iterator[str]:
    yield NOTHING_TO_LEAVE
    yield from sorted(provider.name for provider in facts.providers)


_OPEN: Mapping[str, Callable[[Requirements, Facts], Iterator[Answer]]] = {
    "installer_version": _installer_versions,
    "kubernetes": _kubernetes_versions,
    "nodes": _numbers,
    "nodes_in_two_years": _numbers,
    "kernel": _kernels,
    "leaving": _leaving,
}


def say(answer: Answer) -> str:
    """Return an answer as a person says it."""
    if answer is None:
        return "don't know"
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    return f"{answer:,}" if isinstance(answer, int) else answer


__all__ = ["BY_FIELD", "FIELDS", "QUESTIONS", "Question", "answers", "say"]
