"""Which addresses a node's kernel leads somewhere, whoever told it to: before one is freed, this is asked.

What lives here: one dump of routes. What it must not know: whose addresses they should be.
"""

from ipaddress import IPv4Address, IPv6Address

from octet.blueprint import Blueprint, RouteKind
from octet.kernel.netlink import addresses, interfaces, routes
from octet.kernel.netlink.kind import AF_INET, AF_INET6
from octet.kernel.netlink.wire import Socket

Addresses = frozenset[IPv4Address | IPv6Address]


def in_use(socket: Socket) -> Addresses:
    """Return the addresses that are on an interface or have a route of their own. Raises OSError."""
    known = interfaces.everything(socket)
    found = {held.interface.ip for held in addresses.everything(socket)}
    for request in routes.everyones(AF_INET, AF_INET6):
        for message, body in socket.dump(request):
            route = routes.anyones(body, known, Blueprint()) if message == routes.RTM_NEWROUTE else None
            if route is None or route.kind is not RouteKind.UNICAST:
                continue
            if route.destination.prefixlen == route.destination.max_prefixlen:
                found.add(route.destination.network_address)
    return frozenset(found)
