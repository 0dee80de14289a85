"""Addresses that a node may give out at once: allocated to it in their blocks, used by nobody.

What lives here: ``Stock``, kept by block in the order in which addresses are to be used, and how a block says
that an address is stock. What it must not know: why an address is here, the store.
"""

from collections.abc import Callable, Iterable, Iterator

from octet.cluster.blocks import Allocation
from octet.cluster.pools import IPPool, pool_of
from octet.cluster.reading import Address, Network

NOTE = "octet-stock"
"""``note`` of an allocation without a handle: a node has it ready. Calico takes it for one in use."""


def mark(node: str) -> Allocation:
    """Return what a block says of an address that a node has ready."""
    return Allocation(owner={"node": node, "note": NOTE})


def is_stock(slot: Allocation, node: str) -> bool:
    """Does a block say that a node has this address ready?"""
    return not slot.handle and slot.node == node and slot.owner.get("note") == NOTE and not slot.released


class Stock:
    """Addresses by block, the next one to use first; blocks in the order in which they were got."""

    def __init__(self) -> None:
        self._blocks: dict[Network, dict[Address, None]] = {}
        self._homes: dict[Address, Network] = {}

    def __contains__(self, address: Address) -> bool:
        return address in self._homes

    def __len__(self) -> int:
        return len(self._homes)

    def __iter__(self) -> Iterator[Address]:
        return iter(tuple(self._homes))

    def add(self, cidr: Network, addresses: Iterable[Address]) -> None:
        """Add addresses of a block, to be used after those that are there."""
        for address in addresses:
            self._blocks.setdefault(cidr, {})[address] = None
            self._homes[address] = cidr

    def remove(self, address: Address) -> None:
        """Take one out; nothing where it is not there."""
        cidr = self._homes.pop(address, None)
        if cidr is not None:
            del self._blocks[cidr][address]
            if not self._blocks[cidr]:
                del self._blocks[cidr]

    def of(self, cidr: Network) -> tuple[Address, ...]:
        """Return the addresses of a block, the next one to use first."""
        return tuple(self._blocks.get(cidr, ()))

    def within(self, pools: Iterable[IPPool], own: Iterable[Network]) -> Iterator[Address]:
        """Yield the addresses of some pools in the order to use them: own blocks' first, then borrowed."""
        wanted, mine = tuple(pools), frozenset(own)
        for first in (True, False):
            for cidr, addresses in self._blocks.items():
                if (cidr in mine) is first and pool_of(wanted, cidr.network_address) is not None:
                    yield from addresses

    def first(
        self, pools: Iterable[IPPool], own: Iterable[Network], good: Callable[[Address], bool]
    ) -> Address | None:
        """Return the address to use next of those that are good, or None. Changes nothing."""
        return next(filter(good, self.within(pools, own)), None)
