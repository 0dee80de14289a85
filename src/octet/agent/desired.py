"""What this node should hold now, as the sum of contributions: the node's, each peer's, each endpoint's.

What lives here: ``Desired``. Pure. What it must not know: where contributions come from, the kernel.
"""

from collections.abc import Hashable, Mapping
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

    def replace(self, owner: Owner, blueprint: Blueprint) -> Change:
        """Give an owner another contribution; return what changes for the kernel.

        Raises:
            ValueError: another owner wants a different object under one of the keys; nothing changed.
        """
        step = blueprint.change_from(self.part(owner))
        self._refuse_conflicts((*step.add, *(new for _, new in step.alter)), owner)
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
