"""Where the other end of a pair lives: the namespace behind a number that the kernel gave it.

What lives here: the search. What it must not know: pods, container runtimes and their paths.

rtnetlink alters no link of another namespace (IFLA_TARGET_NETNSID names where a link is moved to), so the
namespace must be entered, and for that be found again long after its descriptor was closed.
"""

import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from octet.kernel.netlink import wire
from octet.kernel.netlink.wire import Message, Socket

_RTM_GETNSID = 90
_NETNSA_NSID, _NETNSA_FD = 1, 3
_FAMILY = b"\0\0\0\0"
_UNKNOWN = -1
_NUMBER = struct.Struct("=i")


def find(socket: Socket, number: int) -> int | None:
    """Return a descriptor of the namespace that the socket's own calls by this number (nsid); None if lost.

    It is looked for among those with a name (ip-netns(8)) and those that some process is in. The caller
    closes it.
    """
    for path in _places():
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            if _number(socket, descriptor) == number:
                return descriptor
            os.close(descriptor)
    return None


def _places() -> Iterator[Path]:
    """Yield one path of each namespace that can be found, ours included."""
    seen: set[int] = set()
    named = Path("/run/netns").glob("*")
    lived_in = (process / "ns/net" for process in Path("/proc").glob("[0-9]*"))
    for path in (*named, *lived_in):
        with suppress(OSError):
            inode = path.stat().st_ino
            if inode not in seen:
                seen.add(inode)
                yield path


def _number(socket: Socket, descriptor: int) -> int:
    answer = socket.ask(Message(_RTM_GETNSID, 0, _FAMILY + wire.u32(_NETNSA_FD, descriptor)))
    for _, body in answer.replies:
        return int(_NUMBER.unpack(wire.attributes(body, 4)[_NETNSA_NSID])[0])
    return _UNKNOWN
