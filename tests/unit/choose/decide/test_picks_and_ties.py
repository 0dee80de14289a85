from collections.abc import Callable
from typing import Any

import pytest

from octet.choose import Decision, Requirements, decide
from octet.choose.conversation import matters, told
from octet.choose.facts import Facts, Provider, Step, Support
from octet.measure.results import Results

Make = Callable[..., Provider]


def decided(
    *providers: Provider, weights: Any = None, results: Results | None = None, **answers: Any
) -> Decision:
    return decide(Requirements(**answers), Facts(providers), results, weights)


def test_better_in_one_thing_and_equal_in_all_others_is_a_pick(make: Make) -> None:
    """Who equals everybody and beats them in something is picked; the others say by whom they are beaten."""
    found = decided(make("a", windows=True), make("b"))
    assert (found.outcome, found.leaders) == ("pick", ("a",))
    assert [(each.provider, each.by) for each in found.dominated] == [("b", "a")]
    assert found.why_not[0].text.startswith("A equals or beats it")


def test_the_same_twice_is_a_tie(make: Make) -> None:
    """Two providers of which the same is known tie, each with half of the first places."""
    found = decided(make("a"), make("b"))
    assert (found.outcome, set(found.leaders)) == ("tie", {"a", "b"})
    assert [place.first_share for place in found.ranking] == [0.5, 0.5]
    assert found.headline == "A tie: A and B."


def test_an_unknown_that_could_decide_makes_a_tie(make: Make) -> None:
    """Where what isn't known about one could put it first, the answer is a tie, not the middle."""
    found = decided(
        make("a"), make("b", latest_release_date=None, windows=True), weights={"upkeep": 1, "reserve": 9}
    )
    assert found.outcome == "tie"
    assert "a tie below 90%" in found.rule


def test_weights_that_leave_it_open_make_a_tie(make: Make) -> None:
    """Where a third of the possible weights prefer the other one, it is a tie, whoever is ahead."""
    one = make("a", commercial_support=True, foundation="none")
    other = make("b", commercial_support=False, foundation="kubernetes")
    assert decided(one, other, weights={"support": 51, "stewardship": 49}).outcome == "tie"
    assert decided(one, other, weights={"support": 90, "stewardship": 10}).leaders == ("a",)


def test_having_more_of_other_things_dominates_nobody(make: Make) -> None:
    """Who has ten abilities but not the one that another has does not stand above it in everything."""
    many = dict.fromkeys(("policy_ingress", "policy_egress", "encryption", "bgp", "multicast"), True)
    found = decided(make("a", **many), make("b", windows=True))
    assert not found.dominated
    assert found.leaders[0] == "a"


def test_a_doubt_does_not_win_while_somebody_is_proven(make: Make) -> None:
    """Who may or may not meet a need waits behind who does, however much better it is otherwise."""
    better = make("a", windows=None, policy_egress=True, encryption=True, foundation="kubernetes")
    found = decided(better, make("b", windows=True), windows=True)
    assert found.leaders == ("b",)
    assert [(place.provider, place.first_share) for place in found.ranking] == [("b", 1.0), ("a", None)]
    assert found.why_not[0].text.startswith("verify first")
    assert any(each.id == "verify:a" and "where windows is said" in each.text for each in found.missing)
    assert any(flip.id == "fact:a:windows" and flip.first == "a" for flip in found.flips)


def test_where_all_is_doubt_the_best_doubt_is_shown_as_one(make: Make) -> None:
    """Without anybody proven the best is named, with what to verify in the headline and against it."""
    found = decided(make("a", windows=None), make("b"), windows=True)
    assert found.leaders == ("a",)
    assert "verify its warnings first" in found.headline
    assert found.reasons_against[0].id == "against:windows"
    assert [each.id for each in found.missing if each.id.startswith("verify")] == ["verify:a"]


def test_nobody_left_is_no_answer(make: Make) -> None:
    """Where everybody is ruled out the outcome is nothing, with the smallest ways out, the shortest first."""
    found = decided(
        make("a"), make("b", windows=True, status="archived"), windows=True, encryption=True, bgp=True
    )
    assert (found.outcome, found.leaders, found.ranking, found.run) == ("nothing", (), (), ())
    assert [way.constraints for way in found.relaxations] == [("encryption", "bgp")]
    assert found.relaxations[0].providers == ("b",)


def test_the_reasons_compare(make: Make) -> None:
    """A reason for names who cannot do it, with the facts of both, and keeps its id from run to run."""
    found = decided(make("a", windows=True, bgp=True), make("b", bgp=True), make("c"), windows=True)
    reason = found.reasons_for[0]
    assert reason.id == "for:windows"
    assert reason.text == "A can have Windows nodes; B and C cannot"
    assert {(each.provider, each.says) for each in reason.evidence} == {
        ("a", "yes"),
        ("b", "no"),
        ("c", "no"),
    }


def test_a_weight_says_where_it_tips(make: Make) -> None:
    """Two criteria that disagree tip where their weights balance, computed and not sampled."""
    one = make("a", commercial_support=True, foundation="none")
    other = make("b", commercial_support=False, foundation="kubernetes")
    found = decided(one, other, weights={"support": 90, "stewardship": 10})
    flips = {flip.what: flip for flip in found.flips if flip.kind == "weight"}
    assert (flips["support"].now, flips["support"].then, flips["support"].first) == ("90%", "50%", "b")
    assert (flips["stewardship"].now, flips["stewardship"].then) == ("10%", "50%")


def test_an_open_question_says_what_its_answers_change(make: Make) -> None:
    """Each question answered "don't know" says whom each answer rules out and who comes first then."""
    found = decided(make("a", policy_egress=True, bgp=True), make("b", windows=True))
    windows = next(each for each in found.open if each.field == "windows")
    assert [(each.answer, each.excludes, each.first) for each in windows.effects] == [(True, ("a",), "b")]
    assert windows.text == "yes rules out A, makes B first"
    silent = next(each for each in found.open if each.field == "multicast")
    assert {effect.first for effect in silent.effects} == {""}
    assert not any(each.field == "windows" for each in decided(make("a"), windows=False).open)


def test_a_question_that_lets_somebody_in_is_asked(make: Make, taken: Callable[..., Step]) -> None:
    """A question matters when an answer would make somebody first who waits, though it rules out nobody."""
    facts = Facts((make("a", steps=(taken("1.5", Support.DEPRECATED),)), make("b", windows=True, bgp=True)))
    asked = Requirements(installer="kops", installer_version="1.36")
    assert matters("bring_your_own", asked, facts)
    assert not matters("bring_your_own", Requirements(installer="kubeadm"), facts)
    assert told(Requirements(), Requirements(windows=True), facts) == "out: A; 1 left"


def test_flips_of_answers_are_of_one_answer(make: Make) -> None:
    """What would come first without a need is told as a flip of that need alone."""
    found = decided(make("a", policy_egress=True, bgp=True), make("b", windows=True), windows=True)
    flip = next(flip for flip in found.flips if flip.what == "windows")
    assert (flip.now, flip.then, flip.first) == ("yes", "don't know or no", "a")
    assert found.flips[0] == flip, "what was asked for comes before what is open"


def test_figures_rank_and_are_told_as_our_model_s(make: Make, record: Callable[..., Results]) -> None:
    """Measured figures decide between equals, and every sentence says that our model was measured."""
    results = record({"bridge": 1, "a": 1.1, "b": 1.6, "bridge (A/A)": 1})
    found = decided(make("a"), make("b"), results=results)
    assert found.leaders == ("a",)
    told = [reason.text for reason in found.reasons_for if "CPU" in reason.text]
    assert told
    assert all("measured on our model of it" in text for text in told)
    assert found.measured is not None
    assert found.measured.candidates == ("bridge", "a", "b")
    assert not [each for each in found.missing if each.id == "measurements"]


def test_whoever_was_not_measured_is_said_to_be(make: Make, record: Callable[..., Results]) -> None:
    """With figures for one of two, the other is drawn as unknown, ties, and is named as missing."""
    results = record({"bridge": 1, "a": 1.4, "bridge (A/A)": 1})
    found = decided(make("a"), make("b"), results=results)
    assert found.outcome == "tie"
    place = next(place for place in found.ranking if place.provider == "b")
    cpu = next(score for score in place.scores if score.criterion == "cpu")
    assert (cpu.low, cpu.high, cpu.known) == (0, 1, False)
    assert any("not measured: B" in each.text for each in found.missing)


def test_figures_of_another_machine_are_marked(make: Make, record: Callable[..., Results]) -> None:
    """Figures that were accepted from another machine say so in the answer."""
    results = record({"bridge": 1, "a": 1.4, "bridge (A/A)": 1})
    found = decide(Requirements(), Facts((make("a"),)), results, other_machine="cpu is x, here y")
    assert found.measured is not None
    assert found.measured.other_machine == "cpu is x, here y"
    assert any("another machine" in note for note in found.notes)


@pytest.mark.parametrize("name", ["flannel", "kopeio-vxlan"])
def test_a_model_that_runs_is_run_now(name: str, shipped: Facts) -> None:
    """Where Octet has a model of the answer, the lab's command line is given, as that of a model."""
    only = Facts((shipped.get(name),))
    (run,) = decide(Requirements(), only).run
    assert run.octet == f"octet lab up --model {name}"
    assert f"not {run.title} itself" in run.note


def test_what_an_installer_removed_is_brought_by_hand(shipped: Facts) -> None:
    """Who brings a provider that kops has removed is not told to ask kops for it."""
    only = Facts((shipped.get("weave"),))
    asked = Requirements(installer="kops", installer_version="1.36", bring_your_own=True)
    (run,) = decide(asked, only).run
    assert run.original[0].startswith("kOps: spec.networking.cni: {}")
    assert not any("--networking weave" in line for line in run.original)


def test_without_a_model_the_original_is_named(shipped: Facts) -> None:
    """Where Octet has no model, it says so, and kops' own words for the provider are given."""
    only = Facts((shipped.get("cilium"),))
    asked = Requirements(installer="kops", installer_version="1.36")
    (run,) = decide(asked, only).run
    assert run.octet == ""
    assert run.note == "Octet has no model of Cilium"
    assert run.original[0] == "kops create cluster --networking cilium ..."


def test_the_oldest_fact_is_named(make: Make, told: Callable[..., Any], taken: Callable[..., Step]) -> None:
    """The answer ends with the oldest fact that it stands on; facts about nothing asked for don't count."""
    old = told("windows", True, as_of=told("x", 0).as_of.replace(year=2019))
    older = told("udp-only", True, as_of=told("x", 0).as_of.replace(year=2012))
    found = decided(
        make("a", windows=old, udp_only=older, steps=(taken("1.5", Support.STABLE),)), windows=True
    )
    assert found.oldest is not None
    assert (found.oldest.key, found.oldest.as_of.year) == ("windows", 2019)
