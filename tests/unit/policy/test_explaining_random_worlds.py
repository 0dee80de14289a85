"""What is explained is what the specification says, in random clusters with every kind of policy."""

from dataclasses import replace

import pytest

from octet.oracle import Flow, World, decide
from octet.policy.judge import Packet
from octet.policy.telling.ends import at
from octet.policy.telling.explain import Explainer
from policy_tracing import view_of
from policy_worlds import RandomWorld, generate

FIRST, FEW, MANY = 500_000, 60, 2_000


def wrong(world: RandomWorld) -> list[tuple[Flow, str]]:
    """The flows of a world that are explained otherwise than the oracle decides them."""
    view = replace(view_of(world.objects, "node-1"), learned=world.names)
    explainer, spoken = Explainer(view), World(world.objects, names=world.names)
    found = []
    for flow in world.flows:
        ports = flow.source_port or 0, flow.port or 0
        packet = Packet(flow.source, flow.destination, flow.number, *ports, flow.icmp)
        said, who = explainer.verdict(at(view, flow.source), at(view, flow.destination), packet)
        if said is not decide(spoken, flow).allowed:
            found.append((flow, who))
    return found


@pytest.mark.parametrize("hosts", [False, True], ids=["pods", "host endpoints"])
def test_random_worlds_are_explained_as_specified(hosts: bool) -> None:
    """Pods, nodes and strangers, under all dialects at once, with and without policies for nodes."""
    assert {seed: wrong(generate(seed, hosts=hosts)) for seed in range(FIRST, FIRST + FEW)} == {
        seed: [] for seed in range(FIRST, FIRST + FEW)
    }


@pytest.mark.slow
@pytest.mark.parametrize("hosts", [False, True], ids=["pods", "host endpoints"])
def test_thousands_of_random_worlds_are_explained_as_specified(hosts: bool) -> None:
    """The same, in many more."""
    for seed in range(FIRST + FEW, FIRST + MANY):
        assert wrong(generate(seed, hosts=hosts)) == [], f"seed {seed}"
