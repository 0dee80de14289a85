"""Real packets between namespaces do what the specification says, in random worlds and published tables."""

import os
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

import policy_cases
import policy_corners
import policy_judges
import policy_world
from octet.oracle import Flow, World, decide
from policy_corners import Corner, corners
from policy_forms import TWICE, written
from policy_net import ATTACH, PolicyNet, policy_net
from policy_worlds import RandomWorld, generate

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(300)]

WORLDS, FLOWS = 200, 24
FIRST = int(os.environ.get("OCTET_SEED", "0"))
ADDRESSES = {**policy_world.ADDRESSES, **policy_world.LATER}


@pytest.fixture(scope="module", params=ATTACH)
def net(request: pytest.FixtureRequest) -> Iterator[PolicyNet]:
    """Two nodes with pods attached in one way."""
    with policy_net(request.param) as made:
        yield made


def judged(net: PolicyNet, seed: int, *, hosts: bool) -> None:
    """Enforce a random world, send, and fail with the smallest world that shows a difference."""
    random_world = generate(seed, FLOWS, hosts=hosts)
    world = World(random_world.objects, names=random_world.names)
    flows = [flow for flow in net.askable(random_world.flows, world) if not _half_tracked(random_world, flow)]
    said = [bool(decide(world, flow).allowed) for flow in flows]
    net.enforce(random_world.objects, random_world.names)
    for flow, want, got in zip(flows, said, net.passes(flows, said), strict=True):
        if want is not got:
            text = policy_judges.counterexample(random_world, flow, net.attach.shared_link)
            pytest.fail(f"seed {seed}: the packet {'arrived' if got else 'did not arrive'}\n{text}")


def _half_tracked(world: RandomWorld, flow: Flow) -> bool:
    """Tell whether a flow needs an answer that an untracked policy may not let through."""
    untracked = any((item.get("spec") or {}).get("doNotTrack") for item in world.objects)
    return untracked and flow.protocol == "TCP"


def test_random_worlds_with_real_packets(net: PolicyNet) -> None:
    """In 200 random worlds for each way of attaching, each first packet arrives or does not, as specified."""
    for seed in range(FIRST, FIRST + WORLDS):
        judged(net, seed, hosts=False)


def test_random_worlds_with_real_packets_where_rules_ask_twice(net: PolicyNet) -> None:
    """The same in 60 worlds where no rule is a product of peers and ports, some with host endpoints."""
    with written(TWICE):
        for seed in range(FIRST + 500, FIRST + 560):
            judged(net, seed, hosts=seed % 4 == 3)


def test_random_worlds_with_host_endpoints_and_real_packets(net: PolicyNet) -> None:
    """The same in 100 worlds where nodes are under policy too: to, from and through them."""
    for seed in range(FIRST, FIRST + WORLDS // 2):
        judged(net, seed, hosts=True)


@pytest.mark.parametrize("file", ["netpol", "cyclonus", "clusternetworkpolicy", "calico"])
def test_published_tables_with_real_packets(net: PolicyNet, file: str) -> None:
    """Each step of each case: all pairs of pods, both ports, three protocols, as the table says."""
    wrong = []
    for case in policy_cases.cases(file):
        held = policy_world.objects()
        for number, step in enumerate(case.steps):
            held = policy_cases.after(held, step, case.kind, ADDRESSES)
            present = {name: at for name, at in ADDRESSES.items() if f"Pod {name}" in held}
            table = policy_cases.expected(step.table, policy_cases.probes(present), present)
            asked = [probe for probe in table if probe.source != probe.destination]
            flows = [
                Flow(ip_address(present[p.source]), ip_address(present[p.destination]), p.protocol, p.port)
                for p in asked
            ]
            net.enforce(tuple(held.values()))
            got = net.passes(flows, [table[probe] for probe in asked])
            wrong += [
                f"{case}, step {number + 1}: {probe} should be {'allowed' if table[probe] else 'denied'}"
                for probe, arrived in zip(asked, got, strict=True)
                if arrived is not table[probe]
            ]
    assert wrong == []


@pytest.mark.parametrize("corner", [each for each in corners() if each.steps], ids=str)
def test_corner_cases_with_real_packets(net: PolicyNet, corner: Corner) -> None:
    """After each step, every flow whose ends are here arrives or does not, as the case's answer says."""
    for held, questions in policy_corners.played(corner):
        world = World(held.values())
        asked = dict.fromkeys(net.askable((each.flow for each in questions), world))
        stated = [
            each for each in questions if each.flow in asked and each.flow.source != each.flow.destination
        ]
        net.enforce(tuple(held.values()))
        got = net.passes([each.flow for each in stated], [each.allowed for each in stated])
        wrong = [each.text for each, arrived in zip(stated, got, strict=True) if arrived is not each.allowed]
        assert wrong == []
