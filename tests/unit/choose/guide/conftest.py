from pathlib import Path

import pytest

from octet.choose.guide.__main__ import PAGE, text

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="session")
def fresh() -> str:
    """The guide as the sources of this tree say it."""
    return text(ROOT)


@pytest.fixture(scope="session")
def stored() -> str:
    """The guide as a reader finds it."""
    return (ROOT / PAGE).read_text(encoding="utf-8")
