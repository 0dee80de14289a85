"""The order of a change: what must be there before what, and what goes away by itself. Pure.

What lives here: order within one facility and between facilities. What it must not know: sockets, numbers
of links, what is there now.
"""

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

from octet.blueprint import (
    Address,
    Change,
    FdbEntry,
    KernelObject,
    Link,
    Neighbour,
    Route,
    Rule,
    Shaper,
    Sysctl,
    Vxlan,
)
from octet.kernel.facility import Facility

_RANKS: dict[type, int] = {Link: 0, Address: 1, Neighbour: 2, FdbEntry: 3, Route: 4, Rule: 6}
_LINK_SYSCTL = re.compile(r"net/(?:ipv4|ipv6|mpls)/(?:conf|neigh)/(?!all/|default/)([^/]+)/")


def _rank(item: KernelObject) -> int:
    """A route through a gateway needs the link route that reaches the gateway."""
    behind_gateway = isinstance(item, Route) and item.via is not None
    return _RANKS.get(type(item), 9) + behind_gateway


def ordered(items: Iterable[KernelObject]) -> list[KernelObject]:
    """Return objects in the order in which they can be added; they are removed in the reverse."""
    return sorted(items, key=_rank)


def link_of_sysctl(item: Sysctl) -> str | None:
    """Return the link that a sysctl belongs to; None for one of the whole namespace."""
    found = _LINK_SYSCTL.match(item.path)
    return found[1] if found else None


def links_named(item: KernelObject) -> set[str]:
    """Return the names of the links whose numbers an object's messages need."""
    if isinstance(item, Link):
        return {item.name} | _below(item)
    link = getattr(item, "link", None)
    return {link} if isinstance(link, str) else set()


def _below(link: Link) -> set[str]:
    """Return the links that must exist before this one can be as wanted."""
    lower = link.detail.lower if isinstance(link.detail, Vxlan) else None
    return {name for name in (link.master, lower) if name}


def levels(links: Iterable[Link]) -> Iterator[list[Link]]:
    """Yield links in groups, each needing only earlier groups and links outside; a circle comes last."""
    waiting = {link.name: link for link in links}
    while waiting:
        ready = [link for link in waiting.values() if not _below(link) & waiting.keys()]
        ready = ready or list(waiting.values())
        for link in ready:
            del waiting[link.name]
        yield ready


@dataclass(frozen=True, slots=True)
class Stage:
    """One call of one facility."""

    facility: Facility
    change: Change


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole change in order.

    Attributes:
        gone: removals that need nothing, because what they are on is removed.
        unknown: objects that no facility knows.
    """

    stages: tuple[Stage, ...]
    gone: tuple[KernelObject, ...] = ()
    unknown: tuple[KernelObject, ...] = ()


def part_of(item: KernelObject, links: Container[str]) -> bool:
    """Is the object a setting or a shaper of one of these links, which comes and goes with it?"""
    if isinstance(item, Sysctl):
        return link_of_sysctl(item) in links
    return isinstance(item, Shaper) and item.link in links


def _part(change: Change, facility: Facility, gone: set[KernelObject]) -> Change:
    return Change(
        tuple(item for item in change.add if facility.handles(item)),
        tuple(pair for pair in change.alter if facility.handles(pair[1])),
        tuple(item for item in change.remove if item not in gone and facility.handles(item)),
    )


def plan(change: Change, facilities: Sequence[Facility]) -> Plan:
    """Return who does what, in order: additions down the list of facilities, then removals up the list.

    An atomic facility is not split. It comes first when it adds anything, so that what filters packets is in
    force before a link can carry them, and last when it only removes.
    """
    going = {item.name for item in change.remove if isinstance(item, Link)}
    gone = tuple(item for item in change.remove if part_of(item, going))  # to put back would open a gap
    parts = [(facility, _part(change, facility, set(gone))) for facility in facilities]
    stages = _stages(parts)
    return Plan(tuple(stage for stage in stages if stage.change), gone, tuple(_unknown(change, facilities)))


def _stages(parts: Sequence[tuple[Facility, Change]]) -> Iterator[Stage]:
    whole = [(facility, part) for facility, part in parts if facility.atomic]
    split = [(facility, part) for facility, part in parts if not facility.atomic]
    yield from (Stage(facility, part) for facility, part in whole if _adds(part))
    yield from (Stage(facility, Change(part.add, part.alter)) for facility, part in split)
    yield from (Stage(facility, Change(remove=part.remove)) for facility, part in reversed(split))
    yield from (Stage(facility, part) for facility, part in whole if not _adds(part))


def _adds(part: Change) -> bool:
    return bool(part.add or part.alter)


def _unknown(change: Change, facilities: Sequence[Facility]) -> Iterator[KernelObject]:
    for item in (*change.add, *(new for _, new in change.alter), *change.remove):
        if not any(each.handles(item) for each in facilities):
            yield item
