"""One comparison at a time: progress is followed, failures are told, the end of the server is its end."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from octet.choose.ui.comparing import Comparing
from octet.errors import NotFoundError

STEPS = """
import json, sys
for done in range(3):
    print(json.dumps({"step": f"round {done}", "done": done, "total": 3}), file=sys.stderr, flush=True)
print("note: 3 of 6 rounds fit", file=sys.stderr)
sys.exit(int(sys.argv[1]))
"""
WAITING = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
place = pathlib.Path(sys.argv[1])
try:
    place.touch()
    print('{"step": "starting", "done": 0, "total": 9}', file=sys.stderr, flush=True)
    time.sleep(60)
finally:
    place.unlink()
"""


def program(text: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", text, *arguments)


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never happened")


@pytest.mark.parametrize("code", ["0", "1"])
async def test_progress_is_followed_to_the_result(code: str) -> None:
    """Each step is seen, then the figures are taken: also when some candidates failed (exit code 1)."""
    taken: list[bool] = []
    comparing = Comparing(program(STEPS, code), lambda: taken.append(True))
    assert comparing.progress.state == "idle"
    assert comparing.start()
    assert comparing.progress.state == "running"
    await until(lambda: not comparing.running)
    assert comparing.progress.state == "done"
    assert (comparing.progress.done, comparing.progress.total, comparing.progress.generation) == (2, 3, 1)
    assert taken == [True]


async def test_a_failure_is_told_in_its_own_words() -> None:
    """Another exit code takes no figures; the last lines and the code are what a person sees."""
    comparing = Comparing(program(STEPS, "3"), lambda: pytest.fail("nothing to take"))
    comparing.start()
    await until(lambda: not comparing.running)
    assert comparing.progress.state == "failed"
    assert comparing.progress.error == "note: 3 of 6 rounds fit\noctet compare ended with exit code 3"
    assert comparing.progress.generation == 0


async def test_a_result_that_cannot_be_taken_is_told() -> None:
    """When the program leaves no figures, the reason is shown."""

    def nothing() -> None:
        raise NotFoundError("report/results.json: no such file")

    comparing = Comparing(program(STEPS, "0"), nothing)
    comparing.start()
    await until(lambda: not comparing.running)
    assert comparing.progress.state == "failed"
    assert "no such file" in comparing.progress.error


async def test_a_program_that_is_not_there_is_told() -> None:
    """A command that can't be started is a failure with a reason."""
    comparing = Comparing(("/nowhere/octet",), lambda: None)
    comparing.start()
    await until(lambda: not comparing.running)
    assert "/nowhere/octet" in comparing.progress.error


async def test_there_is_one_at_a_time_and_it_ends_with_the_server(tmp_path: Path) -> None:
    """A second start is refused; closing ends the program in order, and waits until it has tidied up."""
    place = tmp_path / "lab"
    comparing = Comparing(program(WAITING, str(place)), lambda: None)
    assert comparing.start()
    await until(lambda: comparing.progress.total == 9)
    assert place.exists()
    assert not comparing.start()
    await comparing.close()
    assert not place.exists()
    assert not comparing.running


async def test_closing_without_a_comparison_is_nothing() -> None:
    """A server that never compared ends at once."""
    await Comparing(("false",), lambda: None).close()
    assert os.getpid() > 0
