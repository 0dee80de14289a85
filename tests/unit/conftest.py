"""How long unit tests look for a counterexample: little by default, for they are run after each change.

What lives here: the two profiles of hypothesis, and how seldom garbage is looked for.
What it must not know: any test.
"""

import gc

import pytest
from hypothesis import settings

LEAN, LONG = 25, 100
"""Examples of a property in ``make unit``, and in ``make slow``, which runs every property again."""

settings.register_profile("lean", max_examples=LEAN)
settings.register_profile("long", max_examples=LONG)
settings.load_profile("lean")

gc.set_threshold(100_000, 50, 100)  # what modules and tests hold stays; to look through it costs a quarter


def pytest_collection_finish(session: pytest.Session) -> None:
    """Look for garbage among what the tests make, no more among the tests."""
    if session.items:
        gc.freeze()
