"""Between this node's shelf of addresses and the store: one request after the other, off every pod's path.

What lives here: ``BlockKeeper``, which answers the steps of ``ipam.blocks`` with a store, and tells the shelf
what the view says. What it must not know: what any step is for.
"""

import asyncio
import logging
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol

from octet.agent.records import Entry
from octet.cluster.changes import (
    AffinityChanged,
    BlockChanged,
    PoolChanged,
)
from octet.cluster.objects import Node, Pod
from octet.cluster.pools import IPPool
from octet.cluster.reading import Address
from octet.cluster.view import View, ViewChange
from octet.errors import BadConfigurationError, NotReadyError, OctetError
from octet.ipam.blocks import assigning
from octet.ipam.blocks.candidates import Taken
from octet.ipam.blocks.collecting import Collector
from octet.ipam.blocks.ledger import Ledger
from octet.ipam.blocks.selection import Defaults, Rules, Wish, wish
from octet.ipam.blocks.shelf import Holding, Shelf
from octet.ipam.blocks.steps import Create, Delete, Get, List, RaceError, Request, Steps, Update
from octet.ipam.blocks.tending import Tender
from octet.store.contract import ConflictError, Store, UnavailableError

log = logging.getLogger(__name__)

TICK = 1.0
"""Seconds after which it is looked whether something is due that nobody told of: a grace that is over."""

CALM = 0.1
"""Seconds for which changes that nobody waits for are gathered into one write of a block."""

PAUSE = 0.5
"""Seconds before a store that could not answer is asked again."""

SCARCE = 8
"""Blocks are scarce where less than one in so many is left."""

PATIENCE = 2.0
"""Seconds for which an ADD waits for an address, or for its pod to be known; a claim takes three writes."""

GLANCE = 0.1
"""Seconds after which a waiting ADD is tried again in any case."""

ASKED = 30.0
"""Seconds between two looks at the kernel while there are addresses that nobody knows."""


class UsesAddresses(Protocol):
    """The part of a kernel port that tells which addresses lead somewhere."""

    def in_use(self) -> frozenset[Address]:
        """Return the addresses that are on this node. Raises OSError."""
        ...


class BlockKeeper:
    """Keeps the node's blocks, for as long as ``run`` runs.

    Args:
        node: its name.
        entries: what the journal has; all of it is in use until it is reaped.
        freed: addresses that the journal says were given up.
        defaults: what pods get that ask for nothing.
        reader: a kernel port that the worker thread has for itself.

    Attributes:
        shelf: where pods' addresses come from.
        whole: has everything that the view is made of been listed? Before, nothing is done.
    """

    def __init__(
        self,
        store: Store,
        node: str,
        entries: Iterable[Entry],
        freed: Iterable[Address],
        defaults: Defaults,
        reader: UsesAddresses,
        worker: ThreadPoolExecutor,
    ) -> None:
        now = time.time()
        used = [Holding(each.allocation, each.endpoint.namespace, each.endpoint.pod, now) for each in entries]
        self.shelf = Shelf(node, used)
        self.whole = False
        self._store = store
        self._defaults = defaults
        self._reader = reader
        self._worker = worker
        self._ledger = Ledger(self.shelf, freed)
        self._tender = Tender(self.shelf, self._ledger)
        self._tender.scarce = self._scarce
        self._collector = Collector(node)
        self._news, self._need, self._changed = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._view: View | None = None
        self._left: dict[str, int] = {}
        self._counted = 0.0
        self._asked = 0.0
        self.shelf.wishes = self._wish
        self.shelf.on_work = self._news.set
        self.shelf.on_need = self._needed

    def begin(self) -> None:
        """Take note that everything that the view is made of has been listed."""
        self.whole = True
        self._news.set()

    @property
    def problems(self) -> list[str]:
        """What of this node's addresses is not as it should be, a sentence each."""
        return list(self._ledger.lost.values())

    def see(self, view: View, changes: Iterable[ViewChange]) -> None:
        """Take the next version of the view."""
        first, self._view = self._view is None, view
        changes = tuple(changes)
        if first or any(isinstance(each, PoolChanged) or _of_node(each, view.me) for each in changes):
            self.shelf.obey(Rules.of(view))
            self._expect(view)
        if first or any(isinstance(each, BlockChanged | AffinityChanged) for each in changes):
            self._tender.notice(view)
        self._news.set()
        self._wake()

    def _wake(self) -> None:
        """Let those go on who wait for any change."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _expect(self, view: View) -> None:
        """Have ready what pods of this node will ask for, also those that are only on their way."""
        usual = Wish(self._defaults.families, tuple(self._defaults.pools.items()))
        self.shelf.expect(usual, standing=True)
        for pod in view.pods.on(view.me).values():
            if not pod.ips and not pod.host_network and not pod.finished:
                with suppress(NotReadyError, BadConfigurationError):
                    self.shelf.expect(wish(view, pod.namespace, pod.name, self._defaults))

    def _wish(self, namespace: str, pod: str) -> Wish:
        if self._view is None:
            raise NotReadyError("the cluster's pools are not known yet")
        return wish(self._view, namespace, pod, self._defaults)

    def _scarce(self, pools: tuple[IPPool, ...]) -> bool:
        if self.shelf.now >= self._counted + TICK:
            self._counted = self.shelf.now
            taken = Taken(each.cidr for each in self._view.blocks.values()) if self._view else Taken(())
            self._left = {pool.name: taken.left(pool) for pool in self.shelf.rules.pools}
        left = sum(self._left.get(pool.name, 0) for pool in pools)
        return SCARCE * left < sum(pool.capacity for pool in pools)

    async def tunnel(self, handle: str, family: int, kind: str) -> Address | None:
        """Return the address of one of this node's tunnels, as ``assigning.hold``; None where there is none.

        Raises:
            NotReadyError: what pools there are isn't known yet, or the store does not answer.
        """
        if self._view is None or not self.whole:
            raise NotReadyError("the cluster's pools are not known yet")
        work = assigning.hold(Rules.of(self._view), handle, family, kind, time.time())
        found: Address | None = await carry_out(self._store, work)
        return found

    async def wait(self, waited: float) -> bool:
        """Return once an ADD that found no address may find one; False where it has waited long enough."""
        if waited >= PATIENCE:
            return False
        with suppress(TimeoutError):  # what else it may wait for, such as the kernel, tells nobody
            async with asyncio.timeout(GLANCE):
                await self._changed.wait()
        return True

    async def _begin_pools(self, view: View) -> None:
        """Make the first pools where there is none at all, as calico-node does when it starts."""
        for item in self._defaults.first_pools(view.pod_cidrs):
            with suppress(ConflictError):
                await self._store.create("IPPool", item)
                log.info("made a pool", extra={"pool": item["metadata"]["name"]})

    async def run(self) -> None:
        """Keep blocks for ever."""
        begun = False
        while True:
            if self.whole and not begun and self._view is not None:
                begun = bool(self._view.pools) or await self._try_to_begin(self._view)
            self._news.clear()
            self._need.clear()
            now = time.time()
            work = self._next(now)
            if work is not None:
                await self._try(work, now)
                self._wake()
                continue
            await self._ask_the_kernel(now)
            await self._rest()

    async def _rest(self) -> None:
        """Wait for something to do; what nobody waits for may become more, and is then done at once."""
        with suppress(TimeoutError):
            async with asyncio.timeout(TICK):
                await self._news.wait()
            async with asyncio.timeout(CALM):
                await self._need.wait()

    def _needed(self) -> None:
        self._need.set()
        self._news.set()

    def _next(self, now: float) -> Steps[None] | None:
        if self._view is None or not self.whole:
            return None
        return self._tender.next(now) or self._collector.next(self._view, now)

    async def _try_to_begin(self, view: View) -> bool:
        try:
            await self._begin_pools(view)
        except UnavailableError as error:
            log.warning("no first pool", extra={"error": str(error)})
            return False
        return True

    async def _try(self, work: Steps[None], now: float) -> None:
        try:
            await carry_out(self._store, work)
        except UnavailableError as error:
            log.warning("address blocks: store unavailable", extra={"error": str(error)})
            await asyncio.sleep(PAUSE)
        except OctetError as error:
            log.warning("address blocks", extra={"error": str(error)})
            self._tender.stumble(now)
            await asyncio.sleep(PAUSE)

    async def _ask_the_kernel(self, now: float) -> None:
        """Give up addresses that blocks say are here and neither the kernel nor any pod has."""
        view = self._view
        if not self._ledger.strangers or not self.whole or view is None or now < self._asked + ASKED:
            return
        self._asked = now
        try:
            held = await asyncio.get_running_loop().run_in_executor(self._worker, self._reader.in_use)
        except OSError as error:
            log.warning("cannot read the kernel's routes", extra={"error": str(error)})
            return
        leaked = self._tender.judge(now, lambda address: address in held or view.pods.at(address) is not None)
        if leaked:
            log.info("addresses of nobody are given up", extra={"addresses": [str(each) for each in leaked]})


def _of_node(change: ViewChange, name: str) -> bool:
    """Does a change concern a node itself, or a pod of it?"""
    both = (change.old, change.new)
    return any(
        (isinstance(each, Node) and each.name == name) or (isinstance(each, Pod) and each.node == name)
        for each in both
    )


async def carry_out(store: Store, work: Steps[Any]) -> Any:
    """Do all steps with a store, and return what came of them.

    Raises:
        UnavailableError: the store could not answer; what was asked for last may have happened.
        OctetError: as the steps say.
    """
    answer: Any = None
    problem: OctetError | None = None
    while True:
        try:
            request = work.send(answer) if problem is None else work.throw(problem)
        except StopIteration as done:
            return done.value
        answer, problem = None, None
        await asyncio.sleep(0)  # a store in this process answers at once, and pods wait
        try:
            answer = await _answer(store, request)
        except ConflictError as error:
            problem = RaceError(str(error))
        except OctetError as error:
            problem = error


async def _answer(store: Store, request: Request) -> Any:
    match request:
        case List(kind):
            return list((await store.list(kind)).objects)
        case Get(kind, name):
            return await store.get(kind, name)
        case Create(kind, item):
            return await store.create(kind, item)
        case Update(kind, item):
            return await store.update(kind, item)
        case Delete(kind, name, revision):
            return await store.delete(kind, name, revision=int(revision))
    raise AssertionError(f"no such request: {request}")


__all__ = ["BlockKeeper", "carry_out"]
