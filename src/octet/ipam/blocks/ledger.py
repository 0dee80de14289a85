"""What blocks say of this node's addresses, set against what the node says.

What lives here: ``Ledger``: taking in a block that was read, and the block as it should be written. Whatever
half-done thing an earlier agent left in a block is found here. What it must not know: when to read or write.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from octet.cluster.blocks import Allocation, Block
from octet.cluster.reading import Address, Network
from octet.ipam.blocks import block as change
from octet.ipam.blocks.shelf import Shelf
from octet.ipam.blocks.stock import is_stock


@dataclass(frozen=True, slots=True)
class Stranger:
    """An address that a block says is in use on this node, and the node knows nothing of.

    Attributes:
        since: when it was first seen, seconds since 1970.
        slot: what the block said.
    """

    cidr: Network
    since: float
    slot: Allocation


class Ledger:
    """This node's part of the blocks.

    Args:
        freed: addresses that the journal says were given up: what a block has of them is no pod's.

    Attributes:
        dirty: addresses of which their block says something else than the node.
        strangers: see there.
        lost: addresses that somebody here has and somebody else, too, by their block; a sentence each.
    """

    def __init__(self, shelf: Shelf, freed: Iterable[Address] = ()) -> None:
        self.dirty: dict[Address, None] = dict.fromkeys(shelf.held)
        self.strangers: dict[Address, Stranger] = {}
        self.lost: dict[Address, str] = {}
        self._shelf = shelf
        self._freed = set(freed)
        self._homes: dict[Address, Network] = {}
        self._blocks: dict[Network, Block] = {}
        shelf.on_change = self._changed

    @property
    def blocks(self) -> tuple[Network, ...]:
        """Every block that this node has an address in, or had when it was last read."""
        return tuple(self._blocks)

    def home(self, address: Address) -> Network | None:
        """Return the block of an address of this node; None where none is known."""
        return self._homes.get(address)

    def read(self, cidr: Network) -> Block | None:
        """Return a block as it was last read or written."""
        return self._blocks.get(cidr)

    def of(self, cidr: Network, addresses: Iterable[Address]) -> Iterator[Address]:
        """Yield those addresses that are of a block."""
        return (address for address in addresses if self._homes.get(address) == cidr)

    def counts(self, handle: str) -> dict[Network, int]:
        """Return how many addresses of a handle are in use on this node, by block."""
        found: dict[Network, int] = {}
        for address in self._shelf.held:
            cidr, says = self._homes.get(address), self._shelf.says(address)
            if cidr is not None and says is not None and says.handle == handle:
                found[cidr] = found.get(cidr, 0) + 1
        return found

    def parted(self, block: Block) -> frozenset[str]:
        """Return the handles that a block has addresses of which this node gives to nobody or to another."""
        found = set()
        for address in self.of(block.cidr, self._homes):
            slot, says = block.at(address), self._shelf.says(address)
            if slot is not None and slot.node == self._shelf.node and address not in self.strangers:
                found |= {slot.handle} - {says.handle if says is not None else "", ""}
        return frozenset(found)

    def take_in(self, block: Block, now: float, order: Sequence[Address] = ()) -> None:
        """Take note of a block as it is in the store; nothing of this node's may be in flight for it.

        Args:
            block: as it was read or written.
            now: seconds since 1970.
            order: addresses that were allocated by this write, the longest free first.
        """
        self._blocks[block.cidr] = block
        if block.host != self._shelf.node:
            self._shelf.disowned(block.cidr)
        elif block.cidr not in self._shelf.own:
            self._shelf.shut.add(block.cidr)
        ready: list[Address] = []
        ranks = {address: rank for rank, address in enumerate(order)}

        def use(at: int) -> tuple[int, int]:
            slot = block.slots[at]
            return (slot.sequence if slot is not None else 0), ranks.get(block.address(at), at)

        for at in sorted(range(len(block.slots)), key=use):
            address, slot = block.address(at), block.slots[at]
            if slot is not None and slot.node == self._shelf.node and not slot.released:
                self._mine(block, address, slot, ready, now)
            else:
                self._not_mine(block, address, slot)
        self._shelf.stock.add(block.cidr, ready)
        if not any(True for _ in self.of(block.cidr, self._homes)) and block.host != self._shelf.node:
            del self._blocks[block.cidr]

    def forget(self, cidr: Network) -> None:
        """Take note that a block is gone: what is in use in it has no block any more."""
        self._blocks.pop(cidr, None)
        self._shelf.disowned(cidr)
        for address in tuple(self.of(cidr, self._homes)):
            self._shelf.stock.remove(address)
            for each in (self._shelf.leaving, self._shelf.parting, self.strangers):
                each.pop(address, None)
            del self._homes[address]
            self._changed(address)

    def wanted(self, block: Block, now: float) -> Block:
        """Return a block with all that this node says of its addresses; what it frees is parting now."""
        shelf, cooldown = self._shelf, self._shelf.rules.config.cooldown
        made = change.warmed(block, now, cooldown)
        for address in self.of(block.cidr, shelf.held):
            says, slot = shelf.says(address), made.at(address)
            if says is None or address in self.lost:
                continue
            if slot is None:
                made = change.assign(made, address, says) or made
            elif not _same(slot, says):
                made = change.hand_over(made, [(address, says)])
        leaving = {address: shelf.leaving[address] for address in self.of(block.cidr, shelf.leaving)}
        made = change.give_back(made, [each for each, since in leaving.items() if since is None])
        made = change.free(
            made, [each for each, since in leaving.items() if since is not None], now, cooldown
        )
        for address, since in leaving.items():
            del shelf.leaving[address]
            shelf.parting[address] = since
        return made

    def part(self, cidr: Network) -> None:
        """Take everything of a block that is ready off the shelf: it is about to be freed."""
        for address in self._shelf.stock.of(cidr):
            self._shelf.stock.remove(address)
            self._shelf.parting[address] = None

    def stripped(self, block: Block) -> Block:
        """Return a block without what this node has ready in it."""
        mine = [
            block.address(at)
            for at, slot in enumerate(block.slots)
            if slot is not None and is_stock(slot, self._shelf.node)
        ]
        return change.give_back(block, mine)

    def _mine(
        self, block: Block, address: Address, slot: Allocation, ready: list[Address], now: float
    ) -> None:
        shelf, stock = self._shelf, is_stock(slot, self._shelf.node)
        self._homes[address] = block.cidr
        self.lost.pop(address, None)
        self._mend(address, slot)
        if address in shelf.parting:
            since = shelf.parting.pop(address)
            if stock and since is None:
                ready.append(address)
            else:
                shelf.leaving[address] = since
                self.dirty[address] = None
        elif shelf.knows(address):
            self.strangers.pop(address, None)
        elif stock:
            ready.append(address)
        elif address in self._freed:
            shelf.leaving[address] = now
            self.dirty[address] = None
        elif "type" not in slot.owner and slot.handle:
            known = self.strangers.get(address)
            if known is None or known.slot.sequence != slot.sequence:
                self.strangers[address] = Stranger(block.cidr, now, slot)

    def _not_mine(self, block: Block, address: Address, slot: Allocation | None) -> None:
        shelf = self._shelf
        self.strangers.pop(address, None)
        self._freed.discard(address)
        shelf.stock.remove(address)
        shelf.leaving.pop(address, None)
        shelf.parting.pop(address, None)
        if shelf.holder(address) is None:
            self.lost.pop(address, None)
            self._homes.pop(address, None)
            self.dirty.pop(address, None)
            return
        self._homes[address] = block.cidr
        if slot is None or slot.released:
            self.dirty[address] = None
        else:
            owner = slot.handle or slot.node or "nobody known"
            self.lost[address] = f"{address} is in use here, and by block {block.cidr} it is {owner}'s"
            self.dirty.pop(address, None)

    def _mend(self, address: Address, slot: Allocation) -> None:
        """Note whether the block says of an address what the node does."""
        says = self._shelf.says(address)
        if (says is not None and not _same(slot, says)) or address in self._shelf.leaving:
            self.dirty[address] = None
        else:
            self.dirty.pop(address, None)

    def _changed(self, address: Address) -> None:
        if self._shelf.holder(address) is not None:
            self._freed.discard(address)
        else:
            self.lost.pop(address, None)
        if self._shelf.knows(address):
            self.dirty[address] = None
        else:
            self.dirty.pop(address, None)


def _same(slot: Allocation, says: Allocation) -> bool:
    """Do two allocations say the same, but for when it was?"""
    return replace(slot, owner=_timeless(slot), sequence=0) == replace(
        says, owner=_timeless(says), sequence=0
    )


def _timeless(slot: Allocation) -> dict[str, str]:
    return {key: value for key, value in slot.owner.items() if key != "timestamp"}
