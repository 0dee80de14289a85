import datetime as dt
import re
from pathlib import Path

import pytest

from octet import models
from octet.choose import Requirements, decide, facts, packet
from octet.choose.facts.values import Certainty, Fact, Step, Support
from octet.choose.guide import cases, drawing, figures, markdown, statements, words
from octet.choose.guide.guide import Case, Guide
from octet.choose.guide.notes import Note, Notes
from octet.errors import BadConfigurationError
from octet.measure.results import Results, Sample

DAY = dt.date(2026, 8, 22)


def fact(value: object, certainty: Certainty = Certainty.VERIFIED, note: str = "") -> Fact:
    return Fact("bgp", value, DAY, "somewhere", certainty, note)  # type: ignore[arg-type]


def measured(**ratios: float) -> Results:
    """Return five rounds in which each candidate's stream is always the same share of the baseline's."""
    candidates = {"bridge": "the baseline", **{name.replace("_", "-"): name for name in ratios}}
    shares = {"bridge": 1.0, **{name.replace("_", "-"): share for name, share in ratios.items()}}
    samples = [
        Sample(candidate=name, round=index, order=0, values={"stream_gbit_per_s": 10 * share}, raw={})
        for index in range(5)
        for name, share in shares.items()
    ]
    return Results(
        started="2026-11-26T00:00:00+00:00",
        duration_s=1.0,
        command=[],
        machine={"cpu": "x", "cpus": 2, "memory_mib": 1, "kernel": "6", "distribution": "D"},
        versions={},
        candidates=candidates,
        baseline="bridge",
        twin="",
        seed=1,
        seconds=1.0,
        rounds=5,
        shortened="",
        samples=samples,
        failures=[],
    )


def test_one_source_and_day_is_one_note() -> None:
    """Statements of one source and day share a footnote; another day is another one."""
    notes = Notes()
    first = notes.mark(Note("a page", DAY))
    assert notes.mark(Note("a page", DAY)) == first == "[^1]"
    assert notes.mark(Note("a page", dt.date(2020, 1, 1))) == "[^2]"
    assert notes.text().splitlines()[0] == "[^1]: a page. Seen 2026-08-22."


def test_a_note_says_how_it_is_known() -> None:
    """Derived and unverified are said, and what is to be known beside the value."""
    notes = Notes()
    notes.of(fact(value=True, certainty=Certainty.UNVERIFIED, note="only on Mondays"))
    notes.of(fact(value=True, certainty=Certainty.DERIVED))
    assert notes.text() == (
        "[^1]: somewhere. Not verified; written down 2026-08-22. only on Mondays\n"
        "[^2]: somewhere. Computed from what was seen 2026-08-22."
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "*unknown*"),
        (True, "yes"),
        (False, "no"),
        (("vxlan", "host-gateway", "bgp"), "VXLAN, plain routes and BGP"),
        ((), "none"),
        (DAY, "2026-08-22"),
        (400, "400"),
        ("a | b <c>", "a \\| b \\<c>"),
    ],
)
def test_values_in_words(value: object, text: str) -> None:
    """Unknown is its own word, lists read as lists, and no text of a file becomes markup."""
    assert words.shown(fact(value)) == text


def test_what_nobody_verified_says_so() -> None:
    """An unverified yes is not a yes."""
    assert words.shown(fact(value=True, certainty=Certainty.UNVERIFIED)) == "yes (unverified)"


def test_a_step_has_version_condition_day_and_note() -> None:
    """What an installer allows reads as one clause."""
    step = Step("kops", "1.28", Support.REMOVED, dt.date(2023, 9, 23), DAY, "notes", kubernetes="1.28")
    assert words.step(step) == "removed since 1.28 for Kubernetes 1.28 and later (2023-09-23)"


def test_paragraphs_are_filled_and_tables_are_not() -> None:
    """Prose wraps at words; a table's row, a fence and a link stay whole; items hang."""
    long = " ".join(["word"] * 40)
    text = f"{long} [a link of words](x.md)\n\n| {long} |\n\n```text\n{long}\n```\n\n- {long}\n## Next\n"
    page = markdown.wrapped(text)
    assert f"| {long} |" in page
    assert f"```text\n{long}\n```" in page
    assert "[a link of words](x.md)" in page
    assert "\n  word" in page
    assert "word\n\n## Next" in page
    assert (
        max(len(line) for line in page.splitlines() if line.startswith("word word") and "|" not in line) > 110
    )


def test_a_drawn_way_has_every_hop_and_the_wire_once() -> None:
    """The text shows each device in order, and between the machines the headers with their bytes."""
    walk = packet.walk("kopeio-vxlan")
    text = drawing.drawn(walk)
    places = [text.index(f"{hop.machine:<11} {hop.device}") for hop in walk.hops]
    assert places == sorted(places)
    assert text.count("| Ethernet 14 | IPv4 20 | UDP 8 | VXLAN 8 | Ethernet 14 | IPv4 20 | data 1430 |") == 1
    assert "1514 bytes: 1450 of the pod, 14 of Ethernet, 50 added" in text


def test_measured_models_are_called_ours() -> None:
    """A figure's head says that it is of our model, or of a plugin; never a provider's name alone."""
    assert figures.heads(measured(flannel=0.5, ptp=1.0)) == [
        "",
        "`bridge`",
        "noise",
        "our model `flannel`",
        "plugin `ptp`",
    ]


def test_a_ratio_says_what_it_may() -> None:
    """Without a twin the noise is unknown; a difference is called one only where the record calls it so."""
    assert figures.rows(measured(flannel=0.5, ptp=1.0)) == [
        [
            "TCP stream, more is better",
            "10.00 Gbit/s",
            "*unknown*",
            "0.50 [0.50, 0.50] **worse**",
            "1.00 [1.00, 1.00]",
        ]
    ]


def test_statements_without_a_source_are_refused(tmp_path: Path) -> None:
    """A sentence that cannot be looked up does not get into the guide; the error names file and sentence."""
    path = tmp_path / "statements.toml"
    path.write_text('about = {}\n[general.bold]\ntext = "So it is."\nas-of = 2026-01-01\nsource = " "\n')
    with pytest.raises(BadConfigurationError, match=r"statements\.toml: bold"):
        statements.load(path)
    path.write_text('about = {}\n[general.bold]\ntext = "So it is."\nsource = "x"\n')
    with pytest.raises(BadConfigurationError, match="as-of"):
        statements.load(path)
    path.write_text("about =\n")
    with pytest.raises(BadConfigurationError, match="statements"):
        statements.load(path)


@pytest.mark.parametrize("provider", facts.load().providers, ids=lambda each: each.name)
def test_only_a_model_that_runs_has_its_way_drawn(provider: facts.Provider) -> None:
    """A provider without a row has only words for a packet's way; one with a row has all its variants."""
    guide = Guide(facts.load(), statements.load(), None)
    ways = [walk.model for walk in guide.ways(provider)]
    assert ways == [name for name in models.names() if name.partition(":")[0] == provider.model]


def test_a_case_names_who_is_out_by_what_and_where_that_is_said() -> None:
    """Every provider that is out has the constraint before it and a footnote behind it."""
    known = facts.load()
    decision = decide(Requirements(installer="kops", installer_version="1.36", policy_egress=True), known)
    guide = Guide(known, statements.load(), None, cases=(Case("x", "X", "A story.", decision),))
    text = cases.told(guide, guide.cases[0])
    outs = [line for line in text.splitlines() if line.startswith("- Cannot ")]
    for excluded in decision.excluded:
        assert any(re.search(rf"{re.escape(excluded.title)}[^;]*\[\^\d+\]", line) for line in outs)
    assert f"Answer: **{cases.answer(decision)}**" in text
    assert cases.overview(guide).splitlines()[2].startswith("| X |")


def test_a_case_with_nobody_left_says_so() -> None:
    """Where every provider is out the answer is that, and no name."""
    decision = decide(Requirements(partial_mesh=True, windows=True), facts.load())
    assert (decision.outcome, cases.answer(decision)) == ("nothing", "nobody is left")
