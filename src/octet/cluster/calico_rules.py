"""One rule of a Calico policy: action, protocol, and what must hold of source and destination.

What lives here: ``CalicoRule`` and its reading. What it must not know: the policies around it, pods, kernels.
Source: libcalico-go, lib/apis/v3 (Rule, EntityRule) and lib/validator.
"""

from __future__ import annotations

import re

import msgspec

from octet.cluster.expression import Expression, expression
from octet.cluster.reading import Fields, Network

MOST = 1024  # rules of one direction
ACTIONS = ("Allow", "Deny", "Log", "Pass")
NUMBERS = {"ICMP": 1, "TCP": 6, "UDP": 17, "ICMPV6": 58, "SCTP": 132, "UDPLITE": 136}
"""Protocols by Calico's names, in upper case (numorstring.Protocol), and IANA's numbers."""

WITH_PORTS = frozenset({6, 17, 132})
"""Protocols that ports may be stated of: TCP, UDP, SCTP (lib/validator, validateRule)."""

PING = frozenset({1, 58})
_RANGE = re.compile(r"(\d{1,5}):(\d{1,5})", re.ASCII)
_NUMBER = re.compile(r"\d{1,5}", re.ASCII)

Span = tuple[int, int]
"""First and last port, both included."""


class Entity(msgspec.Struct, frozen=True, gc=False):
    """What must hold of one end; all that is stated must hold.

    Attributes:
        nets: it is in one of these; ``without`` in none of those.
        selector: a pod or network set with these labels; ``unselected`` none with those.
        namespaces: the selectors mean such namespaces; None is the policy's own, or for a global one all.
        service: (namespace, name): it is an endpoint of this service.
        account_names, accounts: it runs as one of these service accounts, by name and by labels.
        ports, names: its port is one of these; ``unported``, ``unnamed`` none of those.
    """

    nets: tuple[Network, ...] = ()
    without: tuple[Network, ...] = ()
    selector: Expression | None = None
    unselected: Expression | None = None
    namespaces: Expression | None = None
    service: tuple[str, str] | None = None
    account_names: tuple[str, ...] = ()
    accounts: Expression | None = None
    ports: tuple[Span, ...] = ()
    names: tuple[str, ...] = ()
    unported: tuple[Span, ...] = ()
    unnamed: tuple[str, ...] = ()

    @property
    def has_ports(self) -> bool:
        """Is anything said about ports?"""
        return bool(self.ports or self.names or self.unported or self.unnamed)


ANYONE = Entity()


class CalicoRule(msgspec.Struct, frozen=True, gc=False):
    """One rule: what happens to a packet of which everything stated holds.

    Attributes:
        family: 4 or 6, or 0 for both.
        protocol, not_protocol: IANA numbers; None is unstated.
        icmp, not_icmp: (type, code), code None is any; None is unstated.
    """

    action: str
    family: int = 0
    protocol: int | None = None
    not_protocol: int | None = None
    icmp: tuple[int, int | None] | None = None
    not_icmp: tuple[int, int | None] | None = None
    source: Entity = ANYONE
    destination: Entity = ANYONE


def rule(fields: Fields) -> CalicoRule:
    """Read one rule; raises BadConfigurationError naming the field."""
    if "http" in fields:
        raise fields.refusal("http", "needs a proxy beside each pod, which Octet has not")
    protocol, excluded = _protocol(fields, "protocol"), _protocol(fields, "notProtocol")
    source, destination = _entity(fields.child("source")), _entity(fields.child("destination"))
    icmp, not_icmp = _icmp(fields, "icmp"), _icmp(fields, "notICMP")
    if (source.has_ports or destination.has_ports) and protocol not in WITH_PORTS:
        raise fields.refusal("protocol", "must be TCP, UDP or SCTP where ports are stated")
    if (icmp or not_icmp) and protocol not in PING:
        raise fields.refusal("protocol", "must be ICMP or ICMPv6 where icmp is stated")
    family = fields.number("ipVersion") if "ipVersion" in fields else 0
    if family not in {0, 4, 6} or (protocol == 1 and family == 6) or (protocol == 58 and family == 4):
        raise fields.refusal("ipVersion", "must be 4 or 6, and fit the protocol")
    action = fields.choice("action", ACTIONS, "")
    return CalicoRule(action, family, protocol, excluded, icmp, not_icmp, source, destination)


def _protocol(fields: Fields, key: str) -> int | None:
    value = fields.raw(key)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 255:
        return value
    if isinstance(value, str) and value.upper() in NUMBERS:
        return NUMBERS[value.upper()]
    raise fields.refusal(key, "must be TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite or a number from 1 to 255")


def _icmp(fields: Fields, key: str) -> tuple[int, int | None] | None:
    if key not in fields:
        return None
    icmp = fields.child(key)
    if "type" not in icmp:
        if "code" in icmp:
            raise icmp.refusal("code", "needs a type")
        return None
    code = icmp.number("code", high=255) if "code" in icmp else None
    return icmp.number("type", high=254), code


def _entity(fields: Fields) -> Entity:
    ports, names = _ports(fields, "ports")
    unported, unnamed = _ports(fields, "notPorts")
    accounts = fields.child("serviceAccounts")
    found = Entity(
        nets=fields.networks("nets"),
        without=fields.networks("notNets"),
        selector=expression(fields, "selector"),
        unselected=expression(fields, "notSelector"),
        namespaces=expression(fields, "namespaceSelector"),
        service=_service(fields),
        account_names=accounts.texts("names"),
        accounts=expression(accounts, "selector"),
        ports=ports,
        names=names,
        unported=unported,
        unnamed=unnamed,
    )
    if found.service and (found.nets or found.without or found.has_ports or _selects(found)):
        raise fields.refusal("services", "cannot stand beside nets, ports or selectors")
    return found


def _selects(entity: Entity) -> bool:
    selectors = (entity.selector, entity.unselected, entity.namespaces, entity.accounts)
    return bool(entity.account_names) or any(each is not None for each in selectors)


def _service(fields: Fields) -> tuple[str, str] | None:
    if "services" not in fields:
        return None
    service = fields.child("services")
    if not service.text("name"):
        raise service.refusal("name", "must be the name of a service")
    return service.text("namespace"), service.text("name")


def _ports(fields: Fields, key: str) -> tuple[tuple[Span, ...], tuple[str, ...]]:
    spans: list[Span] = []
    names: list[str] = []
    for value in fields.items(key):
        span = _span(value)
        if span is not None and 0 <= span[0] <= span[1] <= 65535:
            spans.append(span)
        elif span is None and isinstance(value, str) and value:
            names.append(value)
        else:
            raise fields.refusal(key, 'must be ports such as 80, "8000:8100" or "http"')
    return tuple(spans), tuple(names)


def _span(value: object) -> Span | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value, value
    if not isinstance(value, str):
        return (1, 0)
    if found := _RANGE.fullmatch(value):
        return int(found[1]), int(found[2])
    return (int(value), int(value)) if _NUMBER.fullmatch(value) else None
