"""Drift: what the kernel told that happened, and whether it is a difference that we did not make. Pure.

What lives here: the events of ``monitor``, and the judgement by content: after a change of our own the kernel
holds what is wanted, so its news are no drift. What it must not know: sockets; how drift is repaired.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from octet.blueprint import KernelObject, Key, Shaper
from octet.kernel.plan import links_named


@dataclass(frozen=True, slots=True)
class Seen:
    """An object of ours is there, new or changed."""

    item: KernelObject


@dataclass(frozen=True, slots=True)
class Gone:
    """The object of this key is not there, or is not ours any more."""

    key: Key


@dataclass(frozen=True, slots=True)
class Overflow:
    """News were lost (ENOBUFS, netlink(7)): only a full comparison tells what is true."""


@dataclass(frozen=True, slots=True)
class TableTouched:
    """Another program changed our nftables table."""


@dataclass(frozen=True, slots=True)
class TableGone:
    """Another program took our nftables table away: nothing is denied until it is back."""


@dataclass(frozen=True, slots=True)
class ShapingLost:
    """A queue or filter of traffic control is gone from a link."""

    link: str


@dataclass(frozen=True, slots=True)
class UnderlayChanged:
    """A link that is not ours, its addresses, or the default route through it changed: observe it again.

    Attributes:
        link: its name; empty where the kernel named none.
        lost: it went down or away, or lost an address: the kernel drops IPv4 routes then without a word.
    """

    link: str
    lost: bool = False


Event = Seen | Gone | Overflow | TableTouched | TableGone | ShapingLost | UnderlayChanged


def is_drift(event: Event, desired: Mapping[Key, KernelObject]) -> bool:
    """Does an event mean that the kernel may not hold what is desired?"""
    match event:
        case Overflow() | TableTouched() | TableGone():
            return True
        case Seen(item):
            return desired.get(item.key, item) != item
        case Gone(key):
            return key in desired
        case ShapingLost(link):
            shapers = (item for item in desired.values() if isinstance(item, Shaper))
            return any(link in {shaper.link, shaper.redirect_from} for shaper in shapers)
        case UnderlayChanged(link, lost):
            return lost and any(link in links_named(item) for item in desired.values())
