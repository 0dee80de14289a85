"""The stored guide is what facts, models and results say, and each statement in it can be looked up."""

import json
import math
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from octet import models
from octet.choose import facts, packet
from octet.choose.facts.values import Certainty
from octet.choose.guide import statements
from octet.choose.guide.__main__ import RESULTS
from octet.choose.guide.guide import anchor
from octet.measure.metrics import METRICS

ROOT = Path(__file__).parents[4]
TEMPLATES = sorted((ROOT / "src/octet/choose/guide/templates").glob("*.j2"))
FACTS = facts.load()
MARK = re.compile(r"\[\^(\d+)\](?!:)")
NOTE = re.compile(r"^\[\^(\d+)\]: (.*)$", re.MULTILINE)
DAY = re.compile(r"\d{4}-\d\d-\d\d")


def section(text: str, heading: str) -> str:
    """Return what stands under a heading, up to the next one of its level or above."""
    level = heading.index(" ")
    _, found, rest = text.partition(f"\n{heading}\n")
    assert found, f"no heading {heading!r}"
    return re.split(rf"^#{{2,{level}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def heading(provider: facts.Provider) -> str:
    return f"{'###' if provider.model else '####'} {provider.title}"


def tables(text: str) -> list[list[list[str]]]:
    """Return the tables of a text: rows of cells, the head first."""
    found = re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE)
    return [
        [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in each.splitlines()]
        for each in found
    ]


def test_the_stored_guide_is_the_fresh_one(fresh: str, stored: str) -> None:
    """docs/choosing-a-cni-provider.md is byte for byte what `make guide` writes; CI refuses another one."""
    assert stored == fresh, "facts, models, results or templates changed: run `make guide`"


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["0", "7"])
def test_it_is_the_same_in_another_process(seed: str) -> None:
    """Neither hash seeds nor the time zone nor the locale change a byte of it."""
    command = [sys.executable, "-m", "octet.choose.guide", "--check", "--root", str(ROOT)]
    env = {"PYTHONHASHSEED": seed, "TZ": "Asia/Kathmandu", "LC_ALL": "C", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_mark_has_its_note_and_every_note_its_mark(stored: str) -> None:
    """No footnote is missing, and none stands there for nothing."""
    assert set(MARK.findall(stored)) == {number for number, _ in NOTE.findall(stored)}


def test_every_note_says_where_and_when(stored: str) -> None:
    """A footnote names its source and the day on which it was seen."""
    notes = NOTE.findall(stored)
    assert len(notes) > 100
    assert [text for _, text in notes if not DAY.search(text) or not text.partition(". ")[0]] == []


@pytest.mark.parametrize("title", ["Side by side", "Commercial support"])
def test_every_answer_in_the_tables_can_be_looked_up(stored: str, title: str) -> None:
    """Each cell about a provider ends in a footnote."""
    for table in tables(section(stored, f"## {title}")):
        bare = [(row[0], cell) for row in table[2:] for cell in row[1:] if not MARK.search(cell)]
        assert bare == []


def test_every_sentence_of_its_own_has_a_source() -> None:
    """The statements beside the catalogue's facts have day and source, and are about providers that exist."""
    found = statements.load()
    assert set(found.about) == {provider.name for provider in FACTS.providers}
    assert all(each.source.strip() for many in found.about.values() for each in many)


def test_nothing_unverified_is_shown_as_certain(stored: str) -> None:
    """A mark that leads to an unverified source stands behind the word that says so."""
    doubtful = {number for number, text in NOTE.findall(stored) if "Not verified" in text}
    assert doubtful
    body = stored.partition("\n## Sources\n")[0]
    for found in MARK.finditer(body):
        if found[1] in doubtful:
            before = body[max(0, found.start() - 300) : found.start()]
            assert "unverified" in before, before


@pytest.mark.parametrize("provider", FACTS.providers, ids=lambda each: each.name)
def test_unknown_is_drawn_as_unknown(stored: str, provider: facts.Provider) -> None:
    """A support day that nobody announced is neither empty nor no."""
    table = tables(section(stored, "## Commercial support"))[0]
    row = next(row for row in table if row[0] == provider.title)
    for cell, key in zip(row[3:], ("support-from", "support-until"), strict=True):
        assert ("*unknown*" in cell) is (provider.facts[key].value is None)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_no_figures(path: Path) -> None:
    """No date, number or limit is typed into a template: it comes from a fact, a model or a result."""
    prose = re.sub(r"\{[{%#].*?[}%#]\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert re.findall(r"[^\s]*\d[^\s]*", re.sub(r"\bIPv[46]\b|\bOPA2?\b", "", prose)) == []


@pytest.mark.parametrize("name", models.names())
def test_a_packets_way_is_the_models_own(stored: str, name: str) -> None:
    """Each model that runs is in its provider's section with what its packets wear, in bytes."""
    walk = packet.walk(name)
    provider = next(each for each in FACTS.providers if each.model == name.partition(":")[0])
    text = section(stored, heading(provider))
    rows = {row[0]: row for table in tables(text) for row in table}
    row = rows[f"`{name}`"]
    assert row[1] == ", ".join(header.protocol for header in walk.wire)
    assert row[2].startswith(f"{walk.overhead} bytes" if walk.tunnelled else "nothing")
    assert row[3].split()[0] == str(walk.pod_mtu)


@pytest.mark.parametrize("provider", FACTS.providers, ids=lambda each: each.name)
def test_a_provider_and_our_model_are_two_things(stored: str, provider: facts.Provider) -> None:
    """A section says whether Octet has a model of the provider, in those words."""
    text = section(stored, heading(provider))
    cell = next(row[1] for table in tables(text) for row in table if row[0] == "In Octet")
    if provider.model in models.names():
        assert cell == f"our model of it runs: `octet lab up --model {provider.model}`"
    else:
        assert "octet lab" not in text
        assert cell.startswith(("no row yet for a model of", "not one of the networks"))


def test_the_certainties_are_all_there() -> None:
    """Facts of three kinds are told apart: read, computed from what was read, not verified."""
    found = {fact.certainty for _, fact in FACTS.everything()}
    assert found == {Certainty.VERIFIED, Certainty.DERIVED, Certainty.UNVERIFIED}


def test_links_within_the_guide_lead_to_headings(stored: str) -> None:
    """Each link to a place of the same page has a heading there."""
    headings = {anchor(each) for each in re.findall(r"^#{2,4} (.+)$", stored, re.MULTILINE)}
    linked = set(re.findall(r"\]\(#([^)]+)\)", stored))
    assert len(linked) > len(FACTS.providers)
    assert linked <= headings


def test_measured_figures_are_those_of_the_stored_record(stored: str) -> None:
    """Each ratio in the table is the middle one of the rounds' own ratios in docs/data/comparison.json."""
    record = json.loads((ROOT / RESULTS).read_bytes())
    rounds: dict[str, dict[int, dict[str, float]]] = {}
    for sample in record["samples"]:
        rounds.setdefault(sample["candidate"], {})[sample["round"]] = sample["values"]
    head, _, *rows = tables(section(stored, "## Measured here"))[0]
    names = [re.sub(r".*`(.+)`", r"\1", cell) for cell in head[3:]]
    assert set(names) == set(record["candidates"]) - {record["baseline"], record["twin"]}
    for row in rows:
        metric = next(each for each in METRICS if row[0].startswith(each.title))
        for name, cell in zip(names, row[3:], strict=True):
            ratios = [
                math.log(values[metric.key] / rounds[record["baseline"]][index][metric.key])
                for index, values in rounds[name].items()
                if metric.key in values and metric.key in rounds[record["baseline"]].get(index, {})
            ]
            assert cell.startswith(f"{math.exp(statistics.median(ratios)):.2f} ["), (row[0], name)
