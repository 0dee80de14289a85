"""Deciding anew what a change touches, a slice at a time, into contributions.

What lives here: ``Turns``: from what is dirty to contributions by owner. What it must not know: changes of
the view, who waits for what.

Every slice is a transaction after which all that is in force is right. Where much is new, its sets come first
and are filled slice by slice, while nobody asks them, or while all that they let in is what old or new let
in. Then come, in one slice, the chains that ask, the entries that lead there, and all pods that are not what
they were. Where much goes, it goes last.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from octet.blueprint import Blueprint, KernelObject
from octet.blueprint.nft import DROP
from octet.cluster.endpoint import Attachment, Endpoint
from octet.cluster.netpol import EGRESS, INGRESS
from octet.cluster.objects import Address, Pod
from octet.cluster.view import Learned, View
from octet.policy import limits
from octet.policy.asking import NONE, Asking, Pair, entrances, identities
from octet.policy.attached import Attached
from octet.policy.dirty import Dirty
from octet.policy.gates import Gate, verdict
from octet.policy.groups import Candidate, Group
from octet.policy.holders import of_address
from octet.policy.hosts import Hosts, hosts
from octet.policy.indexing import Labelled
from octet.policy.lasting import Lasting
from octet.policy.limits import TooLargeError
from octet.policy.ordering import stages
from octet.policy.parts import NOTHING, Parts
from octet.policy.programs import Program, program
from octet.policy.refusing import refusable
from octet.policy.rules import Origin, Stage

FEW = 8
"""Groups that are asked one by one for their pods when they come or go."""

SLICE = 128
"""Addresses and elements that are decided about in one slice: a few milliseconds."""

WEIGHED = 1024
"""Elements that may come before what there is is compared with the limits again."""


class Turns:
    """What is chosen and contributed for one node's endpoints.

    Attributes:
        view: what is known now.
        attached: this node's endpoints.
        affected: addresses of endpoints about which something is decided otherwise than before.
        affected_hosts: is something decided otherwise about this node's host endpoints?
        asking: the programs that somebody has, or will.
        coming: programs that endpoints will have when what they ask is full.
        refused: policies that are too large, and why.
    """

    def __init__(self, view: View, gate: Gate) -> None:
        self.view = view
        self.attached = Attached()
        self.affected: set[Address] = set()
        self.affected_hosts = False
        self.asking = Asking()
        self.coming: dict[Attachment, Pair] = {}
        self.refused: dict[Origin, str] = {}
        self.parts = Parts({("policy", "base"): gate.base()})
        self._gate = gate
        self._chosen: dict[Attachment, Pair] = {}
        self._hosts: Hosts | None = None
        self._coming_hosts = Hosts()
        self._known: dict[tuple[object, ...], tuple[Stage, ...]] = {}
        self._labelled = Labelled()
        self._weighed = 0
        self._seen = view

    def begin(self) -> None:
        """Decide by what is known now: no turn is half done, and nothing else waits.

        Who belongs where is asked of this view until the next turn begins: by a newer one an old policy
        could let somebody in whom a newer policy, not in force yet, keeps out.
        """
        self._seen = self.view

    def take(self, view: View) -> None:
        """Take the next version of the view."""
        refused = {str(origin): words for origin, words in self.refused.items()}
        self.view = replace(view, refused=refused) if refused or view.refused else view

    def forget(self) -> None:
        """Forget which policies select whom."""
        self._known.clear()

    @property
    def has_hosts(self) -> bool:
        """Is something decided about this node's own interfaces?"""
        return self._hosts is not None and bool(self._hosts.programs)

    def outgoing(self) -> Iterator[tuple[Endpoint, tuple[Program, ...]]]:
        """Yield endpoints and the programs that their packets may go through: their own, and the hosts'."""
        others = (self._hosts or Hosts()).programs
        for key, (_, own) in self._chosen.items():
            endpoint = self.attached.get(key)
            if endpoint is not None:
                yield endpoint, (*([own] if own is not None else ()), *others)

    def lasting(self, ever: Learned) -> Lasting:
        """Return who judges running connections by now; names mean what they ever meant."""
        self.forget()
        view, local = replace(self.view, learned=ever), self.attached.local
        return Lasting(view, local, self._pod_at, self._stages, self._gate.ends)

    def _pod_at(self, address: Address) -> Pod | None:
        return self.attached.pod_at(address, self.view)

    def slices(self, dirty: Dirty, amid: Dirty | None = None) -> Iterator[None]:
        """Decide, and yield where what has changed so far may be made so.

        Amid another turn, or before one, endpoints come or go: where those belong is asked of what is known
        now, and of what that turn is about nothing is let go.
        """
        while True:
            try:
                yield from self._turn(dirty, amid)
            except TooLargeError as error:
                self._refuse(error, dirty)
            else:
                return

    def _turn(self, dirty: Dirty, amid: Dirty | None) -> Iterator[None]:
        now = self._seen if amid is None else self.view
        self._choose(dirty)
        self._regroup(dirty)
        come = len(dirty.members)
        if self._mixed(dirty):
            self._switch(dirty)
            self._regroup(dirty)
            self._decide(dirty, dirty.addresses, view=now)
            self._decide(dirty, dirty.members)
        elif come > SLICE or any(self._is_large(name, come) for name in dirty.programs):
            yield from self._fill(dirty)
        self._switch(dirty)
        self._decide(dirty, dirty.addresses, view=now)
        self._decide(dirty, dirty.members)
        self._regroup(dirty)
        if len(dirty.members) <= SLICE:
            self._decide(dirty, dirty.members, SLICE)
        while dirty.members:
            yield
            self._decide(dirty, dirty.members, SLICE)
        self._affect(dirty)
        for name in dirty.programs:
            if amid is None or name not in amid.programs:
                self._tidy(name)

    def _mixed(self, dirty: Dirty) -> bool:
        """Does an endpoint come to, or leave, a program that becomes another one meanwhile?

        What is filled or emptied slice by slice is right only for those who have both versions.
        """
        held = {name for name in dirty.programs if ("policy", "program", name) in self.parts}
        for key in dirty.endpoints:
            names = zip(entrances(self._chosen.get(key, NONE)), entrances(self.coming[key]), strict=True)
            if any(before != now and not held.isdisjoint((before, now)) for before, now in names):
                return True
        return False

    def _tidy(self, name: str) -> None:
        """Let go of a program's sets that nobody asks any more."""
        each = self.asking.programs.get(name)
        if each is None:
            self._forget(name)
        self.parts.replace(("policy", "sets", name), Blueprint(each.sets) if each is not None else NOTHING)

    def _choose(self, dirty: Dirty) -> None:
        """Choose the programs of endpoints and of this node's own interfaces; old ones stay in force."""
        self._known.clear()
        dirty.programs |= dict.fromkeys(self.asking.watching(dirty.sources) if dirty.sources else ())
        for key in dirty.endpoints:
            endpoint = self.attached.get(key)
            pod = self.attached.pod_of(endpoint, self.view) if endpoint is not None else None
            now = self.programs_of(endpoint, pod)
            for each in now:
                self.asking.use(each, 1, dirty)
            for each in self.coming.pop(key, NONE):
                self.asking.use(each, -1, dirty)
            self.coming[key] = now
        if dirty.hosts or self._hosts is None:
            before, self._coming_hosts = self._coming_hosts, hosts(self.view, self._gate.ends)
            for each in self._coming_hosts.programs:
                self.asking.use(each, 1, dirty)
            for each in before.programs:
                self.asking.use(each, -1, dirty)

    def _fill(self, dirty: Dirty) -> Iterator[None]:
        """Declare and fill the sets of what comes.

        All are declared before anything is yielded: who is attached meanwhile may be in any of them.
        """
        coming = {name: each for name in dirty.programs if (each := self.asking.programs.get(name))}
        for name, each in coming.items():
            self._declare(name, each)
        for name, each in coming.items():
            if ("policy", "program", name) not in self.parts and self.asking.programs.get(name) is each:
                for _ in self._hold(name, each):
                    yield
                    if self.asking.programs.get(name) is not each:
                        break  # who asked is detached meanwhile, and its sets are gone
        while dirty.members:
            self._decide(dirty, dirty.members, SLICE)
            yield

    def _declare(self, name: str, each: Program) -> bool:
        """Declare a program's sets beside those that its version before has; True where there are more."""
        held = self.parts.get(("policy", "sets", name), NOTHING)
        return self.parts.replace(("policy", "sets", name), Blueprint([*held, *each.sets])) is not None

    def _is_large(self, name: str, members: int) -> bool:
        """May a program that comes, or comes to ask more, be too much for a single slice?"""
        each = self.asking.programs.get(name)
        if each is None or len(each.entries) * members > SLICE:
            return each is not None
        return ("policy", "program", name) not in self.parts and each.size > SLICE

    def _switch(self, dirty: Dirty) -> None:
        """Put in force what was chosen."""
        for key in dirty.endpoints:
            if key in self.coming:
                self._lead(key, dirty)
        if (dirty.hosts or self._hosts is None) and self._hosts is not self._coming_hosts:
            before, self._hosts = self._hosts or Hosts(), self._coming_hosts
            self.affected_hosts |= before != self._hosts
            self.parts.replace(("policy", "hosts"), Blueprint(self._hosts.objects))
            for each in self._hosts.programs:  # as in force, beside the count as what comes
                self.asking.use(each, 1, dirty)
            for each in before.programs:
                self.asking.use(each, -1, dirty)
        for name in tuple(dirty.programs):
            self._enforce(name, dirty)
            self.asking.leave(name, dirty)

    def _lead(self, key: Attachment, dirty: Dirty) -> None:
        """Give an endpoint's entries in the dispatch maps."""
        endpoint, now, before = self.attached.get(key), self.coming.pop(key), self._chosen.pop(key, NONE)
        for each in before:
            self.asking.use(each, -1, dirty)
        if endpoint is None:
            for each in now:
                self.asking.use(each, -1, dirty)
            self.parts.replace(("policy", "endpoint", key), NOTHING)
            return
        self._chosen[key] = now
        self.parts.replace(("policy", "endpoint", key), self._entries(endpoint, now))
        if identities(now) != identities(before):
            self.affected.update(endpoint.addresses)

    def _entries(self, endpoint: Endpoint, now: Pair) -> Blueprint:
        if self.attached.pod_of(endpoint, self.view) is None and endpoint.pod:
            return self._gate.endpoint(endpoint, DROP, DROP)
        ingress, egress = (each.entrance if each is not None else None for each in now)
        outgoing = verdict(egress, other=ingress is not None)
        incoming = verdict(ingress, other=egress is not None)
        return self._gate.endpoint(endpoint, outgoing, incoming)

    def _enforce(self, name: str, dirty: Dirty) -> None:
        """Give a program's chains and sets; the sets of one that goes stay until they are empty."""
        each = self.asking.programs.get(name)
        chains = Blueprint(each.chains) if each is not None else NOTHING
        changed = self.parts.replace(("policy", "program", name), chains) is not None
        if each is not None:
            changed |= self._declare(name, each)
            changed |= any([*self._hold(name, each)])
        if changed:
            dirty.altered.add(name)

    def _hold(self, name: str, each: Program) -> Iterator[bool]:
        """Fill a program's sets with what is no pods'; yield whether a slice of it is another now."""
        items, number = each.held(self._seen), 0
        try:
            while part := list(islice(items, SLICE)):
                yield self.parts.replace(("policy", "held", name, number), Blueprint(part)) is not None
                self._weigh()
                number += 1
        except TooLargeError as error:
            raise TooLargeError(error.program or name) from None
        yield self._forget(name, number)

    def _forget(self, name: str, number: int = 0) -> bool:
        """Let go of the slices from a number on."""
        first = number
        while ("policy", "held", name, number) in self.parts:
            self.parts.replace(("policy", "held", name, number), NOTHING)
            number += 1
        return number > first

    def _decide(
        self, dirty: Dirty, addresses: dict[Address, None], most: int = 0, view: View | None = None
    ) -> None:
        """Decide which sets addresses are in: these, or as many of them as make a slice."""
        work = 0
        for address in tuple(addresses):
            owner = ("policy", "address", address)
            before, part = (
                len(self.parts.get(owner, NOTHING)),
                Blueprint(self._memberships(address, view or self._seen)),
            )
            touched = self.parts.replace(owner, part)
            del addresses[address]
            if touched:
                dirty.altered |= self.asking.of(touched)
                self._weigh()
                work += before + len(part)
            work += 1
            if most and work >= most:
                return

    def _memberships(self, address: Address, view: View) -> Iterable[KernelObject]:
        """Return what an address is in, by the pod that has it: of this node, or else by the API's word."""
        pod = self.attached.pod_at(address, view)
        if pod is None or pod.finished:
            return ()
        candidate = Candidate(view, pod)
        entries = (each for each in self.asking.groups.of(candidate) if address.version in each.families)
        return islice(of_address(address, pod, entries), limits.MOST_ON_NODE + 1)

    def _regroup(self, dirty: Dirty) -> None:
        """Note the members of groups that came or went; of many groups everybody, which is less to ask."""
        groups, dirty.groups = dirty.groups, {}
        if len(groups) > FEW:
            found = (address for pod in self._seen.pods.values() for address in self.attached.addresses(pod))
        else:
            found = (address for group in groups for address in self._members(group))
        dirty.members |= dict.fromkeys(address for address in found if address not in dirty.addresses)

    def _members(self, group: Group) -> Iterator[Address]:
        for pod in self._labelled.likely(group, self._seen):
            if group.has(Candidate(self._seen, pod)):
                yield from self.attached.addresses(pod)

    def programs_of(self, endpoint: Endpoint | None, pod: Pod | None) -> Pair:
        """Return the programs of an endpoint's two directions, to it and from it."""
        if endpoint is None or pod is None:
            return NONE
        families = tuple(address.version for address in endpoint.addresses)
        ingress, egress = (program(self._stages(pod, way), pod, way, families) for way in (INGRESS, EGRESS))
        return ingress, egress

    def _stages(self, pod: Pod, way: str) -> tuple[Stage, ...]:
        """Return the tiers of a pod; those of a Deployment have the same, and are asked about once."""
        key = (pod.namespace, frozenset(pod.labels.items()), pod.service_account, way)
        if key not in self._known:
            self._known[key] = stages(self.view, pod, way)
        return self._known[key]

    def _affect(self, dirty: Dirty) -> None:
        """Note the endpoints whose programs ask for sets that have other elements now."""
        for key, chosen in self._chosen.items():
            endpoint = self.attached.get(key)
            if endpoint is not None and any(each and each.entrance in dirty.altered for each in chosen):
                self.affected.update(endpoint.addresses)
        held = self._hosts.programs if self._hosts is not None else ()
        self.affected_hosts |= any(each.entrance in dirty.altered for each in held)

    def _weigh(self) -> None:
        """Refuse what is too large, before it has grown much beyond. Raises TooLargeError."""
        if self.parts.total - self._weighed < min(WEIGHED, limits.MOST_OF_ONE):
            self._weighed = min(self._weighed, self.parts.total)
            return
        self._weighed = self.parts.total
        sizes, total = self._sizes()
        name = max(sizes, key=lambda each: sizes[each], default="")
        if name and sizes[name] > limits.MOST_OF_ONE:
            raise TooLargeError(name)
        if total > limits.MOST_ON_NODE:
            raise TooLargeError

    def _sizes(self) -> tuple[dict[str, int], int]:
        """Return how many elements each program that stays asks for, and all of them together."""
        pairs = {**self._chosen, **self.coming}
        chosen = (each for pair in pairs.values() for each in pair if each is not None)
        names = {each.entrance for each in (*chosen, *self._coming_hosts.programs)}
        return self.asking.sizes(self.parts.sizes, names)

    def _refuse(self, error: TooLargeError, dirty: Dirty) -> None:
        """Isolate what the largest policy selects, and have that decided about first."""
        programs, (sizes, _) = self.asking.programs, self._sizes()
        names = [error.program] if error.program in programs else list(sizes)
        held = [(programs[name], sizes.get(name, 0)) for name in names]
        origin = refusable([(each.rules, size) for each, size in held if each.rules], self.view)
        self.refused[origin] = error.words
        self.take(self.view)
        inside = self.attached.inside(origin.namespace) if origin.namespace else iter(self.attached)
        dirty.endpoints |= dict.fromkeys(inside)
        dirty.hosts = True
        self._weighed = 0
