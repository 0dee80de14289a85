from pathlib import Path

import pytest

from octet.errors import NotFoundError
from octet.measure import machine
from octet.measure.places import ProbeFailedError, listening
from octet.measure.probes import connections, latency, mtu, stream
from octet.measure.statistics import quantile

CAPTURED = Path(__file__).parent / "captured"


def captured(name: str) -> str:
    return (CAPTURED / name).read_text(errors="replace")


def test_iperf3_is_read_as_it_prints() -> None:
    """From iperf3 3.12's JSON: all bytes that arrived, and the rate without the warm-up's interval."""
    flow = stream.parse(captured("iperf3-3.12.json"))
    assert flow.received == 2854748160
    assert flow.retransmits == 9430
    assert flow.bits_per_second == pytest.approx(22.39e9, rel=0.01)


def test_iperf3s_own_words_are_kept() -> None:
    """A run that failed is reported with iperf3's reason."""
    with pytest.raises(ProbeFailedError, match="unable to connect to server: Connection refused"):
        stream.parse(captured("iperf3-3.12-refused.json"))


@pytest.mark.parametrize("text", ["", "not json", "[]", '{"intervals": [], "end": {}}'])
def test_anything_else_is_no_figure(text: str) -> None:
    """Output that is not iperf3's JSON, or has no totals, is an error."""
    with pytest.raises(ProbeFailedError, match="iperf3"):
        stream.parse(text)


def test_a_stream_of_nothing_is_an_error() -> None:
    """Zero bytes received is a failed path, not a rate of zero."""
    text = '{"intervals": [], "end": {"sum_sent": {"bytes": 0}, "sum_received": {"bytes": 0}}}'
    with pytest.raises(ProbeFailedError, match="nothing arrived"):
        stream.parse(text)


def test_sockperf_is_read_as_it_prints() -> None:
    """From sockperf 3.7's full log: every round trip and nothing of the text around them."""
    trips = latency.parse(captured("sockperf-3.7.csv"))
    assert len(trips) == 300
    assert trips[:3] == [51.447, 51.807, 50.125]
    assert quantile(trips, 0.5) == 41.252


def test_too_few_round_trips_are_no_distribution() -> None:
    """A p99 needs a hundred samples: with fewer there is no value but a reason, for packets did pass."""
    text = "".join(captured("sockperf-3.7.csv").splitlines(keepends=True)[:60])
    found = latency.reading(latency.parse(text))
    assert found.values == {}
    assert found.raw == {"round_trips": 39, "missing": "only 39 round trips, at least 100 are needed"}
    assert len(latency.reading(latency.parse(captured("sockperf-3.7.csv"))).values) == 2


def test_no_round_trip_is_an_error() -> None:
    """Where nothing comes back, packets do not pass."""
    with pytest.raises(ProbeFailedError, match="no round trip"):
        latency.parse("sockperf: Summary: Message Rate is 0 [msg/sec]")


def test_a_histogram_keeps_every_sample_within_one_percent() -> None:
    """All samples are counted, each in a bucket whose lower end is at most 1 % below it."""
    buckets = latency.histogram([50.0, 50.1, 80.0])
    assert sum(buckets.values()) == 3
    assert all(any(0.98 < float(low) / value <= 1.0001 for low in buckets) for value in (50.0, 80.0))


def test_connections_are_counted() -> None:
    """The client's line is read; a run without one finished connection is an error."""
    assert connections.parse('{"connections": 5, "failures": 1, "seconds": 0.5}').connections == 5
    with pytest.raises(ProbeFailedError, match="no connection, 3 failures"):
        connections.parse('{"connections": 0, "failures": 3, "seconds": 0.5}')


@pytest.mark.parametrize("answer", [576, 577, 1430, 1431, 1450, 1499, 1500, 1501, 9000, 65535])
@pytest.mark.parametrize("guesses", [(), (1430, 1450, 1480, 1500)])
def test_the_search_finds_the_largest(answer: int, guesses: tuple[int, ...]) -> None:
    """Whatever the answer and the guesses, the search finds it to the byte in at most 25 packets."""
    asked: list[int] = []
    found = mtu.largest(lambda size: bool(asked.append(size)) or size <= answer, 576, 65535, guesses)
    assert found == answer
    assert len(asked) <= 25


def test_a_path_that_carries_nothing_has_no_mtu() -> None:
    """When not even the smallest packet passes there is no figure."""
    with pytest.raises(ProbeFailedError, match="not even 576"):
        mtu.largest(lambda _: False, 576, 1500)


def test_a_listener_is_recognised_by_state_and_port() -> None:
    """Only a row in state LISTEN with the port counts, not a connection from or to it."""
    table = (
        "  sl  local_address rem_address   st\n"
        "   0: 0100007F:1451 00000000:0000 0A 0\n"
        "   1: 0100007F:1452 0100007F:D431 01 0\n"
    )
    assert listening(table, 5201)
    assert not listening(table, 5202)


def test_busy_time_leaves_idle_out() -> None:
    """Of /proc/stat, user, nice, system, irq and softirq are work; idle, iowait and steal are not."""
    found = machine.parse_stat("cpu  100 20 30 9999 888 5 45 7 0 0\ncpu0 1 2 3 4 5 6 7 8\n")
    assert found == machine.Busy(200 / machine.TICK, 7 / machine.TICK)


def test_a_missing_tool_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything starts, what is not installed is named, and the Debian package that has it."""
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(
        NotFoundError, match=r"not installed: iperf3, ping \(apt-get install iperf3 iputils-ping\)"
    ):
        machine.require("iperf3", "ping")


def test_facts_name_the_machine() -> None:
    """The record says which kernel and how many processors there were."""
    found = machine.facts()
    assert found["kernel"]
    assert isinstance(found["cpus"], int)
    assert machine.versions()["python"].startswith("3.")
