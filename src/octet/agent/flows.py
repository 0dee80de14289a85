"""Flows that policy denied or logged, as people read them: the latest ones, repeats counted, none for free.

What lives here: ``Flow`` and the memory of the last ones. Pure but for the clock that it is given.
What it must not know: how packets are heard of, who asks.

A pod may send what it likes as fast as it can. The kernel tells a few packets a second of each policy; of
these, the first of a flow is kept at once, repeats within ``WINDOW`` become one line with their number, and
beyond ``MOST_OPEN`` flows at a time, or ``RATE`` lines a second, they are only counted as untold.
"""

from collections import OrderedDict, deque
from collections.abc import Callable

import msgspec

KEPT = 1000
"""Lines that are remembered."""

WINDOW = 5.0
"""Seconds in which repeats of a flow are gathered."""

MOST_OPEN = 500
"""Flows whose repeats are counted at a time."""

RATE, BURST = 50.0, 200
"""Lines a second in the long run, and at once."""


class Flow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line.

    Attributes:
        verdict: ``denied`` or ``logged``.
        direction: Ingress or Egress: whose policy it was, the destination's or the source's.
        policy: kind, namespace and name.
        source, destination: pods as ``namespace/name``, nodes, or addresses.
        protocol: its name or number.
        port, source_port: 0 where the protocol has none.
        icmp: type and code as ``8/0``.
        number: grows by one with every line.
        time: seconds since 1970.
        count: packets that were told of; more may have been denied.
    """

    verdict: str
    direction: str
    policy: str
    tier: str
    source: str
    source_address: str
    destination: str
    destination_address: str
    protocol: str
    port: int = 0
    source_port: int = 0
    icmp: str = ""
    number: int = 0
    time: float = 0.0
    count: int = 1

    @property
    def same(self) -> tuple[str | int, ...]:
        """What repeats have in common: all but the client's own port."""
        return (self.verdict, self.direction, self.policy, self.source_address, self.destination_address,
                self.protocol, self.port, self.icmp)  # fmt: skip


class _Open:
    """A flow whose repeats are counted."""

    __slots__ = ("count", "first", "until")

    def __init__(self, first: Flow, until: float) -> None:
        self.first = first
        self.until = until
        self.count = 0


class Flows:
    """The latest lines.

    Args:
        clock: seconds since 1970, as ``time.time``.

    Attributes:
        untold: packets that came to no line.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.untold = 0
        self._clock = clock
        self._lines: deque[Flow] = deque(maxlen=KEPT)
        self._open: OrderedDict[tuple[str | int, ...], _Open] = OrderedDict()
        self._number = 0
        self._tokens, self._filled = float(BURST), clock()

    def add(self, flow: Flow) -> Flow | None:
        """Take a packet in; return the line that it makes, if it makes one now."""
        now = self._clock()
        self._close(now)
        repeated = self._open.get(flow.same)
        if repeated is not None:
            repeated.count += 1
            return None
        if len(self._open) >= MOST_OPEN:
            self.untold += 1
            return None
        line = self._tell(flow, now, 1)
        if line is not None:
            self._open[flow.same] = _Open(flow, now + WINDOW)
        return line

    def since(self, number: int) -> list[Flow]:
        """Return the lines after a number, oldest first."""
        self._close(self._clock())
        return [line for line in self._lines if line.number > number]

    @property
    def last(self) -> int:
        """Number of the latest line; 0 where there was none."""
        return self._number

    def _close(self, now: float) -> None:
        """Tell of the repeats of flows whose time is over; all have the same, so they are in order."""
        while self._open:
            key, oldest = next(iter(self._open.items()))
            if oldest.until > now:
                return
            del self._open[key]
            if oldest.count:
                self._tell(oldest.first, now, oldest.count)

    def _tell(self, flow: Flow, now: float, count: int) -> Flow | None:
        self._tokens = min(float(BURST), self._tokens + max(0.0, now - self._filled) * RATE)
        self._filled = now
        if self._tokens < 1:
            self.untold += count
            return None
        self._tokens -= 1
        self._number += 1
        line = msgspec.structs.replace(flow, number=self._number, time=now, count=count)
        self._lines.append(line)
        return line
