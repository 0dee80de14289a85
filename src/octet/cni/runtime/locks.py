"""One lock per name, kept only while somebody uses it.

What lives here: Locks. What it must not know: what is locked.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Locks:
    """Calls about one container wait for each other, others run at once (CNI 1.1.0, section 2)."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    def __len__(self) -> int:
        return len(self._locks)

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Run a block while nobody else runs one of the same name."""
        with self._guard:
            lock, users = self._locks.get(name, (threading.Lock(), 0))
            self._locks[name] = lock, users + 1
        try:
            with lock:
                yield
        finally:
            with self._guard:
                _, users = self._locks.pop(name)
                if users > 1:
                    self._locks[name] = lock, users - 1
