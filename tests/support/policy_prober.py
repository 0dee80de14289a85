"""First packets of connections between network namespaces, many at once: which ones arrive?

What lives here: sockets of one process that stand in many namespaces, real TCP connections and UDP datagrams,
made-up packets of every other protocol. What it must not know: policies, what should arrive.
"""

import contextlib
import errno
import itertools
import os
import resource
import selectors
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from octet.kernel import namespaces
from octet.kernel.probing import crc32c
from octet.oracle import Flow

PORTS = (1, 7, 22, 53, 67, 68, 78, 79, 80, 81, 82, 179, 443, 6443, 8080, 8081, 9090, 10250, 65535)
RAW = {4: (1, 47, 50, 132), 6: (58, 47, 50, 132)}
TCP, UDP, SCTP = 6, 17, 132
ECHO = {4: 8, 6: 128}
QUIET, PATIENT = 0.03, 1.5
"""Seconds: how long nothing must arrive until nothing will, and how long we wait for what should."""

_TOKEN = struct.Struct(">4sI")
_MARK = b"octt"


def sctp_init(source: int, destination: int, token: bytes) -> bytes:
    """Return an SCTP packet that begins an association; the token is a parameter to be skipped (0xC000)."""
    parameter = struct.pack(">HH", 0xC000, 4 + len(token)) + token
    chunk = struct.pack(">BBHIIHHI", 1, 0, 20 + len(parameter), 1, 65535, 1, 1, 1) + parameter
    head = struct.pack(">HHI", source, destination, 0)
    return head + struct.pack("<I", crc32c(head + bytes(4) + chunk)) + chunk


@dataclass
class Place:
    """A namespace with everything that listens in it."""

    name: str
    namespace: int
    listening: list[socket.socket] = field(default_factory=list)


@dataclass(frozen=True)
class Question:
    """A flow, and the names of the places that it goes from and to."""

    origin: str
    goal: str
    flow: Flow


class Prober:
    """Listens in many namespaces and sends between them. Close it.

    Args:
        places: open descriptors of network namespaces by name.
    """

    def __init__(self, places: Mapping[str, int]) -> None:
        self._places = {name: Place(name, namespace) for name, namespace in places.items()}
        self._selector = selectors.DefaultSelector()
        self._numbers = itertools.count(1)
        self._arrived: set[tuple[str, int]] = set()
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        for place in self._places.values():
            with namespaces.inside(place.namespace):
                self._listen(place)

    def close(self) -> None:
        """Close every socket."""
        for place in self._places.values():
            for each in place.listening:
                each.close()
        self._selector.close()

    def _listen(self, place: Place) -> None:
        for port in PORTS:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                made = socket.socket(socket.AF_INET6, kind)
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                made.bind(("::", port))
                if kind == socket.SOCK_STREAM:
                    made.listen(64)
                self._watch(place, made, kind.name)
        for family, protocols in RAW.items():
            for protocol in protocols:
                made = socket.socket(_family(family), socket.SOCK_RAW, protocol)
                self._watch(place, made, f"{family}/{protocol}")

    def _watch(self, place: Place, made: socket.socket, what: str) -> None:
        made.setblocking(False)
        place.listening.append(made)
        self._selector.register(made, selectors.EVENT_READ, (place.name, what))

    def ask(
        self, questions: Sequence[Question], expected: Sequence[bool], patience: float = PATIENT
    ) -> list[bool]:
        """Send the first packet of each flow; return which arrived where they should.

        A packet counts at its goal only: errors and redirects quote it to where it came from.

        Args:
            questions: flows and places.
            expected: which will arrive: only how long we wait depends on it.
            patience: seconds to wait at most for those.
        """
        marks: list[tuple[str, int]] = []
        connecting: list[socket.socket] = []
        self._arrived.clear()
        for each in questions:
            mark = (each.goal, next(self._numbers))
            marks.append(mark)
            made = self._send(self._places[each.origin], each.flow, mark[1])
            if made is not None:
                connecting.append(made)
                self._selector.register(made, selectors.EVENT_WRITE, mark)
        try:
            self._wait({mark for mark, arrives in zip(marks, expected, strict=True) if arrives}, patience)
        finally:
            for made in connecting:
                with contextlib.suppress(KeyError):
                    self._selector.unregister(made)
                made.close()
        return [mark in self._arrived for mark in marks]

    def _wait(self, wanted: set[tuple[str, int]], patience: float) -> None:
        end, quiet = time.monotonic() + patience, time.monotonic() + QUIET
        while (now := time.monotonic()) < end:
            if now >= quiet and wanted <= self._arrived:
                return
            for key, _ in self._selector.select(max(0.001, min(quiet, end) - now)):
                self._take(key)

    def _take(self, key: selectors.SelectorKey) -> None:
        made: socket.socket = key.fileobj
        name, what = key.data
        if isinstance(what, int):
            self._selector.unregister(made)
            if made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                self._arrived.add((name, what))
        elif what == "SOCK_STREAM":
            with contextlib.suppress(BlockingIOError, ConnectionError):
                made.accept()[0].close()
        else:
            with contextlib.suppress(BlockingIOError):
                self._read(name, made.recv(2048))

    def _read(self, name: str, data: bytes) -> None:
        at = data.find(_MARK)
        if at >= 0 and len(data) >= at + _TOKEN.size:
            self._arrived.add((name, _TOKEN.unpack_from(data, at)[1]))

    def _send(self, place: Place, flow: Flow, number: int) -> socket.socket | None:
        """Send one flow's first packet; return the socket of a connection that is being made."""
        token = _TOKEN.pack(_MARK, number)
        with namespaces.inside(place.namespace):
            if flow.number == TCP:
                return self._connect(flow)
            kind = socket.SOCK_DGRAM if flow.number == UDP else socket.SOCK_RAW
            protocol = 0 if flow.number == UDP else flow.number
            with socket.socket(_family(flow.family), kind, protocol) as made:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                made.bind((str(flow.source), flow.source_port or 0 if flow.number == UDP else 0))
                port = flow.port or 0 if flow.number == UDP else 0
                with _refusals():
                    made.sendto(_payload(flow, token, number), (str(flow.destination), port))
        return None

    def _connect(self, flow: Flow) -> socket.socket:
        made = socket.socket(_family(flow.family), socket.SOCK_STREAM)
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # no TIME_WAIT
        made.bind((str(flow.source), flow.source_port or 0))
        with contextlib.suppress(BlockingIOError), _refusals():
            made.connect((str(flow.destination), flow.port))
        return made


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Take what the own kernel answers to a packet that policy refuses as what it is: not arrived."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EHOSTUNREACH, errno.ECONNREFUSED, errno.EACCES):
            raise


def _family(family: int) -> socket.AddressFamily:
    return socket.AF_INET if family == 4 else socket.AF_INET6


def _payload(flow: Flow, token: bytes, number: int) -> bytes:
    if flow.number == SCTP:
        return sctp_init(flow.source_port or 20000 + number % 40000, flow.port or 0, token)
    if flow.icmp is not None:
        kind, code = flow.icmp
        return _icmp(kind, code, number, token, checked=flow.family == 6)
    return token if flow.number == UDP else b"\0\0\0\0" + token


def _icmp(kind: int, code: int, number: int, token: bytes, *, checked: bool) -> bytes:
    """Return an ICMP message; of ICMPv6 the kernel makes the checksum."""
    rest = struct.pack(">HH", os.getpid() & 0xFFFF, number & 0xFFFF) + token
    total = 0 if checked else _checksum(struct.pack(">BBH", kind, code, 0) + rest)
    return struct.pack(">BBH", kind, code, total) + rest


def _checksum(data: bytes) -> int:
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
