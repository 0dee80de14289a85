"""What every family of rtnetlink objects looks like to the facility that batches them.

What lives here: the row of the table of kinds, and what all rows share. A new kind is one row.
What it must not know: any particular kind, sockets, order.
"""

import errno
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Generic, Protocol, TypeVar

from octet.blueprint import KernelObject, Key
from octet.kernel.netlink.interfaces import Interfaces
from octet.kernel.netlink.wire import Message

T = TypeVar("T", bound=KernelObject)

AF_UNSPEC, AF_INET, AF_BRIDGE, AF_INET6 = 0, 2, 7, 10

MAC_BYTES = 6

ABSENT = frozenset({errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.EADDRNOTAVAIL, errno.ENXIO})
"""What the kernel answers to a removal of something that is not there."""


class Wanted(Protocol):
    """What is wanted, by key: a ``Blueprint`` or a mapping. Decoders use it to undo the kernel's defaults."""

    def get(self, key: Key, /) -> KernelObject | None:
        """Return the wanted object of a key, or None."""
        ...

    def __contains__(self, key: object, /) -> bool: ...


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """How one kind of object becomes messages, and messages become objects.

    Attributes:
        of: the blueprint class.
        message: the type of the message that announces one (RTM_NEW...); the one after it (RTM_DEL...)
            announces its end.
        add: messages that create it and fail with EEXIST where it is.
        alter: messages that turn the first into the second, of the same key.
        remove: messages that take away exactly it.
        dumps: requests that list all of them.
        decode: message body to object; None for what is not ours.
    """

    of: type[T]
    message: int
    add: Callable[[T, Interfaces], list[Message]]
    alter: Callable[[T, T, Interfaces], list[Message]]
    remove: Callable[[T, Interfaces], list[Message]]
    dumps: Callable[[Interfaces], Iterable[Message]]
    decode: Callable[[bytes, Interfaces, Wanted], T | None]


def family_of(version: int) -> int:
    """Return the address family of an IP version."""
    return AF_INET if version == 4 else AF_INET6


def as_address(payload: bytes) -> IPv4Address | IPv6Address:
    """Return the address that 4 or 16 bytes hold."""
    return ip_address(payload)


def mac_bytes(mac: str) -> bytes:
    """Return the six bytes of a MAC in colon form."""
    return bytes.fromhex(mac.replace(":", ""))


def as_mac(payload: bytes) -> str:
    """Return the lower-case colon form of a MAC."""
    return payload.hex(":")
