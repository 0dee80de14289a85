"""The probes on the simplest path there is: two namespaces and a veth pair."""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from octet.kernel import namespaces
from octet.measure import metrics
from octet.measure.places import ProbeFailedError, Stretch, ask, serving
from octet.measure.probes import PROBES, Connections, Latency, Mtu, Stream

pytestmark = pytest.mark.kernel


@dataclass
class Namespace:
    """A place that is nothing but a network namespace."""

    descriptor: int

    def start(self, command: Sequence[str]) -> subprocess.Popen[str]:
        with namespaces.inside(self.descriptor):
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ip(self, *arguments: str) -> None:
        with namespaces.inside(self.descriptor):
            subprocess.run(["ip", *arguments], check=True)


@pytest.fixture
def pair() -> Iterator[Stretch]:
    """Two namespaces, 10.9.0.1 and 10.9.0.2, MTU 1500."""
    ends = Namespace(namespaces.create()), Namespace(namespaces.create())
    peer = f"/proc/{os.getpid()}/fd/{ends[1].descriptor}"
    ends[0].ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", peer)
    for index, end in enumerate(ends, start=1):
        end.ip("link", "set", "lo", "up")
        end.ip("addr", "add", f"10.9.0.{index}/24", "dev", "eth0")
        end.ip("link", "set", "eth0", "up")
    yield Stretch(ends[0], ends[1], "10.9.0.2")
    for end in ends:
        os.close(end.descriptor)


def test_a_stream_passes_and_costs_processor_time(pair: Stretch) -> None:
    """A stream over a pair of veths moves more than a gigabit per second and is not free."""
    reading = Stream().run(pair, 1)
    assert reading.values[metrics.STREAM.key] > 1
    assert 0 < reading.values[metrics.CPU.key] < 20


def test_round_trips_are_below_a_millisecond_and_their_tail_is_longer(pair: Stretch) -> None:
    """The median of a local round trip is some tens of microseconds, and p99 is not below it."""
    values = Latency().run(pair, 1).values
    assert 1 < values[metrics.RTT_P50.key] < 1000
    assert values[metrics.RTT_P99.key] >= values[metrics.RTT_P50.key]


def test_what_is_done_meanwhile_never_overlaps_the_ping_pong(pair: Stretch) -> None:
    """Work given to sockperf's idle time is done before the first round trip, even when it takes longer."""
    done: list[float] = []

    def work() -> None:
        time.sleep(2.5)
        done.append(time.monotonic())

    begun = time.monotonic()
    reading = Latency().run(pair, 1, work)
    assert time.monotonic() - done[0] > 1, "the ping-pong's second comes after the work"
    assert time.monotonic() - begun < 12
    assert reading.values[metrics.RTT_P50.key] < 1000


def test_connections_come_to_their_end(pair: Stretch) -> None:
    """Every connection on a clean path ends well, at hundreds per second or more."""
    reading = Connections().run(pair, 0.3)
    assert reading.values[metrics.CONNECTIONS.key] > 100
    assert reading.raw["failures"] == 0


@pytest.mark.parametrize("mtu", [1280, 1450, 1499, 1500, 9000])
def test_the_effective_mtu_is_the_links(pair: Stretch, mtu: int) -> None:
    """The probe finds the smaller of both ends' MTU to the byte, guessed or not."""
    assert isinstance(pair.client, Namespace)
    assert isinstance(pair.server, Namespace)
    for end in (pair.client, pair.server):
        end.ip("link", "set", "eth0", "mtu", str(mtu))
    assert Mtu().run(pair, 0.3).values[metrics.MTU.key] == mtu


def test_a_hole_in_the_path_is_found(pair: Stretch) -> None:
    """A link in between that drops large packets in silence lowers the effective MTU below the near end's."""
    assert isinstance(pair.server, Namespace)
    pair.server.ip("link", "set", "eth0", "mtu", "1400")
    assert Mtu().run(pair, 0.2).values[metrics.MTU.key] < 1500


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_no_path_is_an_error_not_a_figure(pair: Stretch, probe: object) -> None:
    """When packets do not pass, each probe says so instead of reporting a number."""
    assert isinstance(pair.client, Namespace)
    pair.client.ip("link", "set", "eth0", "down")
    with pytest.raises(ProbeFailedError):
        probe.run(pair, 0.2)  # type: ignore[attr-defined] # any of PROBES


def test_a_server_that_ends_says_why(pair: Stretch) -> None:
    """A server that can't start is reported with its own words, at once."""
    with (
        pytest.raises(ProbeFailedError, match="bad"),
        serving(pair.server, ("sh", "-c", "echo bad port >&2; exit 3"), 99),
    ):
        pass


def test_a_program_that_hangs_is_ended(pair: Stretch) -> None:
    """A tool that does not come back is killed after its limit and named."""
    with pytest.raises(ProbeFailedError, match="sleep: no end"):
        ask(pair.client, ("sleep", "60"), limit=0.2)
