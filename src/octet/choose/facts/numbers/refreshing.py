"""Fetching today's rows of many projects, one after another, so that an interruption loses nothing.

What lives here: what is skipped, kept and resumed. What it must not know: HTTP, terminals.
"""

import datetime as dt
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from octet.choose.facts.numbers import counting, keeping
from octet.choose.facts.numbers.api import Api, LimitedError, OfflineError
from octet.choose.facts.values import Count
from octet.errors import NotFoundError, NotReadyError

KEPT = dt.timedelta(days=60)
"""How long an answer that nobody asks for any more is kept."""


@dataclass(frozen=True, slots=True)
class Project:
    """A provider whose repository is asked about."""

    provider: str
    repository: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        fetched: new rows, already written.
        had: providers that had a row of today.
        gone: sentences about repositories that aren't there.
        left: providers that were not got to.
        why: what stopped it; None if nothing did.
    """

    fetched: tuple[Count, ...] = ()
    had: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    why: NotReadyError | None = None

    @property
    def offline(self) -> bool:
        """Was it the network, and not a limit?"""
        return isinstance(self.why, OfflineError)


def run_name(cache: Path, today: dt.date, *, again: bool) -> str:
    """Return the name of today's unfinished run, or begin one; ``again`` always begins one."""
    place = cache / "run"
    try:
        name = place.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        name = ""
    if again or not name.startswith(f"{today}/"):
        name = f"{today}/{time.time_ns()}"
        keeping.replace(place, name.encode())
    return name


def forget(cache: Path, today: dt.date) -> None:
    """Remove answers that no run has asked for in ``KEPT``: lists are asked for by day and would pile up."""
    oldest = dt.datetime.combine(today, dt.time(), dt.UTC) - KEPT
    for path in cache.glob("*.json"):
        if path.stat().st_mtime < oldest.timestamp():
            path.unlink(missing_ok=True)


def refresh(
    projects: Sequence[Project],
    today: dt.date,
    github: Api,
    scorecard: Api,
    store: Path,
    *,
    again: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Fetch what is missing of today, and write each row as soon as it is whole.

    Args:
        projects: in the order in which they are asked about.
        today: the day of the rows.
        github: where counts come from.
        scorecard: where OpenSSF's scores come from.
        store: the file of fetched counts.
        again: also what has a row of today.
        tell: is told what is begun.
    """
    kept = keeping.read(store)
    had = () if again else tuple(row.provider for row in kept if row.date == today)
    wanted = [project for project in projects if project.provider not in had]
    fetched: list[Count] = []
    gone: list[str] = []
    for index, project in enumerate(wanted):
        tell(f"{project.provider}: {project.repository}")
        try:
            row = counting.count(project.provider, project.repository, today, github, scorecard)
        except NotFoundError as error:
            gone.append(str(error))
            continue
        except (LimitedError, OfflineError) as error:
            left = tuple(each.provider for each in wanted[index:])
            return Outcome(tuple(fetched), had, tuple(gone), left, error)
        fetched.append(row)
        keeping.write(store, keeping.together(keeping.read(store), [row]))
    (github.cache / "run").unlink(missing_ok=True)
    forget(github.cache, today)
    return Outcome(tuple(fetched), had, tuple(gone))
