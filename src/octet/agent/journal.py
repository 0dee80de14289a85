"""The agent's memory of its endpoints, safe against a kill at any point.

What lives here: one SQLite file in the run directory. It is bound to the boot: pods do not survive one, so a
journal of an earlier boot is discarded, and writes need not wait for a disk (``synchronous=OFF`` loses
nothing when a process dies). What it must not know: what the entries mean to a kernel.
"""

import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path

from octet.agent import records
from octet.agent.records import Entry, State
from octet.cluster.endpoint import Attachment
from octet.cluster.reading import Address
from octet.errors import BadConfigurationError

SCHEMA = 1
_BOOT = Path("/proc/sys/kernel/random/boot_id")

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE endpoint (
  network TEXT, container TEXT, interface TEXT, state TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (network, container, interface)) WITHOUT ROWID;
CREATE TABLE freed (number INTEGER PRIMARY KEY AUTOINCREMENT, address TEXT UNIQUE NOT NULL);
"""

CURE = "put back a good copy; without one, octet agent uninstall, and start this node's pods anew"
"""What to do about a journal that is lost: the agent does not guess which pod has which address."""

_WRITE = "INSERT OR REPLACE INTO endpoint VALUES (?, ?, ?, ?, ?)"
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
            try:
                self._make()
            except sqlite3.OperationalError as error:
                raise OSError(errno.ENOSPC, f"{path}: {error}: free some space, then start again") from error
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

    def _make(self) -> None:
        self._base.executescript(_TABLES)
        rows = [("schema", str(SCHEMA)), ("boot", _BOOT.read_text().strip())]
        self._base.executemany("INSERT INTO meta VALUES (?, ?)", rows)

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
