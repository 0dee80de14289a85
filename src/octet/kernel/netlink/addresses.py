"""Addresses on links.

What lives here: RTM_NEWADDR and its kin, both ways. What it must not know: sockets, order, routes.
"""

import struct
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface, IPv6Interface, ip_interface

from octet.blueprint import Address, Scope
from octet.kernel.netlink import wire
from octet.kernel.netlink.interfaces import Interfaces
from octet.kernel.netlink.kind import AF_UNSPEC, Kind, Wanted, as_address, family_of
from octet.kernel.netlink.wire import Message, Socket
from octet.kernel.port import ROUTE_PROTOCOL

RTM_NEWADDR, RTM_DELADDR, _RTM_GETADDR = 20, 21, 22
_HEADER = struct.Struct("=BBBBI")
_ADDRESS, _LOCAL, _FLAGS, _PROTOCOL = 1, 2, 8, 11
_F_TEMPORARY, _F_NODAD, _F_DEPRECATED, _F_TENTATIVE, _F_NOPREFIXROUTE = 0x01, 0x02, 0x20, 0x40, 0x200
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


@dataclass(frozen=True, slots=True)
class Held:
    """An address that a link has, whoever put it there.

    Attributes:
        index: the link's number.
        scope: the kernel's number (rtnetlink(7)).
        flags: IFA_F_*.
        protocol: who put it there (IFA_PROTO, Linux 5.18); 0 where nobody said.
    """

    index: int
    interface: IPv4Interface | IPv6Interface
    scope: int
    flags: int
    protocol: int

    @property
    def usable(self) -> bool:
        """Can it be the source of packets that leave the link: not deprecated, temporary or tentative?"""
        temporary = _F_TEMPORARY if self.interface.version == 6 else 0  # for IPv4 the bit says "secondary"
        return self.scope == 0 and not self.flags & (temporary | _F_DEPRECATED | _F_TENTATIVE)


def held(body: bytes) -> Held:
    """Return the address that an RTM_NEWADDR or RTM_DELADDR body describes."""
    _, prefix, _, scope, index = _HEADER.unpack_from(body)
    found = wire.attributes(body, _HEADER.size)
    interface = ip_interface((as_address(found.get(_LOCAL) or found[_ADDRESS]), prefix))
    flags, protocol = wire.as_int(found.get(_FLAGS, b"")), wire.as_int(found.get(_PROTOCOL, b""))
    return Held(index, interface, scope, flags, protocol)


def everything(socket: Socket) -> list[Held]:
    """Return all addresses of a namespace. Costs a dump."""
    request = Message(_RTM_GETADDR, 0, _HEADER.pack(AF_UNSPEC, 0, 0, 0, 0))
    return [held(body) for kind, body in socket.dump(request) if kind == RTM_NEWADDR]


def _decode(body: bytes, known: Interfaces, wanted: Wanted) -> Address | None:
    """Return an address that we put there, or that is on a link of ours and not the kernel's own.

    The kernel's own is an IPv6 link-local address that does not bear our number.
    """
    found = held(body)
    link, interface = known.at(found.index), found.interface
    ours = found.protocol == ROUTE_PROTOCOL
    if link is None or link.retired or not (ours or (link.owned and not interface.is_link_local)):
        return None
    scope = SCOPE_OF.get(found.scope, Scope.LINK)
    item = Address(link.name, interface, scope, not found.flags & _F_NOPREFIXROUTE)
    want = wanted.get(item.key)
    if interface.version == 6 and isinstance(want, Address):
        return replace(item, scope=want.scope)
    return item


ADDRESSES: Kind[Address] = Kind(Address, RTM_NEWADDR, _add, _alter, _remove, _dumps, _decode)
"""Addresses. The kernel derives an IPv6 address's scope from the address itself."""
