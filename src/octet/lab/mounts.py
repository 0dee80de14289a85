"""Mounts of a lab: the forms of mount(2) it needs, and its private view of the machine's files.

What lives here: bind, detach, private, share, ``apart`` and ``furnish``.
What it must not know: what the lab keeps in there.
"""

import contextlib
import ctypes
import errno
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from octet.kernel import namespaces

_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8
_MS_BIND, _MS_REC, _MS_PRIVATE, _MS_SHARED = 4096, 16384, 1 << 18, 1 << 20
_MNT_DETACH = 2

RUN = Path("/run/lab")
"""Where a lab sees its own directory of the registry, whatever place that has on the machine."""

_PRIVATE_PLACES = ("/var/lib/cni", "/etc/cni", "/opt/cni")
"""Where CNI programs keep state by default; covered where the machine has them, and none is made."""

_libc = ctypes.CDLL(None, use_errno=True)


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    encoded = [None if text is None else text.encode() for text in (source, target, kind, data)]
    if _libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3]) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount: {os.strerror(number)}", target)


def bind(source: str, target: str) -> None:
    """Make a file or directory appear at another path as well. Raises OSError."""
    _mount(source, target, None, _MS_BIND)


def detach(target: str) -> None:
    """Take a mount away, at once for new lookups and wholly when nobody uses it. Raises OSError."""
    if _libc.umount2(target.encode(), _MNT_DETACH) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"umount: {os.strerror(number)}", target)


def private() -> None:
    """Cut this mount namespace off: nothing mounted here is ever seen by the machine, nor the reverse."""
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)


def own_sysfs() -> None:
    """Cover /sys with one that shows the calling process's network namespace. Raises OSError."""
    _mount("lab", "/sys", "sysfs", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)


def share(directory: str) -> None:
    """Make a directory a mount whose mounts are the same in every mount namespace made from here on.

    ``ip netns add`` wants its directory so, and mounts it again, with all that is in it, if it is not.

    Raises:
        OSError: the kernel refuses.
    """
    bind(directory, directory)
    _mount(None, directory, None, _MS_SHARED)


def apart(covers: Mapping[Path, Path]) -> int:
    """Return a descriptor of a new mount namespace, like this one but with these at other paths' places.

    A child makes it and is gone when this returns.

    Args:
        covers: what to see, by the path where it is seen; both exist.

    Raises:
        OSError: the machine refuses.
    """
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        _be_apart(covers, theirs)
    theirs.close()
    with ours:
        try:
            refused = ours.recv(4)
            if refused != bytes(4):
                number = int.from_bytes(refused, sys.byteorder)
                raise OSError(number, f"a mount namespace: {os.strerror(number)}")
            return os.open(f"/proc/{child}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            ours.shutdown(socket.SHUT_WR)
            os.waitpid(child, 0)


def _be_apart(covers: Mapping[Path, Path], parent: socket.socket) -> NoReturn:
    number = 0
    try:
        namespaces.unshare(namespaces.CLONE_NEWNS)
        for target, source in covers.items():
            bind(str(source), str(target))
    except OSError as error:
        number = error.errno or errno.EIO
    finally:
        parent.sendall(number.to_bytes(4, sys.byteorder))
        parent.recv(1)
        os._exit(0)


def furnish(directory: Path) -> None:
    """Give a new mount and PID namespace its /proc, an empty /run and /run/lab, the lab's own directory.

    Raises:
        OSError: naming the mount that was refused.
    """
    private()
    # Opened in this mount namespace, for only its own mounts may be bound, and before /run is covered.
    kept = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    _mount("lab", "/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    for place in ("/run", *(place for place in _PRIVATE_PLACES if Path(place).is_dir())):
        _mount("lab", place, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0755")
    RUN.mkdir(mode=0o700)
    bind(f"/proc/self/fd/{kept}", str(RUN))
    os.close(kept)
    # Some containers lock /sys; nothing of ours needs it, only people who look.
    with contextlib.suppress(OSError):
        own_sysfs()
