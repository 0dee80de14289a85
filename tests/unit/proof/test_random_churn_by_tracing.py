"""Under random change every transaction leads from one right table to the next."""

import pytest

from octet.blueprint import Blueprint
from octet.oracle import World, decide
from policy_cases import named
from policy_churn import Churn
from policy_forms import FORMS, written

STEPS, QUESTIONS = 12, 10


def followed(seed: int) -> list[str]:
    """Let a cluster change; return what was wrong after a transaction."""
    churn = Churn(seed, "cni0" if seed % 2 else "")
    wrong = []
    for number in range(STEPS):
        events = churn.step()
        what = [(happened, named(item)) for happened, item in events]
        where = f"seed {seed}, step {number + 1}, after {what}"
        for node in churn.nodes.values():
            change = node.fresh().change_from(Blueprint(node.held.objects.values()))
            wrong += [f"{where}: {node.view.me} holds something else:\n{change}"] if change else []
        world, cluster = World(churn.objects.values(), names={}), churn.cluster()
        for flow in churn.dice.flows(list(churn.objects.values()), QUESTIONS):
            verdict = decide(world, flow)
            wrong += [f"{where}: {flow}: {verdict}"] if cluster.allows(flow) is not verdict.allowed else []
        if wrong:
            break
    return wrong


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(2))
def test_transactions_lead_to_what_would_be_compiled_from_nothing(seed, form):
    """Policies, labels, pods, addresses that pass to others: each transaction leads to the right table."""
    with written(form):
        assert followed(seed) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("block", range(3))
def test_long_churn(block, form):
    """The same for 300 clusters with twelve transactions each, in both forms."""
    with written(form):
        for seed in range(100 + block * 100, 200 + block * 100):
            assert followed(seed) == []
