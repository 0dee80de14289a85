"""The SQLite file: tables, transactions, and what SQLite's errors mean. One connection, synchronous.

What lives here: the schema and every SQL statement. What it must not know: event loops, watchers, retries.
Consistency is SQLite's: each change is one transaction in the write-ahead log, so a killed writer leaves
all of it or nothing (sqlite.org/wal.html; ``synchronous=NORMAL`` may lose the last ones with the power only).
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from octet.errors import BadConfigurationError
from octet.store import documents
from octet.store.contract import EventType, ExpiredError, Object, UnavailableError
from octet.store.documents import Key

APPLICATION = 0x4F435445  # "OCTE", PRAGMA application_id: the file is ours
VERSION = 1  # PRAGMA user_version: the version of SCHEMA
BUSY_MS = 50  # how long one call may block for another writer; a transaction takes well under 1 ms
PAGE = 500  # events read at once

SCHEMA = """
CREATE TABLE state (revision INTEGER NOT NULL);
INSERT INTO state VALUES (0);
CREATE TABLE objects (kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL,
    UNIQUE (kind, namespace, name));
CREATE TABLE events (revision INTEGER PRIMARY KEY, kind TEXT NOT NULL, type TEXT NOT NULL,
    body BLOB NOT NULL);
CREATE INDEX events_by_kind ON events (kind, revision);
"""

BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}  # ERROR: a table is missing


class BusyError(UnavailableError):
    """Another process is writing: the same call may do in some milliseconds."""


class Row(NamedTuple):
    """One event as it is kept."""

    revision: int
    type: str
    body: bytes


class Page(NamedTuple):
    """The next events of a kind.

    Attributes:
        revision: what a watch that has seen these events has seen.
        more: ask again at once.
    """

    rows: tuple[Row, ...]
    revision: int
    more: bool


class Tables:
    """One connection to the file, which is made and prepared where it is not there.

    Args:
        path: the file; its directory must exist.
        keep: how many events are remembered.

    Raises:
        BadConfigurationError: the file is damaged, not ours, or of a newer version.
        UnavailableError: it cannot be opened now.
    """

    def __init__(self, path: Path, keep: int) -> None:
        self._path = path
        self._keep = keep
        self._make()
        self._file = self._inode()  # before it is opened: a file put in its place meanwhile shows
        with self._translated():
            self._db = sqlite3.connect(
                f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None, timeout=BUSY_MS / 1000
            )
        try:
            with self._translated():
                self._prepare()
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the connection. Idempotent."""
        self._db.close()

    def stay(self) -> None:
        """Raise UnavailableError where the path does not lead to this file any more.

        Another file is not opened, nor a new one made: to watchers it would read as a cluster that lost its
        nodes, and beside the old file's log it may be misread (sqlite.org/howtocorrupt.html, 1.4).
        """
        if self._inode() != self._file:
            raise UnavailableError(f"{self._path} is gone, or another file", hint="start again")

    def seen(self) -> int:
        """Return a number that differs after another connection wrote (PRAGMA data_version)."""
        with self._translated():
            version: int = self._one("PRAGMA data_version")
        return version

    def list(self, kind: str) -> tuple[tuple[bytes, ...], int]:
        """Return the bodies of a kind in the order of their names, and the revision this is true at."""
        with self._transaction("DEFERRED"):
            query = "SELECT body FROM objects WHERE kind = ? ORDER BY namespace, name"
            bodies = tuple(body for (body,) in self._db.execute(query, (kind,)))
            return bodies, self._revision()

    def events(self, kind: str, after: int) -> Page:
        """Return the next events of a kind. Raises ExpiredError where some are forgotten."""
        with self._transaction("DEFERRED"):
            newest = self._revision()
            oldest = self._one("SELECT min(revision) FROM events") or newest + 1
            if not oldest - 1 <= after <= newest:
                raise ExpiredError(
                    f"{self._path}: revision {after} is not in the log of {oldest} to {newest}",
                    hint="list again",
                )
            query = (
                "SELECT revision, type, body FROM events WHERE kind = ? AND revision > ?"
                " ORDER BY revision LIMIT ?"
            )
            rows = tuple(Row(*row) for row in self._db.execute(query, (kind, after, PAGE)))
        more = len(rows) == PAGE
        return Page(rows, rows[-1].revision if more else newest, more)

    def get(self, key: Key) -> bytes:
        """Return an object's body. Raises NotFoundError."""
        with self._translated():
            body = self._body(key)
        if body is None:
            raise documents.missing(key)
        return body

    def create(self, key: Key, item: Object) -> dict[str, Any]:
        """Store a new object and return it. Raises ConflictError."""
        with self._transaction("IMMEDIATE"):
            if self._body(key) is not None:
                raise documents.existing(key)
            revision = self._revision() + 1
            made = documents.first(key, item, revision)
            body = documents.encode(key, made)
            self._db.execute("INSERT INTO objects VALUES (?, ?, ?, ?)", (*key, body))
            self._log(revision, key, EventType.ADDED, body)
        return documents.decode(body)

    def update(self, key: Key, item: Object) -> dict[str, Any]:
        """Replace an object and return it. Raises NotFoundError, ConflictError."""
        with self._transaction("IMMEDIATE"):
            held = documents.decode(self.get(key))
            revision = self._revision() + 1
            made = documents.following(key, held, item, revision)
            if made is None:
                return held
            body = documents.encode(key, made)
            self._db.execute(
                "UPDATE objects SET body = ? WHERE kind = ? AND namespace = ? AND name = ?", (body, *key)
            )
            self._log(revision, key, EventType.MODIFIED, body)
        return made

    def delete(self, key: Key, revision: int | None) -> None:
        """Remove an object. Raises NotFoundError, ConflictError."""
        with self._transaction("IMMEDIATE"):
            held = documents.decode(self.get(key))
            documents.same_revision(key, held, revision)
            self._db.execute("DELETE FROM objects WHERE kind = ? AND namespace = ? AND name = ?", key)
            now = self._revision() + 1
            self._log(now, key, EventType.DELETED, documents.encode(key, documents.stamped(held, now)))

    def _log(self, revision: int, key: Key, happened: EventType, body: bytes) -> None:
        """Record a change; every revision has one, so the log has no gaps and forgets from its beginning."""
        self._db.execute("UPDATE state SET revision = ?", (revision,))
        self._db.execute("INSERT INTO events VALUES (?, ?, ?, ?)", (revision, key.kind, happened.value, body))
        self._db.execute("DELETE FROM events WHERE revision <= ?", (revision - self._keep,))

    def _revision(self) -> int:
        revision: int = self._one("SELECT revision FROM state")
        return revision

    def _body(self, key: Key) -> bytes | None:
        query = "SELECT body FROM objects WHERE kind = ? AND namespace = ? AND name = ?"
        row = self._db.execute(query, key).fetchone()
        return None if row is None else row[0]

    def _one(self, query: str) -> Any:
        return self._db.execute(query).fetchone()[0]

    @contextmanager
    def _transaction(self, mode: str) -> Iterator[None]:
        with self._translated():
            self._db.execute(f"BEGIN {mode}")
            try:
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_MISUSE) & 0xFF  # without its extension
            if code in BUSY:
                raise BusyError(f"{self._path}: {error}") from error
            if code in BROKEN:
                raise self._refusal("content", str(error), "is not a usable store") from error
            raise UnavailableError(f"{self._path}: {error}") from error

    def _make(self) -> None:
        """Make an empty file only its owner can read; SQLite gives its companions the same mode.

        Only a new file is ever opened here: closing a second descriptor of a file drops the locks that
        SQLite holds on it in this process (sqlite.org/howtocorrupt.html, 2.2).
        """
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            return
        except (FileNotFoundError, NotADirectoryError):
            raise self._refusal("directory", str(self._path.parent), "is not there") from None
        except OSError as error:
            raise UnavailableError(f"{self._path}: {error.strerror}") from error

    def _prepare(self) -> None:
        """Check that the file is ours; write the schema where it is new. Others may do so at this moment."""
        if self._marks() == (0, 0):
            with self._transaction("IMMEDIATE"):
                if self._marks() == (0, 0) and not self._one("SELECT count(*) FROM sqlite_master"):
                    for statement in SCHEMA.split(";"):
                        self._db.execute(statement)
                    self._db.execute(f"PRAGMA application_id = {APPLICATION}")
                    self._db.execute(f"PRAGMA user_version = {VERSION}")
        application, version = self._marks()
        if application != APPLICATION:
            raise self._refusal("content", f"application {application}", "is another program's database")
        if version > VERSION:
            raise self._refusal(
                "schema version",
                version,
                f"is newer than version {VERSION}, the newest that this Octet knows",
                "use the Octet that made it, or another file",
            )
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")

    def _marks(self) -> tuple[int, int]:
        return self._one("PRAGMA application_id"), self._one("PRAGMA user_version")

    def _refusal(self, field: str, value: object, problem: str, hint: str = "") -> BadConfigurationError:
        return BadConfigurationError(str(self._path), field, value, problem, hint=hint)

    def _inode(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino
