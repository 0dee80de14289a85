"""Request and response with sockperf: the distribution of round trips of a small message.

What lives here: sockperf's command line, the reading of its full log, a histogram small enough to keep.
What it must not know: candidates. A closed loop hides stalls of the sender (coordinated omission): p50 and
p99 here compare paths, they do not promise a service level.
"""

import math
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from octet.measure import metrics
from octet.measure.metrics import MISSING
from octet.measure.places import ProbeFailedError, Reading, Stretch, begin, finish, serving
from octet.measure.statistics import quantile

PORT = 11111
CONNECTED = 0.2
"""Seconds after which sockperf has connected and sleeps. If it has not, the run takes 2 s longer."""

FEWEST = 100
"""Round trips below which a p99 would stand on one sample or none."""

STEP = 1.01
"""Width of a histogram bucket: a value read back from ``results.json`` is within 1 % of what was measured."""


def _nothing() -> None:
    """Do nothing meanwhile."""


_ROW = re.compile(r"^\d+, [\d.]+, [\d.]+, ([\d.]+)$", re.MULTILINE)


def parse(text: str) -> list[float]:
    """Return every round trip, µs, from sockperf's log (``--full-log --full-rtt``); other lines are skipped.

    Raises ProbeFailedError where there is none.
    """
    found = [float(value) for value in _ROW.findall(text)]
    if not found:
        raise ProbeFailedError("sockperf: no round trip")
    return found


def reading(trips: Sequence[float]) -> Reading:
    """Return the quantiles; too few round trips (a busy machine) have none, and that is said instead."""
    if len(trips) < FEWEST:
        why = f"only {len(trips)} round trips, at least {FEWEST} are needed"
        return Reading({}, {"round_trips": len(trips), MISSING: why})
    values = {metrics.RTT_P50.key: quantile(trips, 0.5), metrics.RTT_P99.key: quantile(trips, 0.99)}
    return Reading(values, {"round_trips": len(trips), "histogram_us": histogram(trips)})


def histogram(samples: Sequence[float]) -> Mapping[str, int]:
    """Return how many samples fell into each bucket, by the bucket's lower end in µs."""
    counted = Counter(math.floor(math.log(sample) / math.log(STEP)) for sample in samples if sample > 0)
    return {f"{STEP**bucket:.2f}": counted[bucket] for bucket in sorted(counted)}


@dataclass(frozen=True, slots=True)
class Latency:
    """Round-trip time of 14 bytes over one TCP connection, one at a time."""

    name: str = "latency"

    def run(self, path: Stretch, seconds: float, meanwhile: Callable[[], None] = _nothing) -> Reading:
        """Play ping-pong for whole seconds (sockperf knows no others), of which 0.45 s are its warm-up.

        sockperf 3.7 connects, then sleeps for 2 s whatever its options: ``meanwhile`` is done in that time.
        The client is stopped until it is, so that a slow machine makes this longer, never wrong.
        """
        where = ("--tcp", "-i", path.address, "-p", str(PORT))
        length = str(max(1, round(seconds)))
        client = ("sockperf", "ping-pong", *where, "-t", length, "--full-rtt", "--full-log", "/dev/stdout")
        with serving(path.server, ("sockperf", "server", *where), PORT):
            process = begin(path.client, client)
            time.sleep(CONNECTED)
            process.send_signal(signal.SIGSTOP)
            try:
                meanwhile()
            finally:
                process.send_signal(signal.SIGCONT)
            trips = parse(finish(process, "sockperf", limit=seconds + 15))
        return reading(trips)
