from pathlib import Path

import pytest

from octet.choose.guide.__main__ import PAGE, RESULTS, main
from octet.errors import BadConfigurationError


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree with a place for the guide, and the command told to work there."""
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr("sys.argv", ["guide", "--root", str(tmp_path)])
    return tmp_path


def told(monkeypatch: pytest.MonkeyPatch, tree: Path, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["guide", "--root", str(tree), *arguments])
    return main()


def test_what_is_written_is_found_unchanged(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--check agrees with a guide that has just been written, and says nothing."""
    assert told(monkeypatch, tree) == 0
    assert told(monkeypatch, tree, "--check") == 0
    assert capsys.readouterr().out == ""


def test_a_stale_guide_is_refused_by_line(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--check of a guide that somebody wrote into fails, and shows the lines that differ."""
    told(monkeypatch, tree)
    page = tree / PAGE
    page.write_text(page.read_text().replace("# Choosing a CNI provider", "# Choosing Calico"))
    assert told(monkeypatch, tree, "--check") == 1
    lines = capsys.readouterr().out.splitlines()
    assert "-# Choosing Calico" in lines
    assert "+# Choosing a CNI provider" in lines


def test_only_a_comparison_can_be_stored(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no results.json is refused by name, and nothing is stored."""
    other = tree / "other.json"
    other.write_text('{"schema": 1}')
    with pytest.raises(BadConfigurationError, match=r"other\.json"):
        told(monkeypatch, tree, "--store", str(other))
    assert not (tree / RESULTS).exists()
