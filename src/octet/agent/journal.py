"""The agent's memory of its endpoints and of what names mean to them, safe against a kill at any point.

What lives here: one SQLite file in the run directory. It is bound to the boot: pods do not survive one, so a
journal of an earlier boot is discarded, and writes need not wait for a disk (``synchronous=OFF`` loses
nothing when a process dies). What it must not know: what the entries mean to a kernel.
"""

import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path

from octet.agent import records
from octet.agent.records import Entry, State
from octet.cluster.endpoint import Attachment
from octet.cluster.reading import Address
from octet.errors import BadConfigurationError
from octet.policy.book import Pair

SCHEMA = 1
_BOOT = Path("/proc/sys/kernel/random/boot_id")

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE endpoint (
  network TEXT, container TEXT, interface TEXT, state TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (network, container, interface)) WITHOUT ROWID;
CREATE TABLE freed (number INTEGER PRIMARY KEY AUTOINCREMENT, address TEXT UNIQUE NOT NULL);
"""

_LATER = """
CREATE TABLE IF NOT EXISTS learned (
  network TEXT, container TEXT, interface TEXT, name TEXT, address TEXT, until REAL NOT NULL,
  PRIMARY KEY (network, container, interface, name, address)) WITHOUT ROWID;
"""
"""What a journal of an earlier agent has not."""

CURE = "put back a good copy; without one, octet agent uninstall, and start this node's pods anew"
"""What to do about a journal that is lost: the agent does not guess which pod has which address."""

_WRITE = "INSERT OR REPLACE INTO endpoint VALUES (?, ?, ?, ?, ?)"
_UNLEARN = "DELETE FROM learned WHERE network = ? AND container = ? AND interface = ?"
_MARK = "UPDATE endpoint SET state = ? WHERE network = ? AND container = ? AND interface = ?"


class Journal:
    """Entries and the order in which addresses were freed. One writer: the agent holds a lock.

    Attributes:
        problem: why nothing can be written (a full disk); empty while all is well.
    """

    def __init__(self, path: Path) -> None:
        """Open or make the file, mode 0600.

        Raises:
            BadConfigurationError: the file is not ours to read (another schema, damaged).
            OSError: it can't be made (a full disk).
        """
        self.problem = ""
        self._path = path
        self._base = self._open()
        if not self._of_this_boot():
            self._base.close()
            path.unlink()
            self._base = self._open()
            self._make(_TABLES)
            rows = [("schema", str(SCHEMA)), ("boot", _BOOT.read_text().strip())]
            self._base.executemany("INSERT INTO meta VALUES (?, ?)", rows)
        self._make(_LATER)
        self._freed = {str(address) for address in self.freed()}

    def _open(self) -> sqlite3.Connection:
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        base = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            base.execute("PRAGMA journal_mode=WAL")
            base.execute("PRAGMA synchronous=OFF")
        except sqlite3.DatabaseError as error:
            raise BadConfigurationError(str(self._path), "file", "journal", str(error), hint=CURE) from error
        return base

    def _of_this_boot(self) -> bool:
        names = {row[0] for row in self._base.execute("SELECT name FROM sqlite_master WHERE type='table'")}
        if "meta" not in names:
            return False
        held = dict(self._base.execute("SELECT name, value FROM meta"))
        if held.get("schema") != str(SCHEMA):
            problem = f"this agent knows schema {SCHEMA}"
            raise BadConfigurationError(str(self._path), "schema", held.get("schema"), problem)
        return held.get("boot") == _BOOT.read_text().strip()

    def _make(self, tables: str) -> None:
        try:
            self._base.executescript(tables)
        except sqlite3.OperationalError as error:
            problem = f"{self._path}: {error}: free some space, then start again"
            raise OSError(errno.ENOSPC, problem) from error

    def entries(self) -> list[Entry]:
        """Return every entry."""
        rows = self._base.execute("SELECT state, body FROM endpoint").fetchall()
        return [records.decode(state, body) for state, body in rows]

    def freed(self) -> tuple[Address, ...]:
        """Return addresses used once and free, the longest free first."""
        rows = self._base.execute("SELECT address FROM freed ORDER BY number").fetchall()
        return tuple(ip_address(address) for (address,) in rows)

    def write(self, entry: Entry) -> None:
        """Remember an entry, new or changed; its addresses are free no longer."""
        key = entry.attachment
        row = (key.network, key.container, key.interface, str(entry.state), records.encode(entry))
        taken = {str(address) for address in entry.endpoint.addresses} & self._freed
        if not taken or entry.state is not State.ADDING:
            self._execute(_WRITE, row)
            return
        with self._transaction():
            self._base.execute(_WRITE, row)
            self._base.executemany("DELETE FROM freed WHERE address = ?", [(each,) for each in taken])
        self._freed -= taken

    def mark(self, key: Attachment, state: State) -> None:
        """Remember how far an entry has come."""
        self._execute(_MARK, (str(state), key.network, key.container, key.interface))

    def forget(self, entries: Iterable[Entry]) -> None:
        """Drop entries; their addresses join the end of the queue of free ones.

        An entry that is ready is a later one of the same attachment, and stays.
        """
        addresses: set[str] = set()
        with self._transaction():
            for entry in entries:
                key = entry.attachment
                self._base.execute(
                    "DELETE FROM endpoint "
                    "WHERE network = ? AND container = ? AND interface = ? AND state <> ?",
                    (key.network, key.container, key.interface, str(State.READY)),
                )
                freed = [(str(address),) for address in entry.endpoint.addresses]
                self._base.executemany("INSERT OR REPLACE INTO freed (address) VALUES (?)", freed)
                addresses.update(address for (address,) in freed)
        self._freed |= addresses

    def learned(self) -> dict[Attachment, dict[Pair, float]]:
        """Return what names mean to endpoints: until when each address counts, on the clock of this boot."""
        found: dict[Attachment, dict[Pair, float]] = {}
        for *key, name, address, until in self._base.execute("SELECT * FROM learned"):
            found.setdefault(Attachment(*key), {})[name, ip_address(address)] = until
        return found

    def learn(self, key: Attachment, kept: Mapping[Pair, float], gone: Iterable[Pair] = ()) -> None:
        """Remember what an endpoint was answered, and no more what is gone."""
        whose = (key.network, key.container, key.interface)
        with self._transaction():
            for name, address in gone:
                self._base.execute(f"{_UNLEARN} AND name = ? AND address = ?", (*whose, name, str(address)))
            rows = [(*whose, name, str(address), until) for (name, address), until in kept.items()]
            self._base.executemany("INSERT OR REPLACE INTO learned VALUES (?, ?, ?, ?, ?, ?)", rows)

    def unlearn(self, key: Attachment) -> None:
        """Drop what an endpoint was answered."""
        self._execute(_UNLEARN, (key.network, key.container, key.interface))

    def _execute(self, statement: str, values: tuple[object, ...]) -> None:
        """Execute one statement, which is a transaction of its own. Raises OSError as ``_transaction``."""
        try:
            self._base.execute(statement, values)
        except sqlite3.Error as error:
            raise self._unwritable(error) from error
        self.problem = ""

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing. Raises OSError where the file cannot be written (a full disk)."""
        try:
            with self._base:
                self._base.execute("BEGIN")
                yield
        except sqlite3.Error as error:
            raise self._unwritable(error) from error
        self.problem = ""

    def _unwritable(self, error: sqlite3.Error) -> OSError:
        self.problem = f"the journal {self._path} cannot be written: {error}"
        return OSError(errno.EIO, f"{self._path}: {error}")

    def try_again(self) -> None:
        """See whether a journal that could not be written can be now."""
        if self.problem:
            with suppress(OSError):
                self._execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", ("tried", self.problem))

    def close(self) -> None:
        """Let go of the file; idempotent."""
        self._base.close()
