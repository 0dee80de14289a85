"""The benchmark as ``make bench`` runs it, with one round."""

import subprocess
import sys

import pytest

from octet.measure.benchpage import BEGIN, END

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The part between the markers after a run of one round."""
    path = tmp_path_factory.mktemp("bench") / "page.md"
    path.write_text(f"{BEGIN}\n{END}\n")
    command = [
        sys.executable,
        "-m",
        "octet.measure.bench",
        "--rounds",
        "1",
        "--seed",
        "5",
        "--write",
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return path.read_text()


def cells(page: str, figure: str) -> list[list[float]]:
    """Return the medians in each of the page's two rows of a figure: ratios, then milliseconds."""
    rows = [line.strip("|\n ").split(" | ") for line in page.splitlines() if line.startswith(f"| {figure} |")]
    return [[float(cell.split()[0]) for cell in row[1:]] for row in rows]


@pytest.mark.parametrize("figure", ["attach", "detach", "attach of 50 at once", "detach of 50 at once"])
def test_octet_is_faster_than_both_references(page: str, figure: str) -> None:
    """In the same run, octet attaches and detaches faster than the reference, with and without masquerade."""
    ratios, times = cells(page, figure)
    assert len(ratios) == 2
    assert len(times) == 3
    assert min(ratios) > 1


def test_the_agent_stays_small(page: str) -> None:
    """After hundreds of attachments the agent holds less than 60 MiB."""
    line = next(line for line in page.splitlines() if line.startswith("- agent, resident"))
    assert float(line.rpartition(": ")[2].removesuffix(" MiB")) < 60


def test_the_page_repeats_itself(page: str) -> None:
    """The page names the command with its seed."""
    assert "python -m octet.measure.bench --rounds 1 --seed 5" in page
