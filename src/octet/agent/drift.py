"""Hearing of drift: what the kernel says, what it says of the underlay, and what it never says.

What lives here: from the monitor's news to a suspicion. What it must not know: how drift is repaired.
"""

import asyncio
import logging
from collections.abc import Callable

from octet.agent.desired import Desired
from octet.kernel.drift import Event, TableGone, UnderlayChanged, is_drift
from octet.kernel.monitor import Monitor

log = logging.getLogger(__name__)

LOOK = 0.5
"""Seconds between looks at what the kernel tells nobody of: most sysctls, proxied addresses."""

GATHER = 0.02
"""Seconds between the first news and reading them: our own changes cause many, and pods should not wait.

What others do to our table is read at once: without it nothing is denied."""


class Hearing:
    """Listens to the kernel in the event loop.

    Attributes:
        on_drift: told that the kernel may not hold what is wanted.
        on_table: told that our table is not there (True), or not as it was.
        on_underlay: told that the node's own interface may have changed.
    """

    def __init__(self, monitor: Monitor, desired: Desired) -> None:
        self.on_drift: Callable[[], None] = lambda: None
        self.on_table: Callable[[bool], None] = lambda _gone: None
        self.on_underlay: Callable[[], None] = lambda: None
        self._monitor = monitor
        self._desired = desired

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Listen from now on."""
        loop.add_reader(self._monitor.fileno(), self._pause, loop)
        loop.add_reader(self._monitor.table_fileno(), self._hear_of_table)

    def stop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Listen no longer; idempotent."""
        loop.remove_reader(self._monitor.fileno())
        loop.remove_reader(self._monitor.table_fileno())

    def _hear_of_table(self) -> None:
        for event in self._monitor.table():
            log.info("drift", extra={"news": str(event)})
            self.on_table(isinstance(event, TableGone))

    def _pause(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.remove_reader(self._monitor.fileno())
        loop.call_later(GATHER, self._hear, loop)

    def _hear(self, loop: asyncio.AbstractEventLoop) -> None:
        self._judge(self._monitor.drain(self._desired.objects))
        self.start(loop)

    async def look(self) -> None:
        """Look from time to time at what nobody tells of, for ever."""
        while True:
            await asyncio.sleep(LOOK)
            try:
                self._judge(self._monitor.look(self._desired.objects))
            except OSError as error:
                log.warning("cannot look at settings", extra={"error": str(error)})

    def _judge(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, UnderlayChanged):
                self.on_underlay()
            if is_drift(event, self._desired.objects):
                log.info("drift", extra={"news": str(event)})
                self.on_drift()
