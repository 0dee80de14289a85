"""How a block becomes a node's, and stops being it: claims in two phases, each step a compare-and-swap.

What lives here: pending claim, block, confirmed claim; pending deletion, block gone, claim gone. A node gives
out addresses of confirmed claims alone. What it must not know: which block to want.
Source: libcalico-go/lib/ipam/ipam_block_reader_writer.go (getPendingAffinity, claimAffineBlock,
releaseBlockAffinity).

Who dies after the first step leaves a pending claim (absent for everybody else; its node takes it up or
withdraws it, or who collects what the node held); after the second a block whose claim is pending: alike.
"""

from collections.abc import Callable

from msgspec.structs import replace

from octet.cluster.blocks import CONFIRMED, PENDING, PENDING_DELETION, Affinity, Block
from octet.cluster.reading import Network
from octet.errors import NotFoundError
from octet.ipam.blocks import block as change
from octet.ipam.blocks import steps
from octet.ipam.blocks.steps import AFFINITY, BLOCK, Create, RaceError, Steps, Update

RECLAIMED_AFTER = 60.0
"""Seconds since its claim before another node may take an empty block (EmptyBlockMinReclaimAge)."""

Fill = Callable[[Block], Block]
"""What the claiming node allocates in the block in the same write that makes it."""


def claim(node: str, cidr: Network, now: float, fill: Fill) -> Steps[Block | None]:
    """Make a block a node's and confirm it; None where it is somebody else's, or was taken away meanwhile.

    Where the node has it already, as when it died on the way, this goes on from there.
    """
    pending = yield from _pending(node, cidr)
    if pending is None:
        return None
    wanted = change.written(fill(change.new(cidr, node, now)))
    try:
        made = Block.from_object((yield Create(BLOCK, wanted.to_object())))
    except RaceError:
        held = yield from steps.block(cidr)
        if held is None or held.host != node:
            yield from withdraw(node, cidr)
            return None
        made = held
    return made if (yield from _confirm(node, cidr)) else None


def confirm(node: str, held: Block) -> Steps[bool]:
    """Take up the claim of a block that says it is the node's; False where that is not so any more."""
    current = (yield from steps.affinity(node, held.cidr)) or (yield from _pending(node, held.cidr))
    found = yield from steps.block(held.cidr)
    if found is None or found.host != node:
        yield from withdraw(node, held.cidr)
        return False
    if current is None or current.state == CONFIRMED:
        return current is not None
    # One that somebody began to delete is confirmed without being pending again: its routes stay.
    return (yield from _write(replace(current, state=CONFIRMED))) is not None


def release(
    node: str, cidr: Network, empty: Fill, *, only_empty: bool, sequence: int | None = None
) -> Steps[bool]:
    """Give a block up: deleted where it is empty, else nobody's until its last address is free.

    Args:
        node: whose it is.
        cidr: the block's.
        empty: takes out of it what its owner holds ready.
        only_empty: leave it as it is where addresses are in use.
        sequence: leave it as it is where it was written since it had this number.

    Returns:
        Whether the node has it no longer.
    """
    held = yield from steps.affinity(node, cidr)
    found = yield from steps.block(cidr)
    if found is None or found.host != node:
        return (held is None) or (yield from steps.gone(AFFINITY, held))
    left = empty(found)
    if (only_empty and not change.cooled(left)) or sequence not in (None, found.sequence):
        return False
    if held is not None:
        held = yield from _write(replace(held, state=PENDING_DELETION))
    if not (yield from _let_go(found, left)):
        return False
    return (held is None) or (yield from steps.gone(AFFINITY, held))


def _let_go(found: Block, left: Block) -> Steps[bool]:
    if change.cooled(left):
        return (yield from steps.gone(BLOCK, found))
    try:
        yield Update(BLOCK, change.written(replace(left, affinity="", claimed="")).to_object())
    except (RaceError, NotFoundError):
        return False
    return True


def _pending(node: str, cidr: Network) -> Steps[Affinity | None]:
    """Return the node's claim, new or as it is, pending unless it is confirmed; None after a lost race."""
    try:
        return Affinity.from_object((yield Create(AFFINITY, Affinity(node, cidr).to_object())))
    except RaceError:
        held = yield from steps.affinity(node, cidr)
    if held is None:
        return None
    return held if held.state == CONFIRMED else (yield from _write(replace(held, state=PENDING)))


def _confirm(node: str, cidr: Network) -> Steps[bool]:
    held = yield from steps.affinity(node, cidr)
    if held is None:
        return False
    if held.state == CONFIRMED:
        return True
    return (yield from _write(replace(held, state=CONFIRMED))) is not None


def withdraw(node: str, cidr: Network) -> Steps[None]:
    """Delete a node's claim of a block, where there is one."""
    held = yield from steps.affinity(node, cidr)
    if held is not None:
        yield from steps.gone(AFFINITY, held)


def _write(wanted: Affinity) -> Steps[Affinity | None]:
    try:
        return Affinity.from_object((yield Update(AFFINITY, wanted.to_object())))
    except (RaceError, NotFoundError):
        return None
