"""ClusterNetworkPolicy (policy.networking.k8s.io/v1alpha2): the administrator's tiers around NetworkPolicy.

What lives here: which policies have a pod as their subject, and their rules. What it must not know: other
dialects, nftables.
"""

from collections.abc import Iterator
from functools import partial

from octet.cluster.clusterpolicy import ACCEPT, DENY, PASS, ClusterNetworkPolicy, ClusterPeer, ClusterRule
from octet.cluster.netpol import EGRESS, INGRESS
from octet.cluster.view import View
from octet.policy.dialects.networkpolicy import ports
from octet.policy.groups import (
    Candidate,
    DomainAddresses,
    Group,
    KubernetesPods,
    Networks,
    NodeAddresses,
)
from octet.policy.memo import Memo
from octet.policy.rules import Action, Origin, Rule, Side, Stage, digest, gathered

KIND = "ClusterNetworkPolicy"
ACTIONS = {ACCEPT: Action.ALLOW, DENY: Action.DENY, PASS: Action.PASS}


def stage(view: View, candidate: Candidate, tier: str, direction: str) -> Stage | None:
    """Return one of the two tiers, or None where none of its policies is about the pod in this direction."""
    held = sorted(view.cluster_policies.values(), key=lambda policy: (policy.priority, policy.name))
    subjects = [policy for policy in held if policy.tier == tier and _subject(policy, candidate)]
    stated = [policy for policy in subjects if _stated(policy, direction) or _names(policy, direction)]
    if not stated:
        return None
    written = [_WRITTEN[direction](policy) for policy in stated]
    rules = tuple(rule for each, _ in written for rule in each)
    keep = all(policy.conduct.keep for policy in stated)
    origins = tuple(Origin(KIND, "", policy.name) for policy in stated)
    identity = digest((tier, origins, keep, *(said for _, said in written)))
    named = any(rule.named for rule in rules)
    name = digest((tier, origins))
    return Stage(tier, origins, rules, Action.PASS, keep=keep, identity=identity, named=named, name=name)


def _written(policy: ClusterNetworkPolicy, direction: str) -> tuple[tuple[Rule, ...], str]:
    rules = tuple(_rules(policy, direction))
    return rules, digest(rules)


_WRITTEN = {way: Memo(partial(_written, direction=way)) for way in (INGRESS, EGRESS)}
"""Each policy is turned into rules once; with what stands for them."""


def _subject(policy: ClusterNetworkPolicy, candidate: Candidate) -> bool:
    return KubernetesPods("", policy.namespaces, policy.pods).has(candidate)


def _stated(policy: ClusterNetworkPolicy, direction: str) -> tuple[ClusterRule, ...]:
    return policy.ingress if direction == INGRESS else policy.egress


def _names(policy: ClusterNetworkPolicy, direction: str) -> tuple[str, ...]:
    return policy.conduct.domains if direction == EGRESS else ()


def _rules(policy: ClusterNetworkPolicy, direction: str) -> Iterator[Rule]:
    if names := _names(policy, direction):
        yield Rule(Action.ALLOW, Origin(KIND, "", policy.name), Side(((DomainAddresses(names),),)))
    for index, each in enumerate(_stated(policy, direction)):
        yield from _rule(each, Origin(KIND, "", policy.name, index), reject=policy.conduct.reject)


def _rule(rule: ClusterRule, origin: Origin, *, reject: bool) -> Iterator[Rule]:
    """Yield one rule; a peer of a kind that we do not know makes it fail closed, as the API asks.

    Accept does not match such a peer; Deny and Pass become "deny all".
    """
    action = ACTIONS[rule.action]
    peers = tuple(_group(peer) for peer in rule.peers if not peer.unknown)
    if len(peers) < len(rule.peers) and action is not Action.ALLOW:
        yield Rule(Action.DENY, origin, reject=reject)
    elif peers:
        yield Rule(
            action, origin, Side((peers,)), ports=gathered(ports(each) for each in rule.ports), reject=reject
        )


def _group(peer: ClusterPeer) -> Group:
    if peer.nodes is not None:
        return NodeAddresses(peer.nodes)
    if peer.networks:
        return Networks(peer.networks)
    if peer.domains:
        return DomainAddresses(peer.domains)
    return KubernetesPods("", peer.namespaces, peer.pods)
