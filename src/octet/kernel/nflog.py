"""Packets that the rules log, as the kernel tells them to one listener (NFLOG).

What lives here: the group's socket, its limits, one decoder. What it must not know: what a prefix stands for.
Source: linux/netfilter/nfnetlink_log.h. A group has one listener in each network namespace.
"""

import errno
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from octet.kernel import namespaces
from octet.kernel.headers import ENOUGH
from octet.kernel.netlink import wire
from octet.kernel.netlink.wire import NETLINK_NETFILTER, Message, Socket

MOST = 128
"""Datagrams read in one go; each holds a few dozen packets at most."""

_SUBSYSTEM = 4 << 8
_PACKET, _CONFIG = _SUBSYSTEM, _SUBSYSTEM | 1
_HEADER = struct.Struct("!BBH")  # struct nfgenmsg: family, version, group
_COMMAND, _MODE, _BUFFER_SIZE, _TIMEOUT, _THRESHOLD = 1, 2, 3, 4, 5
_BIND, _COPY_PACKET = 1, 2
_PAYLOAD, _PREFIX = 9, 10
_DATAGRAM = 4096
_TOGETHER = 16
_DELAY = 5  # hundredths of a second that packets wait for others
_RECEIVE = 256 << 10
_SO_RCVBUF, _SOL_SOCKET, _DONT_WAIT = 8, 1, 0x40


@dataclass(frozen=True, slots=True)
class Logged:
    """One packet.

    Attributes:
        prefix: of the rule that logs it.
        packet: its first bytes, from the IP header on.
    """

    prefix: str
    packet: bytes


class Listener:
    """Hears what is logged to a group. Not thread-safe.

    Attributes:
        lost: how often packets were lost because nobody read them in time.
    """

    def __init__(
        self,
        group: int,
        namespace: int | None = None,
        *,
        size: int = ENOUGH,
        together: int = _TOGETHER,
        delay: int = _DELAY,
    ) -> None:
        """Listen in a namespace by descriptor, or the calling thread's.

        Args:
            group: number of the group.
            namespace: None is the calling thread's.
            size: bytes of each packet.
            together: packets told in one datagram at most.
            delay: hundredths of a second that packets wait for others.

        Raises:
            OSError: EPERM where somebody else listens; another number where the kernel has no NFLOG.
        """
        self.lost = 0
        home = namespaces.held(namespace)
        try:
            with namespaces.inside(home):
                self._socket = Socket(NETLINK_NETFILTER)
        finally:
            os.close(home)
        self._socket.file.setsockopt(_SOL_SOCKET, _SO_RCVBUF, _RECEIVE)
        answer = self._socket.ask(_binding(group, size, together, delay))
        if answer.errno:
            self._socket.close()
            raise OSError(answer.errno, answer.reason or os.strerror(answer.errno))

    def fileno(self) -> int:
        """Return a descriptor that is readable when something was logged."""
        return self._socket.file.fileno()

    def drain(self, most: int = MOST) -> Iterator[Logged]:
        """Yield what was logged, of so many datagrams at most; never blocks."""
        for _ in range(most):
            try:
                datagram = self._socket.file.recv(1 << 16, _DONT_WAIT)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.lost += 1
                continue
            for kind, _, _, body in wire.split(datagram):
                if kind == _PACKET:
                    yield _decoded(body)

    def close(self) -> None:
        """Stop listening; idempotent."""
        with suppress(OSError):
            self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _binding(group: int, size: int, together: int, delay: int) -> Message:
    """Return the message that takes a group, with all its settings at once."""
    body = _HEADER.pack(0, 0, group)
    body += wire.attribute(_COMMAND, bytes([_BIND]))
    body += wire.attribute(_MODE, struct.pack("!IBB", size, _COPY_PACKET, 0))
    buffer = max(_DATAGRAM, 2 * size)
    for kind, value in ((_BUFFER_SIZE, buffer), (_TIMEOUT, delay), (_THRESHOLD, together)):
        body += wire.attribute(kind, struct.pack("!I", value))
    return Message(_CONFIG, 0, body)


def _decoded(body: bytes) -> Logged:
    found = wire.attributes(body, _HEADER.size)
    prefix = found.get(_PREFIX, b"").split(b"\0", 1)[0].decode(errors="replace")
    return Logged(prefix, found.get(_PAYLOAD, b""))
