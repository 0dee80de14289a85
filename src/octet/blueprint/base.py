"""The container of desired state and its algebra: union, difference, change.

What lives here: ``Blueprint`` and ``Change``, for any kernel object that has a key.
What it must not know: the kinds of objects, and the order in which a kernel wants them (``kernel.plan``).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

Key = tuple[str | int, ...]
"""Identity of an object within one network namespace; kind first, as in ``("link", "cni0")``."""

_T = TypeVar("_T")


@runtime_checkable
class KernelObject(Protocol):
    """A frozen, hashable value that one network namespace either holds or does not.

    Two objects with one key are two versions of the same thing; equal objects need no change.
    """

    @property
    def key(self) -> Key:
        """Identity within the namespace."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """What separates two blueprints, by key.

    Attributes:
        add: in the new one only.
        alter: in both, with different values: (old, new).
        remove: in the old one only.
    """

    add: tuple[KernelObject, ...] = ()
    alter: tuple[tuple[KernelObject, KernelObject], ...] = ()
    remove: tuple[KernelObject, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.add or self.alter or self.remove)

    def __str__(self) -> str:
        lines = [f"+ {item}" for item in self.add]
        lines += [f"~ {old} -> {new}" for old, new in self.alter]
        lines += [f"- {item}" for item in self.remove]
        return "\n".join(lines)


class Blueprint:
    """An immutable set of kernel objects, one per key.

    Raises:
        ValueError: when two different objects have the same key; equal ones are one.
    """

    __slots__ = ("_objects",)

    def __init__(self, objects: Iterable[KernelObject] = ()) -> None:
        self._objects: dict[Key, KernelObject] = {}
        self._take((item.key, item) for item in objects)

    @classmethod
    def joined(cls, parts: Iterable["Blueprint"]) -> "Blueprint":
        """Return the union of many; ValueError when two disagree about a key."""
        whole = cls()
        for part in parts:
            whole._take(part.items())
        return whole

    def _take(self, items: Iterable[tuple[Key, KernelObject]]) -> None:
        """Hold these, too, while the blueprint is still being made."""
        hold = self._objects.setdefault
        for key, item in items:
            held = hold(key, item)
            if held is not item and held != item:
                raise ValueError(f"two blueprints for {key}: {held} and {item}")

    def __iter__(self) -> Iterator[KernelObject]:
        return iter(self._objects.values())

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, key: object) -> bool:
        return key in self._objects

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Blueprint) and self._objects == other._objects

    def __hash__(self) -> int:
        return hash(frozenset(self._objects.items()))

    def __repr__(self) -> str:
        return f"Blueprint({list(self._objects.values())!r})"

    def __str__(self) -> str:
        return "\n".join(sorted(str(item) for item in self))

    def items(self) -> Iterable[tuple[Key, KernelObject]]:
        """Return the objects with their keys, in insertion order."""
        return self._objects.items()

    def get(self, key: Key) -> KernelObject | None:
        """Return the object with this key, or None."""
        return self._objects.get(key)

    def of(self, kind: type[_T]) -> list[_T]:
        """Return the objects of one class, in insertion order."""
        return [item for item in self if isinstance(item, kind)]

    def __or__(self, other: "Blueprint") -> "Blueprint":
        """Union; ValueError when both hold different objects under one key."""
        return Blueprint.joined((self, other))

    def __sub__(self, other: "Blueprint") -> "Blueprint":
        """Return the objects whose key is not in the other."""
        return Blueprint(item for key, item in self._objects.items() if key not in other)

    def change_from(self, old: "Blueprint") -> Change:
        """Return what must happen for ``old`` to become this."""
        add: list[KernelObject] = []
        alter: list[tuple[KernelObject, KernelObject]] = []
        for key, item in self._objects.items():
            before = old.get(key)
            if before is None:
                add.append(item)
            elif before is not item and before != item:
                alter.append((before, item))
        return Change(tuple(add), tuple(alter), tuple(old - self))


def union(blueprints: Iterable[Blueprint]) -> Blueprint:
    """Return the union of many blueprints; ValueError when two disagree about a key."""
    return Blueprint.joined(blueprints)
