"""What is written about the tree is true of the tree."""

import re
import subprocess
import tomllib
from itertools import chain
from pathlib import Path

import pytest

from octet import models
from octet.cli import output
from octet.cli.main import GROUPS

ROOT = Path(__file__).parents[3]
PAPERS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
MAP = ROOT / "ARCHITECTURE.md"
REGISTRIES = ("docker.io", "quay.io", "ghcr.io", "gcr.io", "registry.k8s.io", "pypi.org", "pythonhosted.org")
PATHS = re.compile(r"`((?:src|tests|docs|scripts|octet)/[\w./-]+)`")
LINKS = re.compile(r"\]\((?!https?:)([^)#]+)[^)]*\)")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("path", PAPERS, ids=named)
def test_paths_and_links_lead_somewhere(path: Path) -> None:
    """Each file that a page names is there, and each link within the tree has an end."""
    text = path.read_text()
    for name in PATHS.findall(text):
        place = ROOT / "src" / name if name.startswith("octet/") else ROOT / name
        assert place.exists(), f"{name} is not there"
    for link in LINKS.findall(text):
        assert (path.parent / link).exists(), f"{link} is not there"


def test_the_map_is_one_page_and_has_every_room() -> None:
    """ARCHITECTURE.md has at most 120 lines and names each package of the source."""
    text = MAP.read_text()
    assert text.count("\n") <= 120
    rooms = {path.parent.name for path in (ROOT / "src/octet").glob("*/__init__.py")}
    assert [room for room in sorted(rooms) if f"{room}/" not in text] == []


def test_the_readme_has_the_exit_codes() -> None:
    """Every exit code of the command line is in the README with its meaning."""
    text = (ROOT / "README.md").read_text()
    assert [c for c, meaning in output.EXIT_CODES.items() if f"| {c} | {meaning} |" not in text] == []


def test_the_readme_knows_models_and_commands() -> None:
    """Every model that runs and every group of commands is in the README."""
    text = (ROOT / "README.md").read_text()
    assert [name for name in models.names() if f"`{name}`" not in text] == []
    assert [group.name for group in GROUPS if f"octet {group.name}" not in text] == []


def test_every_dependency_has_its_reason() -> None:
    """In pyproject.toml each dependency's line ends in a comment that says why it is here."""
    text = (ROOT / "pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    for wanted in [*project["dependencies"], *chain(*project["optional-dependencies"].values())]:
        line = next(line for line in text.splitlines() if f'"{wanted}"' in line)
        assert len(line.partition("#")[2].split()) >= 2, wanted
    assert len(project["dependencies"]) <= 9


def test_every_debian_package_has_its_reason() -> None:
    """In scripts/debian-packages each package is followed by a comment that says why it is needed."""
    lines = (ROOT / "scripts/debian-packages").read_text().splitlines()
    packages = [line for line in lines if line and not line.startswith("#")]
    assert packages
    assert [line for line in packages if not line.partition("#")[2].strip()] == []


def test_no_registry_is_named_anywhere() -> None:
    """No file of the tree names a registry: what is installed comes from the machine's own configuration."""
    mine = Path(__file__).resolve()
    found = []
    for path in tracked():
        text = path.read_text(errors="replace") if path != mine else ""
        found += [f"{named(path)}: {name}" for name in REGISTRIES if name in text]
    assert found == []


def test_the_licence_is_the_apache_licence() -> None:
    """LICENSE holds the whole text that pyproject.toml names."""
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert text.count("\n") > 190
