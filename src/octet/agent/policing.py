"""Policy on its way to this node's kernel: the engine's contributions among everybody else's.

What lives here: when the engine is asked, and which running connections are looked at after.
What it must not know: what policies mean, the store, time.
"""

from collections.abc import Callable, Iterable, Mapping

from octet.agent.desired import Desired, merged
from octet.blueprint import Blueprint, Change
from octet.cluster.endpoint import Attachment, Endpoint
from octet.cluster.objects import Address
from octet.cluster.view import Learned, View, ViewChange
from octet.policy.engine import Engine, Owner
from octet.policy.gates import Gate
from octet.policy.judge import Packet
from octet.policy.naming import Naming
from octet.policy.told import Told


class Policing:
    """One node's policy. Without a gate it wants nothing, ever.

    Nothing is decided before ``begin``: half a view would allow what the other half forbids.

    Attributes:
        engine: None before ``begin``, and without a gate.
        naming: which destinations by name there are.
        on_news: told that ``flush`` has something to do.
        on_detach: told which endpoint goes, before it is gone.
    """

    def __init__(self, desired: Desired, gate: Gate | None) -> None:
        self.engine: Engine | None = None
        self.naming = Naming()
        self.on_news: Callable[[], None] = lambda: None
        self.on_detach: Callable[[Attachment], None] = lambda _key: None
        self._desired = desired
        self._gate = gate
        self._view: View | None = None
        self._ever: Learned = {}
        self._changes: list[ViewChange] = []

    def begin(self, view: View, endpoints: Iterable[Endpoint]) -> None:
        """Decide for the first time, about a whole view; the comparison with the kernel makes it true."""
        if self._gate is None or self.engine is not None:
            return
        self.engine = Engine(view, self._gate)
        self.engine.learn(view, self._ever)
        self._view = view
        self._changes.clear()
        self.engine.attach(*endpoints)
        self._take(self.engine.parts)

    def attach(self, endpoint: Endpoint) -> Change:
        """Return what an endpoint's policy changes in the kernel."""
        if self.engine is None:
            return Change()
        return merged([self.flush(), self._take(self.engine.attach(endpoint))])

    def detach(self, key: Attachment) -> Change:
        """Return what changes when an endpoint goes, and with it what it learned."""
        self.on_detach(key)
        return self._take(self.engine.detach(key)) if self.engine is not None else Change()

    def see(self, view: View, changes: Iterable[ViewChange]) -> None:
        """Take note of the next version of the view."""
        if self._gate is None:
            return
        self._view = view
        self._changes += changes
        if self.engine is not None and self._changes:
            self.on_news()

    def learn(self, view: View, ever: Learned) -> Change:
        """Take what names mean now, and what they ever meant; return what changes in the kernel."""
        self._ever = ever
        if self._gate is not None:
            self._view = view
        if self.engine is None:
            return Change()
        self.engine.learn(view, ever)
        return merged([self.flush(), self._take({})])

    def flush(self) -> Change:
        """Decide about what was noted; return what changes in the kernel."""
        if self.engine is None or self._view is None or not self._changes:
            return Change()
        changes, self._changes = self._changes, []
        return self._take(self.engine.see(self._view, changes))

    def affected(self) -> set[Address]:
        """Take away the addresses of endpoints about which something is decided otherwise."""
        if self.engine is None:
            return set()
        found, self.engine.affected = self.engine.affected, set()
        return found

    def doubt(self) -> None:
        """Have all endpoints' connections looked at: the kernel held something else than what is wanted."""
        if self.engine is not None:
            self.engine.affect_all()

    def may_go_on(self, packet: Packet) -> bool:
        """May a running connection go on that began with this packet?"""
        return self.engine is None or self.engine.judge(packet)

    def told(self) -> Mapping[str, Told]:
        """Return what the prefixes of logged packets stand for."""
        return self.engine.told() if self.engine is not None else {}

    def _take(self, parts: Mapping[Owner, Blueprint]) -> Change:
        """Give the contributions; what several owners hand over to each other is in the end no change.

        Who lets go comes last, so that an object which two owners want in turn is never away between.
        """
        if self.engine is not None and self._view is not None:
            parts = {**parts, **self.naming.settle(self._view, self.engine.outgoing())}
        ordered = sorted(parts.items(), key=lambda each: len(each[1]) == 0)
        return merged([self._desired.replace(owner, part) for owner, part in ordered])
