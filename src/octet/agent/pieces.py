"""A large change in pieces, so that a pod need not wait for five thousand peers.

What lives here: ``pieces``. Pure. What it must not know: who wants the change, the kernel.
"""

from collections.abc import Iterator, Mapping, Sequence

from octet.blueprint import Change, FdbEntry, KernelObject, Key, Neighbour, Route
from octet.blueprint.nft import Element, NftObject, Set
from octet.kernel.plan import ordered

MANY = (Route, Neighbour, FdbEntry)
"""Kinds of which a node may hold thousands: a few for each peer."""

SIZE = 400
"""Objects in one piece, some 10 ms of work."""


def pieces(change: Change, size: int = SIZE) -> Iterator[Change]:
    """Yield changes which, one after the other, make the whole; additions still come before removals.

    What there is little of stays together: links and what they need first, their removal last. So does
    nftables, whose transaction must not be split, but for sets that come: until the rules that ask for them
    come too, in the last transaction, what is in them means nothing.
    """
    filling, rest = _coming_sets(change, size)
    count = len(rest.add) + len(rest.alter) + len(rest.remove)
    parts = (rest,) if count <= size else (*_arriving(rest, size), *_leaving(rest, size))
    yield from (part for part in (*filling, *parts) if part)


def _coming_sets(change: Change, size: int) -> tuple[list[Change], Change]:
    """Take large sets that a change declares out of it: their declarations, then what is in them."""
    declared = {item.name: item for item in change.add if isinstance(item, Set)}
    inside = [item for item in change.add if isinstance(item, Element) and item.of in declared]
    if len(inside) <= size:
        return [], change
    filled = {item.of for item in inside}
    sets = tuple(item for name, item in declared.items() if name in filled)
    taken = {item.key for item in sets} | {item.key for item in inside}
    left = tuple(item for item in change.add if item.key not in taken)
    filling = [Change(add=tuple(part)) for part in _split(inside, size)]
    return [Change(add=sets), *filling], Change(left, change.alter, change.remove)


def _arriving(change: Change, size: int) -> Iterator[Change]:
    olds = {new.key: old for old, new in change.alter}
    items = [*change.add, *(new for _, new in change.alter)]
    first = _arrival([item for item in items if not isinstance(item, MANY)], olds)
    rules = tuple(item for item in change.remove if isinstance(item, NftObject))
    yield Change(first.add, first.alter, rules)
    for part in _split(ordered(item for item in items if isinstance(item, MANY)), size):
        yield _arrival(part, olds)


def _arrival(items: Sequence[KernelObject], olds: Mapping[Key, KernelObject]) -> Change:
    return Change(
        tuple(item for item in items if item.key not in olds),
        tuple((olds[item.key], item) for item in items if item.key in olds),
    )


def _leaving(change: Change, size: int) -> Iterator[Change]:
    items = [item for item in change.remove if not isinstance(item, NftObject)]
    for part in _split([item for item in items if isinstance(item, MANY)], size):
        yield Change(remove=tuple(part))
    yield Change(remove=tuple(item for item in items if not isinstance(item, MANY)))


def _split(items: Sequence[KernelObject], size: int) -> Iterator[Sequence[KernelObject]]:
    return (items[start : start + size] for start in range(0, len(items), size))
