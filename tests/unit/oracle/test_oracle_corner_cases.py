"""The oracle's answer to each corner case, and that each has a proof somewhere."""

from pathlib import Path

import pytest

import policy_corners
from octet.errors import BadConfigurationError
from octet.oracle import World, decide
from policy_corners import Corner, corners

TREE = Path(__file__).parents[3]


@pytest.mark.parametrize("corner", [each for each in corners() if each.steps], ids=str)
def test_the_oracle_answers_each_corner_case(corner: Corner):
    """After each step of the case, every flow is judged as its answer says; invalid objects are refused."""
    wrong = []
    for held, questions in policy_corners.played(corner):
        world = World(held.values())
        verdicts = {each.text: decide(world, each.flow) for each in questions}
        wrong += [
            f"{each.text}: {verdicts[each.text]}"
            for each in questions
            if verdicts[each.text].allowed is not each.allowed
        ]
    assert wrong == []
    for item in policy_corners.refused(corner):
        with pytest.raises(BadConfigurationError):
            decide(World([item]), policy_corners.question("allow x/a -> x/b 80/TCP").flow)


def test_all_fifty_corner_cases_have_a_proof():
    """Each of the fifty has an answer, and either flows or the name of a test that is there."""
    held = corners()
    assert [each.number for each in held] == list(range(1, 51))
    assert all(each.answer and bool(each.steps) != bool(each.proven) for each in held)
    for each in held:
        path, _, name = each.proven.partition("::")
        assert not each.proven or f"\ndef {name}(" in (TREE / path).read_text(), each.proven
