"""What the kernel refuses, one small check for each kind of object.

What lives here: ``CHECKS``, by class: a new kind is one line. What it must not know: how objects are held.
Errors are those seen from Linux 6.18 for the same request; the contract tests compare the two.
"""

import errno
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from octet.blueprint import (
    Address,
    ConfigFile,
    Daemon,
    FdbEntry,
    FouPort,
    KernelObject,
    Neighbour,
    Route,
    Rule,
    Shaper,
)
from octet.kernel.fake.world import Namespace

_NAME_BYTES = 15  # linux/if.h, IFNAMSIZ - 1


def _on_link(item: Address | Neighbour | FdbEntry | Shaper, here: Namespace) -> None:
    here.device(item.link)


def _shaper(item: Shaper, here: Namespace) -> None:
    here.device(item.link)
    if item.redirect_from is not None:
        here.device(item.redirect_from)


def _route(item: Route, here: Namespace) -> None:
    if item.link is None:
        return
    if not here.device(item.link).link.up:
        raise OSError(errno.ENETDOWN, f"{item.link} is down")
    if item.via is not None and not item.onlink and not _reaches(item.link, item.via, here):
        number = errno.ENETUNREACH if item.via.version == 4 else errno.EHOSTUNREACH
        raise OSError(number, f"the gateway {item.via} is not reached through {item.link}")
    if item.source is not None and not any(item.source == each.interface.ip for each in _addresses(here)):
        raise OSError(errno.EINVAL, f"{item.source} is no address of this namespace")


def _reaches(link: str, gateway: IPv4Address | IPv6Address, here: Namespace) -> bool:
    """Is a gateway on a network of the link, or does a route without gateway lead to it there?"""
    if any(
        each.link == link and each.prefix_route and gateway in each.interface.network
        for each in _addresses(here)
    ):
        return True
    routes = (held.item for held in here.objects.values() if isinstance(held.item, Route))
    direct = (route for route in routes if route.link == link and route.via is None)
    linked = isinstance(gateway, IPv6Address) and gateway.is_link_local
    return linked or any(gateway in route.destination for route in direct)


def _addresses(here: Namespace) -> Iterator[Address]:
    return (held.item for held in here.objects.values() if isinstance(held.item, Address))


def _nothing(_item: KernelObject, _here: Namespace) -> None:
    """The kernel takes any."""


CHECKS: dict[type, Callable[[Any, Namespace], None]] = {
    Address: _on_link,
    Neighbour: _on_link,
    FdbEntry: _on_link,
    Route: _route,
    Rule: _nothing,
    Shaper: _shaper,
    FouPort: _nothing,
    Daemon: _nothing,
    ConfigFile: _nothing,
}
"""By class: raises OSError with the kernel's number where it would refuse."""


def check_name(name: str) -> None:
    """Refuse a link's name that the kernel refuses. Raises OSError."""
    if len(name.encode()) > _NAME_BYTES:
        raise OSError(errno.ERANGE, f"{name} is longer than {_NAME_BYTES} bytes")
    if not name or name in {".", ".."} or any(each in name for each in "/: \t\n"):
        raise OSError(errno.EINVAL, f"{name!r} is no name for a link")
