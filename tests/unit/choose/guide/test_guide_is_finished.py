"""The guide of 2017 is finished: what it left open has an answer, and its words are not used."""

import hashlib
import re
from pathlib import Path

import pytest

from octet.choose import facts

SHINGLE = 8
"""Words in a row that two texts of different authors hardly share."""

HASHES = Path(__file__).with_name("guide-2017.hashes")
"""Of every eight words in a row of the original, and of each of its shorter sentences: not its text."""

FACTS = facts.load()


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def digest(found: list[str]) -> str:
    return hashlib.sha256(" ".join(found).encode()).hexdigest()[:12]


def sentences(text: str) -> list[list[str]]:
    return [words(each) for each in re.split(r"(?<=[.?!])\s+|\n\n|^[-#>] ", text, flags=re.MULTILINE)]


def copied(text: str) -> list[str]:
    """Return what a text has in common with the original: shingles, and sentences shorter than one."""
    known, said = set(HASHES.read_text().split()), words(text)
    shingles = [said[at : at + SHINGLE] for at in range(len(said) - SHINGLE + 1)]
    short = [each for each in sentences(text) if 4 <= len(each) < SHINGLE]
    return [" ".join(each) for each in (*shingles, *short) if digest(each) in known]


def test_no_sentence_of_the_original_is_in_it(stored: str) -> None:
    """Neither eight words in a row nor a short sentence of the original stands in the guide."""
    assert copied(stored) == []


def test_a_copy_would_be_found() -> None:
    """The hashes are of the original: its list of counts is recognised, in the order that it had."""
    assert copied("kopeio-vxlan - 15, 1, 1\n- kube-router - 298, 5, 29") != []


def test_nothing_is_left_to_do(stored: str) -> None:
    """No marker of unfinished work is left."""
    assert re.findall(r"\b(?:T[O]DO|F[I]XME|TBD|X{3})\b", stored) == []


@pytest.mark.parametrize("provider", FACTS.providers, ids=lambda each: each.name)
def test_every_provider_has_a_whole_section(stored: str, provider: facts.Provider) -> None:
    """What it is, how a packet travels, what it is good for, where it ends, how it stands: at some length."""
    level = "###" if provider.model else "####"
    found = stored.partition(f"\n{level} {provider.title}\n")[2]
    text = re.split(r"^#{2,4} ", found, maxsplit=1, flags=re.MULTILINE)[0]
    for part in ("| Status |", "**How a packet travels.**", "**Good for**", "**Where it ends:**"):
        assert part in text
    assert len(words(text)) > 150


@pytest.mark.parametrize(
    "heading",
    [
        "Why there are CNI providers",
        "What kubenet cannot do, and what has changed",
        "By the numbers",
        "What a fork is worth",
        "Commercial support",
        "How kops installs them",
        "Measured here",
        "Which one should I use?",
    ],
)
def test_every_question_has_its_answer(stored: str, heading: str) -> None:
    """Each section that the original had, or left open, or that its readers asked for, says something."""
    found = re.search(
        rf"^#{{2,3}} {re.escape(heading)}\n(.*?)(?=^#{{2}} |\Z)", stored, re.MULTILINE | re.DOTALL
    )
    assert found, heading
    assert len(words(found[1])) > 100


def test_the_eight_are_in_the_originals_order(stored: str) -> None:
    """The networks that kops could install then come in alphabetical order."""
    places = [stored.index(f"\n### {each.title}\n") for each in FACTS.providers if each.model]
    titles = [each.title.lower() for each in FACTS.providers if each.model]
    assert [title for _, title in sorted(zip(places, titles, strict=True))] == sorted(titles)
