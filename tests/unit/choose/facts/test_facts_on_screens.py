import json
from functools import cache
from typing import Any

import pytest
from typer.testing import CliRunner

from octet import models
from octet.choose import facts
from octet.choose.facts import catalogue, saying
from octet.choose.facts.models import EIGHT
from octet.choose.facts.values import Certainty, Fact, Provider
from octet.cli import main
from octet.cli.facts import app

KNOWN = facts.load()
ALL_KEYS = [word for key in catalogue.KEYS for word in ("--key", key.name)]


@cache
def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def as_json(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


def doubtful(provider: Provider) -> list[Fact]:
    told = (*provider.facts.values(), *provider.limits)
    return [fact for fact in told if fact.certainty is Certainty.UNVERIFIED]


@pytest.mark.parametrize("provider", KNOWN.providers, ids=lambda provider: provider.name)
def test_unverified_is_never_shown_as_certain(provider: Provider) -> None:
    """On a provider's page each unverified claim says so beside its question; in JSON it has no value."""
    lines = run("show", provider.name).splitlines()
    for fact in doubtful(provider):
        question = catalogue.BY_NAME[fact.key].question
        claimed = saying.said(fact)
        assert claimed.startswith("unverified: ")
        assert [line for line in lines if line.startswith(question) and claimed in line], fact.key
    whole = as_json("show", provider.name)
    told = {(each["key"], each["source"], each["said"]): each for each in (*whole["facts"], *whole["limits"])}
    for fact in doubtful(provider):
        record = told[fact.key, fact.source, saying.said(fact)]
        assert record["value"] is None
        assert record["claimed"] is not None
        assert (record["certainty"], record["decides"]) == ("unverified", "unknown")


def test_unverified_in_lists() -> None:
    """In the list of all providers unverified claims say so, and in its JSON they have no value."""
    rows = {row["provider"]: row for row in as_json("list", *ALL_KEYS)}
    shown = "".join(run("list", *ALL_KEYS[start : start + 12]) for start in range(0, len(ALL_KEYS), 12))
    count = 0
    for provider in KNOWN.providers:
        told = {each["key"]: each for each in rows[provider.name]["facts"]}
        for fact in provider.facts.values():
            if fact.certainty is Certainty.UNVERIFIED:
                count += 1
                assert told[fact.key]["value"] is None
                assert saying.said(fact) in shown
    assert shown.count("unverified: ") == count > 0


@pytest.mark.parametrize("provider", KNOWN.providers, ids=lambda provider: provider.name)
def test_unverified_in_comparisons(provider: Provider) -> None:
    """Side by side unverified claims say so, in the table and in JSON."""
    other = "kubenet" if provider.name != "kubenet" else "calico"
    lines = {line.split()[0]: line for line in run("compare", provider.name, other, "--all").splitlines()[2:]}
    told = {each["key"]: each[provider.name] for each in as_json("compare", provider.name, other, "--all")}
    for fact in doubtful(provider):
        if fact.key in provider.facts:
            assert saying.said(fact) in lines[fact.key]
            assert told[fact.key]["value"] is None


def test_unverified_in_stale_facts() -> None:
    """Also among old facts an unverified claim says so."""
    rows = as_json("stale", "--days", "0")
    assert [row for row in rows if row["certainty"] == "unverified" and row["value"] is not None] == []
    assert "unverified: " in run("stale", "--days", "0")


def test_an_unverified_step_is_marked() -> None:
    """What kops is said to allow without anybody having tried it is marked, and has no state in JSON."""
    steps = [step for step in as_json("show", "flannel")["installers"] if step["version"] == "1.32"]
    assert [(step["state"], step["claimed"]) for step in steps] == [(None, "restored")]
    assert "unverified: restored" in run("show", "flannel")


def test_unknown_is_shown_as_unknown() -> None:
    """What isn't known is the word unknown, with the place where it was looked for; it is not no."""
    shown = run("show", "kindnet")
    line = next(line for line in shown.splitlines() if line.startswith("Does multicast"))
    assert "unknown" in line
    assert "kubernetes-sigs/kindnet" in line
    record = next(each for each in as_json("show", "kindnet")["facts"] if each["key"] == "multicast")
    assert (record["value"], record["said"], record["decides"]) == (None, "unknown", "unknown")


def test_the_original_and_our_model_are_told_apart() -> None:
    """A provider's page calls it the original, and our model of it by its own title, below."""
    shown = run("show", "flannel")
    assert shown.startswith("flannel, the original: ")
    assert shown.index("Not the original: our model of flannel (octet flannel)") > shown.index("k3s")
    whole = as_json("show", "flannel")
    assert {fact["certainty"] for fact in whole["our_model"]["facts"]} == {"computed"}
    assert "computed" not in {fact["certainty"] for fact in whole["facts"]}


@pytest.mark.parametrize("name", EIGHT)
def test_a_model_without_a_row_says_so(name: str) -> None:
    """Where the table of models has no row yet the page says that, and no fact of our model is shown."""
    shown, whole = run("show", name), as_json("show", name)
    if name in {model.name for model in models.MODELS}:
        assert f"our model of {name} (octet {name})" in shown
        assert whole["our_model"]["runs"]
    else:
        assert f"Octet has no row for {name} yet" in shown
        assert whole["our_model"]["facts"] == []
        assert "Not the original" not in shown


def test_a_provider_that_we_do_not_model() -> None:
    """Of a provider outside of the eight the page says that Octet has no model of it."""
    assert "Octet has no model of it" in run("show", "cilium")
    assert as_json("show", "cilium")["our_model"] is None


def test_a_comparison_shows_what_differs() -> None:
    """Without --all what both have for certain is left out, and what isn't known of either stays."""
    keys = {row["key"] for row in as_json("compare", "calico", "cilium")}
    assert "bgp" not in keys
    assert "policy-by-name" in keys
    assert "support-from" in keys


def test_questions_of_ones_own() -> None:
    """The list shows the questions that one asks for."""
    assert "multicast" in run("list", "--key", "multicast").splitlines()[1]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("facts", "show", "flanel"), 4),
        (("facts", "list", "--key", "multycast"), 4),
        (("facts", "compare", "calico", "nobody"), 4),
        (("facts", "stale", "--before", "yesterday"), 2),
    ],
)
def test_mistakes_end_in_a_line(
    arguments: tuple[str, ...], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong name or day ends in one clear line and an exit code that means it."""
    with pytest.raises(SystemExit) as caught:
        main.main(arguments)
    assert caught.value.code == code
    assert "Traceback" not in capsys.readouterr().err


def test_why_forks_has_sources() -> None:
    """The answer to why forks matter has a source for every paragraph, and says what each count hides."""
    told = as_json("why-forks")
    assert all(paragraph["sources"] for paragraph in told["why_forks"])
    assert all(figure["shows"] and figure["hides"] for figure in told["figures"])
    assert "Weave Net had 635 forks" in run("why-forks").replace("\n", " ")


def test_no_score() -> None:
    """No screen of counts has a total, a rank or a health score."""
    for shown in (run("numbers"), run("numbers", "calico")):
        assert not {"total", "rank", "health", "overall"} & set(shown.lower().replace(",", " ").split())
