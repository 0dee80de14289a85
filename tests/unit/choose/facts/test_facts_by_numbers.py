import datetime as dt
from pathlib import Path

import pytest

from octet.choose import facts
from octet.choose.facts.numbers import keeping
from octet.choose.facts.numbers.figures import FIGURES, WHY_FORKS, about, trend
from octet.choose.facts.values import Count
from octet.errors import BadConfigurationError


def row(day: dt.date, **figures: float | bool | None) -> Count:
    return Count("p", day, "test", {name.replace("_", "-"): value for name, value in figures.items()})


def test_the_guide_is_the_first_row() -> None:
    """The first counts are the guide's of October 2017, of seven providers; later tables follow."""
    first = [count for count in keeping.shipped() if count.date == dt.date(2017, 10, 28)]
    assert min(count.date for count in keeping.shipped()) == dt.date(2017, 10, 28)
    told = {count.provider: tuple(count.figures.values()) for count in first}
    assert told["weave"] == (4832, 52, 393)
    assert told["kopeio-vxlan"] == (15, 1, 1)
    assert len(told) == 7
    years = {count.date.year for count in keeping.shipped()}
    assert {2017, 2018, 2022, 2026} <= years


def test_counts_are_with_their_providers() -> None:
    """A provider's counts come with it, oldest first, each with a source."""
    for provider in facts.load().providers:
        days = [count.date for count in provider.counts]
        assert days == sorted(days)
        assert all(count.provider == provider.name and count.source for count in provider.counts)


def test_what_was_not_counted_is_not_zero() -> None:
    """A figure that a row doesn't have, or has as nothing, is left out of the trend and is never zero."""
    points = trend([row(dt.date(2020, 1, 1), stars=None), row(dt.date(2021, 1, 1), forks=3)], "stars")
    assert points == ()


def test_change_per_year() -> None:
    """The trend gives each point's change since the one before it for a year, whatever the days between."""
    counts = [row(dt.date(2020, 7, 1), stars=150), row(dt.date(2020, 1, 1), stars=100)]
    first, second = trend(counts, "stars")
    assert first.per_year is None
    assert second.per_year == pytest.approx(50 * 365.25 / 182)


def test_yes_and_no_have_no_slope() -> None:
    """Archived yes after no is no change per year."""
    points = trend(
        [row(dt.date(2020, 1, 1), archived=False), row(dt.date(2024, 6, 20), archived=True)], "archived"
    )
    assert [point.per_year for point in points] == [None, None]


def test_two_counts_of_one_day() -> None:
    """Two counts of one day have no slope between them."""
    points = trend([row(dt.date(2020, 1, 1), stars=1), row(dt.date(2020, 1, 1), stars=2)], "stars")
    assert points[1].per_year is None


def test_rows_survive_the_file(tmp_path: Path) -> None:
    """What is written reads back equal, and nothing else is left in the directory."""
    path = tmp_path / "deep" / "counts.json"
    rows = (row(dt.date(2026, 1, 2), stars=1, scorecard=7.5, archived=False, bus_factor=None),)
    keeping.write(path, rows)
    assert keeping.read(path) == rows
    assert [each.name for each in path.parent.iterdir()] == ["counts.json"]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"counts": [{"provider": "p"}]}',
        '{"counts": [{"provider": "p", "date": "2026-01-01", "source": "s", "figures": {"likes": 1}}]}',
        '{"counts": [{"provider": "p", "date": "2026-01-01", "source": "", "figures": {}}]}',
        '{"counts": [{"provider": "p", "date": "2026-01-01", "source": "s", "figures": {"stars": -1}}]}',
    ],
)
def test_a_broken_file_of_counts(tmp_path: Path, text: str) -> None:
    """A file of counts that is broken, has an unknown figure or less than nothing is refused by name."""
    path = tmp_path / "counts.json"
    path.write_text(text)
    with pytest.raises(BadConfigurationError, match=r"counts\.json"):
        keeping.read(path)


def test_fetched_rows_replace_their_own() -> None:
    """Of two rows of one project, day and source the fetched one counts; all others stay."""
    old, new, other = (row(dt.date(2026, 1, 1), stars=stars) for stars in (1, 2, 3))
    other = Count("q", other.date, other.source, other.figures)
    assert keeping.together([old, other], [new]) == (new, other)


def test_figures_say_what_they_hide() -> None:
    """Each figure says what it shows and what it doesn't, and each paragraph on forks has a source."""
    assert all(len(figure.shows.split()) > 3 and len(figure.hides.split()) > 3 for figure in FIGURES)
    assert all(paragraph.sources for paragraph in WHY_FORKS)


@pytest.mark.parametrize(
    ("rate", "said"), [(827.1, "about +830"), (613.0, "about +610"), (-3.4, "about -3"), (0.2, "about 0")]
)
def test_a_trend_has_two_digits(rate: float, said: str) -> None:
    """A change between counts that are years apart is told with no more digits than that is good for."""
    assert about(rate) == said


def test_what_is_said_of_canal_s_stars_is_in_its_rows() -> None:
    """The two counts of stars and the year without a commit that the text tells are rows of the tables."""
    rows = {
        count.date.isoformat()[:7]: count.figures for count in keeping.shipped() if count.provider == "canal"
    }
    assert (rows["2018-07"]["stars"], rows["2022-01"]["stars"]) == (580, 679)
    assert rows["2026-08"]["commits-12m"] == 0
    (text,) = (each.text for each in WHY_FORKS if "A star is a bookmark" in each.text)
    assert "580 in July 2018 and 679 in January 2022" in text
