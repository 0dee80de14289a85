"""The page's figures are those of results.json and of the facts' files: every number is compared."""

from collections.abc import Callable
from pathlib import Path

import pytest

from looking import Look
from measured import SILENT, results
from octet.choose.evidence import say
from octet.choose.facts import load
from octet.choose.facts.catalogue import BY_NAME
from octet.choose.page import Document
from octet.measure.metrics import METRICS
from octet.measure.results import summary
from octet.measure.statistics import Interval, quantile

Open = Callable[..., Look]


@pytest.fixture
def page(look: Open, file: Path) -> Look:
    """Return the page with everything unfolded."""
    opened = look(file)
    opened.open_all()
    return opened


def between(interval: Interval, digits: int) -> str:
    return f"{interval.low:.{digits}f} to {interval.high:.{digits}f}"


def test_every_figure_is_that_of_the_record(page: Look, document: Document) -> None:
    """Each metric's table has every candidate's median, interval, ratio and verdict, or says "not"."""
    assert document.measured is not None
    titles = document.measured.titles
    for metric in METRICS:
        expected = []
        for row in (row for row in summary(results()) if row.metric is metric):
            value = row.value
            expected.append(
                [
                    titles[row.candidate],
                    metric.text(value.median) if value else "—",
                    between(value, metric.digits) if value else "—",
                    f"{row.ratio.median:.2f}" if row.ratio else "—",
                    between(row.ratio, 2) if row.ratio else "—",
                    row.verdict or "—",
                ]
            )
        assert page.table(f"{metric.title}, as a table") == expected


def test_the_medians_are_those_of_the_record(page: Look, document: Document) -> None:
    """The overview has each median, and "not measured" where there is none."""
    assert document.measured is not None
    held = {(row.candidate, row.metric): row.value for row in summary(results())}
    rows = page.table("Medians of every metric")
    assert len(rows) == len(results().candidates)
    for row, name in zip(rows, results().candidates, strict=True):
        values = [held[name, metric] for metric in METRICS]
        shown = [
            metric.text(value.median) if value else "not measured"
            for metric, value in zip(METRICS, values, strict=True)
        ]
        assert row == [document.measured.titles[name], *shown]


def test_dots_are_where_their_ratios_are(page: Look) -> None:
    """Each candidate has a dot for each round and one at its median, in the order of the ratios."""
    for row in summary(results()):
        if row.ratio is None:
            continue
        group = page.page.locator(f'[data-candidate="{row.candidate}"][data-metric="{row.metric.key}"]')
        raw = group.locator("circle.raw").evaluate_all("all => all.map(each => +each.getAttribute('cx'))")
        assert len(raw) == len(row.ratios)
        order = sorted(range(len(raw)), key=lambda index: row.ratios[index])
        assert [raw[index] for index in order] == sorted(raw)
        text = group.locator("text").nth(1).text_content() or ""
        assert text[1:].startswith(f"{row.ratio.median:.2f}")
        assert (row.verdict or "") in text


def test_latency_curves_are_those_of_the_histograms(page: Look, document: Document) -> None:
    """The percentiles are within a bucket of those of all round trips together; who has none has no curve."""
    assert document.measured is not None
    shown = {row[0]: row[1:] for row in page.table("Latency curves, as a table")}
    assert document.measured.titles[SILENT] not in shown
    for name in results().candidates:
        trips: list[float] = []
        for sample in results().samples:
            held = sample.raw.get("latency", {}).get("histogram_us", {}) if sample.candidate == name else {}
            trips += [float(at) for at, count in held.items() for _ in range(count)]
        if trips:
            row = shown[document.measured.titles[name]]
            assert row[0] == f"{quantile(trips, 0.5):.1f}"
            assert row[2] == f"{quantile(trips, 0.99):.1f}"
            assert row[-1] == str(len(trips))


def test_every_fact_is_that_of_the_files(page: Look) -> None:
    """Each cell has the value of the provider's file; unknown and unverified are seen as such."""
    read = """cells => cells.map(cell =>
        [cell.dataset.provider, cell.dataset.key, cell.innerText, cell.className])"""
    cells = page.page.locator(".facts td[data-key]").evaluate_all(read)
    shown = {(provider, key): (text, classes) for provider, key, text, classes in cells}
    facts = load()
    assert len(shown) == sum(len(provider.facts) for provider in facts.providers)
    for provider in facts.providers:
        for key, fact in provider.facts.items():
            text, classes = shown[provider.name, key]
            assert text.split("⚠")[0].strip() == say(fact.value, BY_NAME[key].unit)
            assert ("unknown-cell" in classes) == (fact.value is None)
            unverified = fact.certainty.value == "unverified" and fact.value is not None
            assert ("⚠" in text) == unverified
            assert ("unverified-cell" in classes) == unverified


def test_every_limit_is_that_of_the_files(page: Look) -> None:
    """Each limit says what it counts, its number, its mechanism, its source and its date."""
    shown = page.page.locator("[data-limit]").evaluate_all(
        "all => all.map(each => [each.dataset.provider, each.dataset.limit, each.innerText])"
    )
    expected = [(provider, limit) for provider in load().providers for limit in provider.limits]
    assert len(shown) == len(expected)
    for (name, key, text), (provider, limit) in zip(shown, expected, strict=True):
        assert (name, key) == (provider.name, limit.key)
        assert text.startswith(f"{BY_NAME[key].question}: {say(limit.value, BY_NAME[key].unit)}")
        assert " ".join(limit.note.split()) in " ".join(text.split())
        assert str(limit.as_of) in text


def test_the_ranking_is_the_decision_s(page: Look, document: Document) -> None:
    """Values, intervals and shares are those of decision.json, in its order."""
    expected = [
        [place.title, f"{place.value:.3f}", f"{place.low:.3f}", f"{place.high:.3f}"]
        for place in document.decision.ranking
    ]
    assert [row[:4] for row in page.table("Value and share of first places, as a table")] == expected


def test_every_reason_for_ruling_out_has_fact_date_and_source(page: Look, document: Document) -> None:
    """The list under the table names, for each cross and question mark, what it stands on."""
    shown = page.page.locator(".reasonlist li").evaluate_all(
        "all => all.map(each => [each.dataset.provider, each.dataset.constraint, each.innerText])"
    )
    texts = {(provider, constraint): text for provider, constraint, text in shown}
    counted = 0
    for row in document.elimination:
        for finding in (each for each in row.findings if each.verdict != "met"):
            text = texts[row.provider, finding.constraint]
            counted += 1
            for evidence in finding.evidence:
                assert f"{evidence.key}: {evidence.says}" in text
                assert str(evidence.as_of) in text
    assert counted == len(texts) > 10


def test_growth_and_packets_are_the_models(page: Look, document: Document) -> None:
    """Objects by nodes, and each hop's headers with their bytes, are those of the blueprints."""
    growth = page.table("Kernel objects on one node by nodes of the cluster, as a table")
    expected = [
        [f"octet {line.name}", *(str(point.objects) for point in line.points)] for line in document.growth
    ]
    assert growth == expected
    for walk in document.walks:
        rows = page.table(f"octet {walk.model}, as a table")
        assert [row[4] for row in rows] == [str(hop.size) for hop in walk.hops]
        bars = page.page.locator("figure.walk").nth(document.walks.index(walk)).locator(".packet")
        for index, hop in enumerate(walk.hops):
            sizes = bars.nth(index).locator(".header small").all_inner_texts()
            assert sizes == [str(header.size) for header in hop.headers]


def test_the_timeline_has_every_release_and_step(page: Look, document: Document) -> None:
    """The table of the timeline has each release and each change of what an installer allows."""
    rows = page.table("Releases, and kops support, as a table")
    releases = [release.version for provider in document.providers for release in provider.releases]
    states = [step.state for provider in document.providers for step in provider.steps]
    assert [row[3] for row in rows if row[2] == "release"] == releases
    assert [row[3].split(" ")[0] for row in rows if row[2] != "release"] == states


def test_every_count_is_that_of_the_rows(page: Look, document: Document) -> None:
    """By the numbers: what was not counted says so, and nothing is added up."""
    rows = page.table("Stars, contributors and forks over time, as a table")
    assert len(rows) == sum(len(provider.counts) for provider in document.providers)
    assert "not counted" in {cell for row in rows for cell in row}
    calico = next(row for row in rows if row[0] == "Calico" and row[1].startswith("2022"))
    assert "3100" in calico


def test_what_our_models_can_do_is_worked_out(page: Look, document: Document) -> None:
    """Each cell about a model of ours is the computed fact, under the model's name and not the provider's."""
    cells = page.page.locator(".ours td").evaluate_all(
        "all => all.map(each => [each.dataset.model, each.dataset.key, each.firstChild.textContent.trim()])"
    )
    expected = {(model.name, fact.key): fact.text for model in document.models for fact in model.facts}
    shown = {(model, key): text for model, key, text in cells}
    assert {pair: shown.get(pair) for pair in expected} == expected
    assert {text for pair, text in shown.items() if pair not in expected} <= {"unknown"}
    heads = page.page.locator(".ours thead th").all_inner_texts()[1:]
    assert [head.split()[0] for head in heads] == ["octet"] * len(document.models)
