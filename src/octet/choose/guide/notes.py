"""Footnotes: where each statement of the guide was read, and when.

What lives here: numbering in the order of reading, one note for statements of one source and day.
What it must not know: which statements there are, templates.
"""

import datetime as dt
from dataclasses import dataclass, field

from octet.choose.facts.values import Certainty, Fact

UNVERIFIED = "unverified"

_HOW = {
    Certainty.VERIFIED: "Seen {day}.",
    Certainty.DERIVED: "Computed from what was seen {day}.",
    Certainty.COMPUTED: "Computed by Octet from what it measured {day}.",
    Certainty.UNVERIFIED: "Not verified; written down {day}.",
}


@dataclass(frozen=True, slots=True)
class Note:
    """What one footnote says."""

    source: str
    as_of: dt.date
    certainty: Certainty = Certainty.VERIFIED
    note: str = ""

    def __str__(self) -> str:
        how = _HOW[self.certainty].format(day=self.as_of)
        return " ".join(part for part in (escaped(f"{self.source}."), how, escaped(self.note)) if part)


@dataclass(slots=True)
class Notes:
    """The footnotes of a page that is being written, in the order in which they are first referred to."""

    _numbers: dict[Note, int] = field(default_factory=dict)

    def mark(self, note: Note) -> str:
        """Return the reference to a note: the same one for the same note."""
        return f"[^{self._numbers.setdefault(note, len(self._numbers) + 1)}]"

    def of(self, fact: Fact, *, said: bool = False) -> str:
        """Return the reference to a fact's source; its note is in the footnote unless the text says it."""
        return self.mark(Note(fact.source, fact.as_of, fact.certainty, "" if said else fact.note))

    def text(self) -> str:
        """Return the definitions, a line each."""
        return "\n".join(f"[^{number}]: {note}" for note, number in self._numbers.items())


def escaped(text: str) -> str:
    """Return a text from outside as Markdown that shows the same characters."""
    for character in ("|", "<", "*"):
        text = text.replace(character, f"\\{character}")
    return text
