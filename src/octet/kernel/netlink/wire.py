"""The wire: netlink messages, attributes, and a socket that sends many messages in one system call.

What lives here: netlink(7), for any netlink protocol. What it must not know: links, routes, blueprints.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

REQUEST, ACK, DUMP = 0x1, 0x4, 0x300
REPLACE, EXCL, CREATE = 0x100, 0x200, 0x400
NESTED = 0x8000

NETLINK_ROUTE, NETLINK_NETFILTER, NETLINK_GENERIC = 0, 12, 16
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_F_DUMP_INTERRUPTED, _F_ACK_TLVS = 0x10, 0x200
_SOL_NETLINK = 270
_ADD_MEMBERSHIP, _CAP_ACK, _EXT_ACK, _STRICT_CHECK = 1, 10, 11, 12
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33
_BUFFER = 4 << 20
_ANSWER_TIMEOUT = struct.pack("=qq", 10, 0)  # seconds; the kernel answers within the send itself

_BATCH_BYTES = 200_000  # below net.core.wmem_default (212992), so that no privilege is needed for a batch
_ANSWER_COST = 2304  # bytes of receive buffer that one answer may take (skb truesize of a GETLINK reply)

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_U8, _U16, _U32, _BE16 = struct.Struct("=B"), struct.Struct("=H"), struct.Struct("=I"), struct.Struct("!H")


LITTLE = bool(_U16.pack(1)[0])
"""Is this machine little-endian? Numbers are in host order on netlink."""


def attribute(kind: int, payload: bytes) -> bytes:
    """Return one attribute (struct nlattr), padded to four bytes."""
    length = 4 + len(payload)
    return _ATTRIBUTE.pack(length, kind) + payload + b"\0" * (-length & 3)


def u8(kind: int, value: int) -> bytes:
    """Return an attribute of one byte."""
    return attribute(kind, _U8.pack(value))


def u16(kind: int, value: int) -> bytes:
    """Return an attribute of two bytes in host order."""
    return attribute(kind, _U16.pack(value))


def be16(kind: int, value: int) -> bytes:
    """Return an attribute of two bytes in network order (ports)."""
    return attribute(kind, _BE16.pack(value))


def u32(kind: int, value: int) -> bytes:
    """Return an attribute of four bytes in host order."""
    return attribute(kind, _U32.pack(value))


def text(kind: int, value: str) -> bytes:
    """Return an attribute that holds a string with its final zero."""
    return attribute(kind, value.encode() + b"\0")


def nested(kind: int, *children: bytes) -> bytes:
    """Return an attribute that holds attributes."""
    return attribute(kind | NESTED, b"".join(children))


def attributes(body: bytes, offset: int = 0) -> dict[int, bytes]:
    """Return the attributes of a message body from an offset; of a repeated kind, the last."""
    found: dict[int, bytes] = {}
    end = len(body)
    while offset + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(body, offset)
        if length < 4:
            break
        found[kind & 0x3FFF] = body[offset + 4 : offset + length]
        offset += length + 3 & ~3
    return found


def as_int(payload: bytes) -> int:
    """Return an attribute of one, two, four or eight bytes in host order as a number."""
    return int.from_bytes(payload, "little" if LITTLE else "big")


def as_text(payload: bytes) -> str:
    """Return a string attribute without its final zero; bytes that are not UTF-8 are kept as surrogates."""
    return payload.split(b"\0", 1)[0].decode(errors="surrogateescape")


@dataclass(frozen=True, slots=True)
class Message:
    """One request.

    Attributes:
        type: as in ``RTM_NEWLINK``.
        flags: without REQUEST and ACK, which the socket adds.
        body: the family's header and its attributes.
    """

    type: int
    flags: int
    body: bytes


@dataclass(slots=True)
class Answer:
    """What the kernel said to one message.

    Attributes:
        errno: positive; 0 is success.
        reason: the extended acknowledgement's text, often empty.
        replies: (type, body) of everything it returned.
    """

    errno: int = 0
    reason: str = ""
    replies: list[tuple[int, bytes]] = field(default_factory=list)


def split(datagram: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield (type, flags, sequence, body) of each message in a datagram."""
    offset = 0
    while offset + 16 <= len(datagram):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(datagram, offset)
        if length < 16:
            return
        yield kind, flags, sequence, datagram[offset + 16 : offset + length]
        offset += length + 3 & ~3


def _error(flags: int, body: bytes, words: int = 20) -> tuple[int, str]:
    """Return (positive errno, extended text) of an answer; the text's attributes begin at ``words``.

    After an NLMSG_ERROR's number comes the header of what it answers, after an NLMSG_DONE's nothing.
    """
    number = -int.from_bytes(body[:4], "little" if LITTLE else "big", signed=True)
    extended = attributes(body, words) if flags & _F_ACK_TLVS else {}
    return number, as_text(extended.get(1, b""))


class Socket:
    """A netlink socket of the namespace that the calling thread is in when it is made. Not thread-safe.

    Attributes:
        file: the socket itself, for a reader's event loop.
    """

    def __init__(self, protocol: int = NETLINK_ROUTE, groups: Iterable[int] = ()) -> None:
        self.file = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._sequence = 0
        self._enlarge(socket.SO_SNDBUF, _SO_SNDBUFFORCE)
        self._enlarge(socket.SO_RCVBUF, _SO_RCVBUFFORCE)
        for option in (_EXT_ACK, _CAP_ACK, _STRICT_CHECK):
            self.file.setsockopt(_SOL_NETLINK, option, 1)
        self.file.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _ANSWER_TIMEOUT)
        self.file.bind((0, 0))
        for group in groups:
            self.file.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
        room = self.file.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        self._batch = max(16, room // _ANSWER_COST)

    def _enlarge(self, option: int, forced: int) -> None:
        """Enlarge a buffer; beyond the sysctl's limit only with privilege, which a test user lacks."""
        try:
            self.file.setsockopt(socket.SOL_SOCKET, forced, _BUFFER)
        except PermissionError:
            self.file.setsockopt(socket.SOL_SOCKET, option, _BUFFER)

    def batch(self, messages: Sequence[Message]) -> list[Answer]:
        """Send messages in as few system calls as will do and return one answer for each, in order.

        A refused message does not stop the ones after it. Raises OSError only when the socket itself fails.
        """
        answers: list[Answer] = []
        start, size = 0, 0
        for position, message in enumerate(messages):
            length = 16 + len(message.body) + 3 & ~3
            if position > start and (size + length > _BATCH_BYTES or position - start >= self._batch):
                answers += self._exchange(messages[start:position])
                start, size = position, 0
            size += length
        return answers + self._exchange(messages[start:]) if start < len(messages) else answers

    def _exchange(self, messages: Sequence[Message]) -> list[Answer]:
        """Send one batch. Only its last message asks for an acknowledgement: errors come without asking."""
        first = self._sequence + 1
        parts: list[bytes] = []
        for message in messages:
            self._sequence += 1
            flags = message.flags | (REQUEST | ACK if len(parts) == 2 * len(messages) - 2 else REQUEST)
            body = message.body + b"\0" * (-len(message.body) & 3)
            parts.append(_HEADER.pack(16 + len(message.body), message.type, flags, self._sequence, 0))
            parts.append(body)
        self.file.sendall(b"".join(parts))
        answers = [Answer() for _ in messages]
        while not self._receive(answers, first):
            pass
        return answers

    def _receive(self, answers: list[Answer], first: int) -> bool:
        """Take one datagram into the answers; True when the last message has been acknowledged."""
        for kind, flags, sequence, body in split(self._datagram()):
            position = sequence - first
            if not 0 <= position < len(answers):
                continue
            answer = answers[position]
            if kind != _NLMSG_ERROR:
                answer.replies.append((kind, body))
                continue
            answer.errno, answer.reason = _error(flags, body)
            if position == len(answers) - 1:
                return True
        return False

    def _datagram(self) -> bytes:
        return self.file.recv(1 << 17)

    def ask(self, message: Message) -> Answer:
        """Send one message and return its answer."""
        return self._exchange([message])[0]

    def dump(self, message: Message, *, attempts: int = 5) -> list[tuple[int, bytes]]:
        """Return (type, body) of every object that a dump request lists, from one consistent pass.

        A table that changes under the dump is read again, up to ``attempts`` times; the last is taken as is.
        Raises OSError with the kernel's errno.
        """
        for _ in range(attempts):
            found, interrupted = self._dump_once(message)
            if not interrupted:
                break
        return found

    def _dump_once(self, message: Message) -> tuple[list[tuple[int, bytes]], bool]:
        self._sequence += 1
        sequence, flags = self._sequence, message.flags | REQUEST | DUMP
        self.file.sendall(
            _HEADER.pack(16 + len(message.body), message.type, flags, sequence, 0) + message.body
        )
        found: list[tuple[int, bytes]] = []
        interrupted = False
        while True:
            for kind, marks, origin, body in split(self._datagram()):
                if origin != sequence:
                    continue
                interrupted |= bool(marks & _F_DUMP_INTERRUPTED)
                if kind not in {_NLMSG_DONE, _NLMSG_ERROR}:
                    found.append((kind, body))
                    continue
                number, reason = _error(marks, body, 4 if kind == _NLMSG_DONE else 20)
                if number > 0:
                    raise OSError(number, reason or os.strerror(number))
                return found, interrupted

    def drain(self) -> tuple[list[tuple[int, bytes]], bool]:
        """Return the multicast messages that wait and whether some were lost (ENOBUFS); never blocks."""
        found: list[tuple[int, bytes]] = []
        lost = False
        with suppress(BlockingIOError):
            while True:
                try:
                    datagram = self.file.recv(1 << 17, socket.MSG_DONTWAIT)
                except OSError as error:
                    if error.errno != errno.ENOBUFS:
                        raise
                    lost = True
                    continue
                found += [(kind, body) for kind, _, _, body in split(datagram)]
        return found, lost

    def close(self) -> None:
        """Close the socket; idempotent."""
        self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
