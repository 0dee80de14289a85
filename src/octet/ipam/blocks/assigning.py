"""Addresses out of the store for one owner: by Calico's order, by name, by handle back.

What lives here: ``auto_assign`` (own blocks, then a claim, then borrowing unless affinity is strict),
``assign``, ``release``. What it must not know: what addresses are for.
Source: libcalico-go/lib/ipam/ipam.go (autoAssign, AssignIP, ReleaseByHandle).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from octet.cluster.blocks import Allocation, Block
from octet.cluster.pools import TUNNEL, IPPool, pool_of
from octet.cluster.reading import Address, Network
from octet.errors import BadConfigurationError, NotFoundError
from octet.ipam.blocks import block as change
from octet.ipam.blocks import claiming, handles, steps
from octet.ipam.blocks.candidates import Taken, cidr_of, place
from octet.ipam.blocks.selection import Rules, Wish
from octet.ipam.blocks.steps import BLOCK, RaceError, Steps, Update


@dataclass(frozen=True, slots=True)
class Want:
    """So many addresses for one owner.

    Attributes:
        pools: in the order to try them.
        owner: what the block is to say of each.
        claims: may a block be claimed for it?
        borrows: may it be an address of another node's block? Strict affinity forbids it in any case.
        blocks: how many the node has already.
    """

    count: int
    pools: tuple[IPPool, ...]
    owner: Allocation
    claims: bool = True
    borrows: bool = True
    blocks: int = 0


@dataclass(frozen=True, slots=True)
class Got:
    """What was allocated.

    Attributes:
        blocks: those that were written, as they are now.
    """

    addresses: tuple[Address, ...] = ()
    blocks: tuple[Block, ...] = ()

    def __add__(self, other: "Got") -> "Got":
        return Got((*self.addresses, *other.addresses), (*self.blocks, *other.blocks))


def owner_of(handle: str, node: str, **more: str) -> Allocation:
    """Return what a block says of an address with a handle on a node."""
    return Allocation(handle, {"node": node, **more})


def auto_assign(rules: Rules, want: Want, own: Iterable[Network], now: float) -> Steps[Got]:
    """Allocate addresses; fewer where there are less.

    Args:
        rules: the node's, and what the cluster allows.
        want: how many, out of which pools, for whom.
        own: those of the node's blocks, with claims confirmed, that may have room.
        now: seconds since 1970.

    The handle's object, where the owner has a handle, is written by whoever keeps handles (``handles``).
    """
    own = tuple(own)
    got = yield from _from_own(rules, want, own, now)
    if len(got.addresses) >= want.count or not want.pools or not (want.claims or want.borrows):
        return got
    everything = yield from steps.blocks()
    if want.claims and rules.config.claims and want.blocks < rules.config.most_blocks:
        got += yield from _from_claim(rules, want, want.count - len(got.addresses), everything, now)
    if len(got.addresses) < want.count and want.borrows and not rules.config.strict_affinity:
        got += yield from _borrowed(rules, want, want.count - len(got.addresses), everything, now)
    return got


def _from_own(rules: Rules, want: Want, own: tuple[Network, ...], now: float) -> Steps[Got]:
    got = Got()
    for cidr in own:
        if len(got.addresses) < want.count and pool_of(want.pools, cidr.network_address) is not None:
            missing = want.count - len(got.addresses)
            got += yield from _take(rules, want, missing, cidr, now, host=rules.node)
    return got


def _take(
    rules: Rules, want: Want, count: int, cidr: Network, now: float, *, host: str | None = None
) -> Steps[Got]:
    """Allocate in one block; nothing where it is not the host's any more."""
    return (yield from steps.persistent(partial(_take_once, rules, want, count, cidr, now, host), str(cidr)))


def _take_once(
    rules: Rules, want: Want, count: int, cidr: Network, now: float, host: str | None
) -> Steps[Got]:
    found = yield from steps.block(cidr)
    if found is None or host not in (None, found.host):
        return Got()
    warm = change.warmed(found, now, rules.config.cooldown)
    left, addresses = change.take(warm, count, want.owner, rules.usable)
    if not addresses:
        return Got()
    try:
        made = Block.from_object((yield Update(BLOCK, change.written(left).to_object())))
    except NotFoundError:
        return Got()
    return Got(addresses, (made,))


def _from_claim(
    rules: Rules, want: Want, count: int, everything: tuple[Block, ...], now: float
) -> Steps[Got]:
    """Claim one block more, first one that nobody has, else one that is another node's and empty for long."""
    taken = Taken(each.cidr for each in everything)
    fill = partial(_fill, rules, want, count)
    for cidr in taken.unclaimed(want.pools, rules.node):
        if not any(map(rules.usable, cidr)):
            continue
        made = yield from claiming.claim(rules.node, cidr, now, fill)
        if made is not None:
            return _got(made, want.owner)
    for idle in _reclaimable(rules, want, everything, now):
        if (
            yield from claiming.release(
                idle.host, idle.cidr, _as_it_is, only_empty=True, sequence=idle.sequence
            )
        ):
            made = yield from claiming.claim(rules.node, idle.cidr, now, fill)
            if made is not None:
                return _got(made, want.owner)
    return Got()


def _fill(rules: Rules, want: Want, count: int, block: Block) -> Block:
    return change.take(block, count, want.owner, rules.usable)[0]


def _got(made: Block, owner: Allocation) -> Got:
    """Return what the owner has in a block that was just claimed, or had been."""
    mine = [
        made.address(at)
        for at, slot in enumerate(made.slots)
        if slot is not None and (slot.handle, slot.owner) == (owner.handle, owner.owner) and not slot.released
    ]
    return Got(tuple(mine), (made,))


def _reclaimable(rules: Rules, want: Want, everything: tuple[Block, ...], now: float) -> list[Block]:
    return [
        each
        for each in everything
        if each.host not in ("", rules.node)
        and pool_of(want.pools, each.cidr.network_address) is not None
        and change.cooled(each)
        and any(map(rules.usable, each.cidr))
        and change.seconds(each.claimed) + claiming.RECLAIMED_AFTER <= now
    ]


def _as_it_is(block: Block) -> Block:
    return block


def _borrowed(rules: Rules, want: Want, count: int, everything: tuple[Block, ...], now: float) -> Steps[Got]:
    """Allocate in blocks that are not the node's own, in an order of the node's own."""
    others = [
        each
        for each in everything
        if each.host != rules.node
        and not each.affinity.startswith("virtual:")
        and pool_of(want.pools, each.cidr.network_address) is not None
    ]
    got = Got()
    for each in sorted(others, key=lambda block: place(f"{rules.node} {block.cidr}")):
        if len(got.addresses) < count:
            got += yield from _take(rules, want, count - len(got.addresses), each.cidr, now)
    return got


def assign(rules: Rules, address: Address, owner: Allocation, now: float) -> Steps[Got]:
    """Allocate an address by name, also a reserved one; nothing where it is another's.

    Its block is claimed where nobody has it; another node's block is borrowed from unless affinity is strict.

    Raises:
        BadConfigurationError: no enabled pool has the address, or it is in another node's block.
    """
    pool = rules.pool_of(address)
    if pool is None:
        raise BadConfigurationError("addresses", "address", str(address), "is in no enabled pool")
    cidr = cidr_of(pool, address)
    return (yield from steps.persistent(partial(_assign_once, rules, cidr, address, owner, now), str(cidr)))


def _assign_once(rules: Rules, cidr: Network, address: Address, owner: Allocation, now: float) -> Steps[Got]:
    found = yield from steps.block(cidr)
    if found is None:
        made = yield from claiming.claim(
            rules.node, cidr, now, lambda block: change.assign(block, address, owner) or block
        )
        if made is None:
            raise RaceError(f"{cidr} was claimed by another node")
        held = made.at(address)
        got = held is not None and (held.handle, held.owner) == (owner.handle, owner.owner)
        return Got((address,) if got else (), (made,))
    if rules.config.strict_affinity and found.host != rules.node:
        problem = f"is in {cidr}, a block of {found.host or 'nobody'}, and affinity is strict"
        raise BadConfigurationError("addresses", "address", str(address), problem)
    left = change.assign(change.warmed(found, now, rules.config.cooldown), address, owner)
    if left is None:
        return Got((), (found,))
    written = Block.from_object((yield Update(BLOCK, change.written(left).to_object())))
    return Got((address,), (written,))


def hold(rules: Rules, handle: str, family: int, kind: str, now: float) -> Steps[Address | None]:
    """Return the address that a handle has on this node, a new one if it has none; None where there is none.

    For a node's own interfaces: ``vxlan-tunnel-addr-NODE`` and its kin, whose pools allow the use ``Tunnel``.

    Args:
        rules: the node's, and what the cluster allows.
        handle: by Calico's convention (design/ipam, "Handle IDs").
        family: 4 or 6.
        kind: Calico's attribute ``type``, such as ``vxlanTunnelAddress``.
        now: seconds since 1970.
    """
    owner = owner_of(handle, rules.node, type=kind)
    everything = yield from steps.blocks()
    found = _held_by(handle, everything, family)
    if found is None:
        own = [each.cidr for each in everything if each.host == rules.node]
        pools = rules.qualified(Wish((family,)), family, TUNNEL)
        got = yield from auto_assign(rules, Want(1, pools, owner, blocks=len(own)), own, now)
        found = _held_by(handle, got.blocks, family)
    if found is not None:
        yield from handles.keep(handle, {found[0]: 1})
    return found[1] if found is not None else None


def _held_by(handle: str, blocks: Iterable[Block], family: int) -> tuple[Network, Address] | None:
    for block in blocks:
        if block.cidr.version == family:
            for at, slot in enumerate(block.slots):
                if slot is not None and slot.handle == handle:
                    return block.cidr, block.address(at)
    return None


def release(handle: str, now: float, cooldown: int) -> Steps[tuple[Address, ...]]:
    """Give up everything that a handle has, and the handle; that it has nothing is no error."""
    held = yield from steps.handle(handle)
    if held is None:
        return ()
    freed: list[Address] = []
    for cidr in handles.networks(held):
        freed += yield from steps.persistent(partial(_release_once, handle, cidr, now, cooldown), str(cidr))
    yield from handles.keep(handle, {})
    return tuple(freed)


def _release_once(handle: str, cidr: Network, now: float, cooldown: int) -> Steps[tuple[Address, ...]]:
    found = yield from steps.block(cidr)
    if found is None:
        return ()
    mine = [found.address(at) for at, slot in enumerate(found.slots) if slot and slot.handle == handle]
    if not mine:
        return ()
    left = change.free(found, mine, now, cooldown)
    if not found.affinity and change.cooled(left) and left.empty:
        if not (yield from steps.gone(BLOCK, found)):
            raise RaceError(f"{cidr} changed")
        return tuple(mine)
    try:
        yield Update(BLOCK, change.written(left).to_object())
    except NotFoundError:
        return ()
    return tuple(mine)


__all__ = ["Got", "Want", "assign", "auto_assign", "hold", "owner_of", "release"]
