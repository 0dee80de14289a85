"""Which way a packet to an address really takes, asked of the kernel.

What lives here: ``way``: the route that matches (RTM_GETROUTE with RTM_F_FIB_MATCH), and where one packet
would go (without it). What it must not know: whose address it is, why there is a route.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network

from octet.cluster.reading import Address, Network
from octet.kernel.netlink import interfaces, routes, wire
from octet.kernel.netlink.interfaces import Interfaces
from octet.kernel.netlink.kind import as_address, family_of
from octet.kernel.netlink.wire import Message, Socket

_RTM_GETROUTE, _FIB_MATCH = 26, 0x2000
_HEADER = struct.Struct("=BBBBBBBBI")
_DST, _OIF, _GATEWAY, _PRIORITY, _PREFSRC, _MULTIPATH, _TABLE, _VIA = 1, 4, 5, 6, 7, 9, 15, 18
_NEXT_HOP = struct.Struct("=HBBi")  # rtnexthop: length, flags, hops, interface (linux/rtnetlink.h)
_KINDS = {
    1: "unicast",
    2: "local",
    3: "broadcast",
    5: "multicast",
    6: "blackhole",
    7: "unreachable",
    8: "prohibit",
}
_FAMILY_BYTES = 2


@dataclass(frozen=True, slots=True)
class Hop:
    """A next hop: gateway (None on the link itself), and the interface."""

    via: Address | None
    link: str


@dataclass(frozen=True, slots=True)
class Match:
    """The route that a packet matches.

    Attributes:
        kind: ``unicast``, ``local``, ``blackhole`` and so on.
        protocol: the number of who made it.
        hops: several where traffic is shared out.
    """

    destination: Network
    kind: str
    protocol: int
    metric: int
    table: int
    hops: tuple[Hop, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """What the kernel says about an address.

    Attributes:
        match: None where no route matches.
        hop: what one packet of this node would take; None where it goes nowhere.
        source: the address that such a packet would have.
        refusal: why it goes nowhere, in the kernel's words.
    """

    match: Match | None
    hop: Hop | None = None
    source: Address | None = None
    refusal: str = ""


def way(socket: Socket, address: Address) -> Way:
    """Return the way to an address. Raises OSError where the kernel cannot be asked."""
    known = interfaces.everything(socket)
    chosen = socket.ask(_question(address, 0))
    if chosen.errno:
        return Way(_swallowing(socket, address), refusal=chosen.reason or os.strerror(chosen.errno))
    matched = socket.ask(_question(address, _FIB_MATCH))
    found = wire.attributes(chosen.replies[0][1], _HEADER.size)
    source = as_address(found[_PREFSRC]) if _PREFSRC in found else None
    match = _match(matched.replies[0][1], known) if matched.replies else None
    return Way(match, _hop(found, known), source)


def _question(address: Address, flags: int) -> Message:
    family, length = family_of(address.version), address.max_prefixlen
    header = _HEADER.pack(family, length, 0, 0, 0, 0, 0, 0, flags)
    return Message(_RTM_GETROUTE, 0, header + wire.attribute(_DST, address.packed))


def _match(body: bytes, known: Interfaces) -> Match:
    family, prefix, _, _, table, protocol, _, kind, _ = _HEADER.unpack_from(body)
    found = wire.attributes(body, _HEADER.size)
    empty = bytes(4 if family == family_of(4) else 16)
    several = found.get(_MULTIPATH)
    hops = tuple(_hops(several, known)) if several is not None else (_hop(found, known),)
    return Match(
        ip_network((as_address(found.get(_DST, empty)), prefix)),
        _KINDS.get(kind, str(kind)),
        protocol,
        wire.as_int(found.get(_PRIORITY, b"")),
        wire.as_int(found[_TABLE]) if _TABLE in found else table,
        hops,
    )


def _hops(several: bytes, known: Interfaces) -> Iterator[Hop]:
    while len(several) >= _NEXT_HOP.size:
        length, _, _, index = _NEXT_HOP.unpack_from(several)
        yield _with_link(wire.attributes(several[:length], _NEXT_HOP.size), known.name(index))
        several = several[(length + 3) & ~3 or len(several) :]


def _hop(found: dict[int, bytes], known: Interfaces) -> Hop:
    return _with_link(found, known.name(wire.as_int(found.get(_OIF, b""))))


def _with_link(found: dict[int, bytes], link: str) -> Hop:
    """Return a next hop; a gateway of the other family is in RTA_VIA, after two bytes of its family."""
    if _VIA in found:
        return Hop(as_address(found[_VIA][_FAMILY_BYTES:]), link)
    return Hop(as_address(found[_GATEWAY]) if _GATEWAY in found else None, link)


def _swallowing(socket: Socket, address: Address) -> Match | None:
    """Return the route that swallows packets to an address: the kernel, asked for the way, names none."""
    dumped = socket.dump(routes.everyones(family_of(address.version))[0])
    nothing = Interfaces(())
    held = [_match(body, nothing) for _, body in dumped if _HEADER.unpack_from(body)[7] in (6, 7, 8)]
    inside = [each for each in held if address in each.destination]
    return max(inside, key=lambda each: (each.destination.prefixlen, -each.metric), default=None)
