"""Processes that the supervisor started: their end as something to wait for, and their last words.

What lives here: Child, tail. What it must not know: what the processes are.
"""

import asyncio
import os
import signal
import subprocess
from pathlib import Path


class Child:
    """A child process of an asyncio program; its end is noticed through a pidfd (pidfd_open(2))."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._pidfd = os.pidfd_open(process.pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._collect)

    @property
    def pid(self) -> int:
        """Its process id, inside the lab."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """What it ended with, minus the signal's number if by one; None while it runs."""
        return self._ended.result() if self._ended.done() else None

    async def ended(self) -> int:
        """Wait for its end and return the exit code."""
        return await asyncio.shield(self._ended)

    async def kill(self) -> int:
        """Kill the process and all of its session's group, and wait for it."""
        if not self._ended.done():
            os.killpg(self.pid, signal.SIGKILL)
        return await self.ended()

    def _collect(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._ended.set_result(self._process.wait())


def tail(path: Path, lines: int = 8) -> str:
    """Return the last lines of a log, or a word that it is empty."""
    try:
        held = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        held = []
    return "\n".join(held[-lines:]) or "(its log is empty)"


def ending(code: int) -> str:
    """Return an exit code in words."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
