"""Which labs exist: one directory each, alive as long as somebody holds its lock.

What lives here: the place, entries, locks, sweeping what killed labs left. What it must not know: what a lab
does.

The lock is flock(2) on an open file that janitor and supervisor of a lab share: the kernel lets go of it when
both are gone, however they went, so a stale entry is told from a live one without process ids.
"""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from octet.errors import NotFoundError, OctetError

SPEC, CONTROL, LOGS = "lab.json", "control.sock", "logs"
_LOCK, _NEW = "lock", ".new-"
_BEING_MADE = 60.0
ENVIRONMENT = "OCTET_LAB_DIR"
"""Names another place for the registry."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One lab's directory."""

    path: Path

    @property
    def name(self) -> str:
        """The lab's name."""
        return self.path.name

    @property
    def logs(self) -> Path:
        """Where its processes write: ``<node>.log``, ``<namespace>.<pod>.log``, ``lab.log``."""
        return self.path / LOGS

    def alive(self) -> bool:
        """Tell whether janitor or supervisor still run."""
        try:
            with _locked(self.path / _LOCK):
                return False
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False

    def wait_gone(self, seconds: float) -> bool:
        """Wait until the lab and its directory are gone; tell whether they are."""
        end = time.monotonic() + seconds
        while self.path.exists():
            if not self.alive():
                shutil.rmtree(self.path, ignore_errors=True)
            elif time.monotonic() > end:
                return False
            else:
                time.sleep(0.005)
        with contextlib.suppress(OSError):
            self.path.parent.rmdir()  # the lab that ended could not yet: its own directory was there
        return True


def place(environment: Mapping[str, str], user: int) -> Path:
    """Return a user's registry, in order: OCTET_LAB_DIR, root's /run, XDG_RUNTIME_DIR, cache, /tmp."""
    if chosen := environment.get(ENVIRONMENT):
        return Path(chosen)
    if user == 0:
        return Path("/run/octet-lab")
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        return Path(runtime, "octet-lab")
    home = Path(environment.get("HOME") or "/nonexistent")
    if os.access(home, os.W_OK):
        return home / ".cache" / "octet" / "lab"
    return Path(tempfile.gettempdir(), f"octet-lab-{user}")


class Registry:
    """The labs of one user on this machine."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or place(os.environ, os.geteuid())

    def reserve(self, name: str, spec: bytes) -> tuple[Entry, int]:
        """Make the entry of a new lab; return it and the descriptor of its lock, held.

        Raises:
            OctetError: a lab of this name is up.
        """
        self.sweep()
        self._make_root()
        new = Path(tempfile.mkdtemp(prefix=_NEW, dir=self.root))
        try:
            (new / LOGS).mkdir(mode=0o700)
            lock = os.open(new / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            _write(new / SPEC, spec)
        except BaseException:
            shutil.rmtree(new)  # interrupted: nobody else would for as long as it is young
            raise
        try:
            # Refused where a directory that is not empty has the name: two at once cannot both succeed.
            new.rename(self.root / name)
        except OSError:
            os.close(lock)
            shutil.rmtree(new)
            hint = f"octet lab down {name}, or give another --name"
            raise OctetError(f"lab {name!r} is already up", hint=hint) from None
        return Entry(self.root / name), lock

    def entries(self) -> list[Entry]:
        """Return the labs that are up, by name."""
        self.sweep()
        return sorted(self._directories(), key=lambda entry: entry.name)

    def find(self, name: str | None = None) -> Entry:
        """Return the lab of this name, or the only one. Raises NotFoundError, OctetError."""
        entries = self.entries()
        names = ", ".join(entry.name for entry in entries) or "none"
        if name is None and len(entries) > 1:
            raise OctetError(f"several labs are up: {names}", hint="say which with --name")
        if name is None and not entries:
            raise NotFoundError("no lab is up", hint="octet lab up --model flannel --nodes 2")
        found = next((entry for entry in entries if name in {None, entry.name}), None)
        if found is None:
            raise NotFoundError(f"no lab is called {name!r}", hint=f"up: {names}")
        return found

    def sweep(self) -> list[str]:
        """Remove what labs left whose janitor and supervisor were both killed; return their names."""
        gone = [entry for entry in self._directories(hidden=True) if _abandoned(entry)]
        for entry in gone:
            shutil.rmtree(entry.path, ignore_errors=True)
        if gone:
            self.tidy()
        return [entry.name for entry in gone]

    def tidy(self) -> None:
        """Remove the registry's own directory when it is empty."""
        with contextlib.suppress(OSError):
            self.root.rmdir()

    def _directories(self, *, hidden: bool = False) -> Iterator[Entry]:
        with contextlib.suppress(FileNotFoundError):
            for path in list(self.root.iterdir()):
                if path.is_dir() and (hidden or not path.name.startswith(".")):
                    yield Entry(path)

    def _make_root(self) -> None:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = self.root.lstat()
        safe = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
        if not safe:
            hint = f"remove it, chmod it to 0700, or name another place in {ENVIRONMENT}"
            raise OctetError(f"{self.root} is open to other users", hint=hint)


def _abandoned(entry: Entry) -> bool:
    """Tell whether nobody will remove an entry; one that is being made is not locked yet, but young."""
    if entry.name.startswith(_NEW):
        with contextlib.suppress(FileNotFoundError):
            return time.time() - entry.path.stat().st_mtime > _BEING_MADE and not entry.alive()
        return False
    return not entry.alive()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
