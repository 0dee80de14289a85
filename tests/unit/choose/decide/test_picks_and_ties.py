from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from octet.choose import Decision, Requirements, decide, scores
from octet.choose.conversation import matters, told
from octet.choose.facts import Facts, Provider, Step, Support
from octet.choose.figures import Figures
from octet.choose.flips import GIVEN
from octet.choose.profile import USUAL
from octet.choose.sensitivity import percent
from octet.measure.results import Results, read

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


def test_what_is_given_up_carries_its_doubts(make: Make) -> None:
    """Who could come back but isn't known to meet the other needs is not said to be usable."""
    found = decided(make("a", windows=None), make("b", windows=True), windows=True, encryption=True)
    (way,) = found.relaxations
    assert (
        way.text
        == '"encrypt what passes between nodes": then B can be used; A only if verified first: windows'
    )
    assert way.doubts == {"a": ("windows",)}


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


def test_a_yes_says_whom_it_frees(make: Make, taken: Callable[..., Step]) -> None:
    """Who may be brought by hand is a doubt until that is answered, and a yes says whom it frees."""
    facts = Facts((make("a", steps=(taken("1.5", Support.STABLE),)), make("b")))
    found = decide(Requirements(installer="kops", installer_version="1.36"), facts)
    (own,) = (each for each in found.open if each.field == "bring_your_own")
    assert [(each.answer, each.frees, each.excludes) for each in own.effects] == [
        (True, ("b",), ()),
        (False, (), ("b",)),
    ]
    assert "yes takes every doubt from B" in own.text


def test_flips_of_answers_are_of_one_answer(make: Make) -> None:
    """What would come first without a need is told as a flip of that need alone."""
    found = decided(make("a", policy_egress=True, bgp=True), make("b", windows=True), windows=True)
    flip = next(flip for flip in found.flips if flip.what == "windows")
    assert (flip.now, flip.then, flip.first) == ("yes", "don't know or no", "a")
    assert found.flips[0] == flip, "what was asked for comes before what is open"


def test_what_would_change_it_begins_with_what_one_can_change(shipped: Facts) -> None:
    """Needs come first, then nodes, what is open, weights and facts; installers and clouds last."""
    asked = Requirements(
        installer="kops",
        installer_version="1.36",
        kubernetes="1.34",
        cloud="aws",
        policy_ingress=True,
        nodes=90,
    )
    found = decide(asked, shipped).flips
    kinds = [
        "given" if flip.what in GIVEN else "nodes" if flip.what.startswith("nodes") else flip.kind
        for flip in found
    ]
    first = {kind: kinds.index(kind) for kind in ("given", "weight", "fact", "requirement") if kind in kinds}
    assert first.pop("given") > max(first.values())
    assert kinds == sorted(kinds, key=lambda kind: kind == "given")
    older = [flip for flip in found if flip.what == "installer_version" and flip.then != "don't know"]
    assert all(float(flip.then) >= 1.36 for flip in older)


def test_nobody_is_told_to_forget_or_go_back(shipped: Facts) -> None:
    """An older kernel, an older version and an unknown number of nodes are no changes to propose."""
    found = decide(Requirements(installer="kubeadm", kernel="4.18", nodes=6000), shipped)
    for flip in found.flips:
        assert not (flip.what == "kernel" and flip.then.startswith(("3", "4")))
        assert not (flip.what == "nodes" and "don't know" in flip.then)


def test_changes_are_told_in_the_question_s_words(make: Make) -> None:
    """A person reads the question, not the name of a field."""
    found = decided(make("a", policy_egress=True, bgp=True), make("b", windows=True), windows=True)
    assert found.flips[0].text.startswith('were the answer to "Are there Windows nodes?" don\'t know or no')
    assert not any("_" in flip.text for flip in found.flips)


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


def test_whoever_was_not_measured_keeps_figures_out(make: Make, record: Callable[..., Results]) -> None:
    """With figures for one of two, they rank nobody, and the answer says for whom some are missing."""
    results = record({"bridge": 1, "a": 1.4, "bridge (A/A)": 1})
    found = decided(make("a"), make("b"), results=results)
    assert "cpu" not in found.weights
    (missing,) = (each for each in found.missing if each.id == "measurements")
    assert "not measured for B: cpu, latency left out of the ranking" in missing.text


def test_measuring_a_loser_changes_no_leader(shipped: Facts, record: Callable[..., Results]) -> None:
    """Figures of one provider that isn't the answer leave leaders and weights as they were."""
    asked = Requirements(installer="kubeadm", policy_ingress=False)
    before = decide(asked, shipped)
    after = decide(asked, shipped, record({"bridge": 1, "flannel": 1.3, "bridge (A/A)": 1}))
    assert "flannel" not in before.leaders
    assert (after.leaders, after.weights, after.rule) == (before.leaders, before.weights, before.rule)


def test_the_stored_comparison_leaves_the_usual_answer_alone(shipped: Facts) -> None:
    """The comparison that comes with the documents lacks figures of the answer's rivals: it ranks none."""
    stored = read(Path(__file__).parents[4] / "docs/data/comparison.json")
    assert decide(USUAL, shipped, stored).leaders == decide(USUAL, shipped).leaders


@pytest.mark.parametrize(("flannel", "kopeio", "first"), [(1.6, 1.1, "kopeio-vxlan"), (1.1, 1.6, "flannel")])
def test_a_measurement_decides_between_who_was_measured(
    flannel: float, kopeio: float, first: str, shipped: Facts, record: Callable[..., Results]
) -> None:
    """Kops 1.5.2 over UDP leaves flannel and kopeio-vxlan: by facts they tie, a clear figure picks one."""
    asked = Requirements(
        installer="kops", installer_version="1.5.2", kubernetes="1.5", bring_your_own=False, udp_only=True
    )
    results = record({"bridge": 1, "flannel": flannel, "kopeio-vxlan": kopeio, "bridge (A/A)": 1})
    weights = {"cpu": 3, "latency": 2}
    assert decide(asked, shipped, None, weights).outcome == "tie"
    found = decide(asked, shipped, results, weights)
    assert (found.outcome, found.leaders) == ("pick", (first,))


def test_a_pick_that_rests_on_one_criterion_says_so(make: Make) -> None:
    """Where one criterion alone separates two, the answer names it, and who would be level without it."""
    one = make("a", foundation="kubernetes")
    found = decided(one, make("b"), windows=False)
    assert found.rests_on == ("stewardship",)
    assert "rests on one criterion: without independence of one company B would be" in found.rule
    assert decided(make("a", foundation="kubernetes", commercial_support=True), make("b")).rests_on == ()


@pytest.mark.parametrize(
    ("share", "said"), [(1.0, "100%"), (0.996, "over 99%"), (0.737, "74%"), (0.004, "under 1%"), (0.0, "0%")]
)
def test_shares_have_no_digits_that_draws_have_not(share: float, said: str) -> None:
    """A share of two thousand draws is told in whole percent, and as always or never only if it is."""
    assert percent(share) == said


def test_what_bgp_can_do_counts_where_it_is_asked_for(shipped: Facts) -> None:
    """With BGP asked for Calico's filters and reflectors count, which Cilium doesn't have."""
    asked = decide(Requirements(bgp=True), shipped)
    values = {
        name: scores.bgp_depth(Requirements(), Figures(), shipped.get(name)).middle
        for name in ("calico", "kube-router", "cilium")
    }
    assert values["calico"] == 1 > values["kube-router"] > values["cilium"] > 0
    assert "bgp-depth" in asked.weights
    assert "bgp-depth" not in decide(Requirements(), shipped).weights


def test_policies_beyond_those_asked_for_count_once(make: Make) -> None:
    """Where policy is asked for, its other kinds are a criterion of their own and not in reserve, too."""
    broad = make("a", policy_ingress=True, policy_cluster_wide=True)
    found = decided(broad, make("b", policy_ingress=True), policy_ingress=True)
    told = {score.criterion: score.says for place in found.ranking[:1] for score in place.scores}
    assert told["policy-breadth"].startswith("1 of 3 kinds of policies")
    assert "policy" not in told["reserve"]
    assert found.leaders == ("a",)


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
    assert run.original[0].startswith("kops: spec.networking.cni: {}")
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
