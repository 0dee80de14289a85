"""The underlay: the node's own interface, which carries what leaves the node. Read only.

What lives here: which interface that is, its MTU and addresses. What it must not know: who follows them.
"""

from collections.abc import Collection, Iterable
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv6Address,
    IPv6Interface,
    ip_address,
)
from typing import TypeVar

from octet.cluster.changes import Underlay
from octet.errors import NotReadyError
from octet.kernel.netlink import addresses, interfaces, routes
from octet.kernel.netlink.addresses import Held
from octet.kernel.netlink.interfaces import Interfaces
from octet.kernel.netlink.wire import Socket

_ANYWHERE = tuple(
    ip_address(text)
    for text in ("198.51.100.1", "203.0.113.1", "192.0.2.1", "2001:db8:ffff::1", "3fff:fff::1")
)
"""Documentation addresses (RFC 5737, 3849, 9637): at most a lab has a route of its own to one of them."""

_T = TypeVar("_T", IPv4Interface, IPv6Interface)

NodeAddresses = Collection[IPv4Address | IPv6Address]


def observe(socket: Socket, interface: str = "", node_addresses: NodeAddresses = ()) -> Underlay:
    """Return the underlay of the socket's namespace: the named interface, or the one it must be.

    That is the one with an address of the node; where the node has none yet, the default route's. Of several
    addresses of a family the node's own counts, else the first that reaches beyond the link.

    Raises:
        NotReadyError: there is no such interface now.
    """
    known = interfaces.everything(socket)
    held = addresses.everything(socket)
    index = _choose(socket, interface, known, held, node_addresses)
    found = known.at(index)
    if found is None:
        name = interface or "with an address of the node or a default route"
        raise NotReadyError(f"there is no interface {name}", hint="name it in [underlay] interface")
    here = [each.interface for each in held if each.index == index and each.usable]
    return Underlay(
        found.name,
        found.mtu,
        _best((each for each in here if isinstance(each, IPv4Interface)), node_addresses),
        _best((each for each in here if isinstance(each, IPv6Interface)), node_addresses),
    )


def _choose(
    socket: Socket, name: str, known: Interfaces, held: Iterable[Held], node_addresses: NodeAddresses
) -> int:
    """Return the interface's number; 0 where there is none."""
    if name:
        found = known.get(name)
        return found.index if found else 0
    own = (each.index for each in held if each.interface.ip in node_addresses)
    default = (routes.default_interface(socket, address) for address in _ANYWHERE)
    return next(own, 0) or next((index for index in default if index), 0)


def _best(found: Iterable[_T], node_addresses: NodeAddresses) -> _T | None:
    candidates = list(found)
    own = (each for each in candidates if each.ip in node_addresses)
    return next(own, candidates[0] if candidates else None)
