"""Policy-routing rules of ours, told by their protocol number.

What lives here: RTM_NEWRULE and its kin, both ways. What it must not know: sockets, order, who needs them.
"""

import struct
from ipaddress import IPv4Network, IPv6Network, ip_network

from octet.blueprint import Rule
from octet.kernel.netlink import wire
from octet.kernel.netlink.interfaces import Interfaces
from octet.kernel.netlink.kind import AF_INET, AF_INET6, Kind, Wanted, as_address, family_of
from octet.kernel.netlink.wire import Message
from octet.kernel.port import ROUTE_PROTOCOL

RTM_NEWRULE, RTM_DELRULE, _RTM_GETRULE = 32, 33, 34
_HEADER = struct.Struct("=BBBBBBBBI")
_DST, _SRC, _IIFNAME, _PRIORITY, _FWMARK, _TABLE, _FWMASK, _PROTOCOL = 1, 2, 3, 6, 10, 15, 16, 21
_TO_TABLE = 1


def _length(network: IPv4Network | IPv6Network | None) -> int:
    return network.prefixlen if network else 0


def _body(item: Rule, _known: Interfaces) -> bytes:
    table = item.table if item.table < 256 else 0
    lengths = _length(item.destination), _length(item.source)
    parts = [
        _HEADER.pack(family_of(item.family), *lengths, 0, table, 0, 0, _TO_TABLE, 0),
        wire.u32(_PRIORITY, item.priority),
        wire.u32(_TABLE, item.table),
        wire.u8(_PROTOCOL, ROUTE_PROTOCOL),
    ]
    if item.source:
        parts.append(wire.attribute(_SRC, item.source.network_address.packed))
    if item.destination:
        parts.append(wire.attribute(_DST, item.destination.network_address.packed))
    if item.incoming:
        parts.append(wire.text(_IIFNAME, item.incoming))
    if item.mark:
        parts += [wire.u32(_FWMARK, item.mark[0]), wire.u32(_FWMASK, item.mark[1])]
    return b"".join(parts)


def _add(item: Rule, known: Interfaces) -> list[Message]:
    return [Message(RTM_NEWRULE, wire.CREATE | wire.EXCL, _body(item, known))]


def _remove(item: Rule, known: Interfaces) -> list[Message]:
    return [Message(RTM_DELRULE, 0, _body(item, known))]


def _alter(old: Rule, new: Rule, known: Interfaces) -> list[Message]:
    """Only the table can differ: the new rule is there before the old one goes."""
    return _add(new, known) + _remove(old, known)


def _dumps(_known: Interfaces) -> list[Message]:
    return [
        Message(_RTM_GETRULE, 0, _HEADER.pack(family, 0, 0, 0, 0, 0, 0, 0, 0))
        for family in (AF_INET, AF_INET6)
    ]


def _network(payload: bytes | None, prefix: int) -> IPv4Network | IPv6Network | None:
    return ip_network((as_address(payload), prefix)) if payload else None


def _decode(body: bytes, _known: Interfaces, _wanted: Wanted) -> Rule | None:
    family, to_length, from_length, _, table, _, _, action, _ = _HEADER.unpack_from(body)
    found = wire.attributes(body, _HEADER.size)
    if wire.as_int(found.get(_PROTOCOL, b"")) != ROUTE_PROTOCOL or action != _TO_TABLE:
        return None
    mark = (wire.as_int(found[_FWMARK]), wire.as_int(found[_FWMASK])) if _FWMARK in found else None
    return Rule(
        priority=wire.as_int(found.get(_PRIORITY, b"")),
        family=4 if family == AF_INET else 6,
        table=wire.as_int(found[_TABLE]) if _TABLE in found else table,
        source=_network(found.get(_SRC), from_length),
        destination=_network(found.get(_DST), to_length),
        incoming=wire.as_text(found[_IIFNAME]) if _IIFNAME in found else None,
        mark=mark,
    )


RULES: Kind[Rule] = Kind(Rule, RTM_NEWRULE, _add, _alter, _remove, _dumps, _decode)
"""Rules that look up a table."""
