import datetime as dt
import tomllib
from pathlib import Path

import pytest

from octet import models
from octet.choose import facts
from octet.choose.facts import catalogue, saying
from octet.choose.facts.catalogue import BY_NAME, KEYS, LIMITS
from octet.choose.facts.models import EIGHT
from octet.choose.facts.values import Certainty, Provider, Support, Truth

KNOWN = facts.load()
EVERYTHING = list(KNOWN.everything())
FILES = sorted(facts.DIRECTORY.glob("*.toml"))
LONG_AGO = dt.date(2013, 1, 1)


def test_every_provider_of_the_design_is_there() -> None:
    """The eight of the design and five that Octet doesn't run have a file each, in that order."""
    assert tuple(provider.name for provider in KNOWN.providers) == facts.NAMES
    assert tuple(provider.model for provider in KNOWN.providers if provider.model) == EIGHT


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_fact_has_its_day_and_its_source(path: Path) -> None:
    """In each file, every fact, limit, step and release has a day that has been and a source."""
    document = tomllib.loads(path.read_text())
    told = [*document["facts"].values(), *document.get("limits", ()), *document.get("steps", ())]
    for each in told:
        assert LONG_AGO < each["as-of"] <= dt.datetime.now(dt.UTC).date(), each
        assert len(each["source"].strip()) > 3, each
    for release in document.get("releases", ()):
        assert release["date"] > LONG_AGO, release
        assert release["source"].strip(), release


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_file_speaks_of_our_models(path: Path) -> None:
    """No file says anything of Octet's own models: computed is nobody's to write, and no source is Octet."""
    text = path.read_text().lower()
    assert 'certainty = "computed"' not in text
    assert "octet" not in text


def test_every_question_is_answered_by_everyone() -> None:
    """Each provider answers each question of the catalogue, and no other."""
    asked = {key.name for key in KEYS if key.required}
    for provider in KNOWN.providers:
        assert asked <= set(provider.facts) <= {key.name for key in KEYS}, provider.name
        assert {limit.key for limit in provider.limits} <= {key.name for key in LIMITS}


def test_limits_say_why() -> None:
    """Each limit names the mechanism behind it."""
    limits = [limit for provider in KNOWN.providers for limit in provider.limits]
    assert len(limits) > 15
    assert [limit for limit in limits if len(limit.note.split()) < 2] == []


def test_questions_are_questions() -> None:
    """Each question of the catalogue is one, or a quantity with its unit, in a group that has a title."""
    for key in (*KEYS, *LIMITS):
        assert key.question.endswith("?") or key.unit or "?" in key.question, key.name
        assert key.group in catalogue.GROUPS
    assert len(BY_NAME) == len(KEYS) + len(LIMITS)


def test_unverified_is_as_good_as_unknown() -> None:
    """No claim that nobody verified decides anything, and there are such claims."""
    doubtful = [fact for _, fact in EVERYTHING if fact.certainty is Certainty.UNVERIFIED]
    assert doubtful
    assert {fact.truth for fact in doubtful} == {Truth.UNKNOWN}


@pytest.mark.parametrize("provider", KNOWN.providers, ids=lambda provider: provider.name)
def test_answers_fit_together(provider: Provider) -> None:
    """A list and its yes-or-no agree, and no provider that needs UDP alone has no outer header."""
    held = provider.facts
    pairs = {"encryption": "encryptions"}
    for yes, which in pairs.items():
        if held[yes].truth is not Truth.UNKNOWN and held[which].truth is not Truth.UNKNOWN:
            assert (held[yes].value is True) == bool(held[which].value), yes
    if held["udp-only"].truth is Truth.YES:
        assert held["overlay"].truth is Truth.YES
    assert held["overlay"].value is not False or held["native"].value is not False


@pytest.mark.parametrize("provider", KNOWN.providers, ids=lambda provider: provider.name)
def test_steps_are_in_order(provider: Provider) -> None:
    """An installer's steps go from its oldest version to its newest; only what was removed is restored."""
    for installer in {step.installer for step in provider.steps}:
        steps = [step for step in provider.steps if step.installer == installer]
        versions = [catalogue.version(step.version) for step in steps]
        assert versions == sorted(versions)
        states = [step.state for step in steps]
        if Support.RESTORED in states:
            assert Support.REMOVED in states[: states.index(Support.RESTORED)]


def test_what_kops_did_to_flannel() -> None:
    """In kops flannel was deprecated by 1.27, removed for Kubernetes 1.28 and later, and restored in 1.33."""
    told = [
        (step.version, step.state.value, step.kubernetes)
        for step in KNOWN.get("flannel").steps
        if step.installer == "kops" and step.certainty is Certainty.VERIFIED
    ]
    assert told == [
        ("1.5.2", "experimental", ""),
        ("1.27", "deprecated", ""),
        ("1.28", "removed", "1.28"),
        ("1.33", "restored", ""),
    ]


def test_what_a_provider_can_and_what_kops_allows_differ() -> None:
    """To encrypt is in flannel's power, and through kops it can't be reached: two facts, two groups."""
    flannel = KNOWN.get("flannel")
    assert flannel.facts["encryption"].truth is Truth.YES
    assert flannel.facts["kops-encryption"].truth is Truth.NO
    assert BY_NAME["encryption"].installer == ""
    assert BY_NAME["kops-encryption"].installer == "kops"


def test_a_name_that_nobody_has() -> None:
    """Asking for a provider that isn't there names those that are."""
    with pytest.raises(Exception, match=r"no provider is called 'flanel'.*kube-router"):
        KNOWN.get("flanel")


def test_stale_facts_come_oldest_first() -> None:
    """What nobody looked at since a day is found, the oldest first; the oldest of all is known."""
    old = [fact.as_of for _, fact in KNOWN.stale(dt.date(2024, 1, 1))]
    assert old == sorted(old)
    assert old[0] == KNOWN.oldest
    assert KNOWN.stale(KNOWN.oldest) == ()


def test_values_in_words() -> None:
    """Numbers have their units, lists their commas, and nothing is none."""
    assert saying.plain(5000, "nodes") == "5,000 nodes"
    assert saying.plain(("vxlan", "ipip")) == "vxlan, ipip"
    assert saying.plain(()) == "none"
    assert saying.plain(False) == "no"


def test_versions_compare() -> None:
    """5.10 is after 5.4, any is before everything, and a word is no version."""
    assert catalogue.version("5.10") > catalogue.version("5.4") > catalogue.version("any")
    with pytest.raises(ValueError, match="latest"):
        catalogue.version("latest")


def test_our_rows_are_those_of_the_table() -> None:
    """Every row of octet.models is one of a provider here, or none at all: names are the same."""
    assert {model.name for model in models.MODELS} <= set(facts.NAMES)
