"""The agent's socket as a file: made private from its first moment, replaced only when nobody answers.

What lives here: ``listen`` and ``remove``. What it must not know: what is spoken on the socket.
"""

import contextlib
import os
import socket
import stat
from pathlib import Path

from octet.errors import BadConfigurationError, OctetError

PATH_LIMIT = 107
"""Bytes of a Unix socket's path (unix(7): sun_path less its final zero): what clients can connect to."""

BACKLOG = 1024
ANSWER_LIMIT = 1.0
"""Seconds that a socket in our place is given to accept a connection before it counts as dead."""


def listen(path: Path) -> socket.socket:
    """Return a non-blocking listening socket at a path, mode 0600; its directory is made 0700 if missing.

    It is bound inside a private directory and renamed into place, so that there is no moment at which
    others could connect, or at which the path is missing while an old socket is replaced.

    Raises:
        BadConfigurationError: the path cannot be a socket's.
        OctetError: another process answers there.
        OSError: the directory refuses.
    """
    if not path.is_absolute() or len(os.fsencode(path)) > PATH_LIMIT:
        problem = f"must be an absolute path of at most {PATH_LIMIT} bytes"
        raise BadConfigurationError("paths", "socket", str(path), problem)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_living(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        _bind(listener, path)
    except BaseException:
        listener.close()
        raise
    return listener


def _refuse_living(path: Path) -> None:
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise BadConfigurationError("paths", "socket", str(path), "is there and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(ANSWER_LIMIT)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except OSError as error:
            raise OctetError(f"{path}: somebody holds this socket and does not answer: {error}") from error
    raise OctetError(f"{path}: another agent answers on this socket", hint="stop it first")


def _bind(listener: socket.socket, path: Path) -> None:
    """Bind, restrict, listen, and only then put the socket where clients look."""
    room = path.parent / f".{path.name}.{os.getpid()}"
    with contextlib.suppress(FileExistsError):
        room.mkdir(mode=0o700)
    inside = room / "s"
    inside.unlink(missing_ok=True)
    directory = os.open(room, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        listener.bind(f"/proc/self/fd/{directory}/s")  # short, however long the real path is
        inside.chmod(0o600)
        listener.listen(BACKLOG)
        inside.rename(path)
    finally:
        os.close(directory)
        inside.unlink(missing_ok=True)
        room.rmdir()


def identity(path: Path) -> tuple[int, int] | None:
    """Return (device, inode) of what is at a path, None if nothing is."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def remove(path: Path, made: tuple[int, int] | None) -> None:
    """Remove our socket's file, unless somebody else's took its place.

    Args:
        path: where it was put.
        made: its ``identity`` when it was put there.
    """
    if made is not None and identity(path) == made:
        path.unlink(missing_ok=True)
