import json
import socket
from pathlib import Path
from typing import Any

import pytest

from fake_forge import Forge, Reply
from octet.cli import main

BEARER = "not-for-your-eyes"


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """What a person types after ``octet facts``, in a home of its own; returns code, stdout and stderr."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.setenv("GITHUB_TOKEN", BEARER)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = 0
        try:
            main.main(["facts", *arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_offline_is_no_failure(typed: Any) -> None:
    """Without a network refresh keeps the stored rows, says so with the newest day, and ends with 0."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{free.getsockname()[1]}"
    code, _, said = typed("refresh", "--provider", "flannel", "--github", base, "--scorecard", base)
    assert code == 0
    assert "offline: " in said
    assert "rows are kept, the newest of 2026-08-22" in said
    assert BEARER not in said


def test_a_refresh_from_the_command_line(forge: Forge, typed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that was fetched is printed, kept, and part of the trends from then on."""
    monkeypatch.setattr("fake_forge.REPOSITORY", "flannel-io/flannel")
    arguments = ("--github", forge.base, "--scorecard", forge.base)
    code, out, said = typed("refresh", "--provider", "flannel", "--json", *arguments)
    assert code == 0, said
    assert json.loads(out)[0]["figures"]["stars"] == 1234
    assert BEARER not in out + said
    _, shown, _ = typed("numbers", "flannel")
    assert "1,234" in shown
    assert typed("refresh", "--provider", "flannel", *arguments)[2].startswith("had a row of today: flannel")


def test_a_limit_from_the_command_line(forge: Forge, typed: Any) -> None:
    """A limit that lasts too long ends with code 3 and names who was not got to."""
    forge.moods.append(Reply(429, {"Retry-After": "3600"}, {}))
    arguments = ("--github", forge.base, "--scorecard", forge.base)
    code, _, said = typed("refresh", "--provider", "flannel", "--provider", "weave", *arguments)
    assert code == 3
    assert "not got to: flannel, weave" in said


def test_no_repository_to_ask_about(forge: Forge, typed: Any) -> None:
    """A provider without a repository of its own is named and left out."""
    code, _, said = typed(
        "refresh", "--provider", "kubenet", "--github", forge.base, "--scorecard", forge.base
    )
    assert code == 0
    assert "kubenet: has no repository of its own" in said
    assert forge.seen == []
