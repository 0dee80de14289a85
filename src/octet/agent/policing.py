"""Policy on its way to this node's kernel: the engine's contributions among everybody else's.

What lives here: when the engine is asked, and which running connections are looked at after.
What it must not know: what policies mean, the store, time.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from octet.agent.desired import Desired, merged
from octet.blueprint import Blueprint, Change
from octet.cluster.endpoint import Attachment, Endpoint
from octet.cluster.objects import Address
from octet.cluster.view import Learned, View, ViewChange
from octet.errors import NotReadyError
from octet.policy.engine import Engine, Owner
from octet.policy.gates import Gate
from octet.policy.lasting import Lasting
from octet.policy.naming import Naming, opened
from octet.policy.told import Told

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Affected:
    """What something is decided otherwise about.

    Attributes:
        addresses: of this node's endpoints, or of such that are gone.
        hosts: are this node's host endpoints?
        named: addresses of endpoints that may reach more by name, so that what was cut of theirs may go on.
    """

    addresses: frozenset[Address] = frozenset()
    hosts: bool = False
    named: frozenset[Address] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.addresses or self.named) or self.hosts


class Policing:
    """One node's policy. Without a gate it wants nothing, ever.

    Nothing is decided before ``begin``: half a view would allow what the other half forbids.

    Attributes:
        engine: None before ``begin``, and without a gate.
        naming: which destinations by name there are.
        on_news: told that ``step`` has something to do.
        on_affected: told that something is decided otherwise about running connections.
        on_detach: told which endpoint goes, before it is gone.
        behind: does the kernel lack something that was decided? Pods with policies are not attached then.
    """

    def __init__(self, desired: Desired, gate: Gate | None) -> None:
        self.engine: Engine | None = None
        self.naming = Naming()
        self.behind = False
        self.on_news: Callable[[], None] = lambda: None
        self.on_affected: Callable[[], None] = lambda: None
        self.on_detach: Callable[[Attachment], None] = lambda _key: None
        self._desired = desired
        self._gate = gate
        self._view: View | None = None
        self._ever: Learned = {}
        self._changes: list[ViewChange] = []
        self._told: set[tuple[str, str]] = set()
        self._lasting: Lasting | None = None
        self._named: set[Address] = set()

    @property
    def wanted(self) -> bool:
        """Does this node's model have policies?"""
        return self._gate is not None

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
        """Return what an endpoint's policy changes in the kernel; what has nothing to do with it waits.

        Raises:
            NotReadyError: the kernel lacks what its policies may build on; nothing has changed.
        """
        if self.engine is None:
            return Change()
        self._note(self.engine)
        if self.behind and self.engine.is_selected(endpoint):
            raise NotReadyError("the kernel does not hold all that policies say yet")
        return self._take(self.engine.attach(endpoint))

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
        self._note(self.engine)
        return self._take({})

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
        change = self._take(self.engine.step() if self.engine.waits else {})
        if self.engine.waits:
            self.on_news()
        return change

    def _note(self, engine: Engine) -> None:
        if self._view is not None and self._changes:
            changes, self._changes = self._changes, []
            engine.note(self._view, changes)

    @property
    def has_hosts(self) -> bool:
        """Has this node host endpoints?"""
        return self.engine is not None and self.engine.has_hosts

    def affected(self) -> Affected:
        """Take away what something is decided otherwise about."""
        if self.engine is None:
            return Affected()
        engine, named = self.engine, frozenset(self._named - self.engine.affected)
        found = Affected(frozenset(engine.affected), engine.affected_hosts, named)
        self.engine.affected.clear()
        self._named.clear()
        self.engine.affected_hosts = False
        return found

    def affect(self, affected: Affected) -> None:
        """Give back what was taken away and not looked at."""
        if self.engine is not None:
            self.engine.affected.update(affected.addresses)
            self.engine.affected_hosts |= affected.hosts
            self._named |= affected.named

    def doubt(self) -> None:
        """Have all endpoints' connections looked at: the kernel held something else than what is wanted."""
        if self.engine is not None:
            self.engine.affect_all()

    def lasting(self) -> Lasting:
        """Return who judges running connections until something changes.

        Raises:
            NotReadyError: nothing is decided yet.
        """
        if self.engine is None:
            raise NotReadyError("nothing is known of policies yet")
        if self._lasting is None:
            self._lasting = self.engine.lasting()
        return self._lasting

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
        if self.engine is not None and self._view is not None:
            names = self.naming.settle(self._view, self.engine.outgoing(), self.engine.local)
            self._named.update(opened(names))
            parts = {**parts, **names}
        self._tell()
        self._lasting = None
        if self.engine is not None and (self.engine.affected or self.engine.affected_hosts or self._named):
            self.on_affected()
        ordered = sorted(parts.items(), key=lambda each: len(each[1]) == 0)
        return merged([self._desired.replace(owner, part) for owner, part in ordered])
