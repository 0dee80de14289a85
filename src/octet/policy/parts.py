"""Contributions by owner, and how many elements they are.

What lives here: ``Parts``. What it must not know: what is in them, and why.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from octet.blueprint import Blueprint
from octet.blueprint.nft import Element, Map, Set

Owner = tuple[object, ...]
"""Who contributes what: ("policy", kind, name)."""

NOTHING = Blueprint()


class Parts(Mapping[Owner, Blueprint]):
    """What each owner contributes. Nobody's element stays in a set that no part declares any more.

    Most are gone by then. But amid slices pods are decided about by views that differ: who is asked of a
    later one, or has yet to be asked of this one, may be in a set that by this one has no such member.

    Attributes:
        changed: those that are different since ``taken``; an empty one where an owner has none any more.
        total: elements of all.
        sizes: the same by the stem of their sets.
    """

    def __init__(self, parts: Mapping[Owner, Blueprint]) -> None:
        self.changed: dict[Owner, Blueprint] = {}
        self.total = 0
        self.sizes: Counter[str] = Counter()
        self._parts: dict[Owner, Blueprint] = {}
        self._declared: Counter[str] = Counter()
        self._held: Counter[str] = Counter()
        for owner, part in parts.items():
            self.replace(owner, part)

    def __getitem__(self, owner: Owner) -> Blueprint:
        return self._parts[owner]

    def __iter__(self) -> Iterator[Owner]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def taken(self) -> dict[Owner, Blueprint]:
        """Take away what has changed."""
        found, self.changed = self.changed, {}
        return found

    def replace(self, owner: Owner, part: Blueprint) -> set[str] | None:
        """Give an owner's part; return the stems of sets with other elements, None where it is as before."""
        held = self._parts.get(owner, NOTHING)
        if part == held:
            return None
        touched = {stem for of, by in ((held, -1), (part, 1)) for stem in self._count(of, by, held, part)}
        self.changed[owner] = part
        if len(part):
            self._parts[owner] = part
        else:
            self._parts.pop(owner, None)
        if any(isinstance(item, Set | Map) and item.key not in part for item in held):
            self._vacate({item.name for item in held if isinstance(item, Set | Map)})
        return touched

    def _vacate(self, sets: set[str]) -> None:
        """Let go of what is left in those of some sets that are not declared any more."""
        gone = {name for name in sets if not self._declared[name]}
        left = {name for name in gone if self._held[name]}
        for owner, part in tuple(self._parts.items()) if left else ():
            kept = [item for item in part if not isinstance(item, Element) or item.of not in left]
            if len(kept) < len(part):
                self.replace(owner, Blueprint(kept))
        for name in gone:
            del self._declared[name], self._held[name]

    def _count(self, items: Blueprint, by: int, held: Blueprint, part: Blueprint) -> Iterator[str]:
        """Count the elements and the sets that only one of two parts has; yield the stems of elements."""
        other = part if items is held else held
        for item in items:
            if isinstance(item, Element) and item.key not in other:
                stem = item.of.rpartition("-")[0]
                self.total += by
                self.sizes[stem] += by
                self._held[item.of] += by
                yield stem
            elif isinstance(item, Set | Map) and item.key not in other:
                self._declared[item.name] += by
