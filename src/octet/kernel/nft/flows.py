"""Which connections a change of translation maps makes out of date.

What lives here: from changed elements to ``conntrack.Flow``. What it must not know: what the maps are for.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from octet.blueprint import Change, KernelObject
from octet.blueprint.nft import Element
from octet.blueprint.nft.values import PROTOCOLS
from octet.kernel.conntrack import Flow

LASTING = "udp"
"""The protocol whose clients never say that a connection ended; TCP and SCTP find out by themselves."""


def outdated(change: Change) -> Iterator[Flow]:
    """Yield the UDP connections that were decided before the change and would be decided otherwise after it.

    Of a translation that goes, those that it made; of one that comes, all to its port, whoever answers now;
    but where the key names the goal, too, it is one of several, and what others answer goes on.
    """
    for item in change.remove:
        yield from _made_by(item)
    for old, new in change.alter:
        yield from _made_by(old)
        yield from _due_to(new)
    for item in change.add:
        yield from _due_to(item)


def _made_by(item: KernelObject) -> Iterator[Flow]:
    for address in _goal(item):
        yield from _flows(item, address.version, address)


def _due_to(item: KernelObject) -> Iterator[Flow]:
    for address in _goal(item):
        if not isinstance(item, Element) or address not in item.values:
            yield from _flows(item, address.version, None)


def _goal(item: KernelObject) -> Iterator[IPv4Address | IPv6Address]:
    """Yield the address that a translating element leads to; nothing for other objects."""
    if isinstance(item, Element) and isinstance(item.target, tuple):
        yield from (value for value in item.target if isinstance(value, IPv4Address | IPv6Address))


def _flows(item: KernelObject, family: int, answered_by: IPv4Address | IPv6Address | None) -> Iterator[Flow]:
    if not isinstance(item, Element) or LASTING not in item.values:
        return
    ports = [value for value in item.values if isinstance(value, int)]
    addresses = [value for value in item.values if isinstance(value, IPv4Address | IPv6Address)]
    if ports:
        destination = addresses[0] if addresses else None
        yield Flow(family, PROTOCOLS[LASTING], ports[0], destination, answered_by)
