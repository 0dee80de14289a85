"""All dialects together: the tiers that one endpoint's packets go through, in their order.

What lives here: the order of tiers, and how Kubernetes' policies stand among Calico's. What it must not know:
any dialect's fields, nftables.

Admin tier of ClusterNetworkPolicy, then Calico's tiers by order, NetworkPolicy in the tier ``default`` as if
of order 1000 (Calico's own rule), then the Baseline tier. A tier is asked if one of its policies is about the
endpoint.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import inf
from operator import attrgetter

from octet.cluster.calico import DEFAULT_TIER, CalicoNetworkPolicy, Tier
from octet.cluster.clusterpolicy import ADMIN, BASELINE
from octet.cluster.conduct import Conduct
from octet.cluster.netpol import EGRESS, INGRESS, NetworkPolicy
from octet.cluster.objects import Pod
from octet.cluster.view import View
from octet.policy.dialects import calico, clusternetworkpolicy, networkpolicy
from octet.policy.groups import Candidate
from octet.policy.memo import Memo
from octet.policy.rules import Action, Origin, Rule, Stage, digest
from octet.policy.runs import only_allows

KUBERNETES_ORDER = 1000.0
"""Order of NetworkPolicy within Calico's tier ``default`` (libcalico-go, conversion.go)."""

ADMIN_ORDER, DEFAULT_ORDER, BASELINE_ORDER = 1_000.0, 1_000_000.0, 10_000_000.0
"""Orders of the tiers that are always there (Calico: kube-admin, default, kube-baseline)."""


REFUSED = "refused"
"""What stands in the tiers' place where a policy is too large to be enforced: what it selects is isolated."""


@dataclass(frozen=True, slots=True)
class _Member:
    """A policy within a tier.

    Attributes:
        rank: what it is sorted by: order, name, namespace.
        place: stands for which policy it is, whatever it says.
    """

    rank: tuple[float, str, str]
    place: str
    origin: Origin
    conduct: Conduct
    rules: tuple[Rule, ...]
    identity: str
    named: bool
    allows: bool


def _member(order: float, name: str, origin: Origin, conduct: Conduct, rules: tuple[Rule, ...]) -> _Member:
    identity = digest((order, name, origin, conduct, rules))
    rank = (order, name, origin.namespace)
    named, allows = any(rule.named for rule in rules), all(map(only_allows, rules))
    return _Member(rank, str(origin), origin, conduct, rules, identity, named, allows)


def _of_kubernetes(policy: NetworkPolicy, direction: str) -> _Member:
    origin = Origin("NetworkPolicy", policy.namespace, policy.name)
    rules = tuple(networkpolicy.rules(policy, direction))
    return _member(KUBERNETES_ORDER, f"knp.default.{policy.name}", origin, policy.conduct, rules)


def _of_calico(policy: CalicoNetworkPolicy, direction: str) -> _Member:
    rules = tuple(calico.rules(policy, direction))
    return _member(policy.order, policy.name, calico.origin_of(policy), policy.conduct, rules)


_KUBERNETES = {way: Memo(partial(_of_kubernetes, direction=way)) for way in (INGRESS, EGRESS)}
_CALICO = {way: Memo(partial(_of_calico, direction=way)) for way in (INGRESS, EGRESS)}
"""Each policy is turned into rules once."""


def stages(view: View, pod: Pod, direction: str) -> tuple[Stage, ...]:
    """Return the tiers that decide about a pod's packets in a direction; none where nothing selects it."""
    candidate = Candidate(view, pod)
    found: list[tuple[float, str, Stage]] = []
    for tier, order in ((ADMIN, ADMIN_ORDER), (BASELINE, BASELINE_ORDER)):
        stage = clusternetworkpolicy.stage(view, candidate, tier, direction)
        if stage is not None:
            found.append((order, tier, stage))
    for name, members in _tiers(view, candidate, direction).items():
        tier_object = _tier(view, name)
        found.append((tier_object.order, name, _stage(tier_object, members)))
    return _unless_refused(view, [stage for _, _, stage in sorted(found, key=lambda each: each[:2])])


def _unless_refused(view: View, found: list[Stage]) -> tuple[Stage, ...]:
    """Return tiers, or one that denies everything where a policy of theirs is refused."""
    held = (origin for stage in found for origin in stage.policies) if view.refused else ()
    refused = tuple(origin for origin in held if str(origin) in view.refused)
    if not refused:
        return tuple(found)
    return (Stage(REFUSED, refused, (), Action.DENY, identity=digest((REFUSED, refused))),)


def _tiers(view: View, candidate: Candidate, direction: str) -> dict[str, list[_Member]]:
    tiers: dict[str, list[_Member]] = {}
    for policy in networkpolicy.selecting(view, candidate.pod, direction):
        tiers.setdefault(DEFAULT_TIER, []).append(_KUBERNETES[direction](policy))
    for each in calico.selecting(view, candidate, direction):
        tiers.setdefault(each.tier, []).append(_CALICO[direction](each))
    return tiers


def _tier(view: View, name: str) -> Tier:
    """Return a tier; ``default`` has an order without an object, others that are not there come last."""
    held = view.tiers.get(("", name))
    if held is not None and (held.order != inf or name != DEFAULT_TIER):
        return held
    passes = held.passes if held is not None else False
    return Tier(name, DEFAULT_ORDER if name == DEFAULT_TIER else inf, passes)


def _stage(tier: Tier, members: list[_Member]) -> Stage:
    ordered = sorted(members, key=attrgetter("rank"))
    return Stage(
        tier=tier.name,
        policies=tuple(each.origin for each in ordered),
        rules=tuple(rule for each in ordered for rule in each.rules),
        otherwise=Action.PASS if tier.passes else Action.DENY,
        reject=any(each.conduct.reject for each in ordered),
        keep=all(each.conduct.keep for each in ordered),
        identity=digest((tier, *(each.identity for each in ordered))),
        named=any(each.named for each in ordered),
        name=digest((tier.name, *(each.place for each in ordered))),
        allows=all(each.allows for each in ordered),
    )


def host_stages(view: View, policies: list[CalicoNetworkPolicy], direction: str) -> tuple[Stage, ...]:
    """Return the tiers of policies that are about a host's interface."""
    tiers: dict[str, list[_Member]] = {}
    for each in policies:
        tiers.setdefault(each.tier, []).append(_CALICO[direction](each))
    found = [(_tier(view, name), members) for name, members in tiers.items()]
    return _unless_refused(view, list(_stages_in_order(found)))


def _stages_in_order(found: list[tuple[Tier, list[_Member]]]) -> Iterator[Stage]:
    for tier, members in sorted(found, key=lambda each: (each[0].order, each[0].name)):
        yield _stage(tier, members)
