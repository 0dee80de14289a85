"""Routes of ours, told by their protocol number.

What lives here: RTM_NEWROUTE and its kin, both ways. What it must not know: sockets, order, transports.
"""

import struct
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_network

from octet.blueprint import Route, RouteKind
from octet.blueprint.layer3 import MAIN_TABLE
from octet.kernel.netlink import wire
from octet.kernel.netlink.addresses import SCOPE_OF, SCOPES
from octet.kernel.netlink.interfaces import Interfaces
from octet.kernel.netlink.kind import AF_INET, AF_INET6, Kind, Wanted, as_address, family_of
from octet.kernel.netlink.wire import Message, Socket
from octet.kernel.port import ROUTE_PROTOCOL

RTM_NEWROUTE, RTM_DELROUTE, _RTM_GETROUTE = 24, 25, 26
_HEADER = struct.Struct("=BBBBBBBBI")
_DST, _OIF, _GATEWAY, _PRIORITY, _PREFSRC, _METRICS, _TABLE = 1, 4, 5, 6, 7, 8, 15
_RTAX_MTU = 2
_F_ONLINK, _F_CLONED = 4, 0x200
_F_FIB_MATCH = 0x2000  # answer with the route that matches, not with where one packet would go
_KINDS = {RouteKind.UNICAST: 1, RouteKind.BLACKHOLE: 6, RouteKind.UNREACHABLE: 7, RouteKind.THROW: 9}
_KIND_OF = {number: kind for kind, number in _KINDS.items()}
_DEFAULT_METRIC_V6 = 1024  # include/net/ip6_fib.h, IP6_RT_PRIO_USER: what the kernel makes of 0


def _body(item: Route, known: Interfaces) -> bytes:
    destination = item.destination
    header = _HEADER.pack(
        family_of(destination.version),
        destination.prefixlen,
        0,
        0,
        item.table if item.table < 256 else 0,
        ROUTE_PROTOCOL,
        SCOPES[item.scope],
        _KINDS[item.kind],
        _F_ONLINK if item.onlink else 0,
    )
    parts = [header, wire.attribute(_DST, destination.network_address.packed), wire.u32(_TABLE, item.table)]
    parts += [wire.u32(_OIF, known.index(item.link))] if item.link else []
    parts += [wire.attribute(_GATEWAY, item.via.packed)] if item.via else []
    parts += [wire.attribute(_PREFSRC, item.source.packed)] if item.source else []
    parts += [wire.nested(_METRICS, wire.u32(_RTAX_MTU, item.mtu))] if item.mtu else []
    parts += [wire.u32(_PRIORITY, item.metric)] if item.metric else []
    return b"".join(parts)


def _add(item: Route, known: Interfaces) -> list[Message]:
    return [Message(RTM_NEWROUTE, wire.CREATE | wire.EXCL, _body(item, known))]


def _alter(_old: Route, new: Route, known: Interfaces) -> list[Message]:
    return [Message(RTM_NEWROUTE, wire.CREATE | wire.REPLACE, _body(new, known))]


def _remove(item: Route, known: Interfaces) -> list[Message]:
    return [Message(RTM_DELROUTE, 0, _body(item, known))]


def _dumps(_known: Interfaces) -> list[Message]:
    """The kernel itself leaves out what does not bear our number (strict check, Linux 4.20)."""
    return [
        Message(_RTM_GETROUTE, 0, _HEADER.pack(family, 0, 0, 0, 0, ROUTE_PROTOCOL, 0, 0, 0))
        for family in (AF_INET, AF_INET6)
    ]


def everyones(*families: int) -> list[Message]:
    """Return the dumps of all routes, whoever made them; ``anyones`` reads what they return."""
    return [Message(_RTM_GETROUTE, 0, _HEADER.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)) for family in families]


def default_interface(socket: Socket, towards: IPv4Address | IPv6Address) -> int:
    """Return the number of the interface that a default route leads out of on the way to an address, or 0."""
    family, prefix = family_of(towards.version), towards.max_prefixlen
    header = _HEADER.pack(family, prefix, 0, 0, 0, 0, 0, 0, _F_FIB_MATCH)
    answer = socket.ask(Message(_RTM_GETROUTE, 0, header + wire.attribute(_DST, towards.packed)))
    for _, body in answer.replies:
        if _HEADER.unpack_from(body)[1] == 0:
            return wire.as_int(wire.attributes(body, _HEADER.size).get(_OIF, b""))
    return 0


def ways(
    socket: Socket, towards: Sequence[IPv4Address | IPv6Address]
) -> dict[IPv4Address | IPv6Address, int]:
    """Return the number of the interface that packets to each address leave by, where there is a way."""
    asked = [
        Message(
            _RTM_GETROUTE,
            0,
            _HEADER.pack(family_of(address.version), address.max_prefixlen, 0, 0, 0, 0, 0, 0, 0)
            + wire.attribute(_DST, address.packed),
        )
        for address in towards
    ]
    found: dict[IPv4Address | IPv6Address, int] = {}
    for address, answer in zip(towards, socket.batch(asked), strict=True):
        for _, body in answer.replies:
            found[address] = wire.as_int(wire.attributes(body, _HEADER.size).get(_OIF, b""))
    return found


def _decode(body: bytes, known: Interfaces, wanted: Wanted) -> Route | None:
    """Return a route that bears our protocol number."""
    return anyones(body, known, wanted) if _HEADER.unpack_from(body)[5] == ROUTE_PROTOCOL else None


def is_default(route: Route) -> bool:
    """Is it what a node sends everything else by?"""
    return route.destination.prefixlen == 0 and route.table == MAIN_TABLE


def anyones(body: bytes, known: Interfaces, wanted: Wanted) -> Route | None:
    """Return a route, whoever made it; None for kinds that we never make, and for cached exceptions."""
    family, prefix, _, _, table, _, scope, kind, flags = _HEADER.unpack_from(body)
    if kind not in _KIND_OF or flags & _F_CLONED:
        return None
    found = wire.attributes(body, _HEADER.size)
    empty = bytes(4 if family == AF_INET else 16)
    unicast = _KIND_OF[kind] is RouteKind.UNICAST
    mtu = wire.as_int(wire.attributes(found.get(_METRICS, b"")).get(_RTAX_MTU, b""))
    route = Route(
        destination=ip_network((as_address(found.get(_DST, empty)), prefix)),
        link=known.name(wire.as_int(found.get(_OIF, b""))) or None if unicast else None,
        via=as_address(found[_GATEWAY]) if _GATEWAY in found else None,
        onlink=bool(flags & _F_ONLINK),
        kind=_KIND_OF[kind],
        scope=SCOPE_OF.get(scope, SCOPE_OF[0]),
        source=as_address(found[_PREFSRC]) if _PREFSRC in found else None,
        mtu=mtu or None,
        metric=wire.as_int(found.get(_PRIORITY, b"")),
        table=wire.as_int(found[_TABLE]) if _TABLE in found else table,
    )
    return _as_wanted(route, wanted) if family == AF_INET6 else route


def _as_wanted(route: Route, wanted: Wanted) -> Route:
    """Undo what the kernel makes of an IPv6 route: metric 0 becomes 1024, and scope is always global."""
    if route.metric == _DEFAULT_METRIC_V6 and route.key not in wanted:
        route = replace(route, metric=0)
    want = wanted.get(route.key)
    return replace(route, scope=want.scope) if isinstance(want, Route) else route


ROUTES: Kind[Route] = Kind(Route, RTM_NEWROUTE, _add, _alter, _remove, _dumps, _decode)
"""Routes, in any table."""
