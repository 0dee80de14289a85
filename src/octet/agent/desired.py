"""What this node should hold now, as the sum of contributions: the node's, each peer's, each endpoint's.

What lives here: ``Desired``. Pure. What it must not know: where contributions come from, the kernel.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from octet.blueprint import Blueprint, Change, KernelObject, Key

Owner = Hashable
"""Who contributes: ("node",), ("peer", name), an Attachment."""


class Desired:
    """Contributions by owner; an object that several owners want equally is held until the last lets go."""

    def __init__(self) -> None:
        self._parts: dict[Owner, Blueprint] = {}
        self._objects: dict[Key, KernelObject] = {}
        self._wanted_by: dict[Key, int] = {}
        self._noted: set[Key] = set()

    @property
    def objects(self) -> Mapping[Key, KernelObject]:
        """Everything wanted, by key; a live view."""
        return MappingProxyType(self._objects)

    def owners(self) -> list[Owner]:
        """Return who contributes now."""
        return list(self._parts)

    def part(self, owner: Owner) -> Blueprint:
        """Return one owner's contribution; empty where there is none."""
        return self._parts.get(owner, Blueprint())

    def blueprint(self) -> Blueprint:
        """Return everything wanted."""
        return Blueprint(self._objects.values())

    @contextmanager
    def noting(self) -> Iterator[set[Key]]:
        """Collect the keys of everything that changes meanwhile: what was read before is no news of them."""
        self._noted = set()
        yield self._noted

    def still(self, change: Change) -> Change:
        """Return what of a change is still wanted, where time has passed since it was found."""
        held = self._objects
        return Change(
            tuple(item for item in change.add if held.get(item.key) == item),
            tuple((old, new) for old, new in change.alter if held.get(new.key) == new),
            tuple(item for item in change.remove if item.key not in held),
        )

    def replace(self, owner: Owner, blueprint: Blueprint) -> Change:
        """Give an owner another contribution; return what changes for the kernel.

        Raises:
            ValueError: another owner wants a different object under one of the keys; nothing changed.
        """
        step = blueprint.change_from(self.part(owner))
        self._refuse_conflicts((*step.add, *(new for _, new in step.alter)), owner)
        self._noted.update(item.key for item in (*step.add, *step.remove))
        self._noted.update(new.key for _, new in step.alter)
        added = tuple(item for item in step.add if self._want(item))
        for _, new in step.alter:
            self._objects[new.key] = new
        removed = tuple(item for item in step.remove if self._let_go(item))
        if len(blueprint):
            self._parts[owner] = blueprint
        else:
            self._parts.pop(owner, None)
        return Change(added, step.alter, removed)

    def _refuse_conflicts(self, items: tuple[KernelObject, ...], owner: Owner) -> None:
        mine = self.part(owner)
        for item in items:
            held = self._objects.get(item.key)
            others = self._wanted_by.get(item.key, 0) - (item.key in mine)
            if held is not None and others > 0 and held != item:
                raise ValueError(f"{owner} wants {item}, and another has {held}")

    def _want(self, item: KernelObject) -> bool:
        self._wanted_by[item.key] = self._wanted_by.get(item.key, 0) + 1
        self._objects[item.key] = item
        return self._wanted_by[item.key] == 1

    def _let_go(self, item: KernelObject) -> bool:
        self._wanted_by[item.key] -= 1
        if self._wanted_by[item.key]:
            return False
        del self._wanted_by[item.key], self._objects[item.key]
        return True


def merged(changes: Iterable[Change]) -> Change:
    """Return what several changes, one after the other, come to together."""
    before: dict[Key, KernelObject | None] = {}
    after: dict[Key, KernelObject | None] = {}
    for change in changes:
        steps: list[tuple[KernelObject | None, KernelObject | None]] = [
            *((old, None) for old in change.remove),
            *change.alter,
            *((None, new) for new in change.add),
        ]
        for old, new in steps:
            key = _key(old, new)
            before.setdefault(key, old)
            after[key] = new
    return _between(before, after)


def _key(old: KernelObject | None, new: KernelObject | None) -> Key:
    item = old or new
    return item.key if item is not None else ()


def _between(before: Mapping[Key, KernelObject | None], after: Mapping[Key, KernelObject | None]) -> Change:
    pairs = [(before[key], new) for key, new in after.items()]
    return Change(
        tuple(new for old, new in pairs if old is None and new is not None),
        tuple((old, new) for old, new in pairs if old is not None and new is not None and old != new),
        tuple(old for old, new in pairs if old is not None and new is None),
    )
