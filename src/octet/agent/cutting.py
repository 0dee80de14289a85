"""Running connections that a policy forbids are cut, once the rules that forbid them are in force.

What lives here: from what is affected to connections that are marked, in slices between which pods are
attached. What it must not know: what policies say (``Lasting`` is asked), ctnetlink.

A connection that is cut is marked, and the rules let nothing of it pass. To have it forgotten would not end
it: where the other end may open one of its own, as most may, its next packet does, with the same ports.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice

from octet.agent.policing import Affected, Policing
from octet.cluster.objects import Address
from octet.kernel import connections
from octet.kernel.connections import Connection
from octet.policy.gates import CUT
from octet.policy.judge import Packet
from octet.policy.lasting import Way

log = logging.getLogger(__name__)

GATHER = 0.01
"""Seconds in which changes gather: one look at the connections serves them all."""

HEAL = 0.25
"""Seconds between two looks for what only names opened: a pod may learn some a hundred times a second."""

RETRY = 1.0
"""Seconds until connections that could not be looked at are looked at again."""

MANY = 512
"""Connections that are read before the first of them is judged."""

SLICE = 0.002
"""Seconds of judging between which the event loop does other work."""


@dataclass
class _Found:
    """What becomes of some connections."""

    cut: list[Connection] = field(default_factory=list)
    healed: list[Connection] = field(default_factory=list)
    gone: list[Connection] = field(default_factory=list)

    def settle(self) -> None:
        """Make it so. Raises OSError."""
        connections.mark(self.cut, CUT, CUT)
        connections.mark(self.healed, 0, CUT)
        connections.forget(self.gone)


class Cutting:
    """Cuts what is forbidden, and lets go on what is allowed again.

    Args:
        worker: where connections are listed, so that pods are attached meanwhile.
        settled: are the rules in force that were decided?
    """

    def __init__(self, policing: Policing, worker: ThreadPoolExecutor, settled: Callable[[], bool]) -> None:
        self._policing = policing
        self._worker = worker
        self._settled = settled
        self._news = asyncio.Event()
        self._healed = 0.0

    def notice(self) -> None:
        """Take note that policy changed in the kernel."""
        self._news.set()

    async def run(self) -> None:
        """Cut for ever; where policy is nobody's business any more, let go on what was cut."""
        while not self._policing.wanted:
            with suppress(OSError):
                await asyncio.get_running_loop().run_in_executor(self._worker, heal)
                await asyncio.Event().wait()
            await asyncio.sleep(RETRY)
        while True:
            await self._news.wait()
            await asyncio.sleep(GATHER)
            self._news.clear()
            try:
                await self.once()
            except OSError as error:
                log.warning("cannot look at connections", extra={"error": str(error)})
                self._news.set()
                await asyncio.sleep(RETRY)

    async def once(self) -> int:
        """Look at the connections of what is affected; return how many were cut.

        Raises:
            OSError: not all could be looked at, or marked; all will be looked at next time.
        """
        affected = self._policing.affected() if self._settled() else Affected()
        if not affected or self._is_early(affected):
            return 0
        try:
            return await self._look(affected)
        except BaseException:
            self._policing.affect(affected)
            raise

    def _is_early(self, affected: Affected) -> bool:
        """Have what names alone have opened wait where somebody looked for such a moment ago."""
        if affected.addresses or affected.hosts:
            return False
        loop = asyncio.get_running_loop()
        wait = self._healed + HEAL - loop.time()
        if wait <= 0:
            self._healed = loop.time()
            return False
        self._policing.affect(affected)
        loop.call_later(wait, self.notice)
        return True

    async def _look(self, affected: Affected) -> int:
        loop = asyncio.get_running_loop()
        ways, count = _ways(affected, whole=self._policing.has_hosts), 0
        while some := await loop.run_in_executor(self._worker, next, ways, None):
            found = await self._judge(some, affected)
            await loop.run_in_executor(self._worker, found.settle)
            count += len(found.cut)
            if found.cut:
                log.info("cut connections", extra={"count": len(found.cut), "first": str(found.cut[0])})
        return count

    async def _judge(self, some: Iterable[tuple[Connection, Way]], affected: Affected) -> _Found:
        loop, found = asyncio.get_running_loop(), _Found()
        end = loop.time() + SLICE
        for each, way in some:
            if loop.time() > end:
                await asyncio.sleep(0)
                end = loop.time() + SLICE
            judge = self._policing.lasting()
            ends = (affected.addresses | affected.named).intersection((each.source, each.destination))
            if any(not judge.is_here(address) for address in ends):
                found.gone.append(each)
            elif judge.allows(way) is bool(each.mark & CUT):
                (found.healed if each.mark & CUT else found.cut).append(each)
        return found


def heal() -> None:
    """Let every connection go on that was cut: there is no policy any more. Raises OSError."""
    connections.mark(list(connections.marked(CUT, CUT)), 0, CUT)


def _ways(affected: Affected, *, whole: bool) -> Iterator[list[tuple[Connection, Way]]]:
    """Yield the connections that are affected, many at once.

    Args:
        affected: whose.
        whole: do interfaces matter, which connection tracking does not know? What leads to an end by now is
            taken for what it uses.
    """
    own = connections.own_addresses()
    links: dict[Address, str] = {}
    everybodys = whole and affected.hosts
    found = connections.listed((4, 6), among=None if everybodys else affected.addresses)
    if affected.hosts and not whole:  # there may have been host endpoints
        found = chain(found, connections.marked(CUT, CUT))
    elif affected.named and not everybodys:  # a name opens only what its pod began, and was cut
        marked = connections.marked(CUT, CUT)
        found = chain(found, (each for each in marked if each.source in affected.named))
    while some := list(islice(found, MANY)):
        ends = {end for each in some for end in (each.source, each.destination)} if whole else set()
        if new := ends - own - links.keys():
            links |= connections.ways(new)
        yield [(each, _way(each, own, links if whole else None)) for each in some]


def _way(each: Connection, own: frozenset[Address], links: dict[Address, str] | None) -> Way:
    packet = Packet(each.source, each.destination, each.protocol, each.source_port, each.port, each.icmp)
    came, left = (
        "" if end in own else (links.get(end) or None) if links is not None else None
        for end in (each.source, each.destination)
    )
    return Way(packet, (each.asked or each.destination, each.asked_port), came, left)


__all__ = ["Cutting", "heal"]
