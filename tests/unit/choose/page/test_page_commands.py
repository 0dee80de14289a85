"""octet ui and octet choose --page on the command line."""

import json
import re
import sys
from pathlib import Path

import pytest

from octet.choose.page import bundle
from octet.cli import page as sheet
from octet.cli.main import main
from octet.cli.ui import place
from octet.errors import BadConfigurationError


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:8080", ("::1", 8080)),
        ("::1:80", ("::1", 80)),
        ("0.0.0.0:65535", ("0.0.0.0", 65535)),
    ],
)
def test_an_address_to_listen_on_is_read(text: str, read: tuple[str, int]) -> None:
    """IPv4 and IPv6 addresses with a port, in brackets or not."""
    assert place(text) == read


@pytest.mark.parametrize(
    "text",
    ["", "8080", "localhost:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "[::1]"],
)
def test_another_address_is_refused_with_what_would_do(text: str) -> None:
    """A name, or a port that is none, is refused by option and value."""
    with pytest.raises(BadConfigurationError, match=r"--listen = .*127\.0\.0\.1:8080"):
        place(text)


def test_requirements_that_cannot_be_are_refused_before_anything_listens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A broken file ends octet ui with its exit code, and no address is printed."""
    file = tmp_path / "mine.toml"
    file.write_text("[requirements]\nnodes = 0\n")
    assert run("ui", "--requirements", str(file)) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "nodes" in said.err
    assert run("ui", "--requirements", str(tmp_path / "none.toml")) == 4


def test_a_missing_library_is_named_with_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Octet without its web server says how to get it."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert run("ui", "--out", str(tmp_path)) == 4
    assert "octet[ui]" in capsys.readouterr().err


def test_a_choice_is_written_as_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page's decision is the one that is printed, and nothing else is left beside it."""
    path = tmp_path / "sub/answer.html"
    assert run("choose", "--nodes", "60", "--windows", "yes", "--page", str(path), "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    held = re.search(r'id="octet-data">(.*?)</script>', path.read_text(), re.DOTALL)
    assert held
    assert json.loads(held[1])["decision"] == printed
    assert [each.name for each in path.parent.iterdir()] == ["answer.html"]


def test_a_page_that_cannot_be_made_is_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the built script the command says what to type, and prints no answer."""
    monkeypatch.setattr(sheet, "bundle", lambda: bundle(tmp_path))
    assert run("choose", "--nodes", "60", "--page", str(tmp_path / "a.html")) == 4
    said = capsys.readouterr()
    assert said.out == ""
    assert "make setup" in said.err
