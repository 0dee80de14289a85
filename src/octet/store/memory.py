"""A store in memory, for tests and trials: same rules, same errors, same order of events.

What lives here: the contract kept by two dictionaries and a list. It lives and dies with its process.
What it must not know: files, other processes.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Self

from octet.store import documents
from octet.store.contract import Event, EventType, ExpiredError, Listing, Object, UnavailableError
from octet.store.documents import Key

KEEP = 10_000  # events remembered


class MemoryStore:
    """A store for one event loop. What goes in and comes out are copies, as with any other store.

    Args:
        keep: how many events are remembered.
    """

    def __init__(self, *, keep: int = KEEP) -> None:
        self._keep = keep
        self._bodies: dict[Key, bytes] = {}
        self._log: list[tuple[str, EventType, bytes]] = []
        self._forgotten = 0
        self._changed = asyncio.Event()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def list(self, kind: str) -> Listing:
        """Return every object of a kind, by name, and the revision that this is true at."""
        self._check_open()
        keys = sorted(key for key in self._bodies if key.kind == kind)
        return Listing(documents.Documents([self._bodies[key] for key in keys]), self._revision)

    async def watch(self, kind: str, revision: int) -> AsyncIterator[Event]:
        """Yield every change of a kind after a revision, in order, until the store is closed."""
        self._check_open()
        while not self._closed:
            changed = self._changed
            if not self._forgotten <= revision <= self._revision:
                raise ExpiredError(f"revision {revision} is not in the log", hint="list again")
            if revision == self._revision:
                await changed.wait()
                continue
            found, happened, body = self._log[revision - self._forgotten]
            revision += 1
            if found == kind:
                yield Event(happened, documents.decode(body), revision)

    async def get(self, kind: str, name: str, namespace: str = "") -> Object:
        """Return one object. Raises NotFoundError."""
        return self._held(Key(kind, namespace, name))

    async def create(self, kind: str, item: Object) -> Object:
        """Store a new object and return it with uid and resourceVersion. Raises ConflictError."""
        self._check_open()
        key = documents.key_of(kind, item)
        if key in self._bodies:
            raise documents.existing(key)
        return self._put(key, EventType.ADDED, documents.first(key, item, self._revision + 1))

    async def update(self, kind: str, item: Object) -> Object:
        """Replace an object and return it; equal content changes nothing. Raises as the contract says."""
        key = documents.key_of(kind, item)
        held = self._held(key)
        made = documents.following(key, held, item, self._revision + 1)
        return held if made is None else self._put(key, EventType.MODIFIED, made)

    async def delete(self, kind: str, name: str, namespace: str = "", revision: int | None = None) -> None:
        """Remove an object, if given only at that resourceVersion. Raises NotFoundError, ConflictError."""
        key = Key(kind, namespace, name)
        held = self._held(key)
        documents.same_revision(key, held, revision)
        self._put(key, EventType.DELETED, documents.stamped(held, self._revision + 1))
        del self._bodies[key]

    async def close(self) -> None:
        """End all watches. Idempotent."""
        self._closed = True
        self._wake()

    @property
    def _revision(self) -> int:
        return self._forgotten + len(self._log)

    def _held(self, key: Key) -> dict[str, object]:
        self._check_open()
        if key not in self._bodies:
            raise documents.missing(key)
        return documents.decode(self._bodies[key])

    def _put(self, key: Key, happened: EventType, item: Object) -> Object:
        body = documents.encode(key, item)
        self._bodies[key] = body
        self._log.append((key.kind, happened, body))
        if len(self._log) > self._keep:
            del self._log[0]
            self._forgotten += 1
        self._wake()
        return documents.decode(body)

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _check_open(self) -> None:
        if self._closed:
            raise UnavailableError("this store is closed")
