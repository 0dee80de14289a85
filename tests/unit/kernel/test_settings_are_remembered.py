"""What a setting was before us is kept where a restart finds it."""

import json
from pathlib import Path

from octet.kernel.sysctl import Memory


def test_the_first_value_is_the_one_to_go_back_to(tmp_path: Path) -> None:
    """Setting twice remembers what was there before the first time."""
    memory = Memory(tmp_path / "settings.json")
    memory.keep("net/a", "0")
    memory.keep("net/a", "1")
    assert memory.take("net/a") == "0"
    assert memory.take("net/a") is None


def test_a_restart_remembers(tmp_path: Path) -> None:
    """Another process puts back what the first one changed."""
    Memory(tmp_path / "settings.json").keep("net/a", "0 1\t2")
    assert Memory(tmp_path / "settings.json").take("net/a") == "0 1\t2"
    assert Memory(tmp_path / "settings.json").take("net/a") is None


def test_the_file_is_whole_at_every_moment(tmp_path: Path) -> None:
    """A new version takes the old one's place at once; no draft stays."""
    memory = Memory(tmp_path / "settings.json")
    for number in range(5):
        memory.keep(f"net/{number}", "0")
        assert len(json.loads((tmp_path / "settings.json").read_text())) == number + 1
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]


def test_without_a_file_memory_ends_with_the_process() -> None:
    """A pod's kernel remembers nothing on disk."""
    memory = Memory()
    memory.keep("net/a", "0")
    assert memory.take("net/a") == "0"
