"""A real browser (Debian's chromium), and the page of the usual case as a file.

Nothing is downloaded: playwright only drives what is installed.
"""

import datetime as dt
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from looking import AXE, Look, launched
from measured import results
from octet.choose import decide
from octet.choose.facts import load
from octet.choose.facts.numbers import keeping
from octet.choose.page import Document, build, bundle, html
from octet.choose.profile import USUAL

TODAY = dt.date(2026, 11, 26)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a headless chromium with a profile of its own.

    Not for the whole session: while it is open this thread has an event loop, and asynchronous tests can't.
    """
    if shutil.which("chromium") is None:
        pytest.skip("program missing: chromium")
    assert AXE.exists(), f"{AXE} is not there: make setup"
    expect.set_options(timeout=20_000)
    with sync_playwright() as driver:
        opened = launched(driver)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def document() -> Document:
    """Return the page of the usual case with figures of every kind."""
    measured, facts = results(), load()
    return build(decide(USUAL, facts, measured), facts, measured, keeping.shipped(), today=TODAY)


@pytest.fixture(scope="session")
def file(document: Document, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return that page as a file."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html(document, bundle()), encoding="utf-8")
    return path


@pytest.fixture
def look(browser: Browser) -> Iterator[Callable[..., Look]]:
    """Open pages; in the end no page may have complained or asked the network for anything."""
    opened: list[Look] = []

    def one(address: str | Path, **options: object) -> Look:
        opened.append(Look.at(browser, address, **options))
        return opened[-1]

    yield one
    for each in opened:
        each.context.close()
    assert [line for each in opened for line in each.complaints] == []
    assert [address for each in opened for address in each.foreign] == []
