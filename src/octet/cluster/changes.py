"""What can be different between two versions of the View, one class per kind.

What lives here: ``Changed`` and its kinds. What it must not know: how a difference was found, what to do.
"""

from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface
from typing import Generic, TypeVar

from octet.cluster.objects import (
    BGPConfiguration,
    BGPFilter,
    BGPPeer,
    BlockAffinity,
    EndpointSlice,
    FelixConfiguration,
    IPAMBlock,
    IPAMConfiguration,
    IPPool,
    IPReservation,
    Namespace,
    NetworkPolicy,
    Node,
    Pod,
    Service,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Underlay:
    """The interface that joins this node to its peers.

    Attributes:
        mtu: bytes of an IP packet it takes in one piece.
        v4, v6: this node's addresses on it.
    """

    interface: str
    mtu: int
    v4: IPv4Interface | None = None
    v6: IPv6Interface | None = None


@dataclass(frozen=True, slots=True)
class Changed(Generic[T]):
    """One difference between two versions of the View.

    Attributes:
        old: None where it was not there.
        new: None where it is gone.
    """

    old: T | None
    new: T | None

    @property
    def verb(self) -> str:
        """Return ``added``, ``changed`` or ``gone``."""
        if self.old is None:
            return "added"
        return "gone" if self.new is None else "changed"


class NodeChanged(Changed[Node]):
    """A node came, went, or is different in something that a pod network has an interest in."""

    __slots__ = ()


class NamespaceChanged(Changed[Namespace]):
    """A namespace came, went, or has other labels or annotations."""

    __slots__ = ()


class PodChanged(Changed[Pod]):
    """A pod came, went, or is different."""

    __slots__ = ()


class PolicyChanged(Changed[NetworkPolicy]):
    """A network policy came, went, or says something else."""

    __slots__ = ()


class ServiceChanged(Changed[Service]):
    """A service came, went, or is different."""

    __slots__ = ()


class SliceChanged(Changed[EndpointSlice]):
    """Endpoints of a service came, went, or are different."""

    __slots__ = ()


class PolicyPartChanged(Changed[object]):
    """Something else that policies are made of came, went or is different: see ``objects.KINDS``."""

    __slots__ = ()


class PoolChanged(Changed[IPPool | IPReservation | IPAMConfiguration]):
    """What an operator says about addresses is different."""

    __slots__ = ()


class SettingChanged(Changed[BGPConfiguration | BGPPeer | BGPFilter | FelixConfiguration]):
    """What an operator says about routing, or about nodes, is different."""

    __slots__ = ()


class BlockChanged(Changed[IPAMBlock]):
    """A block came, went, is another node's, or an address of it is on another node."""

    __slots__ = ()

    @property
    def nodes(self) -> frozenset[str]:
        """Every node that packets to the block went to or go to."""
        return frozenset().union(*(each.nodes for each in (self.old, self.new) if each is not None))


class AffinityChanged(Changed[BlockAffinity]):
    """A node's claim of a block came, went, or got further."""

    __slots__ = ()

    @property
    def nodes(self) -> frozenset[str]:
        """The node that claims."""
        return frozenset(each.node for each in (self.old, self.new) if each is not None)


class UnderlayChanged(Changed[Underlay]):
    """This node's own interface has another name, MTU or address."""

    __slots__ = ()


ViewChange = (
    NodeChanged
    | NamespaceChanged
    | PodChanged
    | PolicyChanged
    | ServiceChanged
    | SliceChanged
    | PolicyPartChanged
    | PoolChanged
    | SettingChanged
    | BlockChanged
    | AffinityChanged
    | UnderlayChanged
)
"""Any difference between two versions of the View."""
