"""Policy on its way to this node's kernel: the engine's contributions among everybody else's.

What lives here: when the engine is asked, and which running connections are looked at after.
What it must not know: what policies mean, the store, time.
"""

import logging
from collections.abc import Callable, Iterable, Mapping

from octet.agent.desired import Desired, merged
from octet.blueprint import Blueprint, Change
from octet.cluster.endpoint import Attachment, Endpoint
from octet.cluster.objects import Address
from octet.cluster.view import View, ViewChange
from octet.policy.engine import Engine, Owner
from octet.policy.gates import Gate
from octet.policy.judge import Packet
from octet.policy.told import Told

log = logging.getLogger(__name__)


class Policing:
    """One node's policy. Without a gate it wants nothing, ever.

    Nothing is decided before ``begin``: half a view would allow what the other half forbids.

    Attributes:
        engine: None before ``begin``, and without a gate.
        on_news: told that ``flush`` has something to do.
    """

    def __init__(self, desired: Desired, gate: Gate | None) -> None:
        self.engine: Engine | None = None
        self.on_news: Callable[[], None] = lambda: None
        self._desired = desired
        self._gate = gate
        self._view: View | None = None
        self._changes: list[ViewChange] = []
        self._told: set[tuple[str, str]] = set()

    def begin(self, view: View, endpoints: Iterable[Endpoint]) -> None:
        """Decide for the first time, about a whole view; the comparison with the kernel makes it true."""
        if self._gate is None or self.engine is not None:
            return
        self.engine = Engine(view, self._gate)
        self._changes.clear()
        self.engine.attach(*endpoints)
        self._take(self.engine.parts)

    def attach(self, endpoint: Endpoint) -> Change:
        """Return what an endpoint's policy changes in the kernel; what has nothing to do with it waits."""
        if self.engine is None:
            return Change()
        self._note(self.engine)
        return self._take(self.engine.attach(endpoint))

    def detach(self, key: Attachment) -> Change:
        """Return what changes when an endpoint goes."""
        return self._take(self.engine.detach(key)) if self.engine is not None else Change()

    def see(self, view: View, changes: Iterable[ViewChange]) -> None:
        """Take note of the next version of the view."""
        if self._gate is None:
            return
        self._view = view
        self._changes += changes
        if self.engine is not None and self._changes:
            self.on_news()

    def learn(self, view: View, ever: Mapping[str, frozenset[Address]]) -> Change:
        """Take what names mean now, and what they ever meant; return what changes in the kernel."""
        if self.engine is None:
            return Change()
        return merged([self.flush(), self._take(self.engine.learn(view, ever))])

    def flush(self) -> Change:
        """Decide about all that was noted; return what changes in the kernel."""
        if self.engine is None:
            return Change()
        self._note(self.engine)
        return self._take(self.engine.settle())

    @property
    def waits(self) -> bool:
        """Is there anything for ``step``?"""
        return self.engine is not None and (self.engine.waits or bool(self._changes))

    def step(self) -> Change:
        """Decide about a slice of what was noted, and tell if more waits; return its change."""
        if self.engine is None:
            return Change()
        self._note(self.engine)
        change = self._take(self.engine.step()) if self.engine.waits else Change()
        if self.engine.waits:
            self.on_news()
        return change

    def _note(self, engine: Engine) -> None:
        if self._view is not None and self._changes:
            changes, self._changes = self._changes, []
            engine.note(self._view, changes)

    def affected(self) -> set[Address]:
        """Take away the addresses of endpoints about which something is decided otherwise."""
        if self.engine is None:
            return set()
        found = set(self.engine.affected)
        self.engine.affected.clear()
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

    @property
    def refused(self) -> Mapping[str, str]:
        """Policies that are too large to be enforced, and why; the pods that they select are isolated."""
        return self.engine.refused if self.engine is not None else {}

    def _tell(self) -> None:
        for policy, reason in self.refused.items() - self._told:
            log.error("a policy is refused", extra={"policy": policy, "reason": reason})
        self._told = set(self.refused.items())

    def _take(self, parts: Mapping[Owner, Blueprint]) -> Change:
        """Give the contributions; what several owners hand over to each other is in the end no change.

        Who lets go comes last, so that an object which two owners want in turn is never away between.
        """
        self._tell()
        ordered = sorted(parts.items(), key=lambda each: len(each[1]) == 0)
        return merged([self._desired.replace(owner, part) for owner, part in ordered])
