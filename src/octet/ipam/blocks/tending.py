"""What this node does with the store, one thing after the other: taking ahead, writing back, giving up.

What lives here: ``Tender``: which thing is next, and its steps. One is done at a time; a node that dies
within any of them finds its way from the blocks and the journal. What it must not know: tasks, stores, the
kernel.
"""

from collections.abc import Callable, Hashable, Iterator
from functools import partial

from octet.cluster.blocks import Affinity, Block
from octet.cluster.pools import IPPool, pool_of
from octet.cluster.reading import Address, Network
from octet.cluster.view import View
from octet.errors import BadConfigurationError, NotFoundError
from octet.ipam.blocks import assigning, claiming, handles, steps
from octet.ipam.blocks import block as change
from octet.ipam.blocks.assigning import Want
from octet.ipam.blocks.ledger import Ledger
from octet.ipam.blocks.shelf import PATIENCE, Ask, Demand, Shelf, handle_of
from octet.ipam.blocks.steps import BLOCK, Steps, Update
from octet.ipam.blocks.stock import mark

LOW, HIGH = 32, 64
"""Addresses of a demand that are kept ready, where there is plenty: below the first, up to the second."""

SCARCE = 2
"""Addresses of a demand that are kept ready where blocks are few: nobody is to wait for what lies about."""

RETRY = 1.0
"""Seconds before a demand that nothing could be got for is tried again."""

IDLE = 60.0
"""Seconds for which a block is without pods before it is given up (as long as Calico waits)."""

FORGOTTEN = 600.0
"""Seconds after which nothing is kept ready for pods that asked for certain pools and came no more."""

AGAIN = 300.0
"""Seconds after which a block of ours is read again, whatever the view says: two requests for each."""

COOLING = 60.0
"""The same for a block in which addresses cool down."""

STUMBLED = 10.0
"""Seconds for which what failed is put off."""

GRACE = 60.0
"""Seconds for which an address that nobody here knows is left alone; then kernel and pods are asked."""

Work = tuple[Hashable, Steps[None]]
"""What something is about, and its steps."""

Scarce = Callable[[tuple[IPPool, ...]], bool]
"""Are few blocks of these pools left for all nodes?"""


class Tender:
    """Looks after one shelf.

    Attributes:
        scarce: told by the driver, who sees all nodes' blocks.
    """

    def __init__(self, shelf: Shelf, ledger: Ledger) -> None:
        self.scarce: Scarce = lambda _pools: False
        self._shelf = shelf
        self._ledger = ledger
        self._recheck: dict[Network, None] = {}
        self._handles: dict[str, None] = {}
        self._idle: dict[Network, float] = {}
        self._read: dict[Network, float] = {}
        self._put_off: dict[Hashable, float] = {}
        self._subject: Hashable = None

    def recheck(self, cidr: Network) -> None:
        """Have a block and its claim looked at: somebody said that they are not as they were."""
        self._recheck[cidr] = None

    def notice(self, view: View) -> None:
        """Have every block looked at of which the view says something else than is known here.

        The view may be behind, so that nothing is believed but that a look is due.
        """
        if not self._shelf.open:
            return
        claims = view.affinities.of_node(self._shelf.node).values()
        routed = {each.cidr for each in claims if each.routed}
        blocks = view.blocks.of_node(self._shelf.node).values()
        seen = {each.cidr for each in blocks if each.host == self._shelf.node}
        for cidr in (seen | {each.cidr for each in claims}) ^ self._shelf.own.keys():
            self.recheck(cidr)
        for cidr in self._shelf.own.keys() - (routed & seen):
            self.recheck(cidr)

    def next(self, now: float) -> Steps[None] | None:
        """Return the next thing to do, or None. It is done to its end, or to its error, before the next."""
        self._shelf.now = now
        self._shelf.forget_demands(now - FORGOTTEN)
        self._subject = None
        if not self._shelf.open:
            return self._open(now)
        for subject, work in self._work(now):
            if self._put_off.get(subject, 0.0) <= now:
                self._subject = subject
                return work
        return None

    def stumble(self, now: float) -> None:
        """Put off what ended in an error that will not pass by itself; everything else goes on."""
        self._put_off[self._subject] = now + STUMBLED

    def judge(self, now: float, in_use: Callable[[Address], bool]) -> tuple[Address, ...]:
        """Give up addresses that blocks say are used here and that nobody uses; return them.

        Args:
            now: seconds since 1970.
            in_use: does this node's kernel route the address, or has a pod in the store it?
        """
        alive = {each.slot.handle for address, each in self._ledger.strangers.items() if in_use(address)}
        leaked = [
            address
            for address, each in self._ledger.strangers.items()
            if each.slot.handle not in alive and each.since + GRACE <= now
        ]
        for address in leaked:
            del self._ledger.strangers[address]
            self._shelf.leaving[address] = now
            self._ledger.dirty[address] = None
        return tuple(leaked)

    def _work(self, now: float) -> Iterator[Work]:
        ledger = self._ledger
        for cidr in self._recheck:
            yield cidr, self._heal(cidr, now)
        yield from self._urgent(now)
        for address in ledger.dirty:
            home = ledger.home(address)
            yield (home, self._write(home, now)) if home else (address, self._house(address, now))
        for handle in self._handles:
            yield handle, self._keep(handle)
        yield from self._levels(now)
        for cidr in self._idle_blocks(now):
            yield cidr, self._give_up(cidr, now)
        for cidr in ledger.blocks:
            if self._due(cidr) <= now:
                yield cidr, self._heal(cidr, now)

    def _urgent(self, now: float) -> Iterator[Work]:
        """Yield what an ADD waits for."""
        shelf = self._shelf
        for key, demand in shelf.demands.items():
            if demand.missing and demand.again <= now:
                count = max(self._target(demand)[1], demand.missing)
                yield key, self._restock(demand, count, now, claims=True, borrows=True)
        for address, ask in shelf.asks.items():
            if not ask.until:
                yield address, self._fetch(address, ask, now)
            elif ask.until <= now:
                yield address, self._expire(address)

    def _levels(self, now: float) -> Iterator[Work]:
        """Yield what keeps as much ready as should be."""
        for key, demand in self._shelf.demands.items():
            low, high = self._target(demand)
            ready, scarce = self._shelf.ready(demand), self.scarce(demand.pools)
            room = not scarce or any(map(self._has_room, self._shelf.own))
            if ready < low and room and demand.again <= now:
                yield key, self._restock(demand, high - ready, now, claims=not scarce)
            if scarce and ready > high:
                yield key, self._return(demand, ready - high)

    def _due(self, cidr: Network) -> float:
        block = self._ledger.read(cidr)
        cooling = block is not None and any(slot and slot.released for slot in block.slots)
        return self._read.get(cidr, 0.0) + (COOLING if cooling else AGAIN)

    def _target(self, demand: Demand) -> tuple[int, int]:
        """Return below how many addresses a demand is met, and up to how many."""
        pool = demand.pools[0]
        size = 1 << (pool.cidr.max_prefixlen - pool.block_size)
        if not self.scarce(demand.pools):
            return max(1, min(LOW, size // 2)), min(HIGH, size)
        # Where blocks are few a node without pods holds nothing: its empty block may be another's.
        return (1, SCARCE) if len(self._shelf) else (0, 0)

    def _open(self, now: float) -> Steps[None]:
        """Read what this node has, and finish or withdraw what it died over."""
        shelf = self._shelf
        claims = yield from steps.affinities()
        everything = yield from steps.blocks()
        mine = {each.cidr: each for each in claims if each.node == shelf.node and each.type == "host"}
        for block in everything:
            self._meet(block, mine.get(block.cidr), now)
        for cidr in mine.keys() - {block.cidr for block in everything}:
            self.recheck(cidr)
        self._handles.update((handle_of(each.owner), None) for each in shelf)
        shelf.open = True

    def _meet(self, block: Block, claim: Affinity | None, now: float) -> None:
        """Take in a block that has anything of this node's, and settle whose it is."""
        shelf, own = self._shelf, block.host == self._shelf.node
        if own or any(slot and slot.node == shelf.node for slot in block.slots):
            self._ledger.take_in(block, now)
            self._read[block.cidr] = now
        if own and claim is not None and claim.routed:
            shelf.confirmed(block.cidr)
        elif own or claim is not None:
            self.recheck(block.cidr)

    def _heal(self, cidr: Network, now: float) -> Steps[None]:
        """Read a block and its claim, and make both agree."""
        shelf, ledger = self._shelf, self._ledger
        found = yield from steps.block(cidr)
        if found is not None:
            ledger.take_in(found, now)
        if found is None or found.host != shelf.node:
            yield from claiming.withdraw(shelf.node, cidr)
            if found is None:
                ledger.forget(cidr)
        elif (yield from claiming.confirm(shelf.node, found)):
            shelf.confirmed(cidr)
            if change.warmed(found, now, shelf.rules.config.cooldown) != found:
                yield from self._write(cidr, now)
        else:
            shelf.disowned(cidr)
            shelf.shut.add(cidr)
        self._read[cidr] = now
        self._recheck.pop(cidr, None)

    def _write(self, cidr: Network, now: float) -> Steps[None]:
        """Make a block say of this node's addresses what is true."""
        self.recheck(cidr)  # until it is known what came of it
        yield from steps.persistent(partial(self._write_once, cidr, now), str(cidr))

    def _write_once(self, cidr: Network, now: float) -> Steps[None]:
        ledger = self._ledger
        found = yield from steps.block(cidr)
        if found is None:
            ledger.forget(cidr)
            return
        ledger.take_in(found, now)
        kept: set[str] = set()
        while handle := next(iter(ledger.parted(found) - kept), ""):  # more may part meanwhile
            yield from handles.keep(handle, ledger.counts(handle))
            kept.add(handle)
        wanted = ledger.wanted(found, now)
        if wanted != found:
            yield from self._replace(found, wanted, now)
        self._read[cidr] = now
        self._recheck.pop(cidr, None)

    def _replace(self, found: Block, wanted: Block, now: float) -> Steps[None]:
        if not wanted.affinity and wanted.empty:
            if (yield from steps.gone(BLOCK, found)):
                self._ledger.forget(found.cidr)
                return
            raise steps.RaceError(f"{found.cidr} changed")
        before = {slot.handle for slot in found.slots if slot is not None}
        after = {slot.handle for slot in wanted.slots if slot is not None and slot.node == self._shelf.node}
        self._handles.update(dict.fromkeys(after - before - {""}))
        try:
            item = yield Update(BLOCK, change.written(wanted).to_object())
        except NotFoundError:
            self._ledger.forget(found.cidr)
            return
        self._ledger.take_in(Block.from_object(item), now)

    def _house(self, address: Address, now: float) -> Steps[None]:
        """Find a block for an address that somebody here has, and no block says so."""
        shelf, ledger = self._shelf, self._ledger
        says = shelf.says(address)
        ledger.dirty.pop(address, None)
        if says is None:
            return
        try:
            got = yield from assigning.assign(shelf.rules, address, says, now)
        except BadConfigurationError as error:
            ledger.lost[address] = f"{address} is in use here, and {error}"
            ledger.dirty[address] = None
            self._put_off[address] = now + COOLING
            return
        self._take_in(got, now)
        self._handles[says.handle] = None

    def _keep(self, handle: str) -> Steps[None]:
        yield from handles.keep(handle, self._ledger.counts(handle))
        self._handles.pop(handle, None)

    def _restock(
        self, demand: Demand, count: int, now: float, *, claims: bool, borrows: bool = False
    ) -> Steps[None]:
        shelf = self._shelf
        want = Want(count, demand.pools, mark(shelf.node), claims, borrows, len(shelf.own))
        demand.again = now + RETRY
        own = [cidr for cidr in shelf.own if self._has_room(cidr)]
        got = yield from assigning.auto_assign(shelf.rules, want, own, now)
        self._take_in(got, now)
        if got.addresses:
            demand.missing, demand.exhausted, demand.again = 0, "", 0.0
        elif demand.missing:
            demand.missing, demand.exhausted = 0, _why(shelf)

    def _has_room(self, cidr: Network) -> bool:
        """May a block have an address that is free? As it was last read, or if it was not."""
        block = self._ledger.read(cidr)
        return block is None or bool(block.free) or any(slot and slot.released for slot in block.slots)

    def _fetch(self, address: Address, ask: Ask, now: float) -> Steps[None]:
        """Get an address that somebody asked for by name, and keep it for him for a while."""
        shelf = self._shelf
        try:
            got = yield from assigning.assign(shelf.rules, address, mark(shelf.node), now)
        except BadConfigurationError as error:
            ask.until, ask.problem = now + PATIENCE, error
            return
        ask.until = now + PATIENCE
        self._take_in(got, now)
        if address not in shelf.stock and address not in shelf.leaving and shelf.holder(address) is None:
            slot = got.blocks[0].at(address) if got.blocks else None
            problem = f"is {slot.handle or slot.node or 'cooling down, nobody'}'s" if slot else "was taken"
            ask.problem = BadConfigurationError("addresses", "address", str(address), problem)

    def _expire(self, address: Address) -> Steps[None]:
        """Let go of an address that was asked for by name and not taken."""
        shelf = self._shelf
        del shelf.asks[address]
        if address in shelf.stock:
            self._let_go(address)
        yield from ()

    def _return(self, demand: Demand, count: int) -> Steps[None]:
        """Let go of addresses that are ready, the last to be used first: others are short of them."""
        shelf = self._shelf
        ready = tuple(shelf.stock.within(demand.pools, shelf.own))
        for address in ready[-count:]:
            if address not in shelf.asks:
                self._let_go(address)
        yield from ()

    def _let_go(self, address: Address) -> None:
        self._shelf.stock.remove(address)
        self._shelf.leaving[address] = None
        self._ledger.dirty[address] = None

    def _give_up(self, cidr: Network, now: float) -> Steps[None]:
        shelf, ledger = self._shelf, self._ledger
        self.recheck(cidr)
        ledger.part(cidr)
        if (yield from claiming.release(shelf.node, cidr, ledger.stripped, only_empty=True)):
            ledger.forget(cidr)
            self._recheck.pop(cidr, None)
        self._idle[cidr] = now

    def _idle_blocks(self, now: float) -> Iterator[Network]:
        """Yield own blocks that have been without pods for a while and that nobody will miss."""
        shelf, ledger = self._shelf, self._ledger
        busy = {ledger.home(each) for each in (*shelf.held, *shelf.leaving, *shelf.parting, *shelf.asks)}
        busy.update(each.cidr for each in ledger.strangers.values())
        for cidr in tuple(shelf.own):
            if cidr in busy:
                self._idle.pop(cidr, None)
            elif self._idle.setdefault(cidr, now) + IDLE <= now and not self._missed(cidr):
                yield cidr

    def _missed(self, cidr: Network) -> bool:
        """Would a demand be short of addresses without this block, or without any block?"""
        shelf = self._shelf
        for demand in shelf.demands.values():
            if pool_of(demand.pools, cidr.network_address) is None:
                continue
            others = [each for each in shelf.own if pool_of(demand.pools, each.network_address) is not None]
            left = shelf.ready(demand) - len(shelf.stock.of(cidr))
            if len(others) == 1 or left < self._target(demand)[0]:
                return True
        return False

    def _take_in(self, got: assigning.Got, now: float) -> None:
        for block in got.blocks:
            self._ledger.take_in(block, now, got.addresses)
            self._read[block.cidr] = now
            if block.host == self._shelf.node:
                self._shelf.confirmed(block.cidr)


def _why(shelf: Shelf) -> str:
    """Return why nothing could be got."""
    config, count = shelf.rules.config, len(shelf.own)
    blocks = "no block is left"
    if not config.claims:
        blocks = "nodes may not claim blocks"
    elif count >= config.most_blocks:
        blocks = f"this node has {count} blocks, the most it may have"
    return f"{blocks}, and {'affinity is strict' if config.strict_affinity else 'every address is taken'}"
