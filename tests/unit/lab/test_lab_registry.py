"""The registry: who is up, who is stale, and what nobody else may open."""

import os
import stat
import time
from pathlib import Path

import pytest

from octet.errors import NotFoundError, OctetError
from octet.lab.registry import Registry, place


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "labs")


@pytest.mark.parametrize(
    ("environment", "user", "expected"),
    [
        ({"OCTET_LAB_DIR": "/x"}, 0, "/x"),
        ({"XDG_RUNTIME_DIR": "/run/user/0"}, 0, "/run/octet-lab"),
        ({"XDG_RUNTIME_DIR": "/run/user/7"}, 7, "/run/user/7/octet-lab"),
        ({"HOME": "/nonexistent"}, 7, "/tmp/octet-lab-7"),
        ({}, 7, "/tmp/octet-lab-7"),
    ],
)
def test_a_user_has_one_place(environment: dict[str, str], user: int, expected: str) -> None:
    """The first of OCTET_LAB_DIR, /run, XDG_RUNTIME_DIR, cache and /tmp that is there."""
    assert str(place(environment, user)) == expected


def test_a_home_that_can_be_written_is_used(tmp_path: Path) -> None:
    """Without a runtime directory a user's cache has the labs."""
    assert place({"HOME": str(tmp_path)}, 7) == tmp_path / ".cache/octet/lab"


def test_a_lab_is_up_while_its_lock_is_held(registry: Registry) -> None:
    """An entry is alive from its first moment until the lock is let go, and then it is swept away."""
    entry, lock = registry.reserve("one", b"{}")
    assert entry.alive()
    assert [each.name for each in registry.entries()] == ["one"]
    os.close(lock)
    assert registry.entries() == []
    assert not registry.root.exists()


def test_two_labs_cannot_have_one_name(registry: Registry) -> None:
    """The second is refused with what would do, and leaves nothing."""
    _, lock = registry.reserve("one", b"{}")
    with pytest.raises(OctetError, match="octet lab down one"):
        registry.reserve("one", b"{}")
    assert [path.name for path in registry.root.iterdir()] == ["one"]
    os.close(lock)


def test_a_stale_name_is_free_again(registry: Registry) -> None:
    """A lab whose processes were all killed does not block its name."""
    os.close(registry.reserve("one", b"old")[1])
    entry, lock = registry.reserve("one", b"new")
    assert (entry.path / "lab.json").read_bytes() == b"new"
    os.close(lock)


def test_an_entry_that_is_being_made_is_left_alone(registry: Registry) -> None:
    """Sweeping at the same moment takes no half-made entry, but an old one."""
    registry.root.mkdir()
    half = registry.root / ".new-x"
    half.mkdir()
    assert registry.sweep() == []
    os.utime(half, (time.time() - 100,) * 2)
    assert registry.sweep() == [".new-x"]


def test_the_only_lab_needs_no_name(registry: Registry) -> None:
    """With one lab the name may be left out; with two the error lists them; a wrong one says which are up."""
    _, first = registry.reserve("one", b"{}")
    assert registry.find().name == "one"
    _, second = registry.reserve("two", b"{}")
    with pytest.raises(OctetError, match="one, two"):
        registry.find()
    with pytest.raises(NotFoundError, match=r"'three'.*one, two"):
        registry.find("three")
    assert registry.find("two").name == "two"
    os.close(first)
    os.close(second)


def test_no_lab_says_how_to_start_one(registry: Registry) -> None:
    """Without any lab the error is the command that makes one."""
    with pytest.raises(NotFoundError, match="octet lab up"):
        registry.find()


def test_nobody_else_can_look_in(registry: Registry) -> None:
    """Registry and entries are for their user alone."""
    entry, lock = registry.reserve("one", b"{}")
    held = [registry.root, entry.path, entry.logs, entry.path / "lab.json", entry.path / "lock"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in held)
    assert stat.S_ISDIR(entry.path.stat().st_mode)
    os.close(lock)


def test_a_place_that_others_can_write_is_refused(tmp_path: Path) -> None:
    """A directory that another user could have prepared is no registry."""
    open_to_all = tmp_path / "labs"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    with pytest.raises(OctetError, match="open to other users"):
        Registry(open_to_all).reserve("one", b"{}")


def test_a_link_to_a_place_is_refused(tmp_path: Path) -> None:
    """A symbolic link where the registry should be is not followed."""
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "labs").symlink_to(tmp_path / "real")
    with pytest.raises(OctetError, match="open to other users"):
        Registry(tmp_path / "labs").reserve("one", b"{}")


def test_waiting_ends_when_the_lab_has_gone(registry: Registry) -> None:
    """A lab that lives is waited for in vain; one that died is cleaned up by who waits."""
    entry, lock = registry.reserve("one", b"{}")
    assert entry.wait_gone(0.02) is False
    os.close(lock)
    assert entry.wait_gone(0) is True
    assert not entry.path.exists()
