"""A change that is made slice by slice is at every moment as before it or as after it, for every packet."""

from collections.abc import Iterator

import pytest

import policy_churn
from octet.blueprint import Blueprint
from octet.blueprint.nft import validate
from octet.oracle import Flow
from octet.policy import turns
from policy_cases import named
from policy_churn import Churn, Node
from policy_forms import FORMS, written
from policy_tracing import Cluster, kind_of

STEPS, QUESTIONS = 4, 10


def policies_only(churn: Churn) -> list[policy_churn.Event]:
    """Let policies, labels and service accounts change; pods stay where they are."""
    events = []
    for _ in range(churn.dice.pick((1, 2, 4))):
        change = churn.dice.pick((churn._new, churn._replaced, churn._gone, churn._relabelled))
        for happened, item in list(change()):
            events.append((happened, item))
            churn.objects.pop(named(item), None)
            if happened != "DELETED":
                churn.objects[named(item)] = item
    return events


def slices(node: Node, events: list[policy_churn.Event]) -> Iterator[None]:
    """Take events a slice at a time; yield after each, what the node holds being a whole table."""
    changes = []
    for happened, item in events:
        node.view, more = node.view.with_event(kind_of(item), (happened, item))
        changes += more
    node._policing.see(node.view, changes)
    while node._policing.waits:
        node.held.take(node._policing.step())
        validate(node.held.objects.values())
        yield


def answers(churn: Churn, name: str, flows: list[Flow]) -> list[bool]:
    """Return what one node's table lets through, whatever the other node says."""
    cluster = Cluster(churn.objects.values(), bridge=churn.bridge)
    cluster.__dict__["tables"] = {name: churn.nodes[name].table()}
    here = churn.nodes[name]._attached.values()
    mine = {address for endpoint in here for address in endpoint.addresses}
    cluster.__dict__["_addresses"] = dict.fromkeys(mine, name)
    return [cluster.allows(flow) for flow in flows]


def followed(seed: int) -> int:
    """Let policies change on two nodes; return the slices that were more than one for a change."""
    churn, count = Churn(seed, "cni0" if seed % 2 else ""), 0
    for number in range(STEPS):
        flows = list(churn.dice.flows(list(churn.objects.values()), QUESTIONS))
        before = {name: answers(churn, name, flows) for name in churn.nodes}
        events = policies_only(churn)
        for name, node in churn.nodes.items():
            amid = [answers(churn, name, flows) for _ in slices(node, events)]
            after = answers(churn, name, flows)
            for found in amid:
                wrong = [
                    flow
                    for flow, was, now, shall in zip(flows, before[name], found, after, strict=True)
                    if now not in (was, shall)
                ]
                assert wrong == [], f"seed {seed}, step {number}, {name}: {[each[1] for each in events]}"
            assert not node.fresh().change_from(Blueprint(node.held.objects.values()))
            count += max(0, len(amid) - 1)
    return count


@pytest.mark.parametrize(("seed", "form"), list(zip((0, 5), FORMS, strict=True)))
def test_no_slice_is_wider_or_narrower_than_before_and_after(seed, form, monkeypatch):
    """In slices of one address each, every packet is judged as before the change or as after it."""
    monkeypatch.setattr(turns, "SLICE", 1)
    with written(form):
        assert followed(seed) > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("block", range(2))
def test_no_slice_of_many_clusters(block, form, monkeypatch):
    """The same in 40 clusters, in both forms."""
    monkeypatch.setattr(turns, "SLICE", 1)
    with written(form):
        for seed in range(100 + block * 20, 120 + block * 20):
            followed(seed)
