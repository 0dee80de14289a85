"""What domain names mean, learned from the answers that pods with policies about names get.

What lives here: from copied questions and answers to another view, to the journal, and to the end of a time.
What it must not know: DNS' format (``policy.names``), what a policy does with a name, rules.

The kernel copies packets here (NFLOG) and passes them on at once: it need not wait for us, and resolving
works while no agent runs. A pod that connects within the milliseconds until its answer is in the rules sends
its first packet in vain, and TCP repeats it. Holding answers back would need NFQUEUE, which kernels may lack,
as does the one of this project's test machine.

An answer is believed if it comes from a resolver that the node's configuration knows (``policy.copying``), to
a question that this pod asked it a moment ago, about a name that a policy of this pod is about.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable

from octet.agent.endpoints import Endpoints
from octet.agent.journal import Journal
from octet.agent.metrics import Names
from octet.agent.network import Network
from octet.cluster.endpoint import Attachment
from octet.cluster.objects import Address
from octet.cluster.resolvers import Resolvers
from octet.kernel import headers
from octet.kernel.headers import Headers
from octet.kernel.nflog import Listener, Logged
from octet.policy import names
from octet.policy.book import Book, Lesson, Meaning
from octet.policy.copying import NAMES_GROUP
from octet.policy.groups import covers
from octet.policy.naming import Naming
from octet.policy.questions import Question, Questions
from octet.policy.streams import Streams

log = logging.getLogger(__name__)

LARGEST = 4096
"""Bytes of a packet that are copied: what resolvers send by UDP (RFC 6891, 6.2.5)."""

PAUSE = 0.02
"""Seconds between two changes of the rules: answers that come faster gather, however many pods ask."""

SWEEP = 10.0
"""Seconds between two looks at what else may have changed: the node's resolvers, a disk that was full."""

_TCP, _UDP, _SYN = 6, 17, 2


class Learning:
    """Keeps the network's view of names true.

    Args:
        naming: who asks, about which names, and whom to believe.
        counted: where outcomes go.
        resolvers: says whom to believe now.
    """

    def __init__(
        self,
        network: Network,
        naming: Naming,
        endpoints: Endpoints,
        journal: Journal,
        counted: Names,
        resolvers: Callable[[], Resolvers],
    ) -> None:
        self._network = network
        self._naming = naming
        self._endpoints = endpoints
        self._journal = journal
        self._counted = counted
        self._resolvers = resolvers
        self._book: Book[Attachment] = Book()
        self._questions: Questions[Attachment] = Questions()
        self._streams: Streams[Attachment] = Streams()
        self._believed = Resolvers()
        self._places: dict[Attachment, tuple[Address, ...]] = {}
        self._now: dict[Address, Meaning] = {}
        self._ever: dict[Address, Meaning] = {}
        self._changed: set[Attachment] = set()
        self._unsaved: set[Attachment] = set()
        self._told = self._swept = 0.0
        self._warned = False
        self._news = asyncio.Event()

    def recall(self, now: float) -> None:
        """Take back in what was known, before anything is decided: what a name allowed goes on."""
        self._believed = self._resolvers()
        for key, until in self._journal.learned().items():
            self._book.recall(key, until, now)
            if self._attached(key):
                self._changed.add(key)
            else:
                self.forget(key)
        self._tell(now)

    def forget(self, key: Attachment) -> None:
        """Drop what an endpoint learned that goes: whoever has its address next asks for itself."""
        self._questions.forget(key)
        self._streams.forget(key)
        if not self._book.pages(key):
            return
        self._book.forget(key)
        self._save(key)
        self._unsaved.discard(key)
        self._changed.discard(key)
        for address in self._places.pop(key, ()):
            self._now.pop(address, None)
            self._ever.pop(address, None)
        self._tell(time.monotonic())

    async def run(self) -> None:
        """Learn and forget for ever; where nobody may listen, names mean nothing new."""
        try:
            listener = Listener(NAMES_GROUP, size=LARGEST, together=1, delay=0)
        except OSError as error:
            log.warning("names in policies mean nothing", extra={"error": str(error)})
            await self._follow()
            return
        loop = asyncio.get_running_loop()
        with listener:
            loop.add_reader(listener.fileno(), self._drain, listener)
            try:
                await self._follow()
            finally:
                loop.remove_reader(listener.fileno())

    def _drain(self, listener: Listener) -> None:
        self.take(listener.drain(), time.monotonic())
        self._counted.lost = listener.lost

    async def _follow(self) -> None:
        while True:
            self._news.clear()
            try:
                async with asyncio.timeout(max(self.due() - time.monotonic(), 0.0)):
                    await self._news.wait()
            except TimeoutError:
                self.look(time.monotonic())

    def due(self) -> float:
        """Return when to ``look`` next."""
        waiting = [self._told + PAUSE] if self._changed else []
        end = self._book.next()
        return min([self._swept + SWEEP, *waiting, *([end] if end is not None else [])])

    def look(self, now: float) -> None:
        """Let go of what has run out, and tell what has changed."""
        self._changed.update(self._book.expire(now))
        if self._changed:
            self._tell(now)
        if now - self._swept < SWEEP:
            return
        self._swept = now
        before, self._believed = self._believed, self._resolvers()
        if self._believed != before:
            self._tell(now)
        for key in tuple(self._unsaved):
            self._save(key)
        if self._naming.problem and not self._warned:
            log.warning(self._naming.problem)
        self._warned = bool(self._naming.problem)

    def take(self, packets: Iterable[Logged], now: float) -> None:
        """Take copied packets in; unless others came a moment ago the rules know before this returns."""
        for each in packets:
            self._read(each.packet, now)
        if self._changed and now - self._told >= PAUSE:
            self._tell(now)
        self._news.set()

    def _read(self, packet: bytes, now: float) -> None:
        found = headers.read(packet)
        if found is None or found.protocol not in (_TCP, _UDP) or found.source_port is None:
            return
        body = headers.body(packet)
        for message in [body] if found.protocol == _UDP else self._streamed(found, packet, body):
            said = names.read(message)
            if said is not None:
                self._hear(found, said, now)
            elif found.source in self._naming.resolvers:
                self._counted.count("unreadable")

    def _streamed(self, found: Headers, packet: bytes, body: bytes) -> Iterable[bytes]:
        """Return the messages of a TCP packet; answers only of a stream that is known from its start on."""
        key = self._naming.asker(found.destination)
        if key is None or found.source not in self._naming.resolvers:
            return names.in_stream(body)
        sequence, flags = headers.segment(packet)
        flow = (found.destination, found.port or 0, found.source, found.source_port or 0)
        if flags & _SYN:
            self._streams.begin(key, flow, sequence)
            return ()
        messages = self._streams.take(key, flow, sequence, body) if body else []
        if messages is None:
            self._counted.count("out of order")
        return messages or ()

    def _hear(self, found: Headers, said: names.Message, now: float) -> None:
        """Take note of a question, or learn from an answer."""
        here, there = (found.source, found.source_port or 0), (found.destination, found.port or 0)
        own, other = (there, here) if said.answer else (here, there)
        key = self._naming.asker(own[0])
        if key is None or other[0] not in self._naming.resolvers:
            self._counted.count("not believed")
            return
        if not covers(self._naming.domains(key), said.name):
            return
        question = Question(found.protocol, *own, *other, said.number, said.name, said.kind)
        if not said.answer:
            self._questions.ask(key, question, now)
        elif not self._questions.answered(key, question, now):
            self._counted.count("not asked")
        elif said.truncated:
            self._counted.count("truncated")
        elif said.addresses:
            self._learn(key, said, now)

    def _learn(self, key: Attachment, said: names.Message, now: float) -> None:
        if not self._attached(key):
            return
        lesson = self._book.learn(key, said.name, said.addresses, said.seconds, now)
        self._counted.count("learned")
        self._save(key, lesson)
        if lesson.fresh:
            self._changed.add(key)

    def _save(self, key: Attachment, lesson: Lesson | None = None) -> None:
        """Write what is new, or all where something could not be written; before the rules allow it."""
        try:
            if lesson is not None and key not in self._unsaved:
                self._journal.learn(key, lesson.kept, lesson.gone)
            else:
                self._journal.unlearn(key)
                self._journal.learn(key, self._book.pages(key))
        except OSError as error:
            if not self._unsaved:
                log.warning("cannot remember what names mean", extra={"error": str(error)})
            self._unsaved.add(key)
        else:
            self._unsaved.discard(key)

    def _tell(self, now: float) -> None:
        """Have what names mean in force."""
        for key in self._changed:
            self._now |= dict.fromkeys(self._places[key], self._book.now(key))
            self._ever |= dict.fromkeys(self._places[key], self._book.ever(key))
        self._changed.clear()
        self._told = now
        self._network.learn(dict(self._now), dict(self._ever), self._believed)

    def _attached(self, key: Attachment) -> bool:
        """Find the addresses of an endpoint; False where it is none any more."""
        entry = self._endpoints.get(key)
        if entry is not None:
            self._places[key] = entry.endpoint.addresses
        return entry is not None
