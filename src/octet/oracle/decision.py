"""May this flow pass? All dialects together, at both of its ends.

What lives here: whose policy a flow meets, in the order in which it meets it, and what no policy is asked
about. What it must not know: any dialect's rules.
"""

from collections.abc import Iterator

from octet.oracle import calico, clusternetworkpolicy, networkpolicy
from octet.oracle.flows import EGRESS, INGRESS, Flow, Reason, Verdict
from octet.oracle.hosts import crossings, judge_crossing
from octet.oracle.policies import Asked, Policy, Tier, judge
from octet.oracle.refusal import refuse
from octet.oracle.world import Endpoint, World

NEIGHBOURS = frozenset({130, 131, 132, 133, 135, 136, 143})
"""ICMPv6 types that IPv6 cannot do without: MLD (RFC 2710, 3810), neighbour discovery (RFC 4861)."""

ROUTER_ADVERTISEMENT = 134
ICMPV6 = 58


def decide(world: World, flow: Flow) -> Verdict:
    """Return what the policies of a cluster say about a flow.

    Traffic passes when every end that has policy lets it pass: out of the source pod, out of its node, into
    the destination's node, into the destination pod.

    Raises:
        BadConfigurationError: an object is there that the API would have refused.
    """
    tiers: list[Tier] = world.remember("tiers", lambda: _tiers(world))
    source, destination = world.pod_at(flow.source), world.pod_at(flow.destination)
    exempt = _exemption(world, flow, source, destination)
    if exempt is not None:
        return exempt
    reasons: list[Reason] = []
    unknown = False
    for verdict in _asked(world, tiers, flow, (source, destination)):
        reasons.extend(verdict.reasons)
        if verdict.allowed is False:
            return Verdict(False, tuple(reasons))
        unknown |= verdict.allowed is None
    if not reasons:
        reasons.append(Reason("", "neither end has policy"))
    return Verdict(None if unknown else True, tuple(reasons))


def _tiers(world: World) -> list[Tier]:
    found = {tier.name: tier for tier in calico.tiers(world)}
    for dialect in (networkpolicy, clusternetworkpolicy, calico):
        for policy in dialect.policies(world):
            if policy.tier not in found:
                refuse(policy.what, "spec.tier", policy.tier, "must be the name of a tier that is there")
            found[policy.tier].policies.append(policy)
    return list(found.values())


def _exemption(world: World, flow: Flow, source: Endpoint | None, target: Endpoint | None) -> Verdict | None:
    """Return the verdict on what policy is not asked about."""
    if source is not None and source is target and not flow.hairpin:
        return _plain(True, "a pod always reaches itself")
    if flow.number == ICMPV6 and flow.icmp is not None and source is not None:
        if flow.icmp[0] in NEIGHBOURS:
            return _plain(True, "neighbour discovery passes")
        if flow.icmp[0] == ROUTER_ADVERTISEMENT:
            return _plain(False, "a pod is no router")
    if source is None and target is not None and _is_from(world, target.node, flow):
        return _plain(True, "a node always reaches its own pods")
    return None


def _is_from(world: World, name: str, flow: Flow) -> bool:
    if flow.node:
        return flow.node == name
    return any(item["metadata"]["name"] == name for item in world.nodes_at(flow.source))


def _plain(allowed: bool, words: str) -> Verdict:
    return Verdict(allowed, (Reason("", words),))


def _asked(
    world: World, tiers: list[Tier], flow: Flow, ends: tuple[Endpoint | None, Endpoint | None]
) -> Iterator[Verdict]:
    """Yield the verdict of everything that a flow meets, in its order."""
    source, destination = ends
    if source is not None:
        yield _of_pod(tiers, source, EGRESS, flow)
    if world.host_endpoints():
        for crossing in crossings(world, flow):
            found = judge_crossing(world, tiers, crossing, flow)
            if found is not None:
                yield found
    if destination is not None:
        yield _of_pod(tiers, destination, INGRESS, flow)


def _of_pod(tiers: list[Tier], pod: Endpoint, direction: str, flow: Flow) -> Verdict:
    found = judge(tiers, Asked(pod, direction, _for_pods), flow)
    if found is not None:
        return found
    words = f"no policy decides for {pod.what}, and what nothing forbids is allowed"
    return Verdict(True, (Reason(direction, words),))


def _for_pods(policy: Policy) -> bool:
    return not policy.stage
