"""Writing the page that ``octet compare`` and ``octet choose --page`` leave.

What lives here: gathering what the page shows, and the file. What it must not know: how anything is decided.
"""

import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING

from octet.choose import page
from octet.choose.page import bundle
from octet.cli.facts_numbers import kept
from octet.errors import BadConfigurationError

if TYPE_CHECKING:
    from octet.choose.decision import Decision
    from octet.choose.facts import Facts
    from octet.measure.results import Results


def write(
    decision: "Decision", facts: "Facts", results: "Results | None", path: Path, held: page.Bundle
) -> None:
    """Write the page beside its place and move it there, so that nobody opens half of it. Raises OSError."""
    if path.is_dir():
        hint = f"a file's name, such as {path / 'answer.html'}"
        raise BadConfigurationError("--page", "file", str(path), "is a directory", hint=hint)
    today = dt.datetime.now(dt.UTC).date()
    document = page.build(decision, facts, results, kept(None), today=today)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(page.html(document, held), encoding="utf-8")
    draft.replace(path)


__all__ = ["bundle", "write"]
