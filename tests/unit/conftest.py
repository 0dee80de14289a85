"""How long unit tests look for a counterexample: little by default, for they are run after each change.

What lives here: the two profiles of hypothesis, how seldom garbage is looked for, where files of tests are.
What it must not know: any test.
"""

import gc
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

LEAN, LONG = 25, 100
"""Examples of a property in ``make unit``, and in ``make slow``, which runs every property again."""

# How long an example takes on a busy machine proves nothing: no deadline, no complaint about slow dice.
# The same examples in every run: a change is judged by what it changes. Who looks for others names a seed.
patient = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="OCTET_SEED" not in os.environ,
)
settings.register_profile("lean", patient, max_examples=LEAN)
settings.register_profile("long", patient, max_examples=LONG)
settings.load_profile("lean")

gc.set_threshold(100_000, 10, 10)  # what modules and tests hold stays; to look through it costs a quarter

MEMORY, ROOM = Path("/dev/shm"), 256 << 20
"""Where files wait for no disk, if programs may run from it; bytes that it must have left."""

if MEMORY.is_dir():
    held = os.statvfs(MEMORY)
    if not held.f_flag & (os.ST_NOEXEC | os.ST_RDONLY) and held.f_bavail * held.f_frsize >= ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Look for garbage among what the tests make, no more among the tests."""
    if session.items:
        gc.freeze()
