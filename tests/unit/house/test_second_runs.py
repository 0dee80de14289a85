"""A lab test that fails is run once more: what is said of it, and when the run fails all the same."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
TESTS = """
import pytest
from octet.lab.registry import Registry
runs, made = [], []
def failing(name, times):
    runs.append(name)
    assert runs.count(name) > times, f"{name} for the {runs.count(name)}. time"
@pytest.fixture(scope="module")
def lab():
    made.append(len(made) + 1)
    return made[-1]
"""


def ran(place: Path, text: str) -> tuple[int, str]:
    """Run tests under the guard of this tree's lab tests; return the exit code and what was said."""
    folder = place / "tests/lab"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "tests/lab/conftest.py", folder)
    (place / "tests/support").mkdir()
    shutil.copy(ROOT / "tests/support/second_runs.py", place / "tests/support")
    shutil.copy(ROOT / "pyproject.toml", place)
    (folder / "test_of_the_guard.py").write_text(TESTS + text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/lab"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_chance_is_told_and_a_failure_fails(tmp_path: Path) -> None:
    """A test that passes in its second run, with fresh fixtures, is named; one that fails twice fails."""
    code, said = ran(
        tmp_path,
        "def test_before(lab): assert lab == 1\n"
        "def test_chance(lab): failing('chance', 1); assert lab == 2\n"
        "def test_after(lab): assert lab == 2\n",
    )
    assert code == 0, said
    assert "failed at first, passed when run again: tests/lab/test_of_the_guard.py::test_chance" in said
    assert "AssertionError: chance for the 1. time" in said
    code, said = ran(tmp_path / "twice", "def test_broken(): failing('broken', 2)\n")
    assert code == 1, said
    assert "failed at first, failed when run again" in said
    assert "AssertionError: broken for the 2. time" in said


def test_chance_has_its_limit(tmp_path: Path) -> None:
    """A fourth test that fails is not run again, and what a whole run leaves fails it at once."""
    code, said = ran(tmp_path, "".join(f"def test_{n}(): failing('n{n}', 1)\n" for n in range(4)))
    assert code == 1, said
    assert "1 failed, 3 passed, 3 rerun" in said
    code, said = ran(tmp_path / "left", "def test_leaving(): Registry().reserve('left', b'')\n")
    assert code == 1, said
    assert "AssertionError: labs are left" in said
    assert "rerun" not in said
