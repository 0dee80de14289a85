"""Tests in real time that fail are run once more: two cores that everything shares make some fail by chance.

What lives here: a plugin for pytest (``register``). What it must not know: any test, what labs are.

The summary names each with what it failed of at first. If it fails again it has failed; and after ``MOST``
such tests none is run again, so what fails then fails the run.
"""

from pathlib import Path

import pytest

MOST = 3
LEFT = "labs are left"
"""What a whole run leaves is no test's alone: never run again."""

_LIMIT = pytest.StashKey[object]()


def register(config: pytest.Config, folder: Path) -> None:
    """Have the tests of a folder run again; to be called by its ``pytest_configure``.

    Not where the plugin is missing that does so: in the guest, which has few, each test has one run.
    """
    if not config.pluginmanager.has_plugin("rerunfailures"):
        return
    plugin = config.pluginmanager.get_plugin(__name__) or SecondRuns()
    if not config.pluginmanager.is_registered(plugin):
        config.pluginmanager.register(plugin, __name__)
    plugin.folders.append(folder)


def is_second(item: pytest.Item) -> bool:
    """Has a test run before?"""
    return getattr(item, "execution_count", 1) > 1


class SecondRuns:
    """The hooks."""

    def __init__(self) -> None:
        self.folders: list[Path] = []

    def pytest_configure(self, config: pytest.Config) -> None:
        """Let no more than a few tests be run again."""
        config.option.max_suite_reruns = MOST

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Let each test of the folders be run again once."""
        if any(item.path.is_relative_to(folder) for folder in self.folders):
            item.add_marker(pytest.mark.flaky(reruns=1, rerun_except=[LEFT]))

    def pytest_timeout_set_timer(self, item: pytest.Item, settings: object) -> None:
        """Keep a test's time limit for its second run."""
        item.stash[_LIMIT] = settings

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Function) -> None:
        """Begin a second run afresh: its module's fixtures, the whole time limit."""
        if not is_second(item):
            return
        item.config.hook.pytest_timeout_cancel_timer(item=item)
        if _LIMIT in item.stash:
            item.config.hook.pytest_timeout_set_timer(item=item, settings=item.stash[_LIMIT])
        for definitions in item._fixtureinfo.name2fixturedefs.values():
            for definition in definitions:
                if definition.scope == "module":
                    definition.finish(item._request)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name each test that was run again, with what it failed of at first."""
        told = terminalreporter
        again = told.stats.get("rerun", [])
        failed = {report.nodeid for kind in ("failed", "error") for report in told.stats.get(kind, [])}
        for report in again:
            then = "failed" if report.nodeid in failed else "passed"
            told.section(
                f"failed at first, {then} when run again: {report.nodeid} ({report.when})", yellow=True
            )
            told.write_line(report.longreprtext)
            for title, text in report.sections:
                told.section(title, "-")
                told.write_line(text)
        if len({report.nodeid for report in again}) >= MOST:
            told.write_line(f"after {MOST} tests that failed at first, none is run again", yellow=True)
