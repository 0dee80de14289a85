"""While policies change nothing passes that old and new forbid, and hardly anything both allow is lost."""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from itertools import count, permutations

import pytest

from octet.blueprint import Blueprint
from octet.oracle import Flow, Verdict, World, decide
from policy_forms import FORMS, written
from policy_net import ATTACH, WORLD, PolicyNet, policy_net
from policy_stream import Counts, Stream
from policy_worlds import Dice, Item, pod_addresses

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(300)]

CLUSTERS, PAIRS = 4, 6
LOST = 1 / 20
"""Of a flow's packets, those that may be amid the rules at the moment of a swap, and meet half of each."""

SWAPS, PACKETS, AT_LENGTH, LONGEST = 10, 30, 300, 30.0
"""Swaps of one pair of policies, and packets of each flow that they last for; at most so many seconds."""


@pytest.fixture(scope="module", params=ATTACH)
def net(request: pytest.FixtureRequest) -> Iterator[PolicyNet]:
    """Two nodes with pods attached in one way."""
    with policy_net(request.param) as made:
        yield made


def steady(old: Verdict, new: Verdict) -> bool | None:
    """Return what must be so all the time; None where nodes that change one after the other may differ.

    A flow that one policy stops at its source and the other at its destination may pass while one node has
    the old and the other the new policy: each node is as it was or as it shall be.
    """
    if old.allowed and new.allowed:
        return True
    if old.allowed is False and new.allowed is False and old.reason.direction == new.reason.direction:
        return False
    return None


def questions(items: Sequence[Item], dice: Dice) -> list[Flow]:
    """Return UDP flows between all pods, and from outside."""
    pods = [text for item in items if item["kind"] == "Pod" for text in pod_addresses(item)]
    living = [text for text in pods if text.startswith(("10.", "fd"))]
    ends = [*permutations(living, 2), *(("203.0.113.7", text) for text in living if text.startswith("10."))]
    pairs = [(ip_address(a), ip_address(b)) for a, b in ends if (":" in a) is (":" in b)]
    return [Flow(a, b, "UDP", dice.pick((80, 81, 8080))) for a, b in pairs]


def swap_until_enough(
    net: PolicyNet, states: Sequence[Mapping[str, Blueprint]], stream: Stream, packets: int
) -> None:
    """Make one state and the other true in turn, until every flow was asked often enough."""
    turns, end = count(), time.monotonic() + LONGEST
    for turn in turns:
        for name, wanted in states[turn % 2].items():
            net.put(name, wanted)
        enough = all(each.sent >= packets for each in stream.counts)
        if (turn >= SWAPS and enough) or time.monotonic() > end:
            return
        time.sleep(0.001)


def counted(
    net: PolicyNet,
    states: Sequence[Mapping[str, Blueprint]],
    asked: Sequence[Flow],
    packets: int = PACKETS,
) -> list[Counts]:
    """Return what became of each flow's packets while two states took turns."""
    namespaces = {
        **net.nodes,
        WORLD: net.world,
        **{str(s.endpoint.v4): s.namespace for s in net.slots.values()},
    }
    places = [(net.place_of(flow.source) or "", net.place_of(flow.destination) or "", flow) for flow in asked]
    stream = Stream(namespaces, places)
    with stream.running():
        swap_until_enough(net, states, stream, packets)
    assert all(each.sent >= packets for each in stream.counts), "the machine is too busy for this test"
    return stream.counts


def lasting(
    net: PolicyNet, states: Sequence[Mapping[str, Blueprint]], flows: Sequence[Flow], times: int = 3
) -> list[str]:
    """Return what is lost of flows that lose too much each time, though asked at length and repeatedly."""
    said: list[str] = []
    for _ in range(times):
        again = zip(flows, counted(net, states, flows, AT_LENGTH) if flows else [], strict=True)
        lossy = [(flow, counts) for flow, counts in again if counts.lost > counts.sent * LOST]
        flows = [flow for flow, _ in lossy]
        said = [f"{flow}: {counts.lost} of {counts.sent} lost" for flow, counts in lossy]
    return said


@pytest.mark.parametrize("seed", range(CLUSTERS))
def test_no_moment_is_wider_than_old_or_new(net: PolicyNet, seed: int) -> None:
    """Random policies, in both forms, are swapped under new connections: never wider, hardly ever less.

    Some of the thousands of flows lose two of thirty packets by chance: those are asked again (``lasting``).
    """
    dice = Dice(random.Random(1000 + seed), dual=True)
    items = [item for item in dice.cluster() if not item.get("spec", {}).get("hostNetwork")]
    sets = [[*items, *dice.policies(items)] for _ in range(6)]
    worlds = [World(each, names={}) for each in sets]
    asked = net.askable(questions(items, dice), worlds[0])
    verdicts = [[decide(world, flow) for world in worlds] for flow in asked]
    with written(FORMS[seed % 2]):
        compiled = [net.compiled(each) for each in sets]
    for old, new in random.Random(seed).sample(list(permutations(range(len(sets)), 2)), PAIRS):
        with written(FORMS[seed % 2]):
            net.enforce(sets[old])
        states = [compiled[new], compiled[old]]
        suspects = []
        for flow, said, counts in zip(asked, verdicts, counted(net, states, asked), strict=True):
            must = steady(said[old], said[new])
            where = f"{flow}: {said[old]} | {said[new]}"
            assert must is not False or not counts.arrived, f"{where}: {len(counts.arrived)} passed"
            if must is True and counts.lost > counts.sent * LOST:
                suspects.append(flow)
        assert lasting(net, states, suspects) == []
