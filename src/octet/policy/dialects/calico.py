"""Calico's policies (projectcalico.org/v3): tiers in order, policies in order, the first rule that matches.

What lives here: which policies select a pod or a host's interface, and their rules. What it must not know:
other dialects, nftables.
Source: Calico's reference (NetworkPolicy, GlobalNetworkPolicy, Tier) and libcalico-go's update processors.
"""

from collections.abc import Iterator

from octet.cluster.calico import CalicoNetworkPolicy
from octet.cluster.calico_rules import CalicoRule, Entity
from octet.cluster.netpol import EGRESS, INGRESS
from octet.cluster.objects import HostEndpoint
from octet.cluster.view import View
from octet.policy.groups import (
    CalicoEndpoints,
    Candidate,
    DomainAddresses,
    Group,
    Networks,
    ServiceEndpoints,
)
from octet.policy.rules import Action, Origin, Ports, Rule, Side

ACTIONS = {"Allow": Action.ALLOW, "Deny": Action.DENY, "Pass": Action.PASS, "Log": Action.LOG}


def selecting(view: View, candidate: Candidate, direction: str) -> Iterator[CalicoNetworkPolicy]:
    """Yield the policies that are about a pod in a direction; those for hosts alone are not."""
    namespaced = view.calico_policies.inside(candidate.pod.namespace).values()
    for policy in (*namespaced, *view.global_policies.values()):
        special = policy.untracked or policy.before_nat
        if direction in policy.types and not special and _about(policy, candidate):
            yield policy


def _about(policy: CalicoNetworkPolicy, candidate: Candidate) -> bool:
    subject = CalicoEndpoints(policy.namespace, policy.selector, policy.namespaces, (), policy.accounts)
    return subject.has(candidate)


def of_host(view: View, host: HostEndpoint, direction: str) -> Iterator[CalicoNetworkPolicy]:
    """Yield the global policies that are about a host's interface in a direction."""
    for policy in view.global_policies.values():
        selected = policy.selector is None or policy.selector.matches(host.labels)
        everywhere = policy.namespaces is None or policy.namespaces.asks_for_global
        if direction in policy.types and selected and everywhere and policy.accounts is None:
            yield policy


def rules(policy: CalicoNetworkPolicy, direction: str) -> Iterator[Rule]:
    """Yield a policy's rules in order, what its annotation allows by name first."""
    origin = origin_of(policy)
    if direction == EGRESS and policy.conduct.domains:
        yield Rule(Action.ALLOW, origin, Side(((DomainAddresses(policy.conduct.domains),),)))
    for index, each in enumerate(policy.ingress if direction == INGRESS else policy.egress):
        where = Origin(origin.kind, origin.namespace, origin.name, index)
        yield from _rule(each, where, direction, reject=policy.conduct.reject)


def origin_of(policy: CalicoNetworkPolicy) -> Origin:
    """Return who a policy is."""
    kind = "NetworkPolicy" if policy.kind == "CalicoNetworkPolicy" else policy.kind
    return Origin(f"Calico {kind}", policy.namespace, policy.name)


def _rule(rule: CalicoRule, origin: Origin, direction: str, *, reject: bool) -> Iterator[Rule]:
    incoming = direction == INGRESS
    source = side(rule.source, rule.protocol, origin.namespace)
    destination = side(rule.destination, rule.protocol, origin.namespace)
    plain = Side(destination.all_of, destination.none_of, (), destination.no_ports)
    yield Rule(
        action=ACTIONS[rule.action],
        origin=origin,
        far=source if incoming else plain,
        near=plain if incoming else source,
        family=rule.family,
        protocol=None if destination.ports and not plain.no_ports else rule.protocol,
        not_protocol=rule.not_protocol,
        icmp=rule.icmp,
        not_icmp=rule.not_icmp,
        ports=destination.ports,
        reject=reject,
    )


def side(entity: Entity, protocol: int | None, namespace: str) -> Side:
    """Return what a rule of a policy of this namespace (empty: a global one) says of one end."""
    all_of: list[tuple[Group, ...]] = []
    if entity.nets:
        all_of.append((Networks(entity.nets),))
    if entity.service is not None:
        own, name = entity.service
        all_of.append((ServiceEndpoints((own or namespace or "default", name)),))
    if _selects(entity, namespace):
        selected = CalicoEndpoints(
            namespace, entity.selector, entity.namespaces, entity.account_names, entity.accounts
        )
        all_of.append((selected,))
    none_of: list[Group] = [Networks(entity.without)] if entity.without else []
    if entity.unselected is not None:
        none_of.append(CalicoEndpoints("", entity.unselected))
    return Side(
        tuple(all_of),
        tuple(none_of),
        _ports(protocol, entity.ports, entity.names),
        _ports(protocol, entity.unported, entity.unnamed),
    )


def _selects(entity: Entity, namespace: str) -> bool:
    """Tell whether an end must be something known; a negative selector too keeps to the own namespace."""
    own = entity.unselected if namespace else None
    selectors = (entity.selector, entity.namespaces, entity.accounts, own)
    return bool(entity.account_names) or any(each is not None for each in selectors)


def _ports(
    protocol: int | None, spans: tuple[tuple[int, int], ...], names: tuple[str, ...]
) -> tuple[Ports, ...]:
    return (Ports(protocol, spans, names),) if spans or names else ()
