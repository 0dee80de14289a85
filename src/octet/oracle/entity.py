"""What a rule of a Calico policy matches: protocol, ICMP, and the two entity rules of its ends.

What lives here: projectcalico.org/v3 Rule and EntityRule, with Calico's own reading of how selectors combine
(libcalico-go updateprocessors/rules.go, GetEntityRuleSelector). What it must not know: policies, tiers.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from octet.oracle.flows import Address, Flow, protocol_number
from octet.oracle.policies import Matches
from octet.oracle.refusal import refuse
from octet.oracle.selector import NAMESPACE, Predicate, parse
from octet.oracle.world import (
    CALICO_NAME,
    NAMESPACE_PREFIX,
    SERVICE_ACCOUNT,
    SERVICE_ACCOUNT_PREFIX,
    Item,
    Network,
    World,
    contains,
    network,
)

WITH_PORTS = tuple(map(protocol_number, ("TCP", "UDP", "SCTP", "UDPLite")))
WITH_TYPES = tuple(map(protocol_number, ("ICMP", "ICMPv6")))
SERVICE_NAME = "kubernetes.io/service-name"

Test = Callable[[Flow], bool]


@dataclass(frozen=True, slots=True)
class End:
    """Whose rule it is.

    Attributes:
        namespace: the policy's, or empty for a global one.
        direction: the rule's.
    """

    namespace: str
    direction: str


def matcher(world: World, place: str, end: End, rule: Mapping[str, Any]) -> Matches:
    """Return what a rule matches: all that it states must hold.

    ``http`` cannot be seen in a packet: such a rule, which may only allow, matches nothing.
    """
    if rule.get("http"):
        return lambda _: False
    _check(place, rule)
    tests = [
        *_protocol_tests(rule),
        *_entity_tests(world, end, rule.get("source") or {}, _Side(world, True)),
        *_entity_tests(world, end, rule.get("destination") or {}, _Side(world, False)),
    ]
    return lambda flow: all(test(flow) for test in tests)


def _protocol_tests(rule: Mapping[str, Any]) -> list[Test]:
    tests: list[Test] = []
    if rule.get("ipVersion"):
        tests.append(lambda flow: flow.family == rule["ipVersion"])
    if rule.get("protocol") is not None:
        tests.append(lambda flow: flow.number == protocol_number(rule["protocol"]))
    if rule.get("notProtocol") is not None:
        tests.append(lambda flow: flow.number != protocol_number(rule["notProtocol"]))
    if rule.get("icmp") is not None:
        tests.append(lambda flow: _is_icmp(rule["icmp"], flow))
    if rule.get("notICMP") is not None:
        tests.append(lambda flow: not _is_icmp(rule["notICMP"], flow))
    return tests


def _is_icmp(stated: Mapping[str, Any], flow: Flow) -> bool:
    """Tell whether a message has the stated type, and the code if one is stated."""
    if flow.icmp is None:
        return False
    kind, code = stated.get("type"), stated.get("code")
    return (kind is None or kind == flow.icmp[0]) and (code is None or code == flow.icmp[1])


@dataclass(frozen=True, slots=True)
class _Side:
    """One end of a flow."""

    world: World
    source: bool

    def address(self, flow: Flow) -> Address:
        return flow.source if self.source else flow.destination

    def port(self, flow: Flow) -> int | None:
        return flow.source_port if self.source else flow.port


def _entity_tests(world: World, end: End, entity: Mapping[str, Any], side: _Side) -> list[Test]:
    """Return what must hold of one end: its address, who has it, its port."""
    tests = [*_address_tests(entity, side), *_port_tests(entity, side)]
    chosen = _chosen(end, entity)
    if chosen:
        tests.append(lambda flow: _found(world, side.address(flow), chosen))
    if entity.get("notSelector"):
        unwanted = parse(entity["notSelector"])
        tests.append(lambda flow: not _found(world, side.address(flow), [unwanted]))
    if entity.get("services"):
        tests.append(_service_test(world, end, entity["services"], side))
    return tests


def _address_tests(entity: Mapping[str, Any], side: _Side) -> Iterator[Test]:
    def inside(networks: list[Network]) -> Test:
        return lambda flow: any(contains(each, side.address(flow)) for each in networks)

    if entity.get("nets"):
        yield inside([network(text) for text in entity["nets"]])
    if entity.get("notNets"):
        barred = inside([network(text) for text in entity["notNets"]])
        yield lambda flow: not barred(flow)


def _port_tests(entity: Mapping[str, Any], side: _Side) -> Iterator[Test]:
    if entity.get("ports"):
        yield lambda flow: any(_is_port(each, flow, side) for each in entity["ports"])
    if entity.get("notPorts"):
        yield lambda flow: not any(_is_port(each, flow, side) for each in entity["notPorts"])


def _chosen(end: End, entity: Mapping[str, Any]) -> list[Predicate]:
    """Return what must hold of something at the address, or nothing where anybody will do.

    In a policy of a namespace, any selector, also a negative one, keeps to that namespace unless a namespace
    selector says otherwise.
    """
    found: list[Predicate] = []
    accounts = entity.get("serviceAccounts") or {}
    if accounts:
        found.append(lambda labels: SERVICE_ACCOUNT_PREFIX + CALICO_NAME in labels)
    if accounts.get("selector"):
        found.append(parse(accounts["selector"], SERVICE_ACCOUNT_PREFIX))
    if accounts.get("names"):
        names = frozenset(accounts["names"])
        found.append(lambda labels: labels.get(SERVICE_ACCOUNT) in names)
    if entity.get("selector"):
        found.append(parse(entity["selector"]))
    if entity.get("namespaceSelector"):
        return [*found, parse(entity["namespaceSelector"], NAMESPACE_PREFIX)]
    if end.namespace and (found or entity.get("notSelector")):
        found.append(lambda labels: labels.get(NAMESPACE) == end.namespace)
    return found


def _found(world: World, address: Address, predicates: list[Predicate]) -> bool:
    return any(all(holds(labels) for holds in predicates) for labels in world.carriers(address))


def _is_port(stated: int | str, flow: Flow, side: _Side) -> bool:
    """Tell whether a port is the stated one: a number, a range ``a:b``, or a name at that end."""
    port = side.port(flow)
    if port is None:
        return False
    low, colon, high = str(stated).partition(":")
    if colon:
        return int(low) <= port <= int(high)
    if low.isdigit():
        return port == int(low)
    return any(
        each.name == stated and each.number == port and protocol_number(each.protocol) == flow.number
        for each in side.world.named(side.address(flow))
    )


def _service_test(world: World, end: End, stated: Mapping[str, Any], side: _Side) -> Test:
    """As a destination a service is its endpoints with their ports, as a source its endpoints alone."""
    key = stated.get("namespace") or end.namespace, stated["name"]
    slices = [item for item in world.of("discovery.k8s.io", "EndpointSlice") if _service_of(item) == key]

    def test(flow: Flow) -> bool:
        address = str(side.address(flow))
        there = [item for item in slices if address in _addresses(item)]
        return bool(there) if side.source else any(_has_port(item, flow) for item in there)

    return test


def _service_of(item: Item) -> tuple[str, str]:
    metadata = item["metadata"]
    name = (metadata.get("labels") or {}).get(SERVICE_NAME) or ""
    return metadata.get("namespace") or "default", name


def _addresses(item: Item) -> set[str]:
    return {text for each in item.get("endpoints") or [] for text in each.get("addresses") or []}


def _has_port(item: Item, flow: Flow) -> bool:
    return any(
        each.get("port") in (None, flow.port)
        and protocol_number(each.get("protocol") or "TCP") == flow.number
        for each in item.get("ports") or []
    )


def _check(place: str, rule: Mapping[str, Any]) -> None:
    """Refuse what Calico's validator would (libcalico-go validator/v3)."""
    source, destination = rule.get("source") or {}, rule.get("destination") or {}
    number = None if rule.get("protocol") is None else protocol_number(rule["protocol"])
    for key in ("ports", "notPorts"):
        if (source.get(key) or destination.get(key)) and number not in WITH_PORTS:
            refuse(place, key, source.get(key) or destination.get(key), "need protocol TCP, UDP or SCTP")
    for key in ("icmp", "notICMP"):
        if rule.get(key) is not None and number not in WITH_TYPES:
            refuse(place, key, rule[key], "needs protocol ICMP or ICMPv6")
