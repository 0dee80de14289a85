"""Several transports of one node at once: a tunnel for some prefixes, BGP for the rest.

What lives here: ``Together``, the union of what they say. What it must not know: any of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from octet.blueprint import Blueprint
from octet.blueprint.base import union
from octet.cluster.objects import Node
from octet.cluster.view import View
from octet.transport import Transport


@dataclass(frozen=True, slots=True)
class Together:
    """Each for its own prefixes: no two may route one."""

    parts: tuple[Transport, ...]

    @property
    def ports(self) -> tuple[int, ...]:
        """All of theirs."""
        return tuple(dict.fromkeys(port for part in self.parts for port in part.ports))

    def node(self, view: View) -> Blueprint:
        """Return what all of them hold."""
        return union(part.node(view) for part in self.parts)

    def peer(self, view: View, peer: Node) -> Blueprint:
        """Return what one peer adds to all of them."""
        return union(part.peer(view, peer) for part in self.parts)

    def obstacles(self, view: View, peer: Node) -> tuple[str, ...]:
        """Return why a peer can't be reached, each reason once."""
        return tuple(dict.fromkeys(text for part in self.parts for text in part.obstacles(view, peer)))

    def annotations(self, view: View) -> Mapping[str, str]:
        """Return what this node tells its peers."""
        return {key: text for part in self.parts for key, text in part.annotations(view).items()}

    def mtu(self, view: View) -> int:
        """Return what fits through all of them."""
        return min(part.mtu(view) for part in self.parts)
