"""Kernel tests that send packets run in real time.

What lives here: that one which fails by chance is run once more. What it must not know: any test.
"""

from pathlib import Path

import pytest

import second_runs


def pytest_configure(config: pytest.Config) -> None:
    """Have tests that fail run again, once and named."""
    second_runs.register(config, Path(__file__).parent)
