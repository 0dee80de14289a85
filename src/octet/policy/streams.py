"""Answers by TCP: which bytes of a stream are a message, known from its beginning on.

What lives here: the streams of every asker, their limits. Pure. What it must not know: DNS' format, packets.

A stream must be followed from its first byte. Who asks chooses by its window where segments begin, and by
what it asks for what is in them, so bytes at the start of one may be a message that no resolver ever said.
"""

import struct
from typing import Generic, TypeVar

from octet.cluster.objects import Address

K = TypeVar("K")

Flow = tuple[Address, int, Address, int]
"""Address and port of who asked, and of who answers."""

MOST = 16
"""Streams of one asker that are followed; the oldest goes first."""

LONGEST = 4096
"""Bytes of a message that are read; a longer one is passed over."""

_LENGTH = struct.Struct("!H")
_WHOLE = 0xFFFF_FFFF


class _Stream:
    """One stream: its bytes from a place on where a message begins."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._held = b""

    def take(self, sequence: int, data: bytes) -> list[bytes] | None:
        """Take bytes in; return the messages that are whole now, None where these are not the next ones."""
        known = (self._start + len(self._held) - sequence) & _WHOLE  # bytes that were there before
        if known >= len(data):
            return None
        self._held += data[known:]
        found: list[bytes] = []
        while len(self._held) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(self._held)[0]
            if len(self._held) < end <= _LENGTH.size + LONGEST:
                break
            if end <= _LENGTH.size + LONGEST:
                found.append(self._held[_LENGTH.size : end])
            self._start, self._held = (self._start + end) & _WHOLE, self._held[end:]
        return found


class Streams(Generic[K]):
    """The streams from resolvers to who asked."""

    def __init__(self) -> None:
        self._open: dict[K, dict[Flow, _Stream]] = {}

    def begin(self, asker: K, flow: Flow, sequence: int) -> None:
        """Take note that a resolver accepts a connection; its first byte is the next one (RFC 9293, 3.4)."""
        held = self._open.setdefault(asker, {})
        held.pop(flow, None)
        held[flow] = _Stream((sequence + 1) & _WHOLE)
        while len(held) > MOST:
            del held[next(iter(held))]

    def take(self, asker: K, flow: Flow, sequence: int, data: bytes) -> list[bytes] | None:
        """Return the messages that end in these bytes; None where the stream is not followed so far."""
        stream = self._open.get(asker, {}).get(flow)
        return stream.take(sequence, data) if stream is not None else None

    def forget(self, asker: K) -> None:
        """Drop somebody's streams."""
        self._open.pop(asker, None)
