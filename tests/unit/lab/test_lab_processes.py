"""Processes of a lab: their end is noticed at once, and their last words are kept."""

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from octet.lab.processes import Child, ending, tail


def start(*command: str) -> Child:
    return Child(subprocess.Popen(command, start_new_session=True))


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", -15)])
async def test_an_end_is_told_with_its_code(script: str, code: int) -> None:
    """Waiting gives the exit code, and the same for everybody who waits."""
    child = start("sh", "-c", script)
    assert await asyncio.gather(child.ended(), child.ended()) == [code, code]
    assert child.exit_code == code


async def test_one_that_runs_has_no_exit_code() -> None:
    """Until it ends nothing is claimed; killing it tells how it ended; twice is once."""
    child = start("sleep", "60")
    assert child.exit_code is None
    assert await child.kill() == -9
    assert await child.kill() == -9


def group_of(pid: int) -> list[str]:
    """State letters of the processes in a group (proc(5), stat: state is field 3, the group field 5)."""
    stats = [path.read_text().rpartition(")")[2].split() for path in Path("/proc").glob("[0-9]*/stat")]
    return [stat[0] for stat in stats if stat[2] == str(pid)]


async def wait_for(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.002)
    pytest.fail("waited in vain")


async def test_killing_takes_the_whole_group() -> None:
    """A program's own children do not outlive it."""
    child = start("sh", "-c", "sleep 60 & wait")
    await wait_for(lambda: len(group_of(child.pid)) == 2)
    await child.kill()
    await wait_for(lambda: set(group_of(child.pid)) <= {"Z"})


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_nothing_is_open_after_the_end() -> None:
    """A lab that starts many programs keeps no descriptor of those that ended."""
    before = descriptors()
    for _ in range(20):
        await start("true").ended()
    assert descriptors() == before


def test_the_last_lines_of_a_log_are_its_tail(tmp_path: Path) -> None:
    """Long logs are cut at the front; a missing or empty one says so."""
    log = tmp_path / "log"
    assert "empty" in tail(log)
    log.write_bytes(b"\xff\n" + b"".join(b"line %d\n" % number for number in range(20)))
    assert tail(log, 2) == "line 18\nline 19"


@pytest.mark.parametrize(
    ("code", "words"), [(0, "exit code 0"), (7, "exit code 7"), (-9, "killed by SIGKILL")]
)
def test_endings_are_words(code: int, words: str) -> None:
    """An exit code reads as what happened."""
    assert ending(code) == words
