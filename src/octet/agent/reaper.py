"""Detached links are deleted together, off the hot path: one lone deletion waits about 16 ms for RCU.

What lives here: when to reap, and in which thread. What it must not know: what the links were.
"""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from octet.agent.endpoints import Endpoints
from octet.kernel.port import Kernel

log = logging.getLogger(__name__)

QUIET = 0.1
"""Seconds without a DEL after which what waits is deleted."""

LONGEST = 0.5
"""Seconds that anything waits at most."""

CROWD = 64
"""Links that are deleted at once without waiting longer."""


class Reaper:
    """Deletes retired links in groups.

    Args:
        kernel: a port of its own, used by the worker thread only.
        worker: a single thread, shared with nothing that needs the same port at the same time.
    """

    def __init__(self, endpoints: Endpoints, kernel: Kernel, worker: ThreadPoolExecutor) -> None:
        self._endpoints = endpoints
        self._kernel = kernel
        self._worker = worker
        self._news = asyncio.Event()
        self._waiting = 0
        endpoints.on_retired = self.notice

    def notice(self) -> None:
        """Take note that one more link waits."""
        self._waiting += 1
        self._news.set()

    async def run(self) -> None:
        """Reap for ever; at first what an earlier agent left."""
        await self.reap()
        loop = asyncio.get_running_loop()
        while True:
            await self._news.wait()
            last = loop.time() + LONGEST
            while self._waiting < CROWD and loop.time() < last:
                self._news.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(QUIET):
                        await self._news.wait()
                        continue
                break
            await self.reap()

    async def reap(self) -> None:
        """Delete what waits now, and free its addresses; what cannot be deleted keeps them."""
        self._news.clear()
        self._waiting = 0
        taken = self._endpoints.retired()
        try:
            await asyncio.get_running_loop().run_in_executor(self._worker, self._kernel.reap)
            self._endpoints.settle(taken)
        except OSError as error:
            log.warning("cannot delete retired links", extra={"error": str(error)})
            asyncio.get_running_loop().call_later(LONGEST, self._news.set)
