"""The two forms in which policies may be written, whatever their size: of few, and of very many.

What lives here: the switch between them. What it must not know: worlds, judges.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from octet.policy import conditions, programs, runs

PRODUCT, TWICE = "product", "two lookups"
FORMS = (PRODUCT, TWICE)


@contextmanager
def written(form: str) -> Iterator[None]:
    """Write all policies in one form.

    With two lookups, every rule that has ports and peers asks twice, all ports are sets, programs go by the
    labels of their pods and their sets by what they say, and each policy has a chain of its own.
    """
    if form == PRODUCT:
        yield
        return
    programs.forget()
    everything_is_much = (
        patch.object(runs, "MANY_PORTS", 0),
        patch.object(conditions, "INLINE", 0),
        patch.object(programs, "MANY_POLICIES", 0),
        patch.object(programs, "CHUNK", 1),
    )
    with ExitStack() as stack:
        for each in everything_is_much:
            stack.enter_context(each)
        yield
    programs.forget()
