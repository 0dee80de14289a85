"""Running connections that a policy forbids are cut, once the rules that forbid them are in force.

What lives here: from affected endpoints to connections that are forgotten; their next packet is judged anew.
What it must not know: what policies say (``Policing`` is asked), how connection tracking is spoken to.
"""

import asyncio
import logging
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from octet.agent.policing import Policing
from octet.cluster.objects import Address
from octet.kernel import connections
from octet.kernel.connections import Connection
from octet.policy.judge import Packet

log = logging.getLogger(__name__)

GATHER = 0.01
"""Seconds in which changes gather: one look at the connections serves them all."""


class Cutting:
    """Cuts what is forbidden.

    Args:
        worker: where connections are listed, so that pods are attached meanwhile.
    """

    def __init__(self, policing: Policing, worker: ThreadPoolExecutor) -> None:
        self._policing = policing
        self._worker = worker
        self._news = asyncio.Event()

    def notice(self) -> None:
        """Take note that policy changed in the kernel."""
        self._news.set()

    async def run(self) -> None:
        """Cut for ever."""
        while True:
            await self._news.wait()
            await asyncio.sleep(GATHER)
            self._news.clear()
            try:
                await self.once()
            except OSError as error:
                log.warning("cannot look at connections", extra={"error": str(error)})

    async def once(self) -> int:
        """Look at the connections of affected endpoints; return how many were cut."""
        affected = self._policing.affected()
        if not affected:
            return 0
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._worker, _of, affected)
        forbidden = [each for each in found if not self._policing.may_go_on(_packet(each))]
        if forbidden:
            await loop.run_in_executor(self._worker, connections.cut, forbidden)
            log.info("cut connections", extra={"count": len(forbidden), "first": str(forbidden[0])})
        return len(forbidden)


def _of(addresses: Collection[Address]) -> list[Connection]:
    """Return the connections of some pods; those that this node began are not policed, and left out."""
    own = connections.own_addresses()
    families = sorted({address.version for address in addresses})
    return [
        each
        for each in connections.listed(families)
        if (each.source in addresses or each.destination in addresses) and each.source not in own
    ]


def _packet(each: Connection) -> Packet:
    return Packet(each.source, each.destination, each.protocol, each.source_port, each.port, each.icmp)
