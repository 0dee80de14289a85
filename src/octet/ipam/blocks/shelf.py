"""This node's addresses, given and taken without a store: what an ADD and a DEL see.

What lives here: ``Shelf``: who has what, what is ready, what is on its way back, what could not be had. All
of it is synchronous; between two requests of a ``Tender``'s steps it may change. What it must not know: the
store, time (it is told), how a block is written.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from octet.cluster.blocks import Allocation
from octet.cluster.endpoint import Attachment
from octet.cluster.pools import IPPool, pool_of
from octet.cluster.reading import Address, Network
from octet.errors import BadConfigurationError, ExhaustedError, NotReadyError
from octet.ipam.blocks.block import stamp
from octet.ipam.blocks.selection import Rules, Wish
from octet.ipam.blocks.stock import Stock, mark
from octet.ipam.family import Counts, TakenError
from octet.ipam.node_cidr import Allocation as Given
from octet.ipam.node_cidr import Range

PATIENCE = 120.0
"""Seconds for which an address that was got by name waits for who asked for it."""

Key = tuple[int, tuple[str, ...]]
"""Family and names of the pools that somebody wants an address from."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What one attachment has, and whose attachment it is.

    Attributes:
        namespace, pod: as the runtime said, or empty.
        since: when it was given, seconds since 1970.
    """

    given: Given
    namespace: str = ""
    pod: str = ""
    since: float = 0.0

    def allocation(self, node: str) -> Allocation:
        """Return what the block is to say of its addresses: Calico's handle and attributes."""
        owner = {"node": node, "timestamp": stamp(self.since)}
        named = {"namespace": self.namespace, "pod": self.pod} if self.pod else {}
        return Allocation(handle_of(self.given.owner), {**named, **owner})


def handle_of(owner: Attachment) -> str:
    """Return the handle of a container's addresses in one network (Calico's CNI plugin, GetHandleID)."""
    return f"{owner.network}.{owner.container}"


@dataclass(slots=True)
class Demand:
    """Addresses wanted from some pools.

    Attributes:
        missing: ADDs that found none since there were some.
        exhausted: why there are none to be had, or empty.
        again: not to be tried before, seconds since 1970.
        asked: when somebody asked last, seconds since 1970.
        standing: it is never forgotten.
    """

    pools: tuple[IPPool, ...]
    asked: float = 0.0
    standing: bool = False
    missing: int = 0
    exhausted: str = ""
    again: float = 0.0


@dataclass(slots=True)
class Ask:
    """An address that somebody asked for by name.

    Attributes:
        until: how long it is kept for him, seconds since 1970; 0 while it isn't got.
        problem: why it cannot be had.
    """

    until: float = 0.0
    problem: BadConfigurationError | None = None


class Shelf:
    """All addresses of this node.

    Args:
        node: its name.
        used: what attachments have.
        cooling: what they had, as long as their links may be there.

    Attributes:
        rules, wishes: what the cluster allows, and what a pod (namespace, name) asks for; told by the driver.
        now: seconds since 1970, told by the driver.
        open: has the store been read? Before, nothing is given.
        own: blocks of this node whose claims are confirmed.
        shut: blocks that say they are this node's, without a confirmed claim: nothing of them is given.
        stock: what is ready.
        leaving: given up and free to be freed; when, or None where nobody had used it.
        parting: being freed at this moment: not this node's until the block is read again.
        demands, asks: what the store is to be asked for.
        on_work: told that there is something for the tender to do.
        on_need: told that somebody waits for it.
        on_change: told of an address of which the block is to say something else.
    """

    def __init__(self, node: str, used: Iterable[Holding] = (), cooling: Iterable[Holding] = ()) -> None:
        self.node = node
        self.rules = Rules(node)
        self.wishes: Callable[[str, str], Wish] = lambda _namespace, _pod: Wish()
        self.now = 0.0
        self.open = False
        self.own: dict[Network, None] = {}
        self.shut: set[Network] = set()
        self.stock = Stock()
        self.leaving: dict[Address, float | None] = {}
        self.parting: dict[Address, float | None] = {}
        self.demands: dict[Key, Demand] = {}
        self.asks: dict[Address, Ask] = {}
        self.on_work: Callable[[], None] = lambda: None
        self.on_need: Callable[[], None] = lambda: None
        self.on_change: Callable[[Address], None] = lambda _address: None
        self._used: dict[Attachment, Holding] = {}
        self._cooling: dict[tuple[Address, ...], Holding] = {}
        self._holders: dict[Address, Holding] = {}
        for holding in used:
            self._keep(holding)
        for holding in cooling:
            self._cooling[holding.given.addresses] = holding
            self._holders.update(dict.fromkeys(holding.given.addresses, holding))

    def __iter__(self) -> Iterator[Given]:
        return iter([holding.given for holding in self._used.values()])

    def __len__(self) -> int:
        return len(self._used)

    def get(self, owner: Attachment) -> Given | None:
        """Return what an owner has, or None."""
        holding = self._used.get(owner)
        return holding.given if holding is not None else None

    def holder(self, address: Address) -> Holding | None:
        """Return who has an address, or had it while its link may be there; None where nobody."""
        return self._holders.get(address)

    @property
    def held(self) -> tuple[Address, ...]:
        """Every address that somebody has, or had while its link may be there."""
        return tuple(self._holders)

    def counts(self, family: int) -> Counts:
        """Return how many addresses of a family this node has; reserved are those kept for who asked."""
        used, cooling, left, ready = (
            sum(address.version == family for address in those)
            for those in (self._used_addresses(), self._cooling_addresses(), self.leaving, self.stock)
        )
        kept = sum(address.version == family and address in self.stock for address in self.asks)
        return Counts(used + cooling + left + ready, used, kept, cooling + left, ready - kept)

    def allocate(
        self,
        owner: Attachment,
        requested: Iterable[Address] = (),
        ranges: Iterable[Range] = (),
        pod: tuple[str, str] = ("", ""),
    ) -> Given:
        """Give an owner one address of each family that its pod wants, all or none.

        Args:
            owner: who gets them; one who has some keeps those.
            requested: asked for by name, at most one per family; they go before the pod's annotation.
            ranges: first and last address of what to choose from, for the families they are of.
            pod: (namespace, name), by which annotations are found.

        Raises:
            NotReadyError: the node has none ready, and is getting some: try again later.
            TakenError: a requested address is another's of this node.
            ExhaustedError: there is none to be had in any pool that the pod may use.
            BadConfigurationError: what is asked for cannot be.
        """
        if not self.open:
            raise NotReadyError("this node's address blocks are not known yet")
        wish, spans, named = self.wishes(*pod), tuple(ranges), tuple(requested)
        wanted = _by_family((*named, *_unless(named, wish.addresses)), wish)
        if owner in self._used:
            return _same(self._used[owner].given, wanted)
        chosen = [
            self._named(wanted[family]) if family in wanted else self._best(wish, family, spans)
            for family in wish.families
        ]
        given = _given(owner, chosen)
        self._keep(Holding(given, *pod, self.now))
        for address in chosen:
            self.stock.remove(address)
            self.leaving.pop(address, None)
            self.asks.pop(address, None)
            self.on_change(address)
        self.on_work()
        return given

    def release(self, owner: Attachment) -> Given | None:
        """Take an owner's addresses back at once; return what it had, None if nothing."""
        given_up = self.hold(owner)
        if given_up is not None:
            self.settle(given_up)
        return given_up

    def hold(self, owner: Attachment) -> Given | None:
        """Take an owner's addresses back; nobody gets them until ``settle``: a link may still have them."""
        holding = self._used.pop(owner, None)
        if holding is None:
            return None
        self._cooling[holding.given.addresses] = holding
        return holding.given

    def settle(self, given_up: Given) -> None:
        """Free addresses that ``hold`` took back. Idempotent."""
        if given_up.addresses not in self._cooling:
            return
        del self._cooling[given_up.addresses]
        for address in given_up.addresses:
            del self._holders[address]
            self.leaving[address] = self.now
            self.on_change(address)
        self.on_work()

    def confirmed(self, cidr: Network) -> None:
        """Take note that a block is this node's, and packets to it come here."""
        self.own[cidr] = None
        self.shut.discard(cidr)

    def disowned(self, cidr: Network) -> None:
        """Take note that a block is not this node's."""
        self.own.pop(cidr, None)
        self.shut.discard(cidr)

    def obey(self, rules: Rules) -> None:
        """Take other rules; demands for pools that are not there, or disabled, are forgotten."""
        if rules == self.rules:
            return
        self.rules = rules
        enabled = {pool.name: pool for pool in rules.pools if not pool.disabled}
        for key, demand in tuple(self.demands.items()):
            if all(name in enabled for name in key[1]):
                demand.pools = tuple(enabled[name] for name in key[1])
                demand.again = 0.0
            else:
                del self.demands[key]
        self.on_work()

    def expect(self, wish: Wish, *, standing: bool = False) -> None:
        """Have addresses ready for pods that ask for this; one that cannot be asked for is left alone.

        Args:
            wish: what they ask for.
            standing: for as long as there are such pools, and not only for a while.
        """
        for family in wish.families:
            try:
                pools = self.rules.qualified(wish, family)
            except BadConfigurationError:
                continue
            if pools:
                self._demand(family, pools).standing |= standing
        for address in wish.addresses:
            if address not in self.stock and address not in self._holders:
                self.asks.setdefault(address, Ask())

    def forget_demands(self, before: float) -> None:
        """Forget demands that nobody has made since a time (seconds since 1970), but for standing ones."""
        for key, demand in tuple(self.demands.items()):
            if not demand.standing and demand.asked < before:
                del self.demands[key]

    def says(self, address: Address) -> Allocation | None:
        """Return what the block is to say of an address that this node has; None is that it is free."""
        holding = self._holders.get(address)
        if holding is not None:
            return holding.allocation(self.node)
        return mark(self.node) if address in self.stock else None

    def knows(self, address: Address) -> bool:
        """Is an address accounted for: held, ready, or on its way back?"""
        return any(address in each for each in (self._holders, self.stock, self.leaving, self.parting))

    def ready(self, demand: Demand) -> int:
        """Return how many addresses are ready for a demand."""
        return sum(map(self._good, self.stock.within(demand.pools, self.own)))

    def _named(self, address: Address) -> Address:
        """Return an address that was asked for by name, or have it got."""
        if address in self._holders:
            raise TakenError(address, self._holders[address].given.owner, "used by")
        if (address in self.stock or address in self.leaving) and not self._shut(address):
            return address
        ask = self.asks.setdefault(address, Ask())
        if ask.problem is not None:
            del self.asks[address]
            raise ask.problem
        self.on_need()
        raise NotReadyError(f"{address} is being asked for")

    def _best(self, wish: Wish, family: int, spans: tuple[Range, ...]) -> Address:
        pools = self.rules.qualified(wish, family)
        if not pools:
            hint = "an IPPool that is enabled and whose selectors meet node and namespace would do"
            raise ExhaustedError(f"no pool of IPv{family} is for this pod on this node", hint=hint)
        within = [(low, high) for low, high in spans if low.version == family]

        def good(address: Address) -> bool:
            return self._good(address) and (not within or any(_between(address, each) for each in within))

        found = self.stock.first(pools, self.own, good)
        return found if found is not None else self._returned(pools, family, good)

    def _returned(self, pools: tuple[IPPool, ...], family: int, good: Callable[[Address], bool]) -> Address:
        """Return an address that was given up and isn't given back yet: as long as that waits it is ours."""
        for address, since in self.leaving.items():
            over = since is None or since + self.rules.config.cooldown <= self.now
            if over and pool_of(pools, address) is not None and good(address):
                return address
        demand = self._demand(family, pools)
        demand.missing += 1
        self.on_need()
        names = ", ".join(pool.name for pool in pools)
        if demand.exhausted:
            raise ExhaustedError(
                f"no free address in {names}: {demand.exhausted}", hint="free some, or add a pool"
            )
        raise NotReadyError(f"no address of {names} is ready, some are being got")

    def _good(self, address: Address) -> bool:
        return address not in self.asks and self.rules.usable(address) and not self._shut(address)

    def _shut(self, address: Address) -> bool:
        return any(address.version == each.version and address in each for each in self.shut)

    def _demand(self, family: int, pools: tuple[IPPool, ...]) -> Demand:
        key = family, tuple(pool.name for pool in pools)
        demand = self.demands.setdefault(key, Demand(pools))
        demand.pools, demand.asked = pools, self.now
        return demand

    def _keep(self, holding: Holding) -> None:
        self._used[holding.given.owner] = holding
        self._holders.update(dict.fromkeys(holding.given.addresses, holding))

    def _used_addresses(self) -> Iterator[Address]:
        return (address for each in self._used.values() for address in each.given.addresses)

    def _cooling_addresses(self) -> Iterator[Address]:
        return (address for addresses in self._cooling for address in addresses)


def _unless(requested: tuple[Address, ...], others: tuple[Address, ...]) -> tuple[Address, ...]:
    families = {address.version for address in requested}
    return tuple(address for address in others if address.version not in families)


def _by_family(addresses: tuple[Address, ...], wish: Wish) -> dict[int, Address]:
    wanted: dict[int, Address] = {}
    for address in addresses:
        if address.version not in wish.families or address.version in wanted:
            problem = "is a second of its family, or the pod has no address of that family"
            raise BadConfigurationError("addresses", "address", str(address), problem)
        wanted[address.version] = address
    return wanted


def _same(held: Given, wanted: dict[int, Address]) -> Given:
    for address in wanted.values():
        if address not in held.addresses:
            problem = f"{held.owner} has {', '.join(map(str, held.addresses))} already"
            raise BadConfigurationError("addresses", "address", str(address), problem)
    return held


def _between(address: Address, span: Range) -> bool:
    return int(span[0]) <= int(address) <= int(span[1])


def _given(owner: Attachment, addresses: list[Address]) -> Given:
    v4 = next((each for each in addresses if isinstance(each, IPv4Address)), None)
    v6 = next((each for each in addresses if isinstance(each, IPv6Address)), None)
    return Given(owner, v4, v6)


__all__ = ["Ask", "Demand", "Holding", "Shelf", "handle_of"]
