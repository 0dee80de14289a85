"""What domain names mean, learned from the answers that pods with policies about names get.

What lives here: from a copied answer to another view, and its end when its time is over.
What it must not know: DNS' format (``policy.names``), what a policy does with a name.

The kernel copies answers here (NFLOG) and passes them on at once: it need not wait for us, and resolving
works while no agent runs. A pod that connects within the milliseconds until its answer is in the rules sends
its first packet in vain, and TCP repeats it. Holding answers back would need NFQUEUE, which kernels may lack,
as does the one of this project's test machine.
"""

import asyncio
import logging
import time
from collections.abc import Iterable

from octet.agent.network import Network
from octet.kernel import headers
from octet.kernel.nflog import Listener, Logged
from octet.policy import names
from octet.policy.gates import NAMES_GROUP

log = logging.getLogger(__name__)

LARGEST = 4096
"""Bytes of an answer that are copied: what resolvers send by UDP (RFC 6891, 6.2.5)."""

_UDP_HEADER = 8
RESOLVER = ("k8s-app", "kube-dns")
"""The label of the cluster's resolvers in kube-system (CoreDNS, kube-dns)."""


class Learning:
    """Keeps the network's view of names true."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._book = names.Book()
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Learn and forget for ever; where nobody may listen, names mean nothing."""
        try:
            listener = Listener(NAMES_GROUP, size=LARGEST, together=1, delay=0)
        except OSError as error:
            log.warning("names in policies mean nothing", extra={"error": str(error)})
            await asyncio.Event().wait()
            return
        loop = asyncio.get_running_loop()
        with listener:
            loop.add_reader(listener.fileno(), lambda: self.take(listener.drain(), time.monotonic()))
            try:
                await self._forget()
            finally:
                loop.remove_reader(listener.fileno())

    def take(self, packets: Iterable[Logged], now: float) -> None:
        """Take copied answers in; the rules know before this returns."""
        fresh = False
        for each in packets:
            answer = self._answer(each.packet)
            if answer is not None:
                fresh |= self._book.learn(answer, now)
        if fresh:
            self._tell()
        self._news.set()

    def _answer(self, packet: bytes) -> names.Answer | None:
        found = headers.read(packet)
        if found is None or found.protocol != 17 or not self._trusted(found):
            return None
        start = (packet[0] & 0xF) * 4 if found.source.version == 4 else 40
        return names.read(packet[start + _UDP_HEADER :])

    def _trusted(self, found: headers.Headers) -> bool:
        """Is the answer of a resolver that pods cannot be: the cluster's own, or beyond all pods?"""
        view = self._network.view
        pod = view.pods.at(found.source)
        if pod is None:
            return not any(found.source in cidr for cidr in view.pod_cidrs)
        return pod.namespace == "kube-system" and pod.labels.get(RESOLVER[0]) == RESOLVER[1]

    async def _forget(self) -> None:
        while True:
            self._news.clear()
            end = self._book.next()
            try:
                async with asyncio.timeout(None if end is None else max(end - time.monotonic(), 0.0)):
                    await self._news.wait()
            except TimeoutError:
                if self._book.expire(time.monotonic()):
                    self._tell()

    def _tell(self) -> None:
        self._network.learn(self._book.now(), self._book.ever())
