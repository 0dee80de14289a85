"""Labs of tests: registered in a place of their own, so that a user's labs and these never meet.

What lives here: the place, the check that nothing is left in it, and the second run of a test that fails.
What it must not know: any test.

A test that fails is run once more, in labs of its own, and the summary names it with what it failed of. If it
fails again it has failed; and after ``MOST`` such tests none is run again, so what fails then fails the run.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from octet.lab import Lab, Registry
from octet.lab.registry import ENVIRONMENT

MOST = 3
LEFT = "labs are left"
_LIMIT = pytest.StashKey[object]()


@pytest.fixture(scope="session", autouse=True)
def labs_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The registry of all labs of this test run; empty again at its end."""
    root = tmp_path_factory.mktemp("registry") / "labs"
    os.environ[ENVIRONMENT] = str(root)
    yield root
    left = [entry.name for entry in Registry().entries()]
    del os.environ[ENVIRONMENT]
    assert left == [], LEFT
    assert not root.exists(), LEFT


@pytest.fixture
def registry(labs_place: Path) -> Registry:
    """The registry of this test run."""
    return Registry(labs_place)


def pytest_configure(config: pytest.Config) -> None:
    """Let no more than a few tests be run again."""
    config.option.max_suite_reruns = MOST


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let each test of this folder be run again once; what a whole run leaves is no test's alone."""
    item.add_marker(pytest.mark.flaky(reruns=1, rerun_except=[LEFT]))


def pytest_timeout_set_timer(item: pytest.Item, settings: object) -> None:
    """Keep a test's time limit for its second run."""
    item.stash[_LIMIT] = settings


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Function) -> None:
    """Begin a second run afresh: its module's fixtures, no lab that the first left, the whole time limit."""
    if getattr(item, "execution_count", 1) == 1:
        return
    item.config.hook.pytest_timeout_cancel_timer(item=item)
    if _LIMIT in item.stash:
        item.config.hook.pytest_timeout_set_timer(item=item, settings=item.stash[_LIMIT])
    for definitions in item._fixtureinfo.name2fixturedefs.values():
        for definition in definitions:
            if definition.scope == "module":
                definition.finish(item._request)
    for entry in Registry().entries():
        Lab.find(entry.name).down()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name each test that was run again, with what it failed of at first."""
    told = terminalreporter
    again = told.stats.get("rerun", [])
    failed = {report.nodeid for kind in ("failed", "error") for report in told.stats.get(kind, [])}
    for report in again:
        then = "failed" if report.nodeid in failed else "passed"
        told.section(f"failed at first, {then} when run again: {report.nodeid} ({report.when})", yellow=True)
        told.write_line(report.longreprtext)
        for title, text in report.sections:
            told.section(title, "-")
            told.write_line(text)
    if len({report.nodeid for report in again}) >= MOST:
        told.write_line(f"after {MOST} tests that failed at first, none is run again", yellow=True)
