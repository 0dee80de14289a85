"""In 20,000 random clusters the compiled rules do what the specification says, and the proof can fail."""

import os

import pytest

import policy_judges
from octet import policy
from octet.blueprint import Blueprint
from octet.blueprint.nft import Element
from octet.oracle import World, decide
from policy_forms import FORMS, TWICE, written
from policy_worlds import generate

BLOCKS, SIZE = 20, 1000
FEW = 40
FIRST = int(os.environ.get("OCTET_SEED", "0"))  # another number is 20,000 other worlds


def bridge_of(seed: int) -> str:
    return "cni0" if seed % 2 else ""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("block", range(BLOCKS))
def test_random_worlds_are_compiled_as_the_specification_says(block):
    """All dialects together, pods of every kind, both attachments: each flow as the oracle says."""
    for seed in range(FIRST + block * SIZE, FIRST + (block + 1) * SIZE):
        world = generate(seed)
        flow = policy_judges.differing(world, bridge_of(seed))
        assert flow is None, f"seed {seed}\n" + policy_judges.counterexample(world, flow, bridge_of(seed))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("block", range(6))
def test_random_worlds_where_every_rule_asks_twice(block):
    """The same in 6,000 worlds where no rule is a product of peers and ports, as with very many of them."""
    with written(TWICE):
        for seed in range(FIRST + block * SIZE, FIRST + (block + 1) * SIZE):
            world = generate(seed, hosts=seed % 4 == 3)
            flow = policy_judges.differing(world, bridge_of(seed))
            assert flow is None, f"seed {seed}\n" + policy_judges.counterexample(world, flow, bridge_of(seed))


@pytest.mark.parametrize("form", FORMS)
def test_a_few_random_worlds_in_both_forms(form):
    """A few worlds a day: rules as products and as two lookups say what the specification says."""
    with written(form):
        for seed in range(FIRST, FIRST + FEW):
            world = generate(seed)
            assert policy_judges.differing(world, bridge_of(seed)) is None, f"seed {seed}"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("block", range(2))
def test_random_worlds_with_host_endpoints(block):
    """The same where nodes are under policy too: failsafe ports, untracked, before translation, forwarded."""
    for seed in range(FIRST + block * SIZE, FIRST + (block + 1) * SIZE):
        world = generate(seed, hosts=True)
        flow = policy_judges.differing(world, bridge_of(seed))
        assert flow is None, f"seed {seed}\n" + policy_judges.counterexample(world, flow, bridge_of(seed))


def test_random_worlds_are_worth_asking():
    """The dice give both answers often, every kind of policy, and the same world for the same seed."""
    worlds = [generate(seed) for seed in range(120)]
    verdicts = [
        decide(World(world.objects, names=world.names), flow).allowed
        for world in worlds
        for flow in world.flows
    ]
    assert 0.2 < verdicts.count(False) / len(verdicts) < 0.8
    kinds = {item["kind"] for world in worlds for item in world.objects}
    wanted = {"NetworkPolicy", "ClusterNetworkPolicy", "GlobalNetworkPolicy", "Tier", "NetworkSet"}
    assert wanted | {"GlobalNetworkSet", "EndpointSlice", "ServiceAccount"} <= kinds
    assert generate(7) == generate(7)


def test_a_fault_is_found_and_becomes_a_small_counterexample(monkeypatch):
    """Rules that forget addresses of sets differ soon; the report has the flow, both sides, little else."""
    compiled = policy.compile

    def faulty(*args, **kwargs):
        whole = compiled(*args, **kwargs)
        return Blueprint(
            each for each in whole if not (isinstance(each, Element) and each.of.endswith("-h4"))
        )

    monkeypatch.setattr(policy, "compile", faulty)
    worlds = ((seed, generate(seed)) for seed in range(200))
    found = ((seed, world, policy_judges.differing(world, bridge_of(seed))) for seed, world in worlds)
    seed, world, flow = next(each for each in found if each[2] is not None)
    small = policy_judges.smallest(world, flow, bridge_of(seed))
    assert len(small) < len(world.objects)
    assert sum("Policy" in item["kind"] for item in small) == 1
    text = policy_judges.counterexample(world, flow, bridge_of(seed))
    assert str(flow) in text
    assert "the specification: " in text
    assert "the rules: " in text
