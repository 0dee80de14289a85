"""DELs that waited for the agent: in order, once, whatever else lies in their directory."""

import os
import socket
import time
from pathlib import Path

import pytest

from octet.cni import pending, wire

DEL = {"CNI_COMMAND": "DEL", "CNI_CONTAINERID": "c1"}


def leave(directory: Path, name: str, stdin: bytes = b"{}") -> Path:
    """Put a DEL there as the plugin does."""
    directory.mkdir(exist_ok=True)
    (directory / name).write_bytes(wire.encode_request(DEL, stdin))
    return directory / name


def test_dels_come_back_oldest_first(tmp_path: Path) -> None:
    """The names start with the time, so their order is that of the DELs; what was done is gone."""
    for number in (3, 1, 2):
        leave(tmp_path, f"{number:020d}-1", str(number).encode())
    assert [raw.stdin for raw in pending.drain(tmp_path)] == [b"1", b"2", b"3"]
    assert list(tmp_path.iterdir()) == []


def test_a_del_stays_until_it_is_done(tmp_path: Path) -> None:
    """The agent may die in the middle of one: it is there again at the next start."""
    leave(tmp_path, "1")
    drained = pending.drain(tmp_path)
    assert next(drained).environment == DEL
    drained.close()
    assert [raw.environment for raw in pending.drain(tmp_path)] == [DEL]


def test_nothing_waits_where_there_is_no_directory(tmp_path: Path) -> None:
    """An agent that was never away has no directory, which is no error."""
    assert not pending.waiting(tmp_path / "none")
    assert list(pending.drain(tmp_path / "none")) == []


def test_waiting_sees_dels_only(tmp_path: Path) -> None:
    """Half-written files and what was put aside are nothing to be done."""
    (tmp_path / "bad").mkdir()
    leave(tmp_path, ".half")
    assert not pending.waiting(tmp_path)
    leave(tmp_path, "1")
    assert pending.waiting(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        wire.encode_request(DEL, b"{}")[:-1],
        wire.encode_request(DEL, b"", has_namespace=True),
    ],
)
def test_a_malformed_file_is_put_aside(tmp_path: Path, content: bytes) -> None:
    """It moves to bad/ for a person to look at, and the others are done."""
    (tmp_path / "0").write_bytes(content)
    leave(tmp_path, "1")
    assert len(list(pending.drain(tmp_path))) == 1
    assert (tmp_path / "bad" / "0").read_bytes() == content


def test_what_is_no_file_is_put_aside(tmp_path: Path) -> None:
    """A pipe does not hang the agent, a link is not followed, a directory and a socket are no DELs."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(leave(tmp_path.parent / "else", "1"))
    (tmp_path / "directory").mkdir()
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "socket"))
    assert list(pending.drain(tmp_path)) == []
    assert {path.name for path in (tmp_path / "bad").iterdir()} == {"pipe", "link", "directory", "socket"}


def test_half_written_files_are_swept_after_a_while(tmp_path: Path) -> None:
    """A plugin killed while it wrote leaves a hidden file; one that still writes is not disturbed."""
    old, young = leave(tmp_path, ".old"), leave(tmp_path, ".young")
    os.utime(old, (time.time() - 100, time.time() - 100))
    assert list(pending.drain(tmp_path)) == []
    assert list(tmp_path.iterdir()) == [young]


def test_the_directory_is_beside_the_socket() -> None:
    """Plugin and agent agree on the place without being told."""
    assert pending.directory_of(Path("/run/octet/cni.sock")) == Path("/run/octet/pending")
