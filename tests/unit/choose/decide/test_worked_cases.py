"""The worked cases of examples/choose: what they expect is what comes out."""

from pathlib import Path
from typing import Any

import pytest

from octet.choose import Decision, decide
from octet.choose.facts import Facts
from octet.choose.requirements import RequirementsFile, read

CASES = sorted((Path(__file__).parents[4] / "examples/choose").glob("*.toml"))
EXPECTED = {"among", "verify", "out", "outcome", "give-up"}


@pytest.fixture(scope="module", params=CASES, ids=lambda path: path.stem)
def case(request: pytest.FixtureRequest, shipped: Facts) -> tuple[RequirementsFile, Decision]:
    """A case and the decision that comes of its requirements."""
    held = read(request.param)
    return held, decide(held.requirements, shipped, None, held.weights)


def expected(case: tuple[RequirementsFile, Decision]) -> dict[str, Any]:
    assert case[0].title
    assert case[0].story
    assert not case[0].expect.keys() - EXPECTED
    return case[0].expect


def test_there_are_enough_cases() -> None:
    """At least ten cases are worked, and each expects something."""
    assert len(CASES) >= 10
    assert all("[expect]" in path.read_text() for path in CASES)


def test_whom_a_case_rules_out(case: tuple[RequirementsFile, Decision]) -> None:
    """Exactly the expected providers are ruled out, each by its constraint with the fact's source."""
    out = {each["provider"]: each for each in expected(case).get("out", [])}
    assert out.keys() == {each.provider for each in case[1].excluded}
    for excluded in case[1].excluded:
        wanted = out[excluded.provider]
        found = {finding.constraint: finding for finding in excluded.findings}
        sources = [each.source for each in found[wanted["constraint"]].evidence]
        assert wanted["source"] in sources, excluded.provider


def test_whom_a_case_leaves(case: tuple[RequirementsFile, Decision]) -> None:
    """The answer is among those whom nothing is held against; who must be verified carries a warning."""
    found = case[1]
    proven = {each.provider for each in found.kept if not each.warnings}
    assert sorted(proven) == expected(case)["among"]
    assert set(found.leaders) <= proven
    assert sorted(each.provider for each in found.kept if each.warnings) == expected(case)["verify"]


def test_a_case_without_an_answer_says_what_to_give_up(case: tuple[RequirementsFile, Decision]) -> None:
    """Where nobody is left the outcome is "nothing", with the smallest sets of needs to give up."""
    ways = [list(each.constraints) for each in case[1].relaxations]
    assert ways == expected(case).get("give-up", [])
    assert (case[1].outcome == "nothing") == bool(ways)
    assert case[1].outcome == expected(case).get("outcome", case[1].outcome)


def test_an_answer_has_its_reasons(case: tuple[RequirementsFile, Decision]) -> None:
    """An answer has three reasons for and three against, everybody else a sentence, and facts have dates."""
    found = case[1]
    if found.leaders:
        assert len(found.reasons_for) == 3
        assert len(found.reasons_against) == 3
        assert all(reason.evidence for reason in (*found.reasons_for, *found.reasons_against))
        assert [run.provider for run in found.run] == list(found.leaders)
    assert len(found.why_not) == 13 - len(found.leaders)
    assert found.oldest is not None
    assert [each.id for each in found.missing if each.id == "measurements"] == ["measurements"]
