"""The two forms in which a rule may be written, whatever its size: a product in one set, or two lookups.

What lives here: the switch between them. What it must not know: worlds, judges.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from octet.policy import conditions, programs, runs

PRODUCT, TWICE = "product", "two lookups"
FORMS = (PRODUCT, TWICE)


@contextmanager
def written(form: str) -> Iterator[None]:
    """Write every rule that has ports and peers in one form; with two lookups, all ports are sets, too."""
    if form == PRODUCT:
        yield
        return
    programs.forget()
    with patch.object(runs, "MANY_PORTS", 0), patch.object(conditions, "INLINE", 0):
        yield
    programs.forget()
