"""What the live page shows: facts, counts, figures, and the answers given so far.

What lives here: one session's state, and deciding again. What it must not know: HTTP, how figures are made.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from octet.choose import figures, origin
from octet.choose.deciding import decide
from octet.choose.decision import Decision
from octet.choose.facts import Count, Facts
from octet.choose.figures import Figures
from octet.choose.page import document
from octet.choose.page.document import Answered, Document
from octet.choose.requirements import Requirements, checked
from octet.errors import BadConfigurationError, NotFoundError
from octet.measure import machine
from octet.measure import results as record
from octet.measure.results import Results


@dataclass(slots=True)
class Session:
    """One server's state: everything but ``results`` stays as it was at the start.

    Attributes:
        requirements: what the page begins with.
        weights: of criteria, for every answer; None takes the usual ones.
        place: of the results.json that a comparison writes.
    """

    facts: Facts
    counts: Sequence[Count]
    requirements: Requirements
    place: Path
    results: Results | None = None
    weights: Mapping[str, float] | None = None
    _read: tuple[Results | None, Figures] = field(default=(None, Figures()), repr=False)

    @property
    def figures(self) -> Figures:
        """What ``results`` come to, worked out once: a form decides at every key that is pressed."""
        if self._read[0] is not self.results:
            self._read = (self.results, figures.of(self.results))
        return self._read[1]

    def load(self) -> None:
        """Take the figures of the last comparison.

        Raises:
            BadConfigurationError: they are of another machine or schema.
            NotFoundError: there are none.
        """
        if not self.place.is_file():
            raise NotFoundError(f"{self.place}: no such file", hint="octet compare writes it")
        found = record.read(self.place)
        origin.checked(found, machine.facts(), self.place, accept=False)
        self.results = found

    def answer(self, said: Any) -> Answered:
        """Decide for what a form says. Raises BadConfigurationError naming the field."""
        if not isinstance(said, dict):
            raise BadConfigurationError("the form", "requirements", said, "is not a table", hint="{}")
        known = {field: value for field, value in said.items() if value is not None}
        requirements = checked(known, Requirements, "the form")
        return document.answered(self._decide(requirements), self.facts)

    def page(self) -> Document:
        """Return the whole document."""
        decision = self._decide(self.requirements)
        today = dt.datetime.now(dt.UTC).date()
        return document.build(decision, self.facts, self.results, self.counts, today=today, live=True)

    def _decide(self, requirements: Requirements) -> Decision:
        return decide(requirements, self.facts, self.figures, self.weights)
