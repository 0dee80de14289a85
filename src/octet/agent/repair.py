"""Drift: hear of it, look once when the burst is over, put back what somebody else changed.

What lives here: when to compare. Comparing reads in a worker thread, so that pods are attached meanwhile;
the difference is taken afterwards, against what is wanted by then. What it must not know: what is wanted.
"""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from octet.agent.desired import Desired
from octet.agent.network import Network
from octet.blueprint import Blueprint, Sysctl
from octet.errors import OctetError
from octet.kernel.drift import UnderlayChanged, is_drift
from octet.kernel.host import HostKernel
from octet.kernel.monitor import Monitor
from octet.kernel.sysctl import is_set

log = logging.getLogger(__name__)

BURST = 0.03
"""Seconds that news are gathered before the comparison."""

SETTINGS = 0.5
"""Seconds between looks at sysctls: the kernel tells of only a few of them."""

EVERYTHING = 60.0
"""Seconds between full comparisons, in case something was never told."""


class Repair:
    """Watches one namespace and keeps it as wanted.

    Args:
        reader: a kernel port of the worker thread's own.
    """

    def __init__(
        self,
        network: Network,
        desired: Desired,
        monitor: Monitor,
        reader: HostKernel,
        worker: ThreadPoolExecutor,
    ) -> None:
        self.underlay_changed = asyncio.Event()
        self._network = network
        self._desired = desired
        self._monitor = monitor
        self._reader = reader
        self._worker = worker
        self._suspicion = asyncio.Event()

    def hear(self) -> None:
        """Take what the kernel said; called when the monitor's descriptor is readable."""
        for event in self._monitor.drain(self._desired.objects):
            if isinstance(event, UnderlayChanged):
                self.underlay_changed.set()
            if is_drift(event, self._desired.objects):
                log.info("drift", extra={"news": str(event)})
                self._suspicion.set()

    async def run(self) -> None:
        """Compare on suspicion, and every EVERYTHING seconds, for ever."""
        while True:
            drift = False
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERYTHING):
                    await self._suspicion.wait()
                    drift = True
            await asyncio.sleep(BURST)
            self._suspicion.clear()
            await self.compare(repair=drift)

    async def compare(self, *, repair: bool) -> None:
        """Read everything, and put right what differs from what is wanted by then."""
        wanted = self._desired.blueprint()
        if self._network.problem and not len(wanted):
            return
        found = await self._read(wanted)
        if found is None:
            return
        try:
            change = self._network.reconcile(found, repair=repair)
        except OctetError as error:
            log.warning("repair failed", extra={"error": str(error)})
            return
        if change and repair:
            log.info("repaired", extra={"objects": len(change.add) + len(change.alter) + len(change.remove)})

    async def _read(self, wanted: Blueprint) -> Blueprint | None:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._worker, self._reader.read, wanted)
        except OSError as error:
            log.warning("cannot read the kernel", extra={"error": str(error)})
            return None

    async def poll_settings(self) -> None:
        """Look at the wanted sysctls every SETTINGS seconds, for ever."""
        while True:
            await asyncio.sleep(SETTINGS)
            wanted = [item for item in self._desired.objects.values() if isinstance(item, Sysctl)]
            if any(not is_set(item) for item in wanted):
                self._suspicion.set()
