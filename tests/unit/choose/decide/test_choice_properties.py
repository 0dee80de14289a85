"""What holds for every choice, whatever the facts, the requirements and the weights."""

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from octet.choose import decide, sensitivity
from octet.choose.constraints import findings
from octet.choose.contradictions import found as contradiction
from octet.choose.criteria import IDS, checked
from octet.choose.decision import from_json, to_json
from octet.choose.facts import Certainty, Count, Fact, Facts, Provider, Step, Support
from octet.choose.figures import Figures
from octet.choose.questions import answers
from octet.choose.ranking import Course, Option, dominates, stand, value
from octet.choose.requirements import FIELDS, NOTHING_TO_LEAVE, Requirements
from octet.choose.sensitivity import Tipping, tippings

pytestmark = pytest.mark.slow

DAY = dt.date(2026, 8, 22)
YES_NO = (
    "policy-ingress",
    "policy-egress",
    "policy-by-name",
    "encryption",
    "windows",
    "needs-database",
    "needs-layer-2",
    "commercial-support",
    "kops-policy",
    "aws-private-topology",
)
certainties = st.sampled_from([Certainty.VERIFIED, Certainty.VERIFIED, Certainty.UNVERIFIED])


def kept_facts(key: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Fact]:
    return st.builds(Fact, st.just(key), st.none() | values, st.just(DAY), st.just("source"), certainties)


facts_of_one = st.fixed_dictionaries(
    {
        **{key: kept_facts(key, st.booleans()) for key in YES_NO},
        "status": kept_facts("status", st.sampled_from(["active", "archived"])),
        "latest-release-date": kept_facts(
            "latest-release-date", st.dates(dt.date(2024, 1, 1), dt.date(2026, 8, 1))
        ),
        "foundation": kept_facts("foundation", st.sampled_from(["none", "kubernetes"])),
        "clouds": kept_facts("clouds", st.sampled_from([("aws",), ("aws", "own-machines")])),
        "largest-cluster": kept_facts("largest-cluster", st.integers(60, 5000)),
        "kernel-minimum": kept_facts("kernel-minimum", st.sampled_from(["any", "4.6", "5.10"])),
    }
)
steps = st.lists(
    st.tuples(
        st.sampled_from(["1.5", "1.20", "1.28"]), st.sampled_from(Support), st.sampled_from(["", "1.23"])
    ),
    max_size=3,
)


@st.composite
def some_facts(draw: st.DrawFn) -> Facts:
    """Return two to four providers of which anything may be known, unknown or unverified."""
    names = draw(st.lists(st.sampled_from("abcdef"), min_size=2, max_size=4, unique=True))
    return Facts(
        tuple(
            Provider(
                name=name,
                title=name.upper(),
                summary="",
                packet="",
                facts=draw(facts_of_one),
                steps=tuple(
                    Step("kops", version, state, None, DAY, "notes", kubernetes=kubernetes)
                    for version, state, kubernetes in draw(steps)
                ),
            )
            for name in names
        )
    )


@st.composite
def some_requirements(draw: st.DrawFn, most: int = 6) -> Requirements:
    """Return requirements that answer some of the questions."""
    nobody = Facts(())
    chosen = draw(st.lists(st.sampled_from(FIELDS), max_size=most, unique=True))
    held = Requirements()
    for field in chosen:
        values = answers(field, held, nobody) or ("1.30",)
        values = tuple(each for each in values if field != "leaving" or each == NOTHING_TO_LEAVE)
        held = msgspec.structs.replace(held, **{field: draw(st.sampled_from(values))})
    assume(not contradiction(held))
    return held


@pytest.fixture(autouse=True, scope="module")
def _fewer_draws() -> Iterator[None]:
    """What holds for two thousand draws holds for fifty, in less time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sensitivity, "DRAWS", 50)
        yield


some_weights = st.dictionaries(st.sampled_from(IDS), st.floats(0.001, 1000), min_size=1)
few = settings(max_examples=30, deadline=None)
many = settings(max_examples=100, deadline=None)


def kept(requirements: Requirements, facts: Facts) -> set[str]:
    names = {provider.name for provider in facts.providers}
    return names - stand(requirements, facts, Figures(), None).out


@many
@given(facts=some_facts(), requirements=some_requirements(), data=st.data())
def test_a_stricter_requirement_never_adds_a_candidate(
    facts: Facts, requirements: Requirements, data: st.DataObject
) -> None:
    """Asking for one thing more, or for more of it, keeps nobody who was ruled out before."""
    open_fields = [field for field in FIELDS if getattr(requirements, field) is None]
    assume(open_fields)
    field = data.draw(st.sampled_from(open_fields))
    answer = data.draw(st.sampled_from(answers(field, requirements, facts) or ("1.30",)))
    stricter = msgspec.structs.replace(requirements, **{field: answer})
    assume(not contradiction(stricter))
    assert kept(stricter, facts) <= kept(requirements, facts)


@many
@given(
    facts=some_facts(), requirements=some_requirements(), nodes=st.integers(1, 6000), more=st.integers(1, 99)
)
def test_more_nodes_never_add_a_candidate(
    facts: Facts, requirements: Requirements, nodes: int, more: int
) -> None:
    """A larger cluster keeps nobody who was ruled out for a smaller one."""
    small = msgspec.structs.replace(requirements, nodes=nodes, nodes_in_two_years=None)
    large = msgspec.structs.replace(small, nodes=nodes + more)
    assert kept(large, facts) <= kept(small, facts)


@many
@given(facts=some_facts(), one=some_requirements(most=12), data=st.data())
def test_what_was_worked_out_before_is_still_true(
    facts: Facts, one: Requirements, data: st.DataObject
) -> None:
    """A race after another one over the same course is the race that it would have been alone."""
    course = Course(facts, Figures(), None)
    course.stand(one)
    field = data.draw(st.sampled_from(FIELDS))
    answer = data.draw(st.sampled_from((None, *answers(field, one, facts))))
    other = msgspec.structs.replace(one, **{field: answer})
    assert course.stand(other) == stand(other, facts, Figures(), None)


@many
@given(facts=some_facts(), requirements=some_requirements(), weights=some_weights)
def test_a_dominated_candidate_never_wins(
    facts: Facts, requirements: Requirements, weights: dict[str, float]
) -> None:
    """Nobody in the race is equalled or beaten in everything by another one, least of all the first."""
    found = stand(requirements, facts, Figures(), checked(weights))
    assert not found.dominated.keys() & {option.name for option in found.race}
    for name, by in found.dominated.items():
        assert dominates(found.options[by], found.options[name], found.weights)
        assert value(found.options[by], found.weights) >= value(found.options[name], found.weights) - 1e-9
    for option in found.race:
        assert not any(dominates(other, option, found.weights) for other in found.race)


@few
@given(
    facts=some_facts(), requirements=some_requirements(), weights=some_weights, scale=st.floats(0.001, 1000)
)
def test_weights_have_no_scale(
    facts: Facts, requirements: Requirements, weights: dict[str, float], scale: float
) -> None:
    """Weights that are all so many times larger give the same decision."""
    one = decide(requirements, facts, weights=weights)
    other = decide(requirements, facts, weights={name: each * scale for name, each in weights.items()})
    assert one.leaders == other.leaders
    assert [place.provider for place in one.ranking] == [place.provider for place in other.ranking]
    assert all(abs(one.weights[name] - other.weights[name]) < 1e-9 for name in one.weights)


@few
@given(facts=some_facts(), requirements=some_requirements(), data=st.data())
def test_the_order_of_facts_never_matters(
    facts: Facts, requirements: Requirements, data: st.DataObject
) -> None:
    """The same facts in another order give the same decision, to the byte."""
    shuffled = Facts(tuple(data.draw(st.permutations(facts.providers))))
    assert to_json(decide(requirements, facts)) == to_json(decide(requirements, shuffled))


@many
@given(facts=some_facts(), requirements=some_requirements(most=12))
def test_an_unknown_never_passes_silently(facts: Facts, requirements: Requirements) -> None:
    """Whoever is kept while a fact that decides is unknown or unverified carries a warning that says so."""
    standing = stand(requirements, facts, Figures(), None)
    for provider in facts.providers:
        for finding in findings(requirements, provider):
            direct = [each for each in finding.evidence if each.key == finding.constraint]
            doubtful = any(each.says == "unknown" or each.certainty == "unverified" for each in direct)
            if doubtful and len(finding.evidence) == 1:
                assert finding.verdict == "unknown"
                option = standing.options[provider.name]
                assert finding in option.doubts
                assert option.out or option in (*standing.waiting, *standing.race) or standing.dominated


@many
@given(facts=some_facts(), requirements=some_requirements(most=12))
def test_who_is_in_doubt_never_precedes_who_is_proven(facts: Facts, requirements: Requirements) -> None:
    """As long as somebody has no doubt, nobody with one is in the race."""
    standing = stand(requirements, facts, Figures(), None)
    doubted = {option.name for option in standing.race if option.doubts}
    proven = set(standing.options) - standing.out - standing.doubted
    assert not (doubted and proven)


@few
@given(facts=some_facts(), requirements=some_requirements(), weights=some_weights)
def test_nothing_buys_off_a_constraint(
    facts: Facts, requirements: Requirements, weights: dict[str, float]
) -> None:
    """Whatever the weights: who is ruled out is in no ranking and no tie, and everybody is out or kept."""
    found = decide(requirements, facts, weights=weights)
    out = {each.provider for each in found.excluded}
    assert not out & {*found.leaders, *(place.provider for place in found.ranking)}
    assert out.isdisjoint(each.provider for each in found.kept)
    assert out | {each.provider for each in found.kept} == {provider.name for provider in facts.providers}
    assert out == {
        name for name in out if any(each.provider == name and each.findings for each in found.excluded)
    }


@few
@given(facts=some_facts(), requirements=some_requirements())
def test_a_decision_survives_json(facts: Facts, requirements: Requirements) -> None:
    """A decision written as JSON and read again is the same decision."""
    found = decide(requirements, facts)
    assert from_json(to_json(found)) == found


@few
@given(facts=some_facts(), requirements=some_requirements())
def test_popularity_changes_nothing(facts: Facts, requirements: Requirements) -> None:
    """Stars, forks and contributors, however many, leave the decision as it is."""
    count = Count("a", DAY, "somewhere", {"stars": 10**6, "forks": 10**5, "contributors": 10**4})
    popular = Facts(tuple(replace(each, counts=(count,)) for each in facts.providers))
    assert to_json(decide(requirements, facts)) == to_json(decide(requirements, popular))


@few
@given(facts=some_facts(), requirements=some_requirements())
def test_shares_of_first_places_add_up(facts: Facts, requirements: Requirements) -> None:
    """Everybody in the race has a share of first places; together they are one whole."""
    shares = [
        place.first_share for place in decide(requirements, facts).ranking if place.first_share is not None
    ]
    assert not shares or abs(sum(shares) - 1) < 1e-9


@few
@given(facts=some_facts(), requirements=some_requirements())
def test_a_flip_of_a_requirement_flips(facts: Facts, requirements: Requirements) -> None:
    """With the answer that a flip names, the provider that it names comes first."""
    found = decide(requirements, facts)
    first = found.leaders[0] if found.leaders else ""
    for flip in found.flips:
        if flip.kind == "requirement" and flip.then in {"yes", "no", "don't know"}:
            answer = {"yes": True, "no": False, "don't know": None}[flip.then]
            changed = msgspec.structs.replace(requirements, **{flip.what: answer})
            assert stand(changed, facts, Figures(), None).first == flip.first != first


@many
@given(facts=some_facts(), requirements=some_requirements(), weights=some_weights)
def test_a_tipping_weight_tips(facts: Facts, requirements: Requirements, weights: dict[str, float]) -> None:
    """At the share that a flip names two providers are level; a little beyond it, the named one is ahead.

    Where they are level already, beyond is to the one side or to the other.
    """
    standing = stand(requirements, facts, Figures(), checked(weights))
    for each in tippings(standing.race, standing.weights):
        first, rival = standing.options[standing.first], standing.options[each.rival]

        def lead(share: float, each: Tipping = each, first: Option = first, rival: Option = rival) -> float:
            rest = (1 - share) / (1 - each.now)
            moved = {
                name: share if name == each.criterion else weight * rest
                for name, weight in standing.weights.items()
            }
            return value(rival, moved) - value(first, moved)

        level = abs(each.then - each.now) < 1e-9
        steps = (1e-7, -1e-7) if level else (math.copysign(1e-7, each.then - each.now),)
        assert abs(lead(each.then)) < 1e-6
        assert any(lead(each.then + step) > -1e-12 for step in steps)


@many
@given(facts=some_facts(), requirements=some_requirements(most=12))
def test_what_to_give_up_is_enough_and_no_more(facts: Facts, requirements: Requirements) -> None:
    """Where nobody is left, each way out brings back exactly whom it names, and no part of it does."""
    found = decide(requirements, facts)
    against = {each.provider: {f.constraint for f in each.findings} for each in found.excluded}
    if found.leaders:
        assert not found.relaxations
        return
    assert found.relaxations
    for way in found.relaxations:
        given_up = set(way.constraints)
        assert set(way.providers) == {name for name, theirs in against.items() if theirs <= given_up}
        assert not any(theirs < given_up for theirs in against.values())
