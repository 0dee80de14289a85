"""One TCP stream with iperf3: how much passes, and what it costs in processor time.

What lives here: iperf3's command line and the reading of its JSON. What it must not know: candidates.
"""

from dataclasses import dataclass

import msgspec

from octet.measure import machine, metrics
from octet.measure.places import ProbeFailedError, Reading, Stretch, ask, serving

PORT = 5201
SLICE = 0.1
"""Seconds of iperf3's intervals: what is dropped as warm-up is cut at one of them."""

WARM_UP = 0.2
"""Seconds left out of the rate while TCP finds its window; processor time counts the whole run."""


class Slice(msgspec.Struct):
    """iperf3's sum over one interval; bytes as the sender counts them."""

    start: float
    seconds: float
    bytes: int


class Interval(msgspec.Struct):
    """One interval of iperf3's JSON."""

    sum: Slice


class Sent(msgspec.Struct):
    """The sender's own total."""

    bytes: int
    retransmits: int = 0


class Received(msgspec.Struct):
    """What the receiver says has arrived."""

    bytes: int


class End(msgspec.Struct):
    """iperf3's totals; absent when the run failed."""

    sum_sent: Sent | None = None
    sum_received: Received | None = None


class Report(msgspec.Struct):
    """The part of iperf3's JSON (``-J``) that is used; everything else is ignored."""

    intervals: list[Interval]
    end: End
    error: str = ""


@dataclass(frozen=True, slots=True)
class Flow:
    """What one run moved.

    Attributes:
        bits_per_second: after the warm-up.
        received: bytes of the whole run, at the receiver.
        retransmits: segments of the whole run.
    """

    bits_per_second: float
    received: int
    retransmits: int


def parse(text: str) -> Flow:
    """Read iperf3's JSON. Raises ProbeFailedError with iperf3's words, or where nothing has arrived."""
    try:
        report = msgspec.json.decode(text, type=Report)
    except msgspec.MsgspecError as error:
        raise ProbeFailedError(f"iperf3: not its JSON: {error}") from error
    if report.error or report.end.sum_received is None or report.end.sum_sent is None:
        raise ProbeFailedError(f"iperf3: {report.error or 'no totals'}")
    kept = [part.sum for part in report.intervals if part.sum.start >= WARM_UP - SLICE / 2]
    seconds = sum(part.seconds for part in kept)
    if not report.end.sum_received.bytes or not seconds:
        raise ProbeFailedError("iperf3: nothing arrived")
    rate = 8 * sum(part.bytes for part in kept) / seconds
    return Flow(rate, report.end.sum_received.bytes, report.end.sum_sent.retransmits)


@dataclass(frozen=True, slots=True)
class Stream:
    """Throughput of one stream, and busy seconds of the whole machine per 10^9 bytes that arrive."""

    name: str = "stream"

    def run(self, path: Stretch, seconds: float) -> Reading:
        """Send for whole seconds (iperf3 knows no others; it reads 0.7 as for ever), the warm-up included."""
        server = ("iperf3", "-s", "-1", "-p", str(PORT), "-B", path.address)
        length = str(max(1, round(seconds)))
        client = ("iperf3", "-c", path.address, "-p", str(PORT), "-t", length, "-i", str(SLICE), "-J")
        with serving(path.server, server, PORT):
            before = machine.busy()
            flow = parse(ask(path.client, client, limit=seconds + 15))
            spent = machine.busy().since(before)
        values = {
            metrics.STREAM.key: flow.bits_per_second / 1e9,
            metrics.CPU.key: spent.work / (flow.received / 1e9),
        }
        raw = {
            "received_bytes": flow.received,
            "retransmits": flow.retransmits,
            "busy_s": spent.work,
            "steal_s": spent.steal,
        }
        return Reading(values, raw)
