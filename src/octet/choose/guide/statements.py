"""Sentences that the guide says beside the catalogue's facts, each with its day and its source.

What lives here: reading ``statements.toml``. What it must not know: where in the guide a sentence stands.
"""

import datetime as dt
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from octet.choose.facts.values import Certainty
from octet.errors import BadConfigurationError

FILE = Path(__file__).with_name("statements.toml")


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """One or two sentences that somebody can look up.

    Attributes:
        as_of: the day on which the source said so.
        certainty: as for facts; an unverified one is marked as such where it is read.
    """

    text: str
    as_of: dt.date
    source: str
    certainty: Certainty = Certainty.VERIFIED


class Statements(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of them.

    Attributes:
        general: by a name that a template uses.
        about: by provider, in the order of reading.
    """

    general: Mapping[str, Statement]
    about: Mapping[str, tuple[Statement, ...]]


def load(path: Path = FILE) -> Statements:
    """Return the statements of a file.

    Raises:
        BadConfigurationError: the file is no TOML, or a statement lacks its text, day or source.
    """
    try:
        found = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Statements)
    except (OSError, ValueError) as error:
        raise BadConfigurationError(str(path), "statements", path.name, str(error)) from error
    for name, each in [*found.general.items(), *((k, s) for k, many in found.about.items() for s in many)]:
        if not each.text.strip() or not each.source.strip():
            raise BadConfigurationError(str(path), name, each.text, "needs a text and a source")
    return found
