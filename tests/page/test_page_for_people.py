"""The page as people meet it: from a file without network, by keyboard, on a phone, at night, on paper."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from looking import DESKTOP, PHONE, ROOT, Look
from octet.choose.facts import Facts, load
from octet.choose.page import Document, build, bundle, html

Open = Callable[..., Look]
REPORT = ROOT / "report"
VIEWS = [(DESKTOP, "light", True), (DESKTOP, "dark", True), (PHONE, "light", False), (PHONE, "dark", False)]


@pytest.mark.parametrize(("width", "scheme", "unfolded"), VIEWS)
def test_axe_has_nothing_against_the_page(
    look: Open, file: Path, width: int, scheme: str, unfolded: bool
) -> None:
    """axe-core finds no violation: on a desk and on a phone, by day and by night, folded and unfolded."""
    opened = look(file, width=width, scheme=scheme, bypass=True)
    REPORT.mkdir(exist_ok=True)
    opened.page.screenshot(path=REPORT / f"page-{width}-{scheme}.png", full_page=True)
    if unfolded:
        opened.open_all()
    assert opened.axe() == []


@pytest.mark.parametrize("width", [DESKTOP, PHONE, 320])
def test_the_page_never_scrolls_sideways(look: Open, file: Path, width: int) -> None:
    """Only tables scroll sideways, within their own frames (WCAG 2.2, 1.4.10)."""
    opened = look(file, width=width)
    opened.open_all()
    assert opened.page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_the_answer_comes_first_and_says_what_one_asks(look: Open, file: Path, document: Document) -> None:
    """The first screen says what is recommended; the card says why not flannel, and what would change it."""
    opened = look(file)
    pick = opened.page.locator("#answer .pick")
    box = pick.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 400
    titles = {each.provider: each.title for each in document.decision.kept}
    assert pick.inner_text() == " or ".join(titles[name] for name in document.decision.leaders)
    card = opened.page.locator("#answer")
    assert "ruled out" in card.locator('[data-provider="flannel"]').inner_text()
    assert card.locator(".whynot li").count() == len(document.decision.why_not)
    for reason in (*document.decision.reasons_for, *document.decision.reasons_against):
        assert card.locator(f'[data-id="{reason.id}"]').count() == 1
    assert card.get_by_role("heading", name="What would change this").count() == 1
    assert str(document.decision.oldest.as_of if document.decision.oldest else "") in card.inner_text()


def test_a_cross_opens_its_fact_by_keyboard(look: Open, file: Path, document: Document) -> None:
    """Enter on a cross shows the fact, its date and its source right there, and again hides them."""
    opened = look(file)
    row = next(row for row in document.elimination if row.provider == "flannel")
    finding = next(each for each in row.findings if each.verdict == "ruled out")
    cross = opened.page.locator("#out-flannel button.out").first
    cross.focus()
    opened.page.keyboard.press("Enter")
    assert cross.get_attribute("aria-expanded") == "true"
    shown = opened.page.locator(f"#{cross.get_attribute('aria-controls')}").inner_text()
    assert any(str(each.as_of) in shown and each.source in shown for each in finding.evidence)
    opened.page.keyboard.press("Enter")
    assert cross.get_attribute("aria-expanded") == "false"


def test_everything_is_reached_by_tab(look: Open, file: Path) -> None:
    """The first Tab offers to skip to the answer, and no element is a trap."""
    opened = look(file)
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate("() => document.activeElement.textContent") == "Skip to the answer"
    seen = set()
    for _ in range(60):
        opened.page.keyboard.press("Tab")
        seen.add(opened.page.evaluate("() => document.activeElement.outerHTML"))
    assert len(seen) > 50


def test_every_chart_has_its_table(look: Open, file: Path) -> None:
    """Each figure holds a table with a head and rows, and each picture a name."""
    opened = look(file)
    counts = opened.page.locator("figure").evaluate_all(
        "all => all.map(each => each.querySelectorAll('details.twin table tbody tr').length)"
    )
    assert len(counts) > 10
    assert min(counts) >= 1
    names = opened.page.locator("svg[role=img]").evaluate_all("all => all.map(each => each.ariaLabel || '')")
    assert min(map(len, names)) > 10


def test_raw_data_can_be_taken(look: Open, file: Path, document: Document, tmp_path: Path) -> None:
    """results.json and decision.json are saved from the page, without network, as they were."""
    opened = look(file)
    saved = {}
    for name in ("results.json", "decision.json", "facts.json"):
        with opened.page.expect_download() as waiting:
            opened.page.get_by_role("button", name=name).click()
        waiting.value.save_as(tmp_path / name)
        saved[name] = json.loads((tmp_path / name).read_text())
    assert saved["results.json"] == json.loads(msgspec.json.encode(document.results))
    assert saved["decision.json"] == json.loads(msgspec.json.encode(document.decision))
    assert [each["name"] for each in saved["facts.json"]] == [each.name for each in document.providers]


def test_hostile_texts_stay_texts(look: Open, document: Document, tmp_path: Path) -> None:
    """What facts and results say is shown letter by letter; no element, no script comes of it."""
    hostile = "</script><img src=x onerror=alert(1)><script>alert(2)</script> \u202e \"'&<b>"
    first, *others = load().providers
    facts = Facts((replace(first, title=hostile, summary=hostile), *others))
    assert document.results is not None
    measured = msgspec.structs.replace(document.results, shortened=hostile, command=[hostile])
    path = tmp_path / "hostile.html"
    page = build(document.decision, facts, measured, (), today=document.today)
    path.write_text(html(page, bundle()), encoding="utf-8")
    opened = look(path)
    opened.open_all()
    assert hostile in opened.page.locator(".elimination tbody th").first.inner_text()
    assert opened.page.locator("img").count() == 0
    assert opened.page.locator("script").count() == 2


def test_the_page_without_scripts_still_has_the_answer(
    browser: object, file: Path, document: Document
) -> None:
    """A browser that runs no scripts shows the answer and why not the others."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert document.decision.headline in page.inner_text("body")
    assert document.decision.why_not[0].text in page.inner_text("body")
    context.close()


def test_paper_has_the_reasons_too(look: Open, file: Path) -> None:
    """Printed, the reasons are unfolded, controls are gone, and closed again afterwards."""
    opened = look(file)
    paper = opened.page.pdf(format="A4", print_background=True)
    assert 5 <= len(re.findall(rb"/Type\s*/Page\b", paper)) <= 30
    REPORT.mkdir(exist_ok=True)
    (REPORT / "page.pdf").write_bytes(paper)
    assert opened.page.locator("details[data-print][open]").count() == 0
    opened.page.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
    opened.page.emulate_media(media="print")
    assert opened.page.locator(".reasonlist li").first.is_visible()
    assert not opened.page.locator("fieldset.chips").is_visible()


def test_a_page_without_figures_says_what_to_type(look: Open, document: Document, tmp_path: Path) -> None:
    """Nothing is drawn where nothing was measured; the section says which command measures."""
    empty = msgspec.structs.replace(document, measured=None, results=None)
    path = tmp_path / "empty.html"
    path.write_text(html(empty, bundle()), encoding="utf-8")
    opened = look(path)
    assert "octet compare --quick" in opened.page.locator("#measurements").inner_text()
    assert opened.page.locator("#measurements svg").count() == 0
