"""octet ui in a browser: answers change the page at once, a comparison is started and followed."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from looking import DESKTOP, PHONE, ROOT, Look
from measured import results
from octet.measure import machine
from octet.measure import results as record

Open = Callable[..., Look]
WORKED = ROOT / "examples/choose/laptop.toml"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a report directory with figures that pretend to be of this machine."""
    record.write(results(machine=dict(machine.facts())), tmp_path / "report/results.json")
    return tmp_path / "report"


@pytest.fixture
def address(place: Path) -> Iterator[str]:
    """Run octet ui as a person does, and return the address that it prints."""
    octet = Path(sys.executable).with_name("octet")
    command = (str(octet), "ui", "--out", str(place), "--requirements", str(WORKED))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}) as server:
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found, "no address was printed"
        yield found.group()
        server.send_signal(signal.SIGINT)
        assert server.wait(20) in {0, 130, -signal.SIGINT}


@pytest.mark.parametrize(("width", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_axe_has_nothing_against_the_live_page(address: str, look: Open, width: int, scheme: str) -> None:
    """The form and the progress are as usable as the rest; the token has left the address."""
    opened = look(address, width=width, scheme=scheme, bypass=True)
    assert "token" not in opened.page.url
    assert opened.axe() == []
    assert opened.page.evaluate("() => document.documentElement.scrollWidth") <= width
    (ROOT / "report").mkdir(exist_ok=True)
    opened.page.screenshot(path=ROOT / f"report/ui-{width}-{scheme}.png")


def test_changing_an_answer_changes_everything_at_once(address: str, look: Open) -> None:
    """Another answer, and elimination, ranking and card follow; the new answer is spoken."""
    page = look(address).page
    said = page.locator("[role=status]").first
    flannel = page.locator("#out-flannel")
    expect(flannel).not_to_have_class("out")
    page.locator("#q-policy_egress").focus()
    page.keyboard.press("y")  # a list chooses by the first letter
    expect(said).to_contain_text("New answer: ")
    expect(flannel).to_have_class("out")
    assert page.locator('.whynot [data-provider="flannel"] .tag').inner_text() == "ruled out"
    assert page.locator('#ranking [data-provider="flannel"]').count() == 0
    before = said.inner_text()
    page.select_option("#q-partial_mesh", "true")
    page.select_option("#q-maintained", "true")
    expect(page.locator("#answer .eyebrow")).to_have_text(re.compile("nothing fits", re.IGNORECASE))
    assert said.inner_text() != before
    assert page.get_by_role("heading", name="What to give up for an answer").count() == 1


def test_an_answer_that_cannot_be_is_told_at_its_field(browser: Browser, address: str) -> None:
    """Nodes = many: the field says what would do, the last answer stays, and mending it goes on."""
    opened = Look.at(browser, address)  # not look(): a refusal is an error on the console by nature
    page = opened.page
    pick = page.locator("#answer .pick").inner_text()
    page.fill("#q-nodes", "many")
    expect(page.locator("#q-nodes")).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".field .wrong")).to_contain_text("nodes = 'many'")
    assert page.locator("#answer .pick").inner_text() == pick
    page.fill("#q-nodes", "40")
    expect(page.locator(".field .wrong")).to_have_count(0)
    expect(page.locator(".profile")).to_contain_text("nodes: 40")
    opened.context.close()


def test_without_the_token_there_is_no_page(browser: Browser, address: str) -> None:
    """Another user of the machine, who has not seen the token, gets nothing."""
    context = browser.new_context()  # a fresh profile has no cookie
    answered = context.new_page().goto(address.partition("?")[0])
    assert answered.status == 401
    assert "octet" in context.pages[0].inner_text("body")
    assert context.pages[0].locator("#octet-data").count() == 0
    context.close()


@pytest.mark.slow
@pytest.mark.lab
@pytest.mark.timeout(420)
def test_a_comparison_is_started_followed_and_shown(address: str, look: Open, place: Path) -> None:
    """The button runs octet compare; its steps are told, and its figures replace those on the page."""
    if missing := [tool for tool in ("iperf3", "sockperf") if shutil.which(tool) is None]:
        pytest.skip(f"program missing: {', '.join(missing)}")
    opened = look(address)
    page = opened.page
    old = page.locator("#measurements .context summary").inner_text()
    page.get_by_role("button", name="Measure on this machine").click()
    expect(page.get_by_role("button", name="Measuring")).to_be_disabled()
    expect(page.locator(".comparison")).to_contain_text(re.compile("starting|warm-up|round"), timeout=60_000)
    expect(page.locator(".comparison")).to_contain_text("Measured", timeout=360_000)
    expect(page.locator("#measurements .context summary")).not_to_have_text(old)
    fresh = record.read(place / "results.json")
    assert fresh.started[:10] in page.locator("#measurements .context summary").inner_text()
    for row in record.summary(fresh):
        drawn = page.locator(f"[data-candidate='{row.candidate}'][data-metric='{row.metric.key}']")
        assert drawn.count() == (1 if row.ratio else 0), (row, fresh.failures)
    for failure in fresh.failures:
        expect(page.locator("#measurements .note.bad", has_text=failure.reason)).to_be_visible()
