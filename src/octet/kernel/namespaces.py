"""Network namespaces: make, enter and recognise them.

What lives here: the system calls of namespaces(7) that Python 3.11 lacks. What it must not know: names of
nodes and pods, mounts (``lab`` keeps its own), and what is configured inside.
"""

import ctypes
import errno
import fcntl
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
_NS_GET_NSTYPE = 0xB703
_NS_GET_ID = 0x8008B70D
_SO_NETNS_COOKIE = 71

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def setns(descriptor: int, kind: int = CLONE_NEWNET) -> None:
    """Move the calling thread into a namespace (setns(2)). Raises OSError."""
    _check(_libc.setns(descriptor, kind), "setns")


def unshare(kinds: int) -> None:
    """Give the calling thread new namespaces of these kinds (unshare(2)). Raises OSError."""
    _check(_libc.unshare(kinds), "unshare")


def is_network_namespace(descriptor: int) -> bool:
    """Tell whether an open descriptor is a network namespace (ioctl_ns(2), NS_GET_NSTYPE)."""
    try:
        return fcntl.ioctl(descriptor, _NS_GET_NSTYPE) == CLONE_NEWNET
    except OSError as error:
        if error.errno in {errno.ENOTTY, errno.EINVAL, errno.EBADF}:
            return False
        raise


def identity(descriptor: int) -> tuple[int, int]:
    """Return what tells this namespace from every other while it lives: (device, inode) of its nsfs file."""
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def own_identity() -> tuple[int, int]:
    """Return the identity of the calling thread's network namespace."""
    status = Path("/proc/thread-self/ns/net").stat()
    return status.st_dev, status.st_ino


def cookie(descriptor: int) -> int:
    """Return the number of a network namespace that no other one gets until the machine is started again.

    An ``identity`` is only good while the namespace lives: the next one gets the inode number that has just
    become free. Asked of the namespace (NS_GET_ID, Linux 6.18), else of a socket in it (SO_NETNS_COOKIE,
    Linux 5.14), which says the same and takes fifty times longer; 0 where neither is known.
    """
    told = bytearray(8)
    try:
        fcntl.ioctl(descriptor, _NS_GET_ID, told)
    except OSError as error:
        if error.errno not in {errno.ENOTTY, errno.EINVAL}:
            raise
        return _cookie_of_a_socket(descriptor)
    return int.from_bytes(told, sys.byteorder)


def _cookie_of_a_socket(descriptor: int) -> int:
    away = identity(descriptor) != own_identity()  # to look at one's own takes no privilege
    with inside(descriptor) if away else nullcontext(), socket.socket(socket.AF_UNIX) as here:
        try:
            return int.from_bytes(here.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8), sys.byteorder)
        except OSError as error:
            if error.errno == errno.ENOPROTOOPT:
                return 0
            raise


def held(descriptor: int | None) -> int:
    """Return a descriptor of one's own of a network namespace: the given one's, or the calling thread's.

    Raises OSError (EINVAL) when the given descriptor is no network namespace.
    """
    if descriptor is None:
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    if not is_network_namespace(descriptor):
        raise OSError(errno.EINVAL, "the descriptor is not a network namespace")
    return os.dup(descriptor)


@contextmanager
def inside(descriptor: int) -> Iterator[None]:
    """Run a block with the calling thread in another network namespace, and come back whatever happens."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(descriptor)
        try:
            yield
        finally:
            setns(home)
    finally:
        os.close(home)


def create() -> int:
    """Return a descriptor of a new, empty network namespace; it lives as long as something holds it."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        unshare(CLONE_NEWNET)
        try:
            return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            setns(home)
    finally:
        os.close(home)
