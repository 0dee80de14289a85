"""By the numbers: what was counted on which day, how it moved, what it shows and hides.

What lives here: the tables of counts. What it must not know: where counts come from, decisions.
"""

import datetime as dt
from collections.abc import Iterator, Sequence

from octet.choose.facts.numbers.figures import BY_NAME, READ, WHY_FORKS, Figure, about, trend
from octet.choose.facts.values import Count, Provider
from octet.choose.guide.guide import Guide
from octet.choose.guide.markdown import table
from octet.choose.guide.notes import Note, escaped
from octet.choose.guide.words import UNKNOWN, said

FAME = ("stars", "contributors", "forks")
"""The three figures of the old guide, in its order."""

HEALTH = ("authors", "commits-12m", "authors-12m", "bus-factor", "releases-12m")


def popularity(guide: Guide) -> str:
    """Return the three figures on each day on which they were counted, and how fast stars came at last."""
    days = sorted({count.date for count in guide.counts if FAME[0] in count.figures})
    head = ["", *(f"{day:%Y-%m}" for day in days), "stars a year at last"]
    return table(head, [_famous(guide, each, days) for each in _counted(guide, FAME[0])])


def health(guide: Guide) -> str:
    """Return what the histories say of the last 12 months before the latest count."""
    head = ["", "counted", *(BY_NAME[name].title for name in HEALTH)]
    return table(head, [_healthy(guide, each) for each in _counted(guide, HEALTH[1])])


def meanings(guide: Guide) -> str:
    """Return what each figure of the two tables is evidence for, and what it hides."""
    rows = [_meaning(guide, BY_NAME[name]) for name in (*FAME, *HEALTH)]
    return table(["figure", "shows", "does not show"], rows)


def most_starred(guide: Guide) -> Provider:
    """Return who led by stars on the first day on which they were counted."""
    first = min(count.date for count in guide.counts if FAME[0] in count.figures)
    rows = [count for count in guide.counts if count.date == first and FAME[0] in count.figures]
    return guide.facts.get(max(rows, key=lambda count: count.figures[FAME[0]] or 0).provider)


def forks(guide: Guide) -> list[str]:
    """Return what a fork is worth, a paragraph each, with sources."""
    return [
        f"{escaped(each.text)}{''.join(guide.notes.mark(Note(source, READ)) for source in each.sources)}"
        for each in WHY_FORKS
    ]


def _of(guide: Guide, provider: Provider) -> list[Count]:
    return [count for count in guide.counts if count.provider == provider.name]


def _counted(guide: Guide, figure: str) -> Iterator[Provider]:
    for provider in guide.everybody:
        if any(figure in count.figures for count in _of(guide, provider)):
            yield provider


def _famous(guide: Guide, provider: Provider, days: Sequence[dt.date]) -> list[str]:
    rows = {count.date: count for count in _of(guide, provider) if FAME[0] in count.figures}
    cells = [_three(guide, rows[day]) if day in rows else UNKNOWN for day in days]
    rate = trend(rows.values(), FAME[0])[-1].per_year
    return [provider.title, *cells, UNKNOWN if rate is None else about(rate)]


def _three(guide: Guide, count: Count) -> str:
    return f"{' / '.join(_number(count, name) for name in FAME)}{_mark(guide, count)}"


def _healthy(guide: Guide, provider: Provider) -> list[str]:
    count = [each for each in _of(guide, provider) if HEALTH[1] in each.figures][-1]
    return [provider.title, f"{count.date}{_mark(guide, count)}", *(_number(count, name) for name in HEALTH)]


def _number(count: Count, name: str) -> str:
    value = count.figures.get(name)
    if value is None and name == "bus-factor" and count.figures.get("commits-12m") == 0:
        return "nobody wrote"
    return UNKNOWN if value is None else said(value) if isinstance(value, bool) else f"{value:g}"


def _mark(guide: Guide, count: Count) -> str:
    return guide.notes.mark(Note(count.source, count.date))


def _meaning(guide: Guide, figure: Figure) -> list[str]:
    mark = guide.notes.mark(Note(figure.source, READ))
    return [figure.title, escaped(figure.shows), f"{escaped(figure.hides)}{mark}"]
