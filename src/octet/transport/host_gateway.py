"""Routes straight to the peer's underlay address: no tunnel, no overhead, one layer-2 network.

What lives here: ``HostGateway`` and the route that direct routing uses too.
What it must not know: where a flavour finds the peer's address (a ``Directory`` is given).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from octet.blueprint import Blueprint, Route
from octet.cluster.objects import Address, Network, Node
from octet.cluster.view import View
from octet.transport.reach import (
    INTERNAL,
    OF_THE_CLUSTER,
    Directory,
    Obstacle,
    PodNetworks,
    on_link,
    underlay,
)


def direct_route(view: View, cidr: Network, address: Address) -> Route:
    """Return the route to a peer's pods that needs no tunnel."""
    return Route(cidr, view.underlay.interface, address)


@dataclass(frozen=True, slots=True)
class HostGateway:
    """Every peer is the gateway to its pods; peers must be on this node's own network.

    A peer behind a router would never see the packet, or the router would send it back: it contributes
    nothing and is named by ``obstacles``.
    """

    networks: PodNetworks = OF_THE_CLUSTER
    directory: Directory = INTERNAL

    @property
    def ports(self) -> tuple[int, ...]:
        """None: nothing is wrapped."""
        return ()

    def node(self, view: View) -> Blueprint:
        """Return nothing: the underlay is all there is."""
        del view
        return Blueprint()

    def peer(self, view: View, peer: Node) -> Blueprint:
        """Return one route per family that the peer is reached in."""
        return Blueprint(each for each in self._routes(view, peer) if isinstance(each, Route))

    def obstacles(self, view: View, peer: Node) -> tuple[str, ...]:
        """Return why families of the peer's pods cannot be reached."""
        return tuple(each.reason for each in self._routes(view, peer) if isinstance(each, Obstacle))

    def annotations(self, view: View) -> Mapping[str, str]:
        """Return what the directory wants to be known."""
        return self.directory.announce(view)

    def mtu(self, view: View) -> int:
        """Return the underlay's own: nothing is added to a packet."""
        return view.underlay.mtu

    def _routes(self, view: View, peer: Node) -> Iterator[Route | Obstacle]:
        for family in self.networks.families(view):
            yield self._route(view, peer, family)

    def _route(self, view: View, peer: Node, family: int) -> Route | Obstacle:
        cidr = self.networks.of_peer(view, peer, family)
        address = self.directory.address(view, peer, family)
        if isinstance(cidr, Obstacle):
            return cidr
        if isinstance(address, Obstacle):
            return address
        if not on_link(view, address):
            own = underlay(view, family)
            where = own.network if own else f"any IPv{family} network"
            return Obstacle(f"node {peer.name} at {address} is not on {where}, which this node is on")
        return direct_route(view, cidr, address)
