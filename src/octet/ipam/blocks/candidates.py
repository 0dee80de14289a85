"""Which blocks a node tries to get, in which order.

What lives here: the walk through a pool. What it must not know: the store, how a block is claimed.
Source: libcalico-go/lib/ipam/ipam_block_reader_writer.go (randomBlockGenerator, findUsableBlock): from a
place that the node's name decides, so that a node finds the same blocks again and two nodes rarely meet.
"""

from collections.abc import Iterable, Iterator

from octet.cluster.pools import IPPool, overlap
from octet.cluster.reading import Address, Network

_FNV_BASIS, _FNV_PRIME = 0x811C9DC5, 0x01000193  # FNV-1, 32 bits, as Go's hash/fnv New32


def place(text: str) -> int:
    """Return a number of 32 bits that a text decides."""
    number = _FNV_BASIS
    for byte in text.encode():
        number = (number * _FNV_PRIME & 0xFFFFFFFF) ^ byte
    # FNV-1 leaves texts that end differently (node1, node2) side by side: mixed as MurmurHash3 ends (fmix32).
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        number = ((number ^ (number >> shift)) * factor) & 0xFFFFFFFF
    return number ^ (number >> 16)


def walk(pool: IPPool, node: str) -> Iterator[Network]:
    """Yield every block of a pool once, in the order in which a node tries them."""
    start = place(node) % pool.capacity
    for step in range(pool.capacity):
        yield nth(pool, (start + step) % pool.capacity)


def nth(pool: IPPool, number: int) -> Network:
    """Return a pool's block by its number."""
    first = int(pool.cidr.network_address) + (number << (pool.cidr.max_prefixlen - pool.block_size))
    return type(pool.cidr)((first, pool.block_size))


def cidr_of(pool: IPPool, address: Address) -> Network:
    """Return the block that an address of a pool is in."""
    shift = address.max_prefixlen - pool.block_size
    return type(pool.cidr)((int(address) >> shift << shift, pool.block_size))


class Taken:
    """The blocks that exist, and what they leave of a pool.

    Args:
        cidrs: every block's.
    """

    def __init__(self, cidrs: Iterable[Network]) -> None:
        self._cidrs = frozenset(cidrs)

    def __contains__(self, cidr: Network) -> bool:
        return cidr in self._cidrs

    def left(self, pool: IPPool) -> int:
        """Return how many blocks of a pool don't exist yet; at least, where blocks of other sizes do."""
        return pool.capacity - sum(_is_of(cidr, pool) for cidr in self._cidrs)

    def unclaimed(self, pools: Iterable[IPPool], node: str) -> Iterator[Network]:
        """Yield blocks that don't exist yet, pool by pool, in the order in which a node tries them.

        A block of another size than its pool has (of a pool that is gone) blocks all that it touches.
        """
        for pool in pools:
            if self.left(pool) <= 0:
                continue
            odd = [each for each in self._cidrs if not _is_of(each, pool) and overlap(each, pool.cidr)]
            for cidr in walk(pool, node):
                if cidr not in self._cidrs and not any(overlap(cidr, each) for each in odd):
                    yield cidr


def _is_of(cidr: Network, pool: IPPool) -> bool:
    return (
        cidr.version == pool.cidr.version
        and cidr.prefixlen == pool.block_size
        and cidr.network_address in pool.cidr
    )
