"""What can be done to one block, as values: take, assign, hand over, free, let cool down.

What lives here: every change of a block; each returns the next one, to be written by compare-and-swap.
What it must not know: stores, other blocks, which pool it is of.
Source: libcalico-go/lib/ipam/ipam_block.go, design/ipam/ipam-core-library.md ("IP release and cooldown").
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from msgspec.structs import replace

from octet.cluster.blocks import HOST, Allocation, Block
from octet.cluster.reading import Address, Network

Usable = Callable[[Address], bool]
"""May an address be given to who didn't ask for it by name?"""


def stamp(now: float) -> str:
    """Return a time (seconds since 1970) as the API writes it (RFC 3339)."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(text: str) -> float:
    """Return what ``stamp`` wrote as seconds since 1970; 0 for anything that is no time."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


def new(cidr: Network, node: str, now: float) -> Block:
    """Return a block of a node with every address free.

    Its sequence starts at the time: an address of a block made anew isn't taken for the earlier one's.
    """
    size = cidr.num_addresses
    free, sequence = tuple(range(size)), int(now * 1e9)
    return Block(cidr, f"{HOST}{node}", stamp(now), (None,) * size, free, sequence)


def take(block: Block, count: int, owner: Allocation, usable: Usable) -> tuple[Block, tuple[Address, ...]]:
    """Allocate some of the free addresses, the longest free first; fewer where there are not as many."""
    chosen: list[int] = []
    for at in block.free:
        if len(chosen) >= count:
            break
        if usable(block.address(at)):
            chosen.append(at)
    return _allocated(block, chosen, owner), tuple(block.address(at) for at in chosen)


def assign(block: Block, address: Address, owner: Allocation) -> Block | None:
    """Allocate an address by name; None where it is not free."""
    at = block.position(address)
    return _allocated(block, [at], owner) if block.slots[at] is None else None


def hand_over(block: Block, changes: Iterable[tuple[Address, Allocation]]) -> Block:
    """Give allocated addresses other owners; their sequence stays: nobody else had them in between."""
    slots = list(block.slots)
    for address, owner in changes:
        at = block.position(address)
        held = slots[at]
        slots[at] = replace(owner, sequence=held.sequence if held is not None else block.sequence)
    return replace(block, slots=tuple(slots))


def free(block: Block, addresses: Iterable[Address], now: float, cooldown: int = 0) -> Block:
    """Give addresses up; with a cool-down (seconds) they are nobody's until it is over.

    What is free already, or cools down, stays as it is: giving up twice is no error.
    """
    slots, order = list(block.slots), list(block.free)
    for address in addresses:
        at = block.position(address)
        held = slots[at]
        if held is None or held.released:
            continue
        if cooldown:
            slots[at] = Allocation(released=stamp(now), sequence=held.sequence)
        else:
            slots[at] = None
            order.append(at)
    return replace(block, slots=tuple(slots), free=tuple(order))


def give_back(block: Block, addresses: Iterable[Address]) -> Block:
    """Free addresses that nobody used: no cool-down, and before those that somebody did."""
    slots = list(block.slots)
    returned = [at for at in map(block.position, addresses) if slots[at] is not None]
    for at in returned:
        slots[at] = None
    return replace(block, slots=tuple(slots), free=(*returned, *block.free))


def warmed(block: Block, now: float, cooldown: int) -> Block:
    """Free what has cooled down for long enough, the first released first."""
    over = sorted(
        (slot.released, at)
        for at, slot in enumerate(block.slots)
        if slot is not None and slot.released and seconds(slot.released) + cooldown <= now
    )
    if not over:
        return block
    slots = list(block.slots)
    for _, at in over:
        slots[at] = None
    return replace(block, slots=tuple(slots), free=(*block.free, *(at for _, at in over)))


def cooled(block: Block) -> bool:
    """Is every address free, but for those that cool down?"""
    return all(slot is None or slot.released for slot in block.slots)


def written(block: Block) -> Block:
    """Return the block as it is to be written: each write has a sequence number of its own."""
    return replace(block, sequence=block.sequence + 1)


def _allocated(block: Block, positions: Iterable[int], owner: Allocation) -> Block:
    chosen, slots = frozenset(positions), list(block.slots)
    for at in chosen:
        slots[at] = replace(owner, sequence=block.sequence)
    left = tuple(at for at in block.free if at not in chosen) if chosen else block.free
    return replace(block, slots=tuple(slots), free=left)
