"""ClusterNetworkPolicy (policy.networking.k8s.io/v1alpha2), from the comments of its type.

What lives here: every field of it, and its "fail closed" for what it does not know.
What it must not know: other dialects, how tiers decide.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from octet.oracle.flows import EGRESS, INGRESS, Address, Flow, protocol_number
from octet.oracle.labels import selected
from octet.oracle.names import annotated, is_named
from octet.oracle.policies import ALLOW, DENY, PASS, Matches, Policy, Rule
from octet.oracle.refusal import refuse
from octet.oracle.world import Endpoint, Item, World, contains, network

TIERS = {"Admin": "kube-admin", "Baseline": "kube-baseline"}
ACTIONS = {"Accept": ALLOW, "Deny": DENY, "Pass": PASS}
PEERS = {INGRESS: ("namespaces", "pods"), EGRESS: ("namespaces", "pods", "nodes", "networks", "domainNames")}
HIGHEST_PRIORITY = 1000


def policies(world: World) -> Iterator[Policy]:
    """Yield what each ClusterNetworkPolicy says."""
    for item in world.of("policy.networking.k8s.io", "ClusterNetworkPolicy"):
        yield _policy(world, item)


def _policy(world: World, item: Item) -> Policy:
    spec, name = item["spec"], item["metadata"]["name"]
    what = f"ClusterNetworkPolicy {name}"
    if spec.get("tier") not in TIERS:
        refuse(what, "spec.tier", spec.get("tier"), "must be Admin or Baseline")
    if not 0 <= spec.get("priority", -1) <= HIGHEST_PRIORITY:
        refuse(what, "spec.priority", spec.get("priority"), "must be from 0 to 1000")
    subject = spec.get("subject") or {}
    if len(subject) != 1:
        refuse(what, "spec.subject", subject, "must be namespaces or pods")

    def selects(endpoint: Endpoint) -> bool:
        return not endpoint.host and _selects(world, subject, endpoint)

    rules = {}
    for direction, key in ((INGRESS, "ingress"), (EGRESS, "egress")):
        stated = spec.get(key) or []
        first = annotated(world, item["metadata"]) if direction == EGRESS else ()
        if stated or first:
            found = (_rule(world, f"{what} {key}[{n}]", direction, each) for n, each in enumerate(stated))
            rules[direction] = (*first, *found)
    order = (float(spec["priority"]), name, "")
    return Policy(what, TIERS[spec["tier"]], order, selects, rules)


def _selects(world: World, peer: Mapping[str, Any], pod: Endpoint) -> bool:
    """Tell whether ``namespaces`` or ``pods`` means a pod; a left out namespace selector means all."""
    namespace = world.namespace_labels(pod.namespace)
    if peer.get("namespaces") is not None:
        return selected(peer["namespaces"], namespace)
    pods = peer.get("pods") or {}
    there = selected(pods.get("namespaceSelector"), namespace)
    return there and selected(pods.get("podSelector"), pod.labels)


def _rule(world: World, place: str, direction: str, stated: Mapping[str, Any]) -> Rule:
    peers = stated.get("from" if direction == INGRESS else "to") or []
    _check_rule(place, stated, peers)
    where, action = place.rpartition(" ")[2], ACTIONS[stated["action"]]
    if any(len(peer) != 1 or not set(peer) <= set(PEERS[direction]) for peer in peers):
        return _fail_closed(where, action)
    return Rule(where, action, _matcher(world, direction, peers, stated.get("protocols")))


def _check_rule(place: str, stated: Mapping[str, Any], peers: list[Any]) -> None:
    action, protocols = stated.get("action") or "", stated.get("protocols")
    if action not in ACTIONS:
        refuse(place, "action", action, "must be Accept, Deny or Pass")
    if not peers or protocols == []:
        refuse(place, "peers", peers, "must be there, and protocols where they are stated")
    if action != "Accept" and any("domainNames" in peer for peer in peers):
        refuse(place, "action", action, "must be Accept for domainNames")
    for each in protocols or ():
        _check_protocol(place, each)


def _fail_closed(where: str, action: str) -> Rule:
    """Return what a rule with an unknown kind of peer does: accepting, match nothing; else, deny all."""
    return Rule(where, DENY, lambda _: action != ALLOW)


def _matcher(world: World, direction: str, peers: list[Any], protocols: list[Any] | None) -> Matches:
    def matches(flow: Flow) -> bool | None:
        if protocols is not None and not any(_is_protocol(world, each, flow) for each in protocols):
            return False
        other = flow.source if direction == INGRESS else flow.destination
        found = [
            is_named(world, peer["domainNames"], flow)
            if "domainNames" in peer
            else _is_peer(world, peer, other)
            for peer in peers
        ]
        if any(found):
            return True
        return None if None in found else False

    return matches


def _is_peer(world: World, peer: Mapping[str, Any], address: Address) -> bool:
    if "networks" in peer:
        return any(contains(network(text), address) for text in peer["networks"])
    if "nodes" in peer:
        nodes = world.nodes_at(address)
        return any(selected(peer["nodes"], node["metadata"].get("labels") or {}) for node in nodes)
    pod = world.pod_at(address)
    return pod is not None and _selects(world, peer, pod)


def _is_protocol(world: World, stated: Mapping[str, Any], flow: Flow) -> bool:
    name = stated.get("destinationNamedPort")
    if name:
        held = world.named(flow.destination)
        return any(
            (each.name, each.number) == (name, flow.port) and protocol_number(each.protocol) == flow.number
            for each in held
        )
    ((protocol, fields),) = stated.items()
    if flow.number != protocol_number(protocol):
        return False
    port = (fields or {}).get("destinationPort")
    if port is None:
        return True
    span = port.get("range") or {"start": port.get("number"), "end": port.get("number")}
    return flow.port is not None and bool(span["start"] <= flow.port <= span["end"])


def _check_protocol(place: str, stated: Mapping[str, Any]) -> None:
    if len(stated) != 1 or not set(stated) <= {"tcp", "udp", "sctp", "destinationNamedPort"}:
        refuse(place, "protocols", stated, "must be one of tcp, udp, sctp, destinationNamedPort")
    port = next(iter(stated.values()))
    span = ((port or {}).get("destinationPort") or {}).get("range") if isinstance(port, Mapping) else None
    if span is not None and span["start"] >= span["end"]:
        refuse(place, "range", span, "must start below its end")
