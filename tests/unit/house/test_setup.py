"""The set-up and CI scripts, as far as they go without installing anything."""

import os
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a script of the tree with stand-ins for dpkg-query and id: nothing is installed, nobody is root."""
    for name, text in {"dpkg-query": "exit 1", "id": "echo 1000"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def start(*command: str) -> subprocess.CompletedProcess[str]:
        full = [str(ROOT / command[0]), *command[1:]]
        return subprocess.run(full, env=environment, capture_output=True, text=True, check=False)

    return start


def test_missing_packages_are_named_to_who_is_not_root(run: Run) -> None:
    """Without root and packages, set-up installs nothing and prints the line that does."""
    done = run("scripts/setup")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "apt-get install --no-install-recommends python3 " in done.stderr
    assert "#" not in done.stderr


@pytest.mark.parametrize(
    ("reasons", "code"),
    [
        ("", 0),
        ("kernel feature missing: wireguard\nneeds root: containerd\n", 0),
        ("kernel feature missing: wireguard\nit did not work today\n", 1),
    ],
)
def test_skips_without_a_known_reason_fail(run: Run, tmp_path: Path, reasons: str, code: int) -> None:
    """Skips are counted and printed; one whose reason is of no known kind fails the run."""
    (tmp_path / "skips").write_text(reasons)
    done = run("scripts/count-skips", str(tmp_path / "skips"))
    assert done.returncode == code
    assert f"skipped tests: {reasons.count(chr(10))}" in done.stdout


def test_make_test_runs_every_folder_of_tests() -> None:
    """`make test` has a target for each folder of tests, and the lint comes first."""
    text = subprocess.run(["make", "-n", "test"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    folders = {path.name for path in (ROOT / "tests").iterdir() if any(path.rglob("test_*.py"))}
    assert folders == set(re.findall(r"pytest -q tests/(\w+)", text))
    assert text.index("ruff check") < text.index("pytest")


def test_whatever_is_beside_the_code_is_installed_with_it() -> None:
    """Each file of the source that is no module matches a pattern of package-data: facts, templates, C."""
    listed = ["git", "ls-files", "src/octet"]
    tracked = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    kept = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["octet"]
    data = [Path(each).relative_to("src/octet") for each in tracked if not each.endswith(".py")]
    assert data
    assert [str(each) for each in data if not any(each.match(pattern) for pattern in kept)] == []


def test_ci_is_make_test() -> None:
    """CI runs what a person runs."""
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in script.read_text()
    assert script.read_text().rstrip().endswith("make test")
