"""The embedded store: one SQLite file that all agents of a machine share, and no server.

What lives here: the store's contract on top of ``tables`` (what is true) and ``bell`` (when to look).
What it must not know: SQL, and what any kind of object means.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from octet.store import documents
from octet.store.bell import Bell
from octet.store.contract import Event, EventType, Listing, Object, UnavailableError
from octet.store.documents import Key
from octet.store.tables import BusyError, Page, Tables

KEEP = 10_000  # events remembered: what a watcher may be behind before it must list again
PATIENCE = 5.0  # seconds of retries before a busy file counts as unavailable
LOOK = 1.0  # seconds between looks without a ring: a writer may be killed between commit and bell

T = TypeVar("T")


class EmbeddedStore:
    """A store in a file. Calls are short and synchronous inside; ``async with`` opens and closes it.

    Args:
        path: the file, made with mode 0600 where it is not there; ``<path>.watchers/`` appears beside it.
        keep: how many events are remembered.

    Every method may raise UnavailableError (busy for PATIENCE, full, read-only, gone, closed) and
    BadConfigurationError (a damaged, foreign or newer file).
    """

    def __init__(self, path: Path | str, *, keep: int = KEEP) -> None:
        self._path = Path(path)
        self._keep = keep
        self._tables: Tables | None = None
        self._bell = Bell(self._path.with_name(f"{self._path.name}.watchers"))
        self._closed = False

    async def __aenter__(self) -> Self:
        await self._do(lambda _: None)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def list(self, kind: str) -> Listing:
        """Return every object of a kind, by name, and the revision that this is true at."""
        bodies, revision = await self._do(lambda tables: tables.list(kind))
        return Listing(documents.Documents(bodies), revision)

    async def watch(self, kind: str, revision: int) -> AsyncIterator[Event]:
        """Yield every change of a kind after a revision, in order, until the store is closed.

        Raises:
            ExpiredError: the log forgot events after the revision, or never had it.
        """
        await self._do(lambda _: self._listen())
        while not self._closed:
            ring = self._bell.next_ring
            page, seen = await self._do(partial(_look, kind=kind, revision=revision))
            revision = page.revision
            for row in page.rows:
                yield Event(EventType(row.type), documents.decode(row.body), row.revision)
            if not page.more:
                await self._wait(ring, seen)

    async def get(self, kind: str, name: str, namespace: str = "") -> Object:
        """Return one object. Raises NotFoundError."""
        return documents.decode(await self._do(lambda tables: tables.get(Key(kind, namespace, name))))

    async def create(self, kind: str, item: Object) -> Object:
        """Store a new object and return it with uid and resourceVersion. Raises ConflictError."""
        key = documents.key_of(kind, item)
        return await self._write(lambda tables: tables.create(key, item))

    async def update(self, kind: str, item: Object) -> Object:
        """Replace an object and return it; equal content changes nothing. Raises as the contract says."""
        key = documents.key_of(kind, item)
        return await self._write(lambda tables: tables.update(key, item))

    async def delete(self, kind: str, name: str, namespace: str = "", revision: int | None = None) -> None:
        """Remove an object, if given only at that resourceVersion. Raises NotFoundError, ConflictError."""
        key = Key(kind, namespace, name)
        await self._write(lambda tables: tables.delete(key, revision))

    async def close(self) -> None:
        """Let go of the file; watches end. Idempotent."""
        self._closed = True
        self._bell.close()
        if self._tables is not None:
            self._tables.close()
            self._tables = None

    async def _write(self, work: Callable[[Tables], T]) -> T:
        answer = await self._do(work)
        self._bell.ring()
        return answer

    async def _do(self, work: Callable[[Tables], T]) -> T:
        """Do one short piece of work, again while another process holds the file."""
        clock = asyncio.get_running_loop()
        deadline, pause = clock.time() + PATIENCE, 0.002
        while True:
            try:
                return work(self._opened())
            except BusyError:
                if clock.time() > deadline:
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.1)

    def _opened(self) -> Tables:
        if self._closed:
            raise UnavailableError(f"{self._path}: this store is closed")
        if self._tables is None:
            self._tables = Tables(self._path, self._keep)
        self._tables.stay()
        return self._tables

    def _listen(self) -> None:
        try:
            self._bell.listen()
        except OSError as error:
            raise UnavailableError(f"{self._path}.watchers: {error.strerror}") from error

    async def _wait(self, ring: asyncio.Event, seen: int) -> None:
        """Return after a ring, or when a look without one finds that the file changed."""
        while not self._closed:
            try:
                async with asyncio.timeout(LOOK):
                    await ring.wait()
            except TimeoutError:
                if await self._do(Tables.seen) == seen:
                    continue
            return


def _look(tables: Tables, kind: str, revision: int) -> tuple[Page, int]:
    # The number is taken first: what is written after it shows in the next one.
    seen = tables.seen()
    return tables.events(kind, revision), seen
