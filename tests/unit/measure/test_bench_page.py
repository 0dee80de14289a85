from pathlib import Path

import pytest

from octet.errors import BadConfigurationError
from octet.measure.benchpage import BEGIN, END, Figures, insert, page

FIGURES = Figures(
    values={
        "octet": {"attach": [2.0, 2.0, 2.0], "detach": [1.0, 1.0, 1.0]},
        "bridge": {"attach": [12.0, 14.0, 13.0], "detach": [20.0, 20.0, 20.0]},
    },
    ours="octet",
    rounds=3,
    seed=1,
    seconds=12,
    singular={"agent, resident": "41 MiB"},
    machine={"cpu": "a cpu", "cpus": 2},
)


def test_ratios_are_times_faster() -> None:
    """Three rounds of 12, 14 and 13 ms against 2 ms are 6.5 times faster, between 6 and 7."""
    assert "| attach | 6.5 [6.0, 7.0] |" in page(FIGURES, "x")
    assert "| detach | 20.0 [20.0, 20.0] |" in page(FIGURES, "x")


def test_the_page_says_how_and_where() -> None:
    """The page names its command, rounds, machine, single figures, and the times behind the ratios."""
    text = page(FIGURES, "python -m x")
    assert "`python -m x`: 3 rounds in 12 s" in text
    assert "cpu a cpu, cpus 2" in text
    assert "- agent, resident: 41 MiB" in text
    assert "| attach | 2.0 [2.0, 2.0] | 13.0 [12.0, 14.0] |" in text


def test_only_what_is_between_the_markers_changes(tmp_path: Path) -> None:
    """A page is replaced between its markers; what people wrote around them stays, twice as well as once."""
    path = tmp_path / "page.md"
    path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    insert(path, "new")
    insert(path, "newer")
    assert path.read_text() == f"before\n{BEGIN}\n\nnewer\n\n{END}\nafter\n"


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{BEGIN}{END}{BEGIN}"])
def test_a_file_without_its_markers_is_left_alone(tmp_path: Path, text: str) -> None:
    """A file without exactly one pair of markers is refused and not changed."""
    path = tmp_path / "page.md"
    path.write_text(text)
    with pytest.raises(BadConfigurationError, match="markers"):
        insert(path, "new")
    assert path.read_text() == text
