"""NetworkPolicy (networking.k8s.io/v1), from the API reference.

What lives here: every field and every default of it. What it must not know: other dialects, how tiers decide.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from octet.oracle.flows import EGRESS, INGRESS, Address, Flow, protocol_number
from octet.oracle.labels import selected
from octet.oracle.names import annotated
from octet.oracle.policies import ALLOW, Policy, Rule
from octet.oracle.refusal import refuse
from octet.oracle.world import Endpoint, Item, World, contains, network

TIER = "default"
ORDER = 1000.0  # where Calico puts NetworkPolicy among its own of the same tier
PROTOCOLS = ("TCP", "UDP", "SCTP")
HIGHEST = 65535


def policies(world: World) -> Iterator[Policy]:
    """Yield what each NetworkPolicy says."""
    for item in world.of("networking.k8s.io", "NetworkPolicy"):
        yield _policy(world, item)


def _policy(world: World, item: Item) -> Policy:
    spec, metadata = item.get("spec") or {}, item["metadata"]
    namespace, name = metadata.get("namespace") or "default", metadata["name"]
    what = f"NetworkPolicy {namespace}/{name}"

    def selects(endpoint: Endpoint) -> bool:
        inside = not endpoint.host and endpoint.namespace == namespace
        return inside and selected(spec.get("podSelector"), endpoint.labels)

    rules = {}
    for direction in _directions(what, spec):
        key, peers = ("ingress", "from") if direction == INGRESS else ("egress", "to")
        first = annotated(world, metadata) if direction == EGRESS else ()
        found = (
            _rule(world, f"{what} {key}[{index}]", namespace, direction, (stated or {}, peers))
            for index, stated in enumerate(spec.get(key) or [])
        )
        rules[direction] = (*first, *found)
    return Policy(what, TIER, (ORDER, f"knp.default.{name}", namespace), selects, rules)


def _directions(what: str, spec: Mapping[str, Any]) -> list[str]:
    """Ingress unless types are stated, and egress where an egress rule is (``policyTypes``)."""
    stated = spec.get("policyTypes")
    if stated:
        if not set(stated) <= {INGRESS, EGRESS}:
            refuse(what, "policyTypes", stated, "must be of Ingress, Egress")
        return list(dict.fromkeys(stated))
    return [INGRESS, EGRESS] if spec.get("egress") else [INGRESS]


def _rule(
    world: World, place: str, namespace: str, direction: str, stated: tuple[Mapping[str, Any], str]
) -> Rule:
    rule, key = stated
    peers, ports = rule.get(key) or [], rule.get("ports") or []
    for peer in peers:
        _check_peer(place, peer)
    for port in ports:
        _check_port(place, port)

    def matches(flow: Flow) -> bool:
        other = flow.source if direction == INGRESS else flow.destination
        from_peer = not peers or any(_is_peer(world, peer, namespace, other) for peer in peers)
        return from_peer and (not ports or any(_is_port(world, port, flow) for port in ports))

    return Rule(place.rpartition(" ")[2], ALLOW, matches)


def _is_peer(world: World, peer: Mapping[str, Any], namespace: str, address: Address) -> bool:
    """Tell whether an address is one of a peer's: by CIDR whoever has it, by selectors a pod's only."""
    block = peer.get("ipBlock")
    if block is not None:
        inside = contains(network(block["cidr"]), address)
        return inside and not any(contains(network(text), address) for text in block.get("except") or [])
    pod = world.pod_at(address)
    if pod is None:
        return False
    if peer.get("namespaceSelector") is None:
        there = pod.namespace == namespace
    else:
        there = selected(peer["namespaceSelector"], world.namespace_labels(pod.namespace))
    return there and selected(peer.get("podSelector"), pod.labels)


def _is_port(world: World, stated: Mapping[str, Any], flow: Flow) -> bool:
    """Tell whether a flow goes to a port: no protocol is TCP, no port is all of the protocol.

    A name is looked up at the destination, whichever direction the rule is of.
    """
    protocol, port = stated.get("protocol") or "TCP", stated.get("port")
    if flow.number != protocol_number(protocol):
        return False
    if port is None:
        return True
    if isinstance(port, str):
        held = world.named(flow.destination)
        return any((each.name, each.protocol, each.number) == (port, protocol, flow.port) for each in held)
    return flow.port is not None and port <= flow.port <= (stated.get("endPort") or port)


def _check_peer(place: str, peer: Mapping[str, Any]) -> None:
    selectors = [key for key in ("podSelector", "namespaceSelector") if peer.get(key) is not None]
    if bool(selectors) == (peer.get("ipBlock") is not None):
        refuse(place, "peer", peer, "must be selectors or an ipBlock")
    block = peer.get("ipBlock") or {}
    for text in block.get("except") or []:
        whole, part = network(block["cidr"]), network(text)
        if not contains(whole, part.network_address) or part.prefixlen <= whole.prefixlen:
            refuse(place, "except", text, "must be a smaller part of the cidr")


def _check_port(place: str, port: Mapping[str, Any]) -> None:
    number, end = port.get("port"), port.get("endPort")
    if (port.get("protocol") or "TCP") not in PROTOCOLS:
        refuse(place, "protocol", port["protocol"], "must be TCP, UDP or SCTP")
    if isinstance(number, int) and not 1 <= number <= HIGHEST:
        refuse(place, "port", number, "must be from 1 to 65535")
    if end is not None and (not isinstance(number, int) or not number <= end <= HIGHEST):
        refuse(place, "endPort", end, "needs a numeric port that is not above it")
