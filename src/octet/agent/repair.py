"""Making kernel and wanted state equal, whenever there is a reason: a start, a change of this node, drift.

What lives here: when to compare. Reading happens in a worker thread, so that pods are attached meanwhile; the
difference is taken afterwards, against what is wanted by then. What it must not know: what is wanted.
"""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from octet.agent.applying import Applier
from octet.agent.care import Care
from octet.agent.desired import Desired
from octet.agent.endpoints import Endpoints
from octet.agent.metrics import Metrics
from octet.agent.network import Network
from octet.agent.pieces import pieces
from octet.blueprint import Change, KernelObject
from octet.blueprint.nft import NftObject
from octet.kernel.port import Kernel

log = logging.getLogger(__name__)

BURST = 0.03
"""Seconds that news are gathered before the comparison."""

EVERYTHING = 60.0
"""Seconds between full comparisons, in case something was never told."""

RETRY = 2.0
"""Seconds until what the kernel refused is tried again; twice as long each time, up to EVERYTHING."""

TOLD = 20
"""Objects of one repair that the log names one by one."""

PASSES = 3
"""A link made anew takes what was on it away; the next pass puts that back."""


class Repair:
    """Keeps one namespace as wanted.

    Args:
        reader: a kernel port of the worker thread's own.

    Attributes:
        whole: has everything been listed once, so that what is not wanted may be removed?
    """

    def __init__(
        self,
        network: Network,
        endpoints: Endpoints,
        care: Care,
        desired: Desired,
        applier: Applier,
        reader: Kernel,
        worker: ThreadPoolExecutor,
        metrics: Metrics,
    ) -> None:
        self.whole = False
        self._network = network
        self._endpoints = endpoints
        self._care = care
        self._desired = desired
        self._applier = applier
        self._reader = reader
        self._worker = worker
        self._metrics = metrics
        self._work = asyncio.Event()
        self._suspicion = self._at_once = False
        network.on_work = self._work.set
        endpoints.on_trouble = network.doubt

    def begin(self) -> None:
        """Take note that everything has been listed: from now on what is not wanted may be removed."""
        self.whole = True
        self._network.begin()

    def suspect(self) -> None:
        """Have everything compared soon."""
        self._suspicion = True
        self._work.set()

    def table(self, gone: bool) -> None:
        """Put our table back at once where it is gone, and have it compared without delay where it is not.

        What began meanwhile was asked by nobody: it is judged now.
        """
        self._at_once = True
        if gone and self._settled:
            generation = self._network.generation
            rules = tuple(item for item in self._desired.objects.values() if isinstance(item, NftObject))
            outcome = self._applier.apply(Change(add=rules))
            log.warning("our table was gone", extra={"objects": len(outcome.done)})
            self._metrics.repaired("nft-table")
            if outcome.failed:
                self._network.unsettle()
            self._network.compared(generation, differed=True)
        self.suspect()

    async def run(self) -> None:
        """Do what there is to do, for ever."""
        patience = RETRY
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience if self._applier.failed else EVERYTHING):
                    await self._work.wait()
            waited_in_vain = not self._work.is_set()
            patience = min(2 * patience, EVERYTHING) if waited_in_vain else RETRY
            self._work.clear()
            await self.turn(compare=waited_in_vain)

    async def turn(self, *, compare: bool = False) -> None:
        """Decide about peers that changed; compare with the kernel if asked to, or if there is a reason."""
        more = True
        while more:
            more = self._network.step()
            await asyncio.sleep(0)
        drift = self._suspicion
        if drift and self._settled and not self._at_once:
            await asyncio.sleep(BURST)
        self._suspicion = self._at_once = False
        if compare or drift or not self._settled:
            await self.compare(drift=drift and self._settled)

    @property
    def _settled(self) -> bool:
        return self._network.settled == self._network.generation

    async def compare(self, *, drift: bool = False) -> None:
        """Read everything, and put right what differs from what is wanted by then.

        Args:
            drift: are differences somebody else's doing, to be told and counted?
        """
        if self._endpoints.site is None or not self.whole:
            return
        self._endpoints.recover()
        with self._network.comparing():
            await self._put_right(drift=drift)

    async def _put_right(self, *, drift: bool) -> None:
        before, differed = Change(), False
        for number in range(PASSES):
            generation = self._network.generation
            change = await self._difference()
            if change is None:
                return
            if not change or change == before:
                self._applier.note_silence(change)
                break
            done, refused = await self._apply(change)
            if drift and number == 0:
                self._tell(done)
            before, differed = Change() if refused else change, True
        self._network.compared(generation, differed=differed)
        self._endpoints.open = not self._network.trouble

    async def _apply(self, change: Change) -> tuple[list[KernelObject], bool]:
        """Make a change so, a piece at a time; return what is as wanted now, and if rules were refused.

        Of rules nothing is made that comes after what was refused: it may ask sets that are not full.
        """
        done: list[KernelObject] = []
        refused = False
        self._care.rebuild(change.add)
        for piece in pieces(change):
            wanted = self._desired.still(piece)
            outcome = self._applier.apply(self._applier.hold_back(wanted) if refused else wanted)
            done += outcome.done
            if any(isinstance(each.item, NftObject) for each in outcome.failed):
                refused = True
                self._network.unsettle()
            await asyncio.sleep(0)
        return done, refused

    async def _difference(self) -> Change | None:
        """Return what separates the kernel from what is wanted; None where it cannot be read.

        What changed while it was being read was applied by whoever changed it.
        """
        loop = asyncio.get_running_loop()
        with self._desired.noting() as touched:
            try:
                found = await loop.run_in_executor(self._worker, self._reader.read, self._desired.blueprint())
            except OSError as error:
                log.warning("cannot read the kernel", extra={"error": str(error)})
                return None
            change = self._desired.blueprint().change_from(found)
        kept = Change(
            tuple(item for item in change.add if item.key not in touched),
            tuple(pair for pair in change.alter if pair[1].key not in touched),
            tuple(item for item in change.remove if item.key not in touched),
        )
        differing = {item.key for item in (*kept.add, *(new for _, new in kept.alter), *kept.remove)}
        self._applier.forget_all_but(differing | touched)
        return kept

    def _tell(self, items: Sequence[KernelObject]) -> None:
        for item in items:
            self._metrics.repaired(str(item.key[0]))
        for item in items[:TOLD]:
            log.warning("drift repaired", extra={"object": str(item)})
        if len(items) > TOLD:
            log.warning("more drift repaired", extra={"objects": len(items) - TOLD})
