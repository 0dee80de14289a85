"""Labs of tests: registered in a place of their own, so that a user's labs and these never meet.

What lives here: the place, and the check that nothing is left in it. What it must not know: any test.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from octet.lab import Registry
from octet.lab.registry import ENVIRONMENT


@pytest.fixture(scope="session", autouse=True)
def labs_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The registry of all labs of this test run; empty again at its end."""
    root = tmp_path_factory.mktemp("registry") / "labs"
    os.environ[ENVIRONMENT] = str(root)
    yield root
    left = [entry.name for entry in Registry().entries()]
    del os.environ[ENVIRONMENT]
    assert left == []
    assert not root.exists()


@pytest.fixture
def registry(labs_place: Path) -> Registry:
    """The registry of this test run."""
    return Registry(labs_place)
