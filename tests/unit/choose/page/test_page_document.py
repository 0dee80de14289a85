"""The page's document and file: whole, inert, self-contained, and nothing made up."""

import datetime as dt
import json
import re
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from measured import FACTORS, results
from octet import models
from octet.choose import Requirements, decide
from octet.choose.facts import Facts, load
from octet.choose.facts.catalogue import KEYS
from octet.choose.facts.numbers import keeping
from octet.choose.page import Bundle, Document, build, bundle, html
from octet.choose.page.asked import SECTIONS, profile, questions
from octet.choose.page.drawn import NODES
from octet.choose.page.html import policy
from octet.choose.profile import ABOUT, USUAL
from octet.choose.requirements import FIELDS
from octet.errors import NotFoundError
from octet.measure.results import summary

TODAY = dt.date(2026, 11, 26)
PLAIN = Bundle("run()", "body{}")
HOSTILE = "</script><script>alert(1)</script><!--<script> \" ' & \u2028 \\u003c é 漢"


@pytest.fixture(scope="module")
def facts() -> Facts:
    return load()


@pytest.fixture(scope="module")
def document(facts: Facts) -> Document:
    """The page of the usual case with figures."""
    measured = results()
    decision = decide(USUAL, facts, measured)
    return build(decision, facts, measured, keeping.shipped(), today=TODAY)


def data(text: str) -> dict[str, object]:
    """Return the document in a page, as a browser finds it."""
    found = re.search(r'<script type="application/json" id="octet-data">(.*?)</script>', text, re.DOTALL)
    assert found
    held = json.loads(found[1])
    assert isinstance(held, dict)
    return held


def test_the_page_has_every_fact_of_every_provider(document: Document, facts: Facts) -> None:
    """Each fact and limit is in the document with its date, source and certainty; unknown stays unknown."""
    for shown, provider in zip(document.providers, facts.providers, strict=True):
        assert [fact.key for fact in shown.facts] == [key.name for key in KEYS if key.name in provider.facts]
        for fact in shown.facts:
            held = provider.facts[fact.key]
            assert (fact.as_of, fact.source, fact.certainty) == (
                held.as_of,
                held.source,
                held.certainty.value,
            )
            assert (fact.text == "unknown") == (held.value is None)
        assert len(shown.limits) == len(provider.limits)
        assert [step.state for step in shown.steps] == [step.state.value for step in provider.steps]


def test_the_page_has_every_statement_about_every_figure(document: Document) -> None:
    """Medians, ratios, intervals and verdicts are those of octet.measure; what was not measured is absent."""
    measured = results()
    assert document.results == measured
    assert document.measured is not None
    for shown, row in zip(document.measured.rows, summary(measured), strict=True):
        assert (shown.candidate, shown.metric) == (row.candidate, row.metric.key)
        assert (shown.value, shown.ratio, shown.verdict) == (row.value, row.ratio, row.verdict)
    silent = [row for row in document.measured.rows if row.candidate == "broken"]
    assert all(row.value is None and not row.ratios for row in silent)


def test_our_models_and_the_originals_have_different_names(document: Document) -> None:
    """On no chart is a candidate of ours called by the provider's name alone."""
    assert document.measured is not None
    titles = {provider.title for provider in document.providers}
    assert not titles & set(document.measured.titles.values())
    for name in FACTORS:
        assert ("(our model)" in document.measured.titles[name]) == (name in models.names())


def test_every_model_is_drawn_from_its_blueprint(document: Document) -> None:
    """Every row of the table has its decisions, and every name that runs its packet's way and its growth."""
    assert [row.name for row in document.models] == [model.name for model in models.MODELS]
    assert [walk.model for walk in document.walks] == list(models.names())
    for line in document.growth:
        counted = [point.objects for point in line.points]
        assert [point.nodes for point in line.points] == list(NODES)
        assert counted == sorted(counted)
        assert counted[0] < counted[-1]


def test_a_page_without_figures_says_so(facts: Facts) -> None:
    """Without results the document has none, and the answer names them as missing."""
    found = build(decide(USUAL, facts), facts, None, (), today=TODAY)
    assert found.measured is None
    assert found.results is None
    assert "measurements" in [each.id for each in found.decision.missing]


def test_the_elimination_has_every_provider_and_constraint(document: Document) -> None:
    """Also a provider that is out already shows what it passes and what is unknown about it."""
    assert [row.provider for row in document.elimination] == [each.name for each in document.providers]
    asked = {finding.constraint for row in document.elimination for finding in row.findings}
    assert all({finding.constraint for finding in row.findings} == asked for row in document.elimination)
    out = {row.provider for row in document.elimination if "ruled out" in [f.verdict for f in row.findings]}
    assert out == {each.provider for each in document.decision.excluded}


def test_the_same_input_makes_the_same_page(document: Document, facts: Facts) -> None:
    """There is no clock and no chance in it."""
    measured = results()
    again = build(document.decision, facts, measured, keeping.shipped(), today=TODAY)
    assert html(again, PLAIN) == html(document, PLAIN)


def test_a_page_loads_nothing_and_lets_only_its_own_script_run(document: Document) -> None:
    """No address is fetched by the file; its policy names the script and the style by their hashes."""
    text = html(document, PLAIN)
    markup = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert not [word for word in ("src=", "url(", "@import") if word in markup]
    assert all(address.startswith("data:") for address in re.findall(r'href="([^"]*)"', markup))
    held = policy(PLAIN)
    assert held.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in held
    assert held in text


def test_nothing_that_is_shown_can_become_markup(document: Document, facts: Facts) -> None:
    """A hostile text in facts or results stays text: it is in the data whole, and begins no element."""
    first, *others = facts.providers
    fact = replace(first.facts["licence"], value=HOSTILE, source=HOSTILE, note=HOSTILE)
    bad = Facts((replace(first, title=HOSTILE, facts={**first.facts, "licence": fact}), *others))
    measured = results(candidates={"bridge": HOSTILE}, shortened=HOSTILE)
    found = build(document.decision, bad, measured, (), today=TODAY)
    text = html(found, PLAIN)
    assert text.count("<script") == 2
    assert text.count("</script>") == 2
    assert "<!--" not in text
    assert data(text)["providers"][0]["title"] == HOSTILE
    assert data(text)["results"]["shortened"] == HOSTILE


def test_the_data_reads_back_as_it_was(document: Document) -> None:
    """What a browser parses is what Python wrote."""
    assert data(html(document, PLAIN)) == json.loads(msgspec.json.encode(document))


def test_a_page_fits_into_two_megabytes(document: Document) -> None:
    """The whole file with the real script and twenty rounds of figures is under 2 MB."""
    longer = msgspec.structs.replace(document, results=results(rounds=20))
    size = len(html(longer, bundle()).encode())
    assert 200_000 < size < 2_000_000


def test_a_missing_bundle_is_named_with_what_makes_it(tmp_path: Path) -> None:
    """Without the built script the error says what to type."""
    with pytest.raises(NotFoundError, match="make setup"):
        bundle(tmp_path)


def test_a_bundle_that_would_end_its_element_is_refused(tmp_path: Path) -> None:
    """A built file that holds the end of its own element is a fault of the build, not a page."""
    (tmp_path / "page.js").write_text("'</script>'")
    (tmp_path / "style.css").write_text("")
    with pytest.raises(ValueError, match="element"):
        bundle(tmp_path)


def test_the_form_has_every_question() -> None:
    """Every requirement is a question under a heading, in the order of the command line."""
    shown = questions()
    assert [question.field for question in shown] == list(FIELDS)
    assert {question.section for question in shown} == set(SECTIONS.values())
    assert all(question.choices for question in shown if question.kind == "choice")


def test_what_was_asked_for_is_told() -> None:
    """The usual case has its sentence, others name each answer, and nothing asked is said."""
    assert profile(USUAL) == ABOUT
    assert profile(Requirements(nodes=60, windows=False)) == "windows: no; nodes: 60"
    assert profile(Requirements()).startswith("nothing: every question")
