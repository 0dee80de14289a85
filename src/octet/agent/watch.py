"""From the store to the network: list, watch, list again when the store forgot; never give up.

What lives here: following one kind of object, and telling our own Node what peers must know.
What it must not know: what the network does about a change.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from octet.agent.network import Network
from octet.agent.registration import publish
from octet.cluster.objects import KINDS
from octet.cluster.view import View
from octet.errors import BadConfigurationError, NotFoundError, NotReadyError, OctetError
from octet.models.model import Running
from octet.store.contract import ConflictError, ExpiredError, Store, UnavailableError

log = logging.getLogger(__name__)

PAUSE = 0.5
"""Seconds before a store that could not answer is asked again."""


class Watch:
    """Keeps the network's view true, and our own Node told.

    Attributes:
        kinds: what is followed: Nodes, and where policies are enforced or addresses are in blocks all that
            these depend on.
        revision: the store's, of what was last heard of.
        on_whole: told when everything has been listed for the first time.
        tunnels: returns the annotations that tell our tunnels' addresses.
    """

    def __init__(self, store: Store, network: Network, running: Running, *, register: bool) -> None:
        several = running.policy or running.blocks is not None or running.advertises(network.view)
        self.kinds = ("Node", *(kind for kind in KINDS if kind != "Node" and several))
        self.revision = 0
        self.on_whole: Callable[[], None] = lambda: None
        self.tunnels: Callable[[View], Awaitable[Mapping[str, str]]] = _none
        self._store = store
        self._network = network
        self._running = running
        self._register = register
        self._silent_since: float | None = time.monotonic()
        self._tell = asyncio.Event()
        self._said: tuple[object, ...] = ()
        self._listed: set[str] = set()

    @property
    def synced(self) -> bool:
        """Has everything been listed at least once?"""
        return self._listed.issuperset(self.kinds)

    @property
    def silence(self) -> float:
        """Seconds for which the store has not answered; 0 while it does."""
        return 0.0 if self._silent_since is None else time.monotonic() - self._silent_since

    def tell(self) -> None:
        """Have our own Node written again if what it should say has changed."""
        self._tell.set()

    async def follow(self) -> None:
        """Follow every kind for ever."""
        async with asyncio.TaskGroup() as tasks:
            for kind in self.kinds:
                tasks.create_task(self._follow(kind))

    async def _follow(self, kind: str) -> None:
        while True:
            try:
                await self._once(kind)
            except ExpiredError:
                continue
            except UnavailableError as error:
                if self._silent_since is None:
                    self._silent_since = time.monotonic()
                log.warning("store unavailable", extra={"error": str(error)})
                await asyncio.sleep(PAUSE)

    async def _once(self, kind: str) -> None:
        listing = await self._store.list(kind)
        self._silent_since, self.revision = None, max(self.revision, listing.revision)
        listed = self._network.view.with_listing(kind, listing.objects)
        for refused in listed.refused:
            log.warning("object refused", extra={"error": str(refused)})
        self._network.see(listed.view, listed.changes)
        whole = self.synced
        self._listed.add(kind)
        if self.synced and not whole:
            self.on_whole()
        if kind == "Node":
            self.tell()
        async for event in self._store.watch(kind, listing.revision):
            self.revision = max(self.revision, event.revision)
            self._one(kind, event.type.value, event.object)

    def _one(self, kind: str, happened: str, item: Mapping[str, Any]) -> None:
        try:
            view, changes = self._network.view.with_event(kind, (happened, item))
        except BadConfigurationError as error:
            log.warning("object refused", extra={"error": str(error)})
            return
        if self._network.see(view, changes):
            self.tell()

    async def publish(self) -> None:
        """Write our own Node whenever what it should say has changed, for ever."""
        while True:
            await self._tell.wait()
            self._tell.clear()
            try:
                await self._publish()
            except (ConflictError, NotFoundError, NotReadyError) as error:
                log.warning("own Node not written", extra={"error": str(error)})
                self._said = ()
                await asyncio.sleep(PAUSE)
                self._tell.set()

    async def _publish(self) -> None:
        view = self._network.view
        if not self.synced:
            return
        try:
            said = dict(self._running.annotations(view))
        except OctetError:
            said = {}
        said |= await self.tunnels(view)
        now = (view.here, view.underlay, tuple(sorted(said.items())))
        if now == self._said:
            return
        await publish(self._store, view.me, view.underlay, said, register=self._register)
        self._said = now


async def _none(_view: View) -> Mapping[str, str]:
    """Return nothing: without pools no tunnel has an address of its own."""
    return {}
