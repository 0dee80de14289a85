"""Are these figures of this machine? Figures of another one say nothing here, unless somebody says so.

What lives here: the comparison of two machines' facts. What it must not know: how facts are read.
"""

from collections.abc import Mapping
from pathlib import Path

from octet.errors import BadConfigurationError
from octet.measure.results import Results

TELLING = ("cpu", "architecture", "kernel")
"""Facts of a machine whose difference makes figures another machine's."""


def difference(measured: Mapping[str, object], here: Mapping[str, object]) -> str:
    """Return how two machines differ, for a person; empty where they don't."""
    return "; ".join(
        f"{key} is {measured.get(key)!s}, here {here.get(key)!s}"
        for key in TELLING
        if measured.get(key) != here.get(key)
    )


def checked(results: Results, here: Mapping[str, object], path: Path, *, accept: bool) -> str:
    """Return how the results' machine differs from this one; empty where it doesn't.

    Raises:
        BadConfigurationError: it differs, and ``accept`` doesn't allow that.
    """
    found = difference(results.machine, here)
    if found and not accept:
        key = next(key for key in TELLING if results.machine.get(key) != here.get(key))
        problem = f"another machine's: here it is {here.get(key)!r}"
        hint = "octet compare measures this one; --accept-other-machine takes these figures all the same"
        raise BadConfigurationError(str(path), f"machine.{key}", results.machine.get(key), problem, hint=hint)
    return found
