"""Denied flows as the agent remembers them: readable, counted, bounded whatever pods send."""

import msgspec
import pytest

from octet.agent.flows import BURST, KEPT, MOST_OPEN, RATE, WINDOW, Flow, Flows

FLOW = Flow(
    "denied", "Egress", "NetworkPolicy a/b", "default", "a/x", "10.0.0.1", "a/y", "10.0.0.2", "TCP", 80, 4000
)


class Clock:
    """Time that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock of one's own."""
    return Clock()


@pytest.fixture
def flows(clock: Clock) -> Flows:
    """An empty memory."""
    return Flows(clock)


def other(port: int) -> Flow:
    return msgspec.structs.replace(FLOW, port=port)


def test_the_first_packet_of_a_flow_is_told_at_once(flows: Flows) -> None:
    """A line has number, time and count."""
    line = flows.add(FLOW)
    assert line is not None
    assert (line.number, line.time, line.count) == (1, 1000.0, 1)
    assert flows.since(0) == [line]
    assert flows.since(1) == []


def test_repeats_become_one_line_with_their_number(flows: Flows, clock: Clock) -> None:
    """A client that tries again from other ports is told of again after the window, once."""
    flows.add(FLOW)
    for number in range(7):
        assert flows.add(msgspec.structs.replace(FLOW, source_port=5000 + number)) is None
    assert [line.count for line in flows.since(0)] == [1]
    clock.now += WINDOW
    assert [line.count for line in flows.since(0)] == [1, 7]
    clock.now += WINDOW
    assert [line.count for line in flows.since(0)] == [1, 7]


def test_directions_and_policies_are_flows_of_their_own(flows: Flows) -> None:
    """The same packet denied by another policy, or at the other end, is another line."""
    for each in ({}, {"direction": "Ingress"}, {"policy": "NetworkPolicy a/c"}, {"icmp": "8/0"}):
        assert flows.add(msgspec.structs.replace(FLOW, **each)) is not None


def test_a_flood_of_different_flows_costs_a_bounded_rate(flows: Flows, clock: Clock) -> None:
    """A pod that sprays ports gets so many lines a second and no more; all else is counted as untold."""
    seconds, sent = 60, 0
    for second in range(seconds):
        for number in range(1000):
            flows.add(other(1 + (second * 1000 + number) % 65535))
            sent += 1
        clock.now += 1
    told = sum(line.count for line in flows.since(0))
    assert flows.last <= BURST + RATE * seconds
    assert len(flows.since(0)) <= KEPT
    assert flows.untold >= sent - BURST - RATE * (seconds + 1) * 2
    assert told + flows.untold <= sent


def test_memory_is_bounded_within_a_window(flows: Flows) -> None:
    """Flows whose repeats are counted are never more than so many, also at one moment."""
    for port in range(1, 5000):
        flows.add(other(port))
    assert len(flows._open) <= MOST_OPEN
    assert flows.untold == 4999 - BURST


def test_a_clock_that_goes_back_does_no_harm(flows: Flows, clock: Clock) -> None:
    """After a step backwards lines go on to be told."""
    flows.add(FLOW)
    clock.now -= 3600
    assert flows.add(other(81)) is not None
