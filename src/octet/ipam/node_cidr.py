"""Addresses of a node's pods out of the node's own CIDRs: kubenet, flannel, kopeio, canal, kube-router.

What lives here: ``Pool``, a state machine that never hands out one address twice. Its state is a value: what
a journal keeps is enough to build a pool that behaves the same.
What it must not know: where the state is kept, CNI, links.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from octet.cluster.endpoint import Attachment
from octet.cluster.reading import Address, Network
from octet.errors import BadConfigurationError, ExhaustedError
from octet.ipam.family import Counts, Family, Span, TakenError
from octet.ipam.limits import Range


@dataclass(frozen=True, slots=True)
class Allocation:
    """The addresses of one attachment, one per family of the pool."""

    owner: Attachment
    v4: IPv4Address | None = None
    v6: IPv6Address | None = None

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses it has, v4 first."""
        return tuple(each for each in (self.v4, self.v6) if each is not None)


@dataclass(frozen=True, slots=True)
class State:
    """All that a pool remembers; a pool built from it behaves the same.

    Attributes:
        allocations: in use.
        cooling: given up, but not settled.
        freed: used once and free, the longest free first within a family.
    """

    allocations: tuple[Allocation, ...] = ()
    cooling: tuple[Allocation, ...] = ()
    freed: tuple[Address, ...] = ()


class Pool:
    """Hands out addresses of one node: never used ones first, then those that are free for longest.

    Args:
        networks: the node CIDRs, at most one per family.
        ranges: parts of them to hand out; a family without any has its whole CIDR.
        reserved: addresses never handed out, besides each network's own address and v4's broadcast address
            (RFC 1122, 3.2.1.3; subnet-router anycast, RFC 4291, 2.6.1).
        gateway: reserve each network's first address for the node, as bridges have it.
        state: what an earlier pool remembered. Allocations outside the networks stay their owners'.

    Raises:
        BadConfigurationError: two networks of one family, ranges outside, or nothing left to hand out.
        ValueError: the state gives one address to two owners, or an owner two allocations.
    """

    def __init__(
        self,
        networks: Iterable[Network],
        *,
        ranges: Iterable[Range] = (),
        reserved: Iterable[Address] = (),
        gateway: bool = True,
        state: State | None = None,
    ) -> None:
        spans, kept = _spans(ranges), tuple(reserved)
        self._families: dict[int, Family] = {}
        for network in networks:
            if network.version in self._families:
                raise BadConfigurationError(
                    "node CIDR", "networks", str(network), "is a second of its family"
                )
            numbers = {int(each) for each in kept if each in network} | _never(network, gateway=gateway)
            self._families[network.version] = Family(network, spans.pop(network.version, []), numbers)
        if not self._families or spans:
            raise BadConfigurationError(
                "node CIDR", "networks", list(spans), "a range's family has no network"
            )
        self._owners: dict[Attachment, Allocation] = {}
        self._cooling: dict[tuple[Address, ...], Allocation] = {}
        self._restore(state or State())

    def __iter__(self) -> Iterator[Allocation]:
        return iter(self._owners.values())

    def __len__(self) -> int:
        return len(self._owners)

    def get(self, owner: Attachment) -> Allocation | None:
        """Return what an owner has, or None."""
        return self._owners.get(owner)

    def counts(self, family: int) -> Counts:
        """Return how many addresses of a family (4 or 6) are in which state. Raises KeyError."""
        return self._families[family].counts()

    def state(self) -> State:
        """Return all that this pool remembers."""
        freed = tuple(each for family in self._families.values() for each in family.freed())
        return State(tuple(self._owners.values()), tuple(self._cooling.values()), freed)

    def allocate(
        self,
        owner: Attachment,
        requested: Iterable[Address] = (),
        ranges: Iterable[Range] = (),
        pod: tuple[str, str] = ("", ""),
    ) -> Allocation:
        """Give an owner one address of each family, all or none; an owner who has some keeps those.

        Args:
            owner: who gets them.
            requested: addresses asked for by name, at most one per family.
            ranges: where to choose from, for the families they are of.
            pod: makes no difference: a node's CIDR is the same for all of them.

        Raises:
            BadConfigurationError: a requested address is outside, reserved, of a family that the pool lacks,
                or not what the owner has already; a range is outside.
            TakenError: a requested address is another's.
            ExhaustedError: a family has no free address; the message has the counts.
        """
        del pod
        wanted, spans = self._by_family(requested), _spans(ranges)
        if owner in self._owners:
            return self._same(self._owners[owner], wanted)
        if set(spans) - set(self._families):
            raise BadConfigurationError("node CIDR", "ranges", list(spans), "this node lacks the family")
        chosen = {
            version: family.asked(wanted[version], spans.get(version, ()))
            if version in wanted
            else family.best(spans.get(version, ()))
            for version, family in self._families.items()
        }
        made = _allocation(
            owner, [self._families[version].take(number, owner) for version, number in chosen.items()]
        )
        self._owners[owner] = made
        return made

    def release(self, owner: Attachment) -> Allocation | None:
        """Take an owner's addresses back, free at once; return what it had, None if nothing."""
        given_up = self.hold(owner)
        if given_up is not None:
            self.settle(given_up)
        return given_up

    def hold(self, owner: Attachment) -> Allocation | None:
        """Take an owner's addresses back; nobody gets them until ``settle``: a link may still have them."""
        given_up = self._owners.pop(owner, None)
        if given_up is not None:
            self._cooling[given_up.addresses] = given_up
            for address in given_up.addresses:
                if (family := self._family(address)) is not None:
                    family.hold(address)
        return given_up

    def settle(self, given_up: Allocation) -> None:
        """Free addresses that ``hold`` took back. Idempotent."""
        if self._cooling.get(given_up.addresses) != given_up:
            return
        del self._cooling[given_up.addresses]
        for address in given_up.addresses:
            if (family := self._family(address)) is not None:
                family.settle(address)

    def _family(self, address: Address) -> Family | None:
        """Return the family whose network holds an address; after a change of CIDR none may."""
        family = self._families.get(address.version)
        return family if family is not None and address in family.network else None

    def _by_family(self, requested: Iterable[Address]) -> dict[int, Address]:
        wanted: dict[int, Address] = {}
        for address in requested:
            if address.version not in self._families or address.version in wanted:
                problem = "is a second of its family, or this node lacks the family"
                raise BadConfigurationError("node CIDR", "address", str(address), problem)
            wanted[address.version] = address
        return wanted

    @staticmethod
    def _same(held: Allocation, wanted: dict[int, Address]) -> Allocation:
        for address in wanted.values():
            if address not in held.addresses:
                problem = f"{held.owner} has {', '.join(map(str, held.addresses))} already"
                raise BadConfigurationError("node CIDR", "address", str(address), problem)
        return held

    def _restore(self, state: State) -> None:
        for held in state.allocations:
            if held.owner in self._owners:
                raise ValueError(f"{held.owner} has two allocations")
            self._owners[held.owner] = held
        for given_up in state.cooling:
            self._cooling[given_up.addresses] = given_up
        claims = [(each, address, True) for each in state.allocations for address in each.addresses]
        claims += [(each, address, False) for each in state.cooling for address in each.addresses]
        for claim, address, used in claims:
            self._restore_one(claim, address, used=used)
        for address in state.freed:
            if (family := self._family(address)) is not None and family.holder(address) is None:
                family.forget(address)

    def _restore_one(self, claim: Allocation, address: Address, *, used: bool) -> None:
        family = self._family(address)
        if family is None:
            return
        holder = family.holder(address)
        if holder is not None:
            raise ValueError(f"{address} belongs to {holder} and to {claim.owner}")
        if used:
            family.take(int(address), claim.owner)
        else:
            family.cool(address, claim.owner)


def _allocation(owner: Attachment, addresses: list[Address]) -> Allocation:
    v4 = next((each for each in addresses if isinstance(each, IPv4Address)), None)
    v6 = next((each for each in addresses if isinstance(each, IPv6Address)), None)
    return Allocation(owner, v4, v6)


def _never(network: Network, *, gateway: bool) -> set[int]:
    first = int(network.network_address)
    never = {first}
    if network.version == 4:
        never.add(int(network.broadcast_address))
    if gateway and network.num_addresses > 1:
        never.add(first + 1)
    return never


def _spans(ranges: Iterable[Range]) -> dict[int, list[Span]]:
    spans: dict[int, list[Span]] = {}
    for low, high in ranges:
        if low.version != high.version:
            raise BadConfigurationError("node CIDR", "ranges", f"{low}-{high}", "mixes two families")
        spans.setdefault(low.version, []).append((int(low), int(high)))
    return spans


__all__ = [
    "Allocation",
    "Attachment",
    "Counts",
    "ExhaustedError",
    "Pool",
    "Range",
    "State",
    "TakenError",
]
