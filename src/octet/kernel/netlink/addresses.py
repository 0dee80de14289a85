"""Addresses on links.

What lives here: RTM_NEWADDR and its kin, both ways. What it must not know: sockets, order, routes.
"""

import struct
from ipaddress import IPv6Interface, ip_interface

from octet.blueprint import Address, Blueprint, Scope
from octet.kernel.netlink import wire
from octet.kernel.netlink.interfaces import Interfaces
from octet.kernel.netlink.kind import AF_INET6, AF_UNSPEC, Kind, as_address, family_of
from octet.kernel.netlink.wire import Message
from octet.kernel.port import ROUTE_PROTOCOL

RTM_NEWADDR, RTM_DELADDR, _RTM_GETADDR = 20, 21, 22
_HEADER = struct.Struct("=BBBBI")
_ADDRESS, _LOCAL, _FLAGS, _PROTOCOL = 1, 2, 8, 11
_F_NODAD, _F_NOPREFIXROUTE = 0x02, 0x200
SCOPES = {Scope.GLOBAL: 0, Scope.LINK: 253, Scope.HOST: 254}
SCOPE_OF = {number: scope for scope, number in SCOPES.items()}


def _body(item: Address, known: Interfaces) -> bytes:
    interface = item.interface
    flags = 0 if item.prefix_route else _F_NOPREFIXROUTE
    flags |= _F_NODAD if interface.version == 6 else 0
    header = _HEADER.pack(
        family_of(interface.version),
        interface.network.prefixlen,
        flags & 0xFF,
        SCOPES[item.scope],
        known.index(item.link),
    )
    packed = interface.ip.packed
    both = wire.attribute(_LOCAL, packed) + wire.attribute(_ADDRESS, packed)
    return header + both + wire.u32(_FLAGS, flags) + wire.u8(_PROTOCOL, ROUTE_PROTOCOL)


def _add(item: Address, known: Interfaces) -> list[Message]:
    return [Message(RTM_NEWADDR, wire.CREATE | wire.EXCL, _body(item, known))]


def _remove(item: Address, known: Interfaces) -> list[Message]:
    return [Message(RTM_DELADDR, 0, _body(item, known))]


def _alter(old: Address, new: Address, known: Interfaces) -> list[Message]:
    """Scope and the connected route's existence are fixed when an address is added."""
    return _remove(old, known) + _add(new, known)


def _dumps(_known: Interfaces) -> list[Message]:
    return [Message(_RTM_GETADDR, 0, _HEADER.pack(AF_UNSPEC, 0, 0, 0, 0))]


def _decode(body: bytes, known: Interfaces, wanted: Blueprint) -> Address | None:
    """Return an address on a link of ours, unless the kernel made it by itself (IPv6 link-local)."""
    family, prefix, _, scope, index = _HEADER.unpack_from(body)
    link = known.at(index)
    if link is None or not link.owned:
        return None
    found = wire.attributes(body, _HEADER.size)
    interface = ip_interface((as_address(found.get(_LOCAL) or found[_ADDRESS]), prefix))
    if isinstance(interface, IPv6Interface) and not _is_ours(interface, found):
        return None
    flags = wire.as_int(found.get(_FLAGS, b""))
    item = Address(link.name, interface, SCOPE_OF.get(scope, Scope.LINK), not flags & _F_NOPREFIXROUTE)
    want = wanted.get(item.key)
    if family == AF_INET6 and isinstance(want, Address):
        return Address(item.link, interface, want.scope, item.prefix_route)
    return item


def _is_ours(interface: IPv6Interface, found: dict[int, bytes]) -> bool:
    return not interface.is_link_local or wire.as_int(found.get(_PROTOCOL, b"")) == ROUTE_PROTOCOL


ADDRESSES: Kind[Address] = Kind(Address, RTM_NEWADDR, _add, _alter, _remove, _dumps, _decode)
"""Addresses. The kernel derives an IPv6 address's scope from the address itself."""
