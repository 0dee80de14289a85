"""What is counted of a project, and what each count shows and doesn't.

What lives here: the figures, the answer to "why do forks matter", trends.
What it must not know: where counts come from, any project's.
"""

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass

from octet.choose.facts.values import Count

DAYS_OF_A_YEAR = 365.25

READ = dt.date(2026, 11, 23)
"""The day on which the sources of these texts were read."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that is counted.

    Attributes:
        unit: empty for a plain number.
        shows: what it is evidence for.
        hides: what it says nothing about, and what it is easily taken for.
        source: for both.
    """

    name: str
    title: str
    shows: str
    hides: str
    source: str = ""
    unit: str = ""


CHAOSS = "CHAOSS metrics, chaoss.community"
STARS = "Borges & Valente 2018, Journal of Systems and Software 146:112"
SHORTLOG = "git shortlog; .mailmap"

FIGURES: tuple[Figure, ...] = (
    Figure(
        "stars",
        "Stars",
        "how many people once put a bookmark on it; three of four developers look before they choose",
        "use, quality and life: they follow age and publicity, can be bought, and never fall",
        STARS,
    ),
    Figure(
        "forks",
        "Forks",
        "how many people once made a copy of their own, mostly to send one change",
        "whether anybody goes on: of Weave's 635 forks one continued it, and stopped by 2024-12",
        CHAOSS + " (Technical Fork)",
    ),
    Figure(
        "contributors",
        "Contributors (GitHub)",
        "how many people ever got a change in, as GitHub links them to accounts",
        "who is still there: it is a sum over all years and doesn't go down when everybody has left",
        "GitHub REST API, list repository contributors (anonymous included)",
    ),
    Figure(
        "authors",
        "Commit authors, all years",
        "how many names are in the history",
        "people: two spellings are two authors, merged histories bring others'; 8 to 40 % above GitHub's "
        "count of the same day",
        SHORTLOG,
    ),
    Figure(
        "commits-12m",
        "Commits, 12 months",
        "that somebody works on it now (merges and robots left out)",
        "what was done: a typing error and a new data path count alike",
        CHAOSS,
    ),
    Figure(
        "active-weeks-12m",
        "Weeks with a commit, of 52",
        "whether work is steady or comes in bursts",
        "how much was done in a week",
        "GitHub REST API, weekly commit count",
        "weeks",
    ),
    Figure(
        "authors-12m",
        "Commit authors, 12 months",
        "how many people wrote it lately",
        "how many employers pay them, and how many of them may release",
        CHAOSS,
    ),
    Figure(
        "bus-factor",
        "Fewest authors of half the commits",
        "how many people would have to leave to lose half of the work of 12 months",
        "whether others could step in; reviews, releases and answers, which are work, too",
        CHAOSS + " (Contributor Absence Factor)",
    ),
    Figure(
        "releases-12m",
        "Releases, 12 months",
        "that fixes reach users",
        "which lines are still repaired, and for how long",
        CHAOSS + " (Release Frequency)",
    ),
    Figure(
        "first-response-hours",
        "First response, median",
        "how long somebody who writes in waits for another person; what was never answered counts as longest",
        "whether the answer helped; not counted where more than half got none",
        CHAOSS + " (Time to First Response)",
        "hours",
    ),
    Figure(
        "unanswered",
        "Never answered",
        "the share of issues and pull requests of three months that nobody but robots replied to",
        "questions that went elsewhere (chat, forums)",
        CHAOSS + " (Time to First Response)",
        "of 1",
    ),
    Figure(
        "archived",
        "Archived",
        "that its owner has closed the repository to changes: yes is an end",
        "no is not life: a project can be dead for years before somebody turns the key",
        "GitHub REST API, get a repository",
    ),
    Figure(
        "scorecard",
        "OpenSSF Scorecard",
        "how far the repository follows practices that make tampering harder",
        "whether the code is right or safe; no score means that it isn't scanned, not that it is bad",
        "github.com/ossf/scorecard",
        "of 10",
    ),
)
"""In the order in which they are shown. They are never added up: a sum would let fame pay for an absence."""

BY_NAME = {figure.name: figure for figure in FIGURES}


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A statement and where it is from."""

    text: str
    sources: tuple[str, ...]


WHY_FORKS: tuple[Paragraph, ...] = (
    Paragraph(
        "A fork is mostly a copy that one person made to send one change. So the count says that people "
        "tried to change the project, not that they use it, and not that they keep it alive.",
        (CHAOSS + " (Technical Fork)",),
    ),
    Paragraph(
        "What forks stand for is a right: whoever has the source may go on when its owner leaves. The count "
        "does not say that somebody will. Weave Net had 635 forks in January 2022. Its company closed in "
        "February 2024; one fork continued it (rajch/weave), and nothing came from there after December "
        "2024.",
        ("rancher-docs 2022-01", "thenewstack.io 2024-02-06", "github.com/rajch/weave"),
    ),
    Paragraph(
        "A star is a bookmark. Three of four developers look at stars before they choose, yet stars follow "
        "a project's age and publicity; 4.5 million of them are suspected of being bought. Canal had "
        "580 in July 2018 and 679 in January 2022; in the year up to August 2026 nobody wrote a commit. "
        "Stars hardly ever fall, so they can't warn.",
        (
            STARS,
            "arXiv, 2024-12, as reported by newsscore",
            "rancher/docs 2018-07 and rancher-docs 2022-01",
            "projectcalico/canal git history, window from 2025-08-20",
        ),
    ),
    Paragraph(
        "A total of contributors is a sum over all years: Romana's will be 14 for ever. Ask instead how "
        "many people wrote in the last 12 months, for how many employers, and who of them can make a "
        "release.",
        ("romana/romana git history, 2018-12-20", CHAOSS),
    ),
    Paragraph(
        "Better signs that a project will be there next year: the date of its last release and how "
        "regularly they come; days since a person's last commit; authors of the last 12 months; how few of "
        "them make half of the commits; how long a first answer takes; how long a version is repaired; who "
        "governs it; which distributions ship it; and whether the repository is archived. Each is one sign "
        "with a date. Octet shows them side by side and doesn't add them up: a sum would let fame pay for "
        "an absence.",
        (CHAOSS, "github.com/ossf/scorecard"),
    ),
)
"""The answer to the question that the guide of 2017 left open."""


@dataclass(frozen=True, slots=True)
class Point:
    """A figure on one day.

    Attributes:
        per_year: change since the point before, for a year of it; None for the first, and for yes and no.
    """

    date: dt.date
    value: int | float | bool
    source: str
    per_year: float | None = None


def trend(counts: Iterable[Count], figure: str) -> tuple[Point, ...]:
    """Return a figure of one project over time, oldest first; days without it are left out."""
    rows = sorted(counts, key=lambda count: count.date)
    points: list[Point] = []
    for row in rows:
        value = row.figures.get(figure)
        if value is None:
            continue
        points.append(Point(row.date, value, row.source, _per_year(points, row.date, value)))
    return tuple(points)


def about(per_year: float) -> str:
    """Return a change for a year with two digits, which is more than two counts years apart are good for."""
    if abs(per_year) < 1:
        return "about 0"
    digits = 1 - math.floor(math.log10(abs(per_year)))
    return f"about {round(per_year, digits):+,.0f}"


def _per_year(points: list[Point], date: dt.date, value: float) -> float | None:
    if not points or isinstance(value, bool) or date == points[-1].date:
        return None
    return (value - points[-1].value) * DAYS_OF_A_YEAR / (date - points[-1].date).days
