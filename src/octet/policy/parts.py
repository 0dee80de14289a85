"""Contributions by owner, and how many elements they are.

What lives here: ``Parts``. What it must not know: what is in them, and why.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from octet.blueprint import Blueprint
from octet.blueprint.nft import Element

Owner = tuple[object, ...]
"""Who contributes what: ("policy", kind, name)."""

NOTHING = Blueprint()


class Parts(Mapping[Owner, Blueprint]):
    """What each owner contributes.

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
        return touched

    def _count(self, items: Blueprint, by: int, held: Blueprint, part: Blueprint) -> Iterator[str]:
        """Count the elements that only one of two parts has."""
        other = part if items is held else held
        for item in items:
            if isinstance(item, Element) and item.key not in other:
                stem = item.of.rpartition("-")[0]
                self.total += by
                self.sizes[stem] += by
                yield stem
