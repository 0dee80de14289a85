"""How a packet gets to another node. Pure: a view in, a contribution per peer out.

What lives here: the contract, the list of transports, one module each.
What it must not know: how pods attach, the kernel, the store.
"""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from octet.blueprint import Blueprint
from octet.cluster.objects import Node
from octet.cluster.view import View


class Transport(Protocol):
    """One way to reach pods on other nodes. A node that joins costs one call of ``peer``."""

    @property
    def ports(self) -> tuple[int, ...]:
        """UDP ports of packets between nodes, which no pod may send to by itself; none without a tunnel."""
        ...

    def node(self, view: View) -> Blueprint:
        """Return what this node holds whatever peers there are: devices, their addresses."""
        ...

    def peer(self, view: View, peer: Node) -> Blueprint:
        """Return what one peer adds; empty where it can't be reached yet (no CIDR, no address)."""
        ...

    def obstacles(self, view: View, peer: Node) -> tuple[str, ...]:
        """Return why families of a peer can't be reached, a sentence each; empty where all of them can."""
        ...

    def annotations(self, view: View) -> Mapping[str, str]:
        """Return what this node tells its peers through its own Node object."""
        ...

    def mtu(self, view: View) -> int:
        """Return the bytes a pod may send in one piece over every path this transport may choose."""
        ...


@runtime_checkable
class Speaking(Transport, Protocol):
    """A transport whose routes a routing daemon makes, so that they are in no blueprint."""

    def heard(self, view: View, peer: Node) -> Blueprint:
        """Return the routes that the daemon makes of what one peer tells it."""
        ...


__all__ = ["Speaking", "Transport"]
