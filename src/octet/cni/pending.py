"""DELs that the plugin could not deliver: files next to the socket, each the bytes of one request.

What lives here: reading them in order, and putting aside what cannot be read.
What it must not know: what a DEL does.

The agent drains at its start, and before an ADD whenever ``waiting`` says so: a DEL that waited must never
take down a later attachment of the same name (podman gives a restarted container its old id).
"""

import contextlib
import logging
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from octet.cni import wire
from octet.cni.request import STDIN_LIMIT
from octet.cni.wire import RawRequest

log = logging.getLogger(__name__)

STALE = 60.0
"""Seconds after which a half-written file belongs to a plugin that was killed."""

_LARGEST = wire.HEADER + wire.ENVIRONMENT_LIMIT + STDIN_LIMIT


def directory_of(socket: Path) -> Path:
    """Return the directory of DELs that were meant for the agent at a socket."""
    return socket.parent / "pending"


def waiting(directory: Path) -> bool:
    """Tell whether anything may be there, at the cost of one look into the directory."""
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        return any(entry.name != "bad" and not entry.name.startswith(".") for entry in entries)
    return False


def drain(directory: Path) -> Iterator[RawRequest]:
    """Give the DELs that wait, oldest first, each once; never raises for what a file holds.

    A file is removed when the consumer asks for the next one, so that a DEL during which the agent dies is
    there again; doing it twice is harmless. Malformed files move to ``bad/`` for a person to look at.
    """
    for path in _files(directory):
        try:
            raw = wire.decode_request(_content(path))
        except (wire.FramingError, OSError) as error:
            _put_aside(path, error)
            continue
        yield raw
        path.unlink(missing_ok=True)


def _files(directory: Path) -> list[Path]:
    """Return the files in the order of their names, which start with the time; sweep half-written ones."""
    try:
        names = sorted(entry.name for entry in directory.iterdir())
    except OSError:
        return []
    for name in names:
        if name.startswith("."):
            _sweep(directory / name)
    return [directory / name for name in names if name != "bad" and not name.startswith(".")]


def _sweep(path: Path) -> None:
    with contextlib.suppress(OSError):
        if time.time() - path.lstat().st_mtime > STALE:
            path.unlink()


def _content(path: Path) -> bytes:
    """Return a journalled request's bytes. Raises FramingError if no plugin of ours can have written it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid not in {0, os.geteuid()}:
            raise wire.FramingError(f"{path} is not a file of ours")
        data = file.read(_LARGEST + 1)
    if wire.request_sizes(data).has_namespace:
        raise wire.FramingError(f"{path} announces a descriptor")
    return data


def _put_aside(path: Path, error: Exception) -> None:
    bad = path.parent / "bad"
    log.warning("a DEL that waited cannot be read", extra={"file": str(path), "error": str(error)})
    with contextlib.suppress(OSError):
        bad.mkdir(mode=0o700, exist_ok=True)
        path.rename(bad / path.name)
