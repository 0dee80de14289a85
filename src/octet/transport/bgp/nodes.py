"""Nodes of one layer-2 network that tell each other by BGP which prefixes are theirs: no tunnel, no overhead.

What lives here: ``Hearing``; ``NodeMesh``, from the View to sessions of every node with every other one.
What it must not know: where a node's prefixes come from (a function is given), BIRD, processes.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol, runtime_checkable

from octet.blueprint import Blueprint
from octet.blueprint.base import union
from octet.cluster.objects import Network, Node
from octet.cluster.view import View
from octet.transport.bgp.rendering import daemon, session
from octet.transport.bgp.speaker import Speaker
from octet.transport.bgp.topology import Member, Mesh, between
from octet.transport.host_gateway import direct_route
from octet.transport.reach import FAMILIES, INTERNAL, Directory, Obstacle, on_link, underlay

AS_NUMBER = 64512
"""Every node's, where nobody says otherwise (Calico's BGPConfiguration, asNumber)."""


@runtime_checkable
class Hearing(Protocol):
    """A transport whose routes are made by a speaker, of what peers tell it."""

    def heard(self, view: View, peer: Node) -> Blueprint:
        """Return the routes that the speaker makes of what a peer of the same network tells it."""
        ...


@dataclass(frozen=True, slots=True)
class NodeMesh:
    """A session with every other node; what the peer says is its own becomes routes to it.

    Attributes:
        owned: the prefixes that this node tells, out of the View.
        asn: the AS number of all nodes.
    """

    owned: Callable[[View], tuple[Network, ...]]
    asn: int = AS_NUMBER
    directory: Directory = INTERNAL

    @property
    def ports(self) -> tuple[int, ...]:
        """None: nothing is wrapped."""
        return ()

    def node(self, view: View) -> Blueprint:
        """Return the daemon and what is common to all sessions; nothing before there is an address."""
        speaker = self._speaker(view)
        return daemon(speaker) if speaker.families else Blueprint()

    def peer(self, view: View, peer: Node) -> Blueprint:
        """Return the session with a peer; nothing where no family is common to both."""
        speaker = self._speaker(view)
        me = Member(view.me, self.asn, speaker.v4, speaker.v6)
        v4, v6 = (self.directory.address(view, peer, family) for family in FAMILIES)
        other = Member(
            peer.name,
            self.asn,
            v4 if isinstance(v4, IPv4Address) else None,
            v6 if isinstance(v6, IPv6Address) else None,
        )
        return union(session(speaker, each) for each in between(speaker, me, other, Mesh()))

    def obstacles(self, view: View, peer: Node) -> tuple[str, ...]:
        """Return why families of the peer's pods cannot be reached."""
        return tuple(self._obstacles(view, peer))

    def heard(self, view: View, peer: Node) -> Blueprint:
        """Return the routes that the speaker makes of what a peer of the same network tells it."""
        found = {each: self.directory.address(view, peer, each) for each in FAMILIES}
        theirs = self.owned(replace(view, me=peer.name))
        return Blueprint(
            direct_route(view, cidr, gateway)
            for cidr in theirs
            if not isinstance(gateway := found[cidr.version], Obstacle) and on_link(view, gateway)
        )

    def annotations(self, view: View) -> Mapping[str, str]:
        """Return what the directory wants to be known."""
        return self.directory.announce(view)

    def mtu(self, view: View) -> int:
        """Return the underlay's own: nothing is added to a packet."""
        return view.underlay.mtu

    def _obstacles(self, view: View, peer: Node) -> Iterator[str]:
        for family in self._speaker(view).families:
            address, own = self.directory.address(view, peer, family), underlay(view, family)
            if isinstance(address, Obstacle):
                yield address.reason
            elif own is not None and not on_link(view, address):
                yield f"node {peer.name} at {address} is not on {own.network}, and nothing tunnels to it"

    def _speaker(self, view: View) -> Speaker:
        v4, v6 = view.underlay.v4, view.underlay.v6
        return Speaker(
            v4.ip if v4 is not None else _identity(view.me),
            self.asn,
            v4.ip if v4 is not None else None,
            v6.ip if v6 is not None else None,
            near=tuple(own.network for each in FAMILIES if (own := underlay(view, each)) is not None),
            owned=self.owned(view),
            refused=view.service_cidrs,
        )


def _identity(name: str) -> IPv4Address:
    """Return a router id for a node without IPv4: of its name, as with Calico's CALICO_ROUTER_ID=hash."""
    return IPv4Address(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) | 1)
