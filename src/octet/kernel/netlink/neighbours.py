"""Neighbours, proxied addresses, and the forwarding entries of VXLAN devices and bridges.

What lives here: RTM_NEWNEIGH and its kin, both ways. What it must not know: sockets, order, transports.
"""

import struct

from octet.blueprint import FdbEntry, Neighbour
from octet.kernel.netlink import wire
from octet.kernel.netlink.interfaces import Interface, Interfaces
from octet.kernel.netlink.kind import (
    AF_BRIDGE,
    AF_UNSPEC,
    Kind,
    Wanted,
    as_address,
    as_mac,
    family_of,
    mac_bytes,
)
from octet.kernel.netlink.wire import Message
from octet.kernel.port import ROUTE_PROTOCOL

RTM_NEWNEIGH, RTM_DELNEIGH, _RTM_GETNEIGH = 28, 29, 30
_HEADER = struct.Struct("=BxxxiHBB")
_DST, _LLADDR, _IFINDEX, _PROTOCOL = 1, 2, 8, 12
_NUD_NOARP, _NUD_PERMANENT = 0x40, 0x80
_NTF_SELF, _NTF_MASTER, _NTF_PROXY = 0x02, 0x04, 0x08
_VLAN = 5
_BRPORT_LOCKED = 39


def _body(item: Neighbour, known: Interfaces) -> bytes:
    flags = _NTF_PROXY if item.proxy else 0
    family = family_of(item.address.version)
    header = _HEADER.pack(family, known.index(item.link), _NUD_PERMANENT, flags, 0)
    mac = wire.attribute(_LLADDR, mac_bytes(item.mac)) if item.mac else b""
    return header + wire.attribute(_DST, item.address.packed) + mac + wire.u8(_PROTOCOL, ROUTE_PROTOCOL)


def _add(item: Neighbour, known: Interfaces) -> list[Message]:
    return [Message(RTM_NEWNEIGH, wire.CREATE | wire.EXCL, _body(item, known))]


def _alter(_old: Neighbour, new: Neighbour, known: Interfaces) -> list[Message]:
    return [Message(RTM_NEWNEIGH, wire.CREATE | wire.REPLACE, _body(new, known))]


def _remove(item: Neighbour, known: Interfaces) -> list[Message]:
    return [Message(RTM_DELNEIGH, 0, _body(item, known))]


def proxies_request() -> Message:
    """Return the request that lists all proxied addresses."""
    return Message(_RTM_GETNEIGH, 0, _HEADER.pack(AF_UNSPEC, 0, 0, _NTF_PROXY, 0))


def _dumps(_known: Interfaces) -> list[Message]:
    return [Message(_RTM_GETNEIGH, 0, _HEADER.pack(AF_UNSPEC, 0, 0, 0, 0)), proxies_request()]


def _decode(body: bytes, known: Interfaces, _wanted: Wanted) -> Neighbour | None:
    """Return a neighbour that bears our protocol number; what the kernel learned by itself bears none.

    One of ours that is permanent no more reads as one without a MAC, which nobody wants.
    """
    family, index, state, flags, _ = _HEADER.unpack_from(body)
    found = wire.attributes(body, _HEADER.size)
    if family == AF_BRIDGE or wire.as_int(found.get(_PROTOCOL, b"")) != ROUTE_PROTOCOL:
        return None
    proxy = bool(flags & _NTF_PROXY)
    fixed = not proxy and state & _NUD_PERMANENT and _LLADDR in found
    mac = as_mac(found[_LLADDR]) if fixed else None
    return Neighbour(known.name(index), as_address(found[_DST]), mac, proxy)


def request(item: Neighbour, known: Interfaces) -> Message:
    """Return the request for the one entry that has a neighbour's address."""
    flags = _NTF_PROXY if item.proxy else 0
    header = _HEADER.pack(family_of(item.address.version), known.index(item.link), 0, flags, 0)
    return Message(_RTM_GETNEIGH, 0, header + wire.attribute(_DST, item.address.packed))


def learned(body: bytes) -> bool:
    """Is this entry one that the kernel found out by itself, so that ours may take its place?"""
    _, _, state, flags, _ = _HEADER.unpack_from(body)
    return not (state & _NUD_PERMANENT or flags & _NTF_PROXY)


def _fdb_body(item: FdbEntry, known: Interfaces) -> bytes:
    """Return an entry of a VXLAN device itself, or of the bridge about one of its ports.

    A bridge calls "permanent" what is its own address; one that never ages out is "noarp" to it.
    """
    state, flags, goal = _NUD_NOARP, _NTF_MASTER, b""
    if item.destination is not None:
        state, flags = _NUD_PERMANENT, _NTF_SELF
        goal = wire.attribute(_DST, item.destination.packed)
    header = _HEADER.pack(AF_BRIDGE, known.index(item.link), state, flags, 0)
    return header + wire.attribute(_LLADDR, mac_bytes(item.mac)) + goal


def _fdb_add(item: FdbEntry, known: Interfaces) -> list[Message]:
    """A port may have learned the MAC from its pod's first packet before it was locked: that gives way."""
    exclusive = wire.EXCL if item.destination is not None else wire.REPLACE
    return [Message(RTM_NEWNEIGH, wire.CREATE | exclusive, _fdb_body(item, known))]


def _fdb_alter(_old: FdbEntry, new: FdbEntry, known: Interfaces) -> list[Message]:
    return [Message(RTM_NEWNEIGH, wire.CREATE | wire.REPLACE, _fdb_body(new, known))]


def _fdb_remove(item: FdbEntry, known: Interfaces) -> list[Message]:
    return [Message(RTM_DELNEIGH, 0, _fdb_body(item, known))]


def _fdb_dumps(known: Interfaces) -> list[Message]:
    """One request for each link of ours with entries; else the kernel lists all ports of all bridges."""
    ours = (each.index for each in known.all() if each.owned and (each.kind == "vxlan" or _locked(each)))
    return [Message(_RTM_GETNEIGH, 0, _HEADER.pack(AF_BRIDGE, index, 0, 0, 0)) for index in ours]


def _locked(link: Interface) -> bool:
    return link.port is not None and wire.as_int(wire.attributes(link.port).get(_BRPORT_LOCKED, b"")) == 1


def _fdb_decode(body: bytes, known: Interfaces, _wanted: Wanted) -> FdbEntry | None:
    family, index, state, flags, _ = _HEADER.unpack_from(body)
    found = wire.attributes(body, _HEADER.size)
    link = known.at(index)
    if family != AF_BRIDGE or link is None or not link.owned or _LLADDR not in found:
        return None
    if _locked(link) and state == _NUD_NOARP and not flags & _NTF_SELF and _VLAN not in found:
        return FdbEntry(link.name, as_mac(found[_LLADDR]))
    if link.kind != "vxlan" or not (flags & _NTF_SELF and state & _NUD_PERMANENT and _DST in found):
        return None
    return FdbEntry(link.name, as_mac(found[_LLADDR]), as_address(found[_DST]))


NEIGHBOURS: Kind[Neighbour] = Kind(Neighbour, RTM_NEWNEIGH, _add, _alter, _remove, _dumps, _decode)
"""Permanent neighbours and proxied addresses; ours by NDA_PROTOCOL, so on anybody's link."""

FDB: Kind[FdbEntry] = Kind(FdbEntry, RTM_NEWNEIGH, _fdb_add, _fdb_alter, _fdb_remove, _fdb_dumps, _fdb_decode)
"""Permanent entries of VXLAN devices and of locked ports of ours: neither keeps a protocol number."""
