"""Whose block is whose, as much as the View has of it: slim values of IPAMBlock and BlockAffinity.

What lives here: what routes follow from; an address that comes or goes within its own node changes nothing.
What it must not know: who is given an address (``blocks`` has the whole objects), pools.
"""

from collections.abc import Mapping
from typing import Any, Self

import msgspec

from octet.cluster.blocks import Affinity, Block
from octet.cluster.reading import Address, Network

NOBODY = frozenset({""})


class IPAMBlock(msgspec.Struct, frozen=True, gc=False):
    """A block: whose it is, and which of its addresses are on other nodes.

    Attributes:
        host: the node whose block it is, or empty.
        elsewhere: (address, node), of addresses in use on another node than ``host``.
    """

    name: str
    cidr: Network
    host: str = ""
    elsewhere: tuple[tuple[Address, str], ...] = ()

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read an IPAMBlock; raises BadConfigurationError where it contradicts itself."""
        block = Block.from_object(item)
        host = "" if block.deleted else block.host
        elsewhere = tuple(
            (block.address(at), slot.node)
            for at, slot in enumerate(block.slots)
            if slot is not None and slot.node not in ("", host) and not slot.released
        )
        return cls(block.name, block.cidr, host, elsewhere)

    @property
    def key(self) -> tuple[str, str]:
        """("", name): blocks are in no namespace."""
        return "", self.name

    @property
    def nodes(self) -> frozenset[str]:
        """Every node that packets to this block may go to; ``""`` where to none."""
        named = (self.host, *(node for _, node in self.elsewhere))
        return frozenset(node for node in named if node) or NOBODY


class BlockAffinity(msgspec.Struct, frozen=True, gc=False):
    """A node's claim of a block.

    Attributes:
        routed: do packets to the block go to the node? Only once the claim is confirmed.
    """

    name: str
    node: str
    cidr: Network
    routed: bool = False

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read a BlockAffinity; raises BadConfigurationError naming the field."""
        held = Affinity.from_object(item)
        return cls(held.name, held.node, held.cidr, held.routed)

    @property
    def key(self) -> tuple[str, str]:
        """("", name): claims are in no namespace."""
        return "", self.name

    @property
    def nodes(self) -> frozenset[str]:
        """The node that claims."""
        return frozenset({self.node})


__all__ = ["BlockAffinity", "IPAMBlock"]
