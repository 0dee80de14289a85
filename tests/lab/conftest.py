"""Labs of tests: registered in a place of their own, so that a user's labs and these never meet.

What lives here: the place, the check that nothing is left in it, and that a second run begins without labs.
What it must not know: any test.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import second_runs
from octet.lab import Lab, Registry
from octet.lab.registry import ENVIRONMENT
from second_runs import LEFT


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
    """Have tests that fail run again, once and named."""
    second_runs.register(config, Path(__file__).parent)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin a second run without a lab that the first one left, once its module's fixtures have ended."""
    if second_runs.is_second(item):
        for entry in Registry().entries():
            Lab.find(entry.name).down()
