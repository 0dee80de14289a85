"""Who is meant by a peer: groups of pods and networks, each a value that answers from the view.

What lives here: the kinds of groups, of all dialects. What it must not know: rules, nftables.

A group answers in two ways: is this pod in it (asked when one pod changes), and which addresses belong to it
that are no pod's (asked when one of its other sources changes).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_network, summarize_address_range
from typing import Protocol

from octet.cluster.calico import NetworkSet
from octet.cluster.calico_rules import NUMBERS
from octet.cluster.expression import Expression
from octet.cluster.netpol import Selector
from octet.cluster.objects import Address, Network, Pod, Words
from octet.cluster.view import View

CALICO_NAMESPACE = "projectcalico.org/namespace"
"""The label that everything in a namespace has for Calico's selectors (data model, WorkloadEndpoint)."""

CALICO_NAME = "projectcalico.org/name"
"""The label that namespaces and service accounts have for them: their own name (automatic labels)."""

NOBODY: Words = {}

Span = tuple[int, int]
"""First and last of some numbers, both included."""


class Candidate:
    """A pod that groups are asked about, with what they ask of its surroundings."""

    def __init__(self, view: View, pod: Pod) -> None:
        self.pod = pod
        self._view = view

    @cached_property
    def namespace_labels(self) -> Words:
        """Labels of its namespace; none where that is not known."""
        found = self._view.namespaces.get(self.pod.namespace)
        return found.labels if found else NOBODY

    @cached_property
    def calico_namespace_labels(self) -> Words:
        """Labels of its namespace, with its name as Calico adds it."""
        return {**self.namespace_labels, CALICO_NAME: self.pod.namespace}

    @cached_property
    def calico_labels(self) -> Words:
        """Its labels with those that Calico adds to every workload endpoint."""
        added = {CALICO_NAMESPACE: self.pod.namespace, "projectcalico.org/orchestrator": "k8s"}
        if self.pod.service_account:
            added["projectcalico.org/serviceaccount"] = self.pod.service_account
        return {**self.pod.labels, **added}

    @cached_property
    def account_labels(self) -> Words:
        """Labels of its service account."""
        name = self.pod.service_account or "default"
        account = self._view.accounts.get((self.pod.namespace, name))
        return {**(account.labels if account else NOBODY), CALICO_NAME: name}


class Group(Protocol):
    """Addresses that go by one description; equal descriptions are equal values."""

    @property
    def watches(self) -> frozenset[str]:
        """Which collections of the view, but for pods and namespaces, its other addresses come from."""
        ...

    def has(self, candidate: Candidate) -> bool:
        """Is this pod in it?"""
        ...

    def candidates(self, view: View) -> Iterable[Pod]:
        """Return pods that may be in it: all that are, and others."""
        ...

    def networks(self, view: View) -> Iterable[Network]:
        """Return what belongs to it and is no pod's address; single hosts are /32 and /128."""
        ...


NOTHING_WATCHED: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class KubernetesPods:
    """Pods by Kubernetes' label selectors.

    Attributes:
        namespace: of this namespace, where ``namespaces`` is None.
        pods: None is every pod.
    """

    namespace: str = ""
    namespaces: Selector | None = None
    pods: Selector | None = None

    @property
    def watches(self) -> frozenset[str]:
        """Nothing but pods."""
        return NOTHING_WATCHED

    def has(self, candidate: Candidate) -> bool:
        """Is this pod in it?"""
        if self.namespaces is None:
            inside = candidate.pod.namespace == self.namespace
        else:
            inside = self.namespaces.matches(candidate.namespace_labels)
        return inside and (self.pods is None or self.pods.matches(candidate.pod.labels))

    def candidates(self, view: View) -> Iterable[Pod]:
        """Return the pods of the namespaces."""
        if self.namespaces is None:
            return view.pods.inside(self.namespace).values()
        return _in_namespaces(view, self.namespaces)

    def networks(self, _view: View) -> Iterable[Network]:
        """Nothing."""
        return ()


EVERY_POD = KubernetesPods(namespaces=Selector())


def _in_namespaces(view: View, selector: Selector | Expression) -> Iterator[Pod]:
    """Yield pods of namespaces with these labels; a namespace without an object has none."""
    if selector == Selector():
        yield from view.pods.values()
        return
    for name, namespace in view.namespaces.items():
        if selector.matches(_seen(selector, name, namespace.labels)):
            yield from view.pods.inside(name).values()
    for pod in view.pods.values():
        if pod.namespace not in view.namespaces and selector.matches(_seen(selector, pod.namespace, NOBODY)):
            yield pod


def _seen(selector: Selector | Expression, name: str, labels: Words) -> Words:
    """Return a namespace's labels as a selector of this language sees them."""
    return labels if isinstance(selector, Selector) else {**labels, CALICO_NAME: name}


@dataclass(frozen=True, slots=True)
class CalicoEndpoints:
    """What Calico's selectors select: pods, network sets and host endpoints.

    Attributes:
        namespace: only of this one, where ``namespaces`` is None; empty is of all and of none.
        namespaces: those with these labels; ``global()`` is what is in no namespace.
        names: run as one of these service accounts; empty is unstated.
    """

    namespace: str = ""
    selector: Expression | None = None
    namespaces: Expression | None = None
    names: tuple[str, ...] = ()
    accounts: Expression | None = None

    @property
    def watches(self) -> frozenset[str]:
        """Network sets and host endpoints, and namespaces for the former's sake."""
        return frozenset({"network_sets", "global_network_sets", "host_endpoints", "namespaces"})

    def has(self, candidate: Candidate) -> bool:
        """Is this pod in it?"""
        if not self._inside(candidate.pod.namespace, candidate.calico_namespace_labels):
            return False
        if self.names and candidate.pod.service_account not in self.names:
            return False
        if self.accounts is not None and not self.accounts.matches(candidate.account_labels):
            return False
        return self.selector is None or self.selector.matches(candidate.calico_labels)

    def _inside(self, namespace: str, labels: Words) -> bool:
        if self.namespaces is None:
            return self.namespace in ("", namespace)
        if self.namespaces.asks_for_global:
            return not namespace
        return bool(namespace) and self.namespaces.matches(labels)

    def candidates(self, view: View) -> Iterable[Pod]:
        """Return the pods of the namespaces."""
        if self.namespaces is not None:
            return () if self.namespaces.asks_for_global else _in_namespaces(view, self.namespaces)
        return view.pods.inside(self.namespace).values() if self.namespace else view.pods.values()

    def networks(self, view: View) -> Iterator[Network]:
        """Yield the networks of selected sets and the addresses of selected host endpoints."""
        if self.names or self.accounts is not None:
            return
        for each in (*view.network_sets.values(), *view.global_network_sets.values()):
            if self._selects(view, each.namespace, _labels(each)):
                yield from each.networks
        for host in view.host_endpoints.values():
            if self._selects(view, "", host.labels):
                yield from (ip_network(address) for address in host.addresses)

    def _selects(self, view: View, namespace: str, labels: Words) -> bool:
        found = view.namespaces.get(namespace)
        own = {**(found.labels if found else NOBODY), CALICO_NAME: namespace}
        inside = self._inside(namespace, own)
        return inside and (self.selector is None or self.selector.matches(labels))


def _labels(item: NetworkSet) -> Mapping[str, str]:
    return {**item.labels, CALICO_NAMESPACE: item.namespace} if item.namespace else item.labels


@dataclass(frozen=True, slots=True)
class Networks:
    """Networks, without some of them; who has an address in there is in it, pods too."""

    cidrs: tuple[Network, ...]
    exceptions: tuple[Network, ...] = ()

    @property
    def watches(self) -> frozenset[str]:
        """Nothing."""
        return NOTHING_WATCHED

    def has(self, _candidate: Candidate) -> bool:
        """Pods are in it by their address only."""
        return False

    def candidates(self, _view: View) -> Iterable[Pod]:
        """Nobody."""
        return ()

    def networks(self, _view: View) -> Iterable[Network]:
        """Return the networks that are left without the exceptions; of thousands, ``spans`` are far fewer."""
        if not self.exceptions:
            return self.cidrs
        left: list[Network] = []
        for first, last in self.spans(4):
            left += summarize_address_range(IPv4Address(first), IPv4Address(last))
        for first, last in self.spans(6):
            left += summarize_address_range(IPv6Address(first), IPv6Address(last))
        return left

    def holds(self, address: Address) -> bool:
        """Is an address in there?"""
        inside = any(address in each for each in self.cidrs)
        return inside and not any(address in each for each in self.exceptions)

    def spans(self, family: int) -> list[Span]:
        """Return what is left of a family as first and last address, in order and without overlap."""
        stated = merged(ends(each) for each in self.cidrs if each.version == family)
        holes = merged(ends(each) for each in self.exceptions if each.version == family)
        return list(_without(stated, holes))


def ends(network: Network) -> Span:
    """Return the first and last address of a network."""
    return int(network.network_address), int(network.broadcast_address)


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return ranges in order, those that touch or overlap as one."""
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def _without(stated: Iterable[Span], holes: Sequence[Span]) -> Iterator[Span]:
    """Yield what is in some ranges and not in others, both in order and without overlap."""
    at = 0
    for first, last in stated:
        start = first
        while at < len(holes) and holes[at][0] <= last:
            hole_start, hole_end = holes[at]
            if hole_end >= start:
                if start < hole_start:
                    yield start, hole_start - 1
                start = hole_end + 1
            if hole_end > last:
                break  # it reaches into the next one
            at += 1
        if start <= last:
            yield start, last


@dataclass(frozen=True, slots=True)
class NodeAddresses:
    """The addresses of nodes with these labels."""

    selector: Selector

    @property
    def watches(self) -> frozenset[str]:
        """Nodes."""
        return frozenset({"nodes"})

    def has(self, _candidate: Candidate) -> bool:
        """No pod."""
        return False

    def candidates(self, _view: View) -> Iterable[Pod]:
        """Nobody."""
        return ()

    def networks(self, view: View) -> Iterator[Network]:
        """Yield the nodes' addresses."""
        for node in view.nodes.values():
            if self.selector.matches(node.labels):
                yield from (ip_network(address) for address in node.internal_ips)


LEARNED = "learned"
"""What is watched of names: what they mean to each pod (``naming``)."""


@dataclass(frozen=True, slots=True)
class DomainAddresses:
    """What names mean to the pod that asked for them; ``*.`` is one or more labels."""

    domains: tuple[str, ...]
    _each: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_each", frozenset(self.domains))

    def covers(self, name: str) -> bool:
        """Is it about a name?"""
        return covers(self._each, name)

    @property
    def watches(self) -> frozenset[str]:
        """What was learned."""
        return frozenset({LEARNED})

    def has(self, _candidate: Candidate) -> bool:
        """No pod."""
        return False

    def candidates(self, _view: View) -> Iterable[Pod]:
        """Nobody."""
        return ()

    def networks(self, _view: View) -> Iterable[Network]:
        """Nothing that would be the same for all pods."""
        return ()

    def means(self, view: View, asker: Address) -> Iterator[Address]:
        """Yield what the pod with an address was answered when it asked for the names."""
        for name, addresses in view.learned.get(asker, {}).items():
            if self.covers(name):
                yield from addresses


def covers(domains: frozenset[str], name: str) -> bool:
    """Does one of some domains cover a name? However many there are, the work is as the name's labels."""
    labels = name.split(".")
    stars = (f"*.{'.'.join(labels[at:])}" for at in range(1, len(labels)))
    return name in domains or any(star in domains for star in stars)


@dataclass(frozen=True, slots=True)
class ServiceEndpoints:
    """The endpoints of a service, as slices have them, ready or not."""

    service: tuple[str, str]

    @property
    def watches(self) -> frozenset[str]:
        """Endpoint slices."""
        return frozenset({"slices"})

    def has(self, _candidate: Candidate) -> bool:
        """Endpoints are known by address; pods are not asked."""
        return False

    def candidates(self, _view: View) -> Iterable[Pod]:
        """Nobody."""
        return ()

    def networks(self, view: View) -> Iterator[Network]:
        """Yield the endpoints' addresses."""
        yield from (ip_network(address) for address, _, _ in self.ports(view))

    def ports(self, view: View) -> Iterator[tuple[Address, int, int]]:
        """Yield address, protocol number and port of each endpoint; port 0 where a slice has none."""
        for each in view.slices.behind(self.service).values():
            stated = [(NUMBERS[port.protocol], port.port) for port in each.ports] or [(0, 0)]
            for endpoint in each.endpoints:
                for address in endpoint.addresses[:1]:
                    yield from ((address, protocol, port) for protocol, port in stated)
