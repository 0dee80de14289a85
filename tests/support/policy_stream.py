"""A stream of new connections that never stops while policies change.

What lives here: a thread that sends the first datagram of one connection after the other, a thread that takes
what arrives, and their counts. What it must not know: policies.
"""

import contextlib
import selectors
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from octet.kernel import namespaces
from octet.oracle import Flow

_TOKEN = struct.Struct(">4sII")
_MARK = b"octs"
_SETTLE = 0.2  # seconds in which what was sent last arrives


@dataclass
class Counts:
    """What became of one flow's packets.

    Attributes:
        sent: how many; each has its number.
        arrived: the numbers of those that arrived.
    """

    sent: int = 0
    arrived: set[int] = field(default_factory=set)

    @property
    def lost(self) -> int:
        """How many did not arrive."""
        return self.sent - len(self.arrived)


class Stream:
    """Datagrams of many flows, each from a port of its own, so that none belongs to an older connection."""

    def __init__(self, places: Mapping[str, int], flows: Sequence[tuple[str, str, Flow]]) -> None:
        self.counts = [Counts() for _ in flows]
        self._flows = sorted(enumerate(flows), key=lambda each: each[1][0])
        self._places = places
        self._ended = threading.Event()
        self._selector = selectors.DefaultSelector()
        goals = sorted({(goal, flow.family, flow.port) for _, goal, flow in flows})
        self._listening = [self._listen(*each) for each in goals]
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._send, self._take)]

    def _listen(self, place: str, family: int, port: int | None) -> socket.socket:
        with namespaces.inside(self._places[place]):
            made = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        made.bind(("", port or 0))
        made.setblocking(False)
        self._selector.register(made, selectors.EVENT_READ)
        return made

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Send and take while the block runs, and until the last packet has had its time."""
        for each in self._threads:
            each.start()
        try:
            yield
        finally:
            self._ended.set()
            self._threads[0].join()
            time.sleep(_SETTLE)
            self._threads[1].join()
            self._drain()
            for made in self._listening:
                made.close()
            self._selector.close()

    def _send(self) -> None:
        while not self._ended.is_set():
            place = ""
            for index, (origin, _, flow) in self._flows:
                if origin != place:
                    place = origin
                    namespaces.setns(self._places[place])
                self._packet(index, flow)
            time.sleep(0.001)

    def _packet(self, index: int, flow: Flow) -> None:
        counts = self.counts[index]
        family = socket.AF_INET if flow.family == 4 else socket.AF_INET6
        with socket.socket(family, socket.SOCK_DGRAM) as made:
            made.bind((str(flow.source), 0))
            with contextlib.suppress(PermissionError):
                made.sendto(_TOKEN.pack(_MARK, index, counts.sent), (str(flow.destination), flow.port))
        counts.sent += 1

    def _take(self) -> None:
        while not self._ended.is_set():
            self._drain(0.01)

    def _drain(self, patience: float = 0.0) -> None:
        for key, _ in self._selector.select(patience):
            with contextlib.suppress(BlockingIOError):
                while True:
                    data = key.fileobj.recv(64)
                    if len(data) == _TOKEN.size and data.startswith(_MARK):
                        _, index, number = _TOKEN.unpack(data)
                        self.counts[index].arrived.add(number)
