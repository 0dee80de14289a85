"""Policy of one node, kept up to date: contributions by owner, decided anew only where a change touches them.

What lives here: from changes of the view and of this node's endpoints to what is to be decided, and when.
Only policies that select an endpoint of this node come to anything. Pure. What it must not know: how anything
is decided (``turns``), the kernel, timing.
"""

from collections.abc import Iterable, Iterator, Mapping

from octet.blueprint import Blueprint
from octet.blueprint.base import union
from octet.cluster.endpoint import Attachment, Endpoint
from octet.cluster.objects import Address
from octet.cluster.view import Learned, View, ViewChange
from octet.policy.asking import Pair
from octet.policy.dirty import Dirty
from octet.policy.gates import Gate
from octet.policy.lasting import Lasting
from octet.policy.noting import note, same
from octet.policy.parts import Owner
from octet.policy.programs import Program
from octet.policy.told import Told
from octet.policy.turns import Turns


class Engine:
    """What policy wants of one node's table. Not thread-safe.

    Every method that changes something returns the contributions that are different now, an empty one where
    an owner has none any more; together they are one transaction.
    """

    def __init__(self, view: View, gate: Gate) -> None:
        self._turns = Turns(view, gate)
        self._ever: Learned = view.learned
        self._noted = Dirty()
        self._amid: tuple[Dirty, Iterator[None]] | None = None

    @property
    def parts(self) -> Mapping[Owner, Blueprint]:
        """All contributions."""
        return self._turns.parts

    @property
    def affected(self) -> set[Address]:
        """Addresses of endpoints, some of them gone, about which something is decided otherwise than before.

        Who looks at running connections clears it.
        """
        return self._turns.affected

    @property
    def affected_hosts(self) -> bool:
        """Is something decided otherwise about this node's host endpoints? Cleared like ``affected``."""
        return self._turns.affected_hosts

    @affected_hosts.setter
    def affected_hosts(self, affected: bool) -> None:
        self._turns.affected_hosts = affected

    @property
    def has_hosts(self) -> bool:
        """Is something decided about this node's own interfaces?"""
        return self._turns.has_hosts

    @property
    def refused(self) -> Mapping[str, str]:
        """Policies that are too large to be enforced, and why; what they select is isolated."""
        return self._turns.view.refused

    @property
    def local(self) -> Mapping[Address, tuple[str, str]]:
        """Which pod (namespace, name) has an address of this node, whatever its status says yet."""
        return self._turns.attached.local

    @property
    def waits(self) -> bool:
        """Is there anything for ``step``?"""
        return self._amid is not None or bool(self._noted)

    def blueprint(self) -> Blueprint:
        """Return everything together."""
        return union(self.parts.values())

    def told(self) -> dict[str, Told]:
        """Return what the prefixes of logged packets stand for, as long as there are such rules."""
        return {told.prefix: told for each in self._turns.asking.programs.values() for told in each.told}

    def attach(self, *endpoints: Endpoint) -> dict[Owner, Blueprint]:
        """Take endpoints in, or their next versions; many at once cost much less than one by one.

        What was noted waits where it has nothing to do with them.
        """
        changed = self.settle() if self._concerned(endpoints) else {}
        dirty = Dirty()
        for endpoint in endpoints:
            self._leave(endpoint.attachment, dirty)
            self._turns.attached.keep(endpoint)
            dirty.endpoints[endpoint.attachment] = None
            dirty.addresses |= dict.fromkeys(endpoint.addresses)
        return changed | self._at_once(dirty)

    def detach(self, key: Attachment) -> dict[Owner, Blueprint]:
        """Let an endpoint go; nothing where it is not known."""
        dirty = Dirty()
        self._leave(key, dirty)
        return self._at_once(dirty)

    def _leave(self, key: Attachment, dirty: Dirty) -> None:
        endpoint = self._turns.attached.drop(key)
        if endpoint is not None:
            dirty.endpoints[key] = None
            dirty.addresses |= dict.fromkeys(endpoint.addresses)
            self.affected.update(endpoint.addresses)

    def _at_once(self, dirty: Dirty) -> dict[Owner, Blueprint]:
        if not self.waits:
            self._turns.begin()
        waiting = self._amid[0] if self._amid is not None else self._noted
        for _ in self._turns.slices(dirty, waiting if self.waits else None):
            pass
        return self._taken()

    def _taken(self) -> dict[Owner, Blueprint]:
        """Take away the contributions that are different now."""
        return self._turns.parts.taken()

    def is_selected(self, endpoint: Endpoint) -> bool:
        """Does any policy select an endpoint, attached or not?"""
        self._turns.forget()
        return any(self._programs(endpoint))

    def _programs(self, endpoint: Endpoint) -> Pair:
        return self._turns.programs_of(endpoint, self._turns.attached.pod_of(endpoint, self._turns.view))

    def _concerned(self, endpoints: Iterable[Endpoint]) -> bool:
        """Is what waits about any of these, or about the programs that they will have?"""
        waiting = [self._noted, *([self._amid[0]] if self._amid is not None else [])]
        if not any(waiting):
            return False
        turns = self._turns
        turns.forget()
        mine = [each for one in endpoints for each in self._programs(one) if each is not None]
        names = {each.entrance for each in mine}
        sources = {source for each in mine for source in each.watches}
        keys = {each.attachment for each in endpoints}
        amid = {each.entrance for pair in turns.coming.values() for each in pair if each is not None}
        return not names.isdisjoint(amid) or any(
            not (keys.isdisjoint(each.endpoints) and names.isdisjoint(each.programs))
            or not sources.isdisjoint(each.sources)
            for each in waiting
        )

    def see(self, view: View, changes: Iterable[ViewChange]) -> dict[Owner, Blueprint]:
        """Take the next version of the view, and decide about all that changed."""
        self.note(view, changes)
        return self.settle()

    def note(self, view: View, changes: Iterable[ViewChange]) -> None:
        """Take the next version of the view; ``step`` or ``settle`` decide about what changed."""
        refused = self._turns.refused
        for change in changes:
            for each in [each for each in refused if same(change, each)]:
                del refused[each]
            note(change, view, self._turns.attached, self._noted)
        self._turns.take(view)

    def learn(self, view: View, ever: Learned) -> None:
        """Take a view in which only names mean something else; connections to what they ever meant go on."""
        self._turns.take(view)
        self._ever = ever

    def outgoing(self) -> Iterator[tuple[Endpoint, tuple[Program, ...]]]:
        """Yield endpoints and the programs that their packets may go through: their own, and the hosts'."""
        return self._turns.outgoing()

    def settle(self) -> dict[Owner, Blueprint]:
        """Decide about all that was noted."""
        changed: dict[Owner, Blueprint] = {}
        while self.waits:
            changed |= self.step()
        return changed

    def step(self) -> dict[Owner, Blueprint]:
        """Decide about a slice of what was noted; ``waits`` tells whether there is more."""
        if self._amid is None:
            dirty, self._noted = self._noted, Dirty()
            self._turns.begin()
            self._amid = dirty, self._turns.slices(dirty)
        if next(self._amid[1], self) is self:
            self._amid = None
        return self._taken()

    def lasting(self) -> Lasting:
        """Return who judges running connections, as long as nothing changes."""
        return self._turns.lasting(self._ever)

    def affect_all(self) -> None:
        """Note all endpoints, where nobody knows what was decided before."""
        self.affected.update(self._turns.attached.local)
        self.affected_hosts = True


__all__ = ["Engine", "Owner"]
