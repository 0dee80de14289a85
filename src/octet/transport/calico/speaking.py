"""Nodes tell each other, and routers, by BGP which blocks are theirs; packets go as they are.

What lives here: ``CalicoBgp``, a transport. What it must not know: where a node's prefixes come from (a
function is given), BIRD's language, processes.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from octet.blueprint import Blueprint
from octet.blueprint.base import union
from octet.cluster.objects import Network, Node
from octet.cluster.view import View
from octet.errors import BadConfigurationError
from octet.transport.bgp import Filter, Left, Session, Speaker, daemon, filters, session
from octet.transport.bgp.rendering import filter_file, peer_file
from octet.transport.bgp.unsure import ALL, Decided, Unsure, each_alone
from octet.transport.calico.advertising import advertised, advertises
from octet.transport.calico.directory import ANNOTATED
from octet.transport.calico.peering import (
    filters_of,
    mistaken,
    routed_outside,
    unfiltered,
    with_node,
    with_routers,
)
from octet.transport.calico.settings import configuration, speaker
from octet.transport.host_gateway import direct_route
from octet.transport.reach import FAMILIES, Obstacle, on_link, underlay


def _session(speaker: Speaker, make: Callable[[], Session]) -> Blueprint:
    return session(speaker, make())


def _filters(make: Callable[[], Filter]) -> Blueprint:
    return filters([make()])


def _nothing(_view: View) -> tuple[Left, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class CalicoBgp:
    """Sessions as Calico's resources want them; what is heard on them becomes routes.

    Attributes:
        owned: the prefixes that this node tells, out of the View.
        left: what tunnels route, out of the View.
    """

    owned: Callable[[View], tuple[Network, ...]]
    left: Callable[[View], tuple[Left, ...]] = _nothing

    @property
    def ports(self) -> tuple[int, ...]:
        """None: nothing is wrapped."""
        return ()

    def node(self, view: View) -> Blueprint:
        """Return the daemon, filters and sessions with routers; nothing before there is an address."""
        return self._decided(view)[0]

    def unsure(self, view: View) -> tuple[Unsure, ...]:
        """Return what is not in the node's part because what is said of it is wrong."""
        return self._decided(view)[1]

    def remarks(self, view: View) -> tuple[str, ...]:
        """Return which BGPPeers have an address that a node claims, or a filter that is not there."""
        return (*mistaken(view), *unfiltered(view))

    def _decided(self, view: View) -> Decided:
        try:
            services = advertised(view, configuration(view, view.me))
            me = speaker(view, self.owned(view), self.left(view), services)
            common = daemon(me) if me.families else Blueprint()
        except BadConfigurationError as error:
            return Blueprint(), (Unsure(ALL, str(error)),)
        if not me.families:
            return common, ()
        sessions = ((peer_file(name), partial(_session, me, make)) for name, make in with_routers(view, me))
        held = ((filter_file(name), partial(_filters, make)) for name, make in filters_of(view))
        made, unsure = each_alone([*held, *sessions])
        return union([common, made]), unsure

    def peer(self, view: View, peer: Node) -> Blueprint:
        """Return the session with another node; nothing where there is none."""
        me = speaker(view)
        return union(session(me, each) for each in with_node(view, me, peer))

    def obstacles(self, view: View, peer: Node) -> tuple[str, ...]:
        """Return why families of the peer's pods cannot be reached."""
        return tuple(self._obstacles(view, peer))

    def heard(self, view: View, peer: Node) -> Blueprint:
        """Return the routes that the speaker makes of what a peer of the same network tells it."""
        found = {each: ANNOTATED.address(view, peer, each) for each in FAMILIES}
        theirs = self.owned(replace(view, me=peer.name))
        return Blueprint(
            direct_route(view, cidr, gateway)
            for cidr in theirs
            if not isinstance(gateway := found[cidr.version], Obstacle) and on_link(view, gateway)
        )

    def annotations(self, view: View) -> Mapping[str, str]:
        """Return this node's addresses, as Calico's nodes write them."""
        return ANNOTATED.announce(view)

    def mtu(self, view: View) -> int:
        """Return the underlay's own: nothing is added to a packet."""
        return view.underlay.mtu

    def advertises(self, view: View) -> bool:
        """Tell whether service addresses are announced."""
        return advertises(configuration(view, view.me))

    def _obstacles(self, view: View, peer: Node) -> Iterator[str]:
        for family in FAMILIES:
            own = underlay(view, family)
            if own is None:
                continue
            address = ANNOTATED.address(view, peer, family)
            if isinstance(address, Obstacle):
                yield address.reason
            elif (
                not on_link(view, address)
                and not routed_outside(view, peer)
                and self._bare(view, peer, family)
            ):
                yield f"node {peer.name} at {address} is not on {own.network}, and nothing tunnels to it"

    def _bare(self, view: View, peer: Node, family: int) -> bool:
        """Is anything that a peer may tell no tunnel's affair? It may tell more than it does now."""
        tunnelled = [each.prefix for each in self.left(view) if each.prefix.version == family]
        theirs = [each for each in self.owned(replace(view, me=peer.name)) if each.version == family]
        outside = [each for each in theirs if not any(each.network_address in pool for pool in tunnelled)]
        return bool(outside) or not tunnelled
