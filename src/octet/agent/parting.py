"""Sessions with nodes that are wanted no more stay for a while: what takes their place must be up first.

What lives here: ``Parting``. What it must not know: why a session goes, the store, the kernel.
"""

from collections.abc import Callable
from functools import partial

from octet.blueprint import Blueprint
from octet.transport.bgp import alone

PATIENCE = 5.0
"""Seconds that a session with a node outlives the decision against it. Each node decides at its own moment;
a reflector that restarts gracefully tells again after some two."""


class Parting:
    """What is kept of nodes' contributions.

    Attributes:
        later: has something done after ``PATIENCE``; None, and nothing is kept.
    """

    def __init__(self, again: Callable[[str], None]) -> None:
        """Make it; ``again`` has a node decided about once more."""
        self.later: Callable[[Callable[[], None]], object] | None = None
        self._again = again
        self._waiting: set[str] = set()
        self._over: set[str] = set()

    def kept(self, name: str, before: Blueprint, after: Blueprint) -> Blueprint:
        """Return what a node contributes, with the session that it had before while its time is not over."""
        going = [item for item in before if alone(item.key) and item.key not in after]
        if not going or self.later is None or name in self._over:
            self._over.discard(name)
            self._waiting.discard(name)
            return after
        if name not in self._waiting:
            self._waiting.add(name)
            self.later(partial(self._end, name))
        return Blueprint([*after, *going])

    def _end(self, name: str) -> None:
        if name in self._waiting:
            self._over.add(name)
            self._again(name)
