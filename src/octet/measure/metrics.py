"""What is measured: the list of metrics, their units, and which way is better.

What lives here: names and units only. What it must not know: how a probe finds the value.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a candidate.

    Attributes:
        key: its name in ``results.json``; includes the unit.
        title: for a person.
        unit: as printed after the number.
        higher_is_better: False for times and costs.
        digits: decimals that mean something.
        exact: the same every time, so one value says all and noise has no part in it.
    """

    key: str
    title: str
    unit: str
    higher_is_better: bool
    digits: int = 1
    exact: bool = False

    def text(self, value: float) -> str:
        """Return the value as a person reads it, without the unit."""
        return f"{value:.{self.digits}f}"


ATTACH = Metric("attach_ms", "attach", "ms", higher_is_better=False, digits=2)
DETACH = Metric("detach_ms", "detach", "ms", higher_is_better=False, digits=2)
STREAM = Metric("stream_gbit_per_s", "TCP stream", "Gbit/s", higher_is_better=True, digits=2)
CPU = Metric("cpu_s_per_gbyte", "CPU per GB", "s", higher_is_better=False, digits=3)
RTT_P50 = Metric("rtt_p50_us", "round trip p50", "µs", higher_is_better=False)
RTT_P99 = Metric("rtt_p99_us", "round trip p99", "µs", higher_is_better=False)
CONNECTIONS = Metric("connections_per_s", "connections", "/s", higher_is_better=True, digits=0)
MTU = Metric("mtu_bytes", "effective MTU", "bytes", higher_is_better=True, digits=0, exact=True)

METRICS: tuple[Metric, ...] = (ATTACH, DETACH, STREAM, CPU, RTT_P50, RTT_P99, CONNECTIONS, MTU)
"""Every metric, in the order of tables and charts."""

MISSING = "missing"
"""The key of a reading's ``raw`` that says why it has no value, though packets pass."""
