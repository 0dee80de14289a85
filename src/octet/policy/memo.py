"""What was found out about a value that never changes, kept by the value itself, not by its content.

What lives here: ``Memo``. What it must not know: what is found out.

Comparing two policies costs as much as reading one; with ten thousand of them that is most of a change.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

MOST = 65536
"""Values remembered; beyond it the oldest half is forgotten."""


class Memo(Generic[K, V]):
    """A function of a frozen value, computed once for each object."""

    def __init__(self, function: Callable[[K], V]) -> None:
        self._function = function
        self._known: dict[int, tuple[K, V]] = {}

    def __call__(self, key: K) -> V:
        """Return what the function returns."""
        held = self._known.get(id(key))
        if held is not None:
            return held[1]
        if len(self._known) >= MOST:
            for old in list(self._known)[: MOST // 2]:
                del self._known[old]
        value = self._function(key)
        self._known[id(key)] = key, value  # holding the key keeps its number from being another's
        return value
