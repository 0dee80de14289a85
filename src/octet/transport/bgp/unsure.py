"""What of a node's BGP can't be decided because what is said of it is wrong: that stays as it was.

What lives here: ``Unsure``, and making parts so that one refusal is about one part.
What it must not know: whose words they are, what was in force.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from octet.blueprint import Blueprint, Key
from octet.blueprint.base import union
from octet.errors import BadConfigurationError
from octet.transport.bgp.rendering import DAEMON

ALL = "*"
"""The daemon and all of its files."""

EVERY_ROUTER, POLICY = "peer.*", "policy.conf"


@dataclass(frozen=True, slots=True)
class Unsure:
    """Files of the daemon that nothing can be said about now.

    Attributes:
        files: a pattern of their names.
        why: a sentence.
    """

    files: str
    why: str

    def covers(self, key: Key) -> bool:
        """Is it about this object?"""
        if key == ("daemon", DAEMON):
            return self.files == ALL
        return key[:2] == ("config", DAEMON) and fnmatchcase(str(key[-1]), self.files)


Decided = tuple[Blueprint, tuple[Unsure, ...]]
"""What a node holds, and what of that could not be decided."""


def each_alone(parts: Iterable[tuple[str, Callable[[], Blueprint]]]) -> Decided:
    """Return the union of parts, each made by itself; (files, what makes them) each."""
    made, unsure = [], []
    for files, make in parts:
        try:
            made.append(make())
        except BadConfigurationError as error:
            unsure.append(Unsure(files, str(error)))
    return union(made), tuple(unsure)
