"""What is left of nodes that are gone: addresses, claims and blocks, freed once their pods are gone, too.

What lives here: ``Collector``. Every agent has one, and each thing is one agent's to collect, as the names of
the nodes decide; two at once do no harm. What it must not know: tasks, stores.
Source: design/ipam/ipam-gc.md: valid until proven leaked; two observations with the same sequence number
before anything is freed; all addresses of a handle or none.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from octet.cluster.blocks import Block
from octet.cluster.reading import Address, Network
from octet.cluster.view import View
from octet.errors import NotFoundError
from octet.ipam.blocks import block as change
from octet.ipam.blocks import claiming, handles, steps
from octet.ipam.blocks.candidates import place
from octet.ipam.blocks.steps import BLOCK, RaceError, Steps, Update

GRACE = 60.0
"""Seconds for which a Node, and then its pods, must have been gone."""

Seen = dict[tuple[Network, Address], int]
"""Addresses that nobody used when they were last looked at, and their sequence numbers."""


@dataclass(slots=True)
class Departed:
    """A node that isn't there any more.

    Attributes:
        since: when that was first seen, seconds since 1970; after a look, when that was.
        seen: what was leaked at that look; None before the first.
    """

    since: float
    seen: Seen | None = None


class Collector:
    """One agent's share of what is to be collected.

    Args:
        node: the agent's.
    """

    def __init__(self, node: str) -> None:
        self._node = node
        self._departed: dict[str, Departed] = {}
        self._looked: dict[Network, float] = {}
        self._seen: tuple[object, ...] | None = None
        self._absent: frozenset[str] = frozenset()

    def next(self, view: View, now: float) -> Steps[None] | None:
        """Return the next thing to collect, or None. The view must be whole: what it lacks counts as gone."""
        gone = self._gone(view)
        for name in self._departed.keys() - gone:
            del self._departed[name]
        for name in gone:
            departed = self._departed.setdefault(name, Departed(now))
            if departed.since + GRACE <= now and self._mine(view, name):
                return self._look(view, name, departed, now)
        return next(self._orphans(view, now), None)

    def _gone(self, view: View) -> frozenset[str]:
        """Return the nodes that are named and not there; most views differ in other things."""
        seen = (view.nodes, view.blocks, view.affinities)
        if self._seen is None or any(new is not old for new, old in zip(seen, self._seen, strict=True)):
            self._seen, self._absent = seen, _named(view) - view.nodes.keys()
        return self._absent

    def _mine(self, view: View, name: str) -> bool:
        """Is it this agent that collects a thing? One of the ready nodes, the same by everybody's view."""
        ready = [node.name for node in view.nodes.values() if node.ready] or [self._node]
        return min(ready, key=lambda each: (place(f"{name} {each}"), each)) == self._node

    def _look(self, view: View, name: str, departed: Departed, now: float) -> Steps[None]:
        departed.since = now
        everything = yield from steps.blocks()
        blocks = [each for each in everything if name in _nodes(each)]
        leaked, whole = _leaked(view, blocks, name)
        proven = {key: number for key, number in leaked.items() if (departed.seen or {}).get(key) == number}
        confirmed, departed.seen = departed.seen is not None, leaked
        if not confirmed:
            return
        for handle in {_slot_handle(blocks, cidr, address) for cidr, address in proven} - {""}:
            yield from handles.keep(handle, {})
        for each in blocks:
            addresses = {address: number for (cidr, address), number in proven.items() if cidr == each.cidr}
            clear = partial(_clear, name, each.cidr, addresses, now, whole=whole)
            yield from steps.persistent(clear, str(each.cidr))
        for claim in (yield from steps.affinities()):
            if claim.node == name and (yield from steps.block(claim.cidr)) is None:
                yield from steps.gone(steps.AFFINITY, claim)

    def _orphans(self, view: View, now: float) -> Iterator[Steps[None]]:
        """Yield the deletion of blocks that are nobody's and unused, once nothing cools down in them."""
        for block in view.blocks.of_node("").values():
            if self._looked.get(block.cidr, 0.0) + GRACE <= now and self._mine(view, block.name):
                self._looked[block.cidr] = now
                cooldown = next((each.cooldown for each in view.ipam_config.values()), 0)
                yield _delete_orphan(block.cidr, now, cooldown)


def _named(view: View) -> frozenset[str]:
    """Return every node that a block or a claim names."""
    claims = (node for each in view.affinities.values() for node in each.nodes)
    return frozenset([*claims, *(node for each in view.blocks.values() for node in each.nodes)]) - {""}


def _nodes(block: Block) -> frozenset[str]:
    return frozenset({block.host, *(slot.node for slot in block.slots if slot is not None)}) - {""}


def _leaked(view: View, blocks: Iterable[Block], name: str) -> tuple[Seen, bool]:
    """Return the addresses of a node that no pod has, of a handle all or none; and are those all it has?"""
    found: dict[str, Seen] = {}
    alive = set()
    for block in blocks:
        for at, slot in enumerate(block.slots):
            if slot is None or slot.node != name or slot.released:
                continue
            address = block.address(at)
            group = slot.handle or f"{block.cidr} {at}"
            found.setdefault(group, {})[block.cidr, address] = slot.sequence
            if view.pods.at(address) is not None:
                alive.add(group)
    dead = {
        key: number for group, seen in found.items() if group not in alive for key, number in seen.items()
    }
    return dead, not alive


def _slot_handle(blocks: Iterable[Block], cidr: Network, address: Address) -> str:
    slot = next((each.at(address) for each in blocks if each.cidr == cidr), None)
    return slot.handle if slot is not None else ""


def _clear(name: str, cidr: Network, proven: dict[Address, int], now: float, *, whole: bool) -> Steps[None]:
    """Free what is proven to be leaked in one block; with the whole node, also its claim of the block."""

    def empty(block: Block) -> Block:
        kept = {address: block.at(address) for address in proven}
        freed = [each for each, slot in kept.items() if slot is not None and slot.sequence == proven[each]]
        return change.free(block, freed, now)

    found = yield from steps.block(cidr)
    if found is None:
        return
    if found.host == name and whole:
        if not (yield from claiming.release(name, cidr, empty, only_empty=False)):
            raise RaceError(f"{cidr} changed")
        return
    left = empty(found)
    if left == found:
        return
    if not left.affinity and left.empty:
        if not (yield from steps.gone(BLOCK, found)):
            raise RaceError(f"{cidr} changed")
        return
    try:
        yield Update(BLOCK, change.written(left).to_object())
    except NotFoundError:
        return


def _delete_orphan(cidr: Network, now: float, cooldown: int) -> Steps[None]:
    found = yield from steps.block(cidr)
    if found is not None and not found.affinity and change.warmed(found, now, cooldown).empty:
        yield from steps.gone(BLOCK, found)
