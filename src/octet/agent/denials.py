"""Denied packets on their way to people: heard of from the kernel, named, counted by policy.

What lives here: from a logged packet to a line, from chains' counters to totals.
What it must not know: rules, HTTP, how lines are kept (``flows``).

Hearing costs at most ``nflog.MOST`` datagrams every ``PAUSE``; what comes faster waits in a small buffer, and
what does not fit there is lost and counted. Totals come from the kernel's own counters and lose nothing.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from octet.agent.flows import Flow, Flows
from octet.agent.metrics import DeniedPackets
from octet.cluster.calico_rules import NUMBERS
from octet.cluster.objects import Address, Node
from octet.cluster.view import View
from octet.kernel import headers
from octet.kernel.headers import Headers
from octet.kernel.nflog import Listener, Logged
from octet.kernel.nft import counters
from octet.policy.told import DENIED, LOG_GROUP, Told

log = logging.getLogger(__name__)

PAUSE = 0.1
"""Seconds between two readings of what was logged."""

COUNTING = 2.0
"""Seconds between two readings of the counters."""

SHARE = 20
"""With thousands of policies, counting takes no more than one part in so many of the time."""

LOGGED_LINES = 5
"""Lines that one reading puts into the agent's own log at most."""

_NAMES = {number: name for name, number in NUMBERS.items()}
_VERDICTS = {DENIED: "denied"}


class Denials:
    """Tells of one node's denied packets.

    Args:
        flows: where lines go.
        totals: where counts go.
        told: what log prefixes stand for now.
        view: what is known now.
        worker: where counters are read, so that pods are attached meanwhile.
    """

    def __init__(
        self,
        flows: Flows,
        totals: DeniedPackets,
        told: Callable[[], Mapping[str, Told]],
        view: Callable[[], View],
        worker: ThreadPoolExecutor,
    ) -> None:
        self.flows = flows
        self._totals = totals
        self._told = told
        self._view = view
        self._worker = worker
        self._known: Mapping[str, Told] = {}
        self._nodes: tuple[object, Mapping[Address, Node]] = (None, {})

    async def run(self) -> None:
        """Hear and count for ever; where nobody may listen, only count."""
        try:
            listener = Listener(LOG_GROUP)
        except OSError as error:
            log.warning("denied packets are counted, not told", extra={"error": str(error)})
            await self._count()
            return
        with listener:
            await asyncio.gather(self._hear(listener), self._count())

    async def _hear(self, listener: Listener) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await _readable(loop, listener.fileno())
            self.take(listener.drain(), listener)
            await asyncio.sleep(PAUSE)

    def take(self, packets: Iterable[Logged], listener: Listener | None = None) -> None:
        """Take packets in that were logged; what no rule of ours says is left out."""
        lines, asked = 0, False
        for each in packets:
            if each.prefix not in self._known and not asked:
                self._known, asked = self._told(), True
            meaning, found = self._known.get(each.prefix), headers.read(each.packet)
            if meaning is None or found is None:
                continue
            line = self.flows.add(self._flow(meaning, found))
            if line is not None and lines < LOGGED_LINES:
                lines += 1
                log.info("%s", line.verdict, extra={"flow": line})
        self._totals.untold(self.flows.untold, listener.lost if listener is not None else 0)

    def _flow(self, told: Told, found: Headers) -> Flow:
        return Flow(
            verdict=_VERDICTS.get(told.action, "logged"),
            direction=told.direction,
            policy=str(told.policy),
            tier=told.tier,
            source=self._name(found.source),
            source_address=str(found.source),
            destination=self._name(found.destination),
            destination_address=str(found.destination),
            protocol=_NAMES.get(found.protocol, str(found.protocol)),
            port=found.port or 0,
            source_port=found.source_port or 0,
            icmp="/".join(map(str, found.icmp)) if found.icmp is not None else "",
        )

    def _name(self, address: Address) -> str:
        """Return who has an address, or the address."""
        view = self._view()
        pod = view.pods.at(address)
        if pod is not None:
            return f"{pod.namespace}/{pod.name}"
        if self._nodes[0] is not view.nodes:
            held = {each: node for node in view.nodes.values() for each in node.internal_ips}
            self._nodes = (view.nodes, held)
        node = self._nodes[1].get(address)
        return node.name if node is not None else str(address)

    async def _count(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            begin = time.monotonic()
            self._known = self._told()
            told = {each.chain: each for each in self._known.values() if each.chain}
            try:
                found = await loop.run_in_executor(self._worker, counters.packets, list(told)) if told else {}
                self._totals.read({told[chain]: count for chain, count in found.items()})
            except OSError as error:
                log.warning("cannot read counters", extra={"error": str(error)})
            await asyncio.sleep(max(COUNTING, (time.monotonic() - begin) * SHARE))


async def _readable(loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
    """Wait until a descriptor is readable."""
    ready = loop.create_future()

    def notice() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(descriptor, notice)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)
