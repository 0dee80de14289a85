"""One comparison at a time, as a program of its own, and how far it is.

What lives here: starting, following and ending ``octet compare --progress``. What it must not know: pages.
It is a program of its own because it makes namespaces and answers to signals; when this server is gone, its
next line finds nobody to read it and it takes its labs away.
"""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from octet.errors import OctetError

LAST_LINES = 12
"""Lines of what a comparison says that are kept for a person if it fails."""

PATIENCE = 30.0
"""Seconds that a comparison has for taking its labs away before it is killed."""


WITH_RESULT = (0, 1)
"""Exit codes of `octet compare` that can leave figures: all went well, or some candidates failed."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is.

    Attributes:
        step: what is being done.
        generation: how many comparisons have ended well since the server began.
    """

    state: Literal["idle", "running", "done", "failed"] = "idle"
    step: str = ""
    done: int = 0
    total: int = 0
    error: str = ""
    generation: int = 0


class Comparing:
    """The comparison of this server.

    Args:
        command: runs a comparison and prints a JSON object per step on stderr.
        finished: called when one has ended, to take its result; raises OctetError if there is none.
    """

    def __init__(self, command: Sequence[str], finished: Callable[[], None]) -> None:
        self._command = tuple(command)
        self._finished = finished
        self._task: asyncio.Task[None] | None = None
        self.progress = Progress()

    @property
    def running(self) -> bool:
        """Is there one now?"""
        return self._task is not None and not self._task.done()

    def start(self) -> bool:
        """Start one; False where one is running already."""
        if self.running:
            return False
        self._say(state="running", step="starting", done=0, total=0, error="")
        self._task = asyncio.create_task(self._run())
        return True

    async def close(self) -> None:
        """End the one that is running, and wait until its labs are gone."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def _say(self, **changes: object) -> None:
        self.progress = msgspec.structs.replace(self.progress, **changes)

    async def _run(self) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            self._say(state="failed", error=str(error))
            return
        try:
            said = await self._follow(process.stderr or asyncio.StreamReader())
            self._take(await process.wait(), said)
        finally:
            await _end(process)

    async def _follow(self, lines: asyncio.StreamReader) -> Sequence[str]:
        """Read what it says until it says no more; return the last lines that are for a person."""
        kept: deque[str] = deque(maxlen=LAST_LINES)
        async for line in lines:
            text = line.decode(errors="replace").strip()
            step = _step(text)
            if step is None:
                kept.append(text)
            else:
                self._say(**step)
        return kept

    def _take(self, code: int, said: Sequence[str]) -> None:
        """Take the result; a comparison of which some candidates failed (exit code 1) has one, too."""
        if code not in WITH_RESULT:
            self._say(state="failed", error="\n".join([*said, f"octet compare ended with exit code {code}"]))
            return
        try:
            self._finished()
        except (OctetError, OSError) as error:
            self._say(state="failed", error="\n".join([*said, str(error)]))
        else:
            self._say(state="done", step="", generation=self.progress.generation + 1)


def _step(text: str) -> dict[str, object] | None:
    """Read a line of progress; None if it is something else."""
    try:
        held = json.loads(text)
        return {"step": str(held["step"]), "done": int(held["done"]), "total": int(held["total"])}
    except (ValueError, TypeError, KeyError):
        return None


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), PATIENCE)
    except TimeoutError:
        process.kill()
        await process.wait()
