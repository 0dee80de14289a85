"""The chain of forwarded packets, with and without its question about cut connections, and the page."""

import pytest

from octet.blueprint.nft import CUT, Chain, validate
from octet.measure.bench_marks import MANY, NONE, OFTEN, ONCE, TIMES, each_costs, page, version
from octet.policy.gates import FORWARD, Gate

ASKS = f"ct mark & 0x{CUT:08x} == 0x00000000"


def forward() -> Chain:
    return next(each for each in Gate().base().of(Chain) if each.name == FORWARD)


def test_a_version_asks_as_often_as_it_says() -> None:
    """Once is the chain itself; never is all of it but for marks; often is often in each rule."""
    ours = forward()
    rules = [str(rule) for rule in ours.rules]
    assert version(ours, 1) == ours
    never = [str(rule) for rule in version(ours, 0).rules]
    assert never == [rule.replace(f"{ASKS} ", "") for rule in rules if "cut by policy" not in rule]
    assert not any("ct mark" in rule for rule in never)
    often = [str(rule).count(ASKS) for rule in version(ours, MANY).rules]
    assert often == [MANY * rule.count(ASKS) for rule in rules]
    assert sum(often) == 2 * MANY
    table = [each for each in Gate().base() if each.key != ours.key]
    for times in TIMES.values():
        validate([*table, version(ours, times)])


def test_what_one_comparison_costs_is_told_from_many() -> None:
    """310 ns more for 31 more comparisons are 10 ns for each."""
    found = {NONE: [1000.0] * 6, ONCE: [1010.0] * 6, OFTEN: [1010.0 + 10 * (MANY - 1)] * 6}
    assert each_costs(found, 1).median == pytest.approx(10)
    text = page(found, "x", 1)
    assert f"| {NONE} | 1 | 1000 |" in text
    assert f"| {ONCE} | 1.010 [1.010, 1.010] | 1010 |" in text
    assert "10.0 [10.0, 10.0] ns" in text
