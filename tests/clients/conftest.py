"""What programs that we did not write need: a machine, and a root file system."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import machine as machines


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[machines.Machine]:
    """A node with an agent that is ready."""
    with machines.running(tmp_path) as here:
        yield here


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    """A root file system made of busybox-static."""
    return machines.make_rootfs(tmp_path)
