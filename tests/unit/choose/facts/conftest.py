from collections.abc import Iterator

import pytest

from fake_forge import Forge, lively


@pytest.fixture
def forge() -> Iterator[Forge]:
    """A server on loopback with a repository that lives."""
    made = lively()
    made.start()
    yield made
    made.stop()
