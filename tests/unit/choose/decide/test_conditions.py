"""Facts that hold under a condition: outside of it they let nobody pass, inside of it they say so."""

import itertools
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from octet.choose import Requirements, conditions, decide
from octet.choose.constraints import BY_ID, findings
from octet.choose.facts import DIRECTORY, Fact, Facts, Provider, Truth
from octet.choose.facts.reading import provider as read
from octet.choose.facts.values import Condition
from octet.choose.questions import answers
from octet.errors import BadConfigurationError

Make = Callable[..., Provider]
VERSIONS = ("1.12", "1.18", "1.19", "1.28", "1.36")
KOPS = {"installer": "kops", "bring_your_own": False}


def conditioned(shipped: Facts) -> Iterator[tuple[Provider, Fact, Condition]]:
    for provider in shipped.providers:
        for fact in provider.facts.values():
            if fact.when is not None:
                yield provider, fact, fact.when


def outside(when: Condition, asked: Mapping[str, Any]) -> bool:
    """Tell from the condition's own words whether these answers are outside of it."""
    given = asked.get("installer_version")
    early = bool(when.since and given) and [*map(int, str(given).split("."))] < [
        *map(int, when.since.split("."))
    ]
    other = bool(when.families) and asked.get("ip_family", when.families[0]) not in when.families
    return early or other or any(asked.get(field) is True for field in when.not_with)


def pairs(facts: Facts) -> Iterator[dict[str, Any]]:
    """Yield every pair of answers to what facts and their conditions are about."""
    fields = {each for _, _, when in conditioned(facts) for each in conditions.fields(when)}
    for _, fact, _ in conditioned(facts):
        fields |= set(BY_ID[fact.key].fields if fact.key in BY_ID else ()) - {"installer", "bring_your_own"}
    values = {
        field: VERSIONS
        if field == "installer_version"
        else [each for each in answers(field, Requirements(), facts) if each is not False]
        for field in sorted(fields - {"kernel"})
    }
    for one, other in itertools.combinations(values, 2):
        for first, second in itertools.product(values[one], values[other]):
            yield {**KOPS, one: first, other: second}


def test_no_pair_of_needs_passes_outside_of_a_condition(shipped: Facts) -> None:
    """Whatever two things are asked for: a fact whose condition they break meets no need."""
    tried = 0
    for asked in pairs(shipped):
        requirements = Requirements(**asked)
        for provider, fact, when in conditioned(shipped):
            if not outside(when, asked):
                continue
            for finding in findings(requirements, provider):
                if finding.constraint == fact.key:
                    tried += 1
                    assert finding.verdict != "met", (provider.name, fact.key, asked)
    assert tried > 10


def test_every_condition_is_about_a_need(shipped: Facts) -> None:
    """A condition stands at a fact that a constraint reads, and is said in words."""
    found = list(conditioned(shipped))
    assert found
    assert all(fact.key in BY_ID and fact.note for _, fact, _ in found)


@pytest.mark.parametrize("name", ["calico", "cilium"])
def test_kops_encrypts_ipv4_only(name: str, shipped: Facts) -> None:
    """Encryption that kops switches on for IPv4 only rules out IPv6 alone, and says why."""
    asked = {**KOPS, "installer_version": "1.36", "encryption": True}
    verdict = {
        family: next(
            finding
            for finding in findings(Requirements(**asked, ip_family=family), shipped.get(name))
            if finding.constraint == "kops-encryption"
        )
        for family in ("ipv4", "ipv6", None)
    }
    assert [verdict[each].verdict for each in ("ipv4", "ipv6", None)] == ["met", "ruled out", "unknown"]
    assert "for IPv4" in verdict["ipv6"].because
    assert "ip_family" in verdict["ipv6"].fields


@pytest.mark.parametrize(("version", "there"), [("1.18", False), ("1.19", True)])
def test_kops_encrypts_from_a_version_on(version: str, there: bool, shipped: Facts) -> None:
    """What kops has since 1.19 isn't there in 1.18."""
    found = decide(
        Requirements(**KOPS, installer_version=version, encryption=True, ip_family="ipv4"), shipped
    )
    assert ("cilium" in {each.provider for each in found.kept}) == there


def test_an_exception_is_verified_first(shipped: Facts) -> None:
    """A kernel that some distribution has made fit is a doubt, an older one and one between are not."""
    verdicts = {
        kernel: {each.constraint: each.verdict for each in findings(Requirements(kernel=kernel), cilium)}
        for cilium in [shipped.get("cilium")]
        for kernel in ("4.17", "4.18", "5.4", "5.10")
    }
    assert [verdicts[each]["kernel-minimum"] for each in ("4.17", "4.18", "5.4", "5.10")] == [
        "ruled out",
        "unknown",
        "ruled out",
        "met",
    ]


def test_beside_another_need_it_is_verified_first(shipped: Facts) -> None:
    """Cilium's multicast isn't shown with encryption: asked for together it waits behind a doubt."""
    found = decide(Requirements(multicast=True, encryption=True), shipped)
    (cilium,) = (each for each in found.kept if each.provider == "cilium")
    assert [finding.constraint for finding in cilium.warnings] == ["multicast"]
    assert "cilium" not in found.leaders


def test_a_condition_is_the_first_reason_against(shipped: Facts) -> None:
    """Who meets a need under a condition has it as the first reason against it, in the fact's words."""
    only = Facts((shipped.get("cilium"),))
    found = decide(Requirements(multicast=True, ip_family="ipv4"), only)
    assert found.reasons_against[0].id == "against:condition:multicast"
    assert "set by hand on each node" in found.reasons_against[0].text


def test_who_ties_has_its_conditions_told_too(shipped: Facts) -> None:
    """In a tie the conditions of everybody who is named are in the answer, not those of the first alone."""
    asked = Requirements(multicast=True, ip_family="ipv4", outside_database=False, nodes=8, maintained=True)
    found = decide(asked, shipped)
    told = " ".join([*(reason.text for reason in found.reasons_against), *found.notes])
    assert len(found.leaders) > 1
    for name in found.leaders:
        title = shipped.get(name).title
        assert f"{title} can carry multicast between pods of different nodes under a condition" in told


def test_a_condition_changes_what_was_worked_out(make: Make, told: Callable[..., Fact]) -> None:
    """A race over the same course sees the answer that a condition reads, too."""
    when = Condition(not_with=("windows",))
    held = told("encryption", True)
    provider = make("a", windows=True, encryption=replace(held, note="no", when=when))
    found = decide(Requirements(encryption=True), Facts((provider,)))
    effects = next(each.effects for each in found.open if each.field == "windows")
    assert [(each.answer, each.doubts) for each in effects] == [(True, ("a",))]


def test_needs_that_nobody_tried_together_are_named(shipped: Facts) -> None:
    """Several needs that are each a fact by itself: the answer says that nobody has shown them together."""
    found = decide(Requirements(bgp=True, windows=True, cloud="bare-metal", installer="kubeadm"), shipped)
    (note,) = (each for each in found.notes if "together" in each)
    assert "BGP" in note
    assert "Windows" in note
    assert not [each for each in decide(Requirements(bgp=True), shipped).notes if "together" in each]


@pytest.mark.parametrize(
    ("key", "when", "told"),
    [
        ("encryption", {"since": "1.2"}, "facts.encryption.when.since"),
        ("kops-encryption", {"since": "soon"}, "facts.kops-encryption.when.since"),
        ("encryption", {"or-kernel": "4.18"}, "facts.encryption.when.or-kernel"),
        ("encryption", {"families": ["ipv5"]}, "ipv5"),
        ("encryption", {"not-with": ["windoze"]}, "windoze"),
        ("encryption", {"until": "1.2"}, "until"),
    ],
)
def test_a_condition_that_cannot_be_is_refused(
    key: str, when: dict[str, Any], told: str, document: dict[str, Any]
) -> None:
    """A condition with an unknown part, family, need or version is refused with its place."""
    document["facts"][key] = {**document["facts"][key], "note": "so", "when": when}
    with pytest.raises(BadConfigurationError, match=told):
        read(document, "p.toml")


def test_a_condition_is_said_in_words(document: dict[str, Any]) -> None:
    """A condition without a note is refused: whoever reads the fact must see it."""
    document["facts"]["encryption"] = {**document["facts"]["encryption"], "note": "", "when": {}}
    with pytest.raises(BadConfigurationError, match="note"):
        read(document, "p.toml")
    assert Truth.YES is conditions.holds(None, Requirements())


@pytest.fixture
def document() -> dict[str, Any]:
    """The file of flannel as TOML has it."""
    return tomllib.loads((DIRECTORY / "flannel.toml").read_text())
