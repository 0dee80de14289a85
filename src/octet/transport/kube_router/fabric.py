"""From the View to sessions: with other nodes by their annotations, with routers by flags or this node's own.

What lives here: ``KubeRouter``. What it must not know: services, how annotations are spelled, BIRD.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from ipaddress import IPv4Address, IPv6Address

from octet.blueprint import Blueprint
from octet.blueprint.base import union
from octet.cluster.backends import Vip, alone
from octet.cluster.objects import Address, Network, Node
from octet.cluster.same import Same
from octet.cluster.view import View
from octet.errors import BadConfigurationError
from octet.transport.bgp import Left, Member, Mesh, Session, Speaker, Timers, between, daemon, session
from octet.transport.bgp.rendering import peer_file
from octet.transport.bgp.sessions import FAR
from octet.transport.bgp.speaker import BGP_PORT
from octet.transport.bgp.unsure import ALL, EVERY_ROUTER, POLICY, Decided, Unsure, each_alone
from octet.transport.host_gateway import direct_route
from octet.transport.kube_router.advertising import offers, told
from octet.transport.kube_router.annotations import ASN, POD_CIDRS, Own, own, rejected, role
from octet.transport.kube_router.flags import Flags
from octet.transport.kube_router.overlay import Overlay
from octet.transport.kube_router.routers import Router
from octet.transport.kube_router.words import PREFIX
from octet.transport.reach import FAMILIES, INTERNAL, Directory, Obstacle, PodNetworks, on_link, underlay
from octet.transport.tunnelling import Mode

RETRY, PATIENCE = 1, (1, 10)
"""Seconds between attempts to connect, and after an error: a session that begins anew is back at once."""

NOBODY = Own()


@dataclass(frozen=True, slots=True)
class KubeRouter:
    """A session with every node that wants one with us, and one with each router.

    Without an overlay a node in another subnet is the next hop all the same: its address is resolved by the
    underlay's routes, as the original's packets take the default route then.

    Attributes:
        overlay: the way of what is wrapped; what BGP says of those prefixes is not installed.
    """

    flags: Flags = field(default_factory=Flags)
    overlay: Overlay = field(default_factory=lambda: Overlay(mode=Mode.NEVER))
    networks: PodNetworks = field(default_factory=lambda: PodNetworks(annotations=POD_CIDRS))
    directory: Directory = INTERNAL

    @property
    def ports(self) -> tuple[int, ...]:
        """The overlay's."""
        return self.overlay.ports

    def node(self, view: View) -> Blueprint:
        """Return the daemon, and the sessions with routers; not before there are an address and an AS number.

        Raises:
            BadConfigurationError: this node's pod CIDRs.
        """
        return self._decided(view)[0]

    def unsure(self, view: View) -> tuple[Unsure, ...]:
        """Return what is not in the node's part because this node's annotations are wrong."""
        return self._decided(view, services=False)[1]

    def speaking(self, view: View) -> tuple[int, ...]:
        """Return the ports at which nodes and routers speak BGP; of unreadable routers the usual one."""
        try:
            routers = (*self.flags.routers, *self._own(view).routers)
        except BadConfigurationError:
            routers = self.flags.routers
        return tuple(sorted({BGP_PORT, self.flags.port, *(each.port for each in routers)}))

    def _decided(self, view: View, *, services: bool = True) -> Decided:
        """Return the node's part; without services where only what is unsure is asked: they never are."""
        overlay = self.overlay.node(view)
        try:
            speaker = self._speaker(view)
            if not speaker.families or self._silent(view.here):
                return overlay, ()
        except BadConfigurationError as error:
            return overlay, (Unsure(ALL, str(error)),)
        advertised = self.flags.advertised
        vips = offers(view, advertised).vips if services else ()
        addresses = told(view, vips, advertised.aggregates)
        refused = (*speaker.refused, *_strays(Same(vips), speaker.refused))
        speaker, unsure = self._rejecting(view, replace(speaker, services=addresses, refused=refused))
        sessions, unmade = self._sessions(view, speaker) if not unsure else (Blueprint(), ())
        return union([daemon(speaker), overlay, sessions]), (*unsure, *unmade)

    def _rejecting(self, view: View, speaker: Speaker) -> tuple[Speaker, tuple[Unsure, ...]]:
        """Return the speaker with what this node says that it never believes."""
        try:
            more = rejected(view.here) if view.here is not None else ()
        except BadConfigurationError as error:
            return speaker, (Unsure(POLICY, str(error)), Unsure(EVERY_ROUTER, str(error)))
        return replace(speaker, refused=(*speaker.refused, *more)), ()

    def _sessions(self, view: View, speaker: Speaker) -> Decided:
        """Return the sessions with routers."""
        try:
            said = self._own(view)
        except BadConfigurationError as error:
            return Blueprint(), (Unsure(EVERY_ROUTER, str(error)),)
        routers = self.flags.routers or said.routers
        make = partial(self._router, speaker, said)
        return each_alone((peer_file(str(each.address)), partial(make, each)) for each in routers)

    def peer(self, view: View, peer: Node) -> Blueprint:
        """Return the sessions with a node, where its role and this node's want one, and its tunnel."""
        tunnel = self.overlay.peer(view, peer)
        if not self.flags.internal or self._silent(peer) or self._silent(view.here):
            return tunnel
        speaker = self._speaker(view)
        me = self._member(view.here or Node(view.me), speaker.v4, speaker.v6)
        v4, v6 = (self.directory.address(view, peer, family) for family in FAMILIES)
        other = self._member(peer, v4, v6)
        sessions = (session(speaker, each) for each in between(speaker, me, other, self._mesh()))
        return union([tunnel, *sessions])

    def obstacles(self, view: View, peer: Node) -> tuple[str, ...]:
        """Return why families of the peer's pods cannot be reached."""
        try:
            return tuple(self._obstacles(view, peer))
        except BadConfigurationError as error:
            return (str(error),)

    def heard(self, view: View, peer: Node) -> Blueprint:
        """Return the routes that the speaker makes of what a peer of the same network tells it."""
        return Blueprint(
            direct_route(view, cidr, gateway)
            for family in self.networks.families(view)
            if not isinstance(cidr := self.networks.of_peer(view, peer, family), Obstacle)
            and not isinstance(gateway := self.directory.address(view, peer, family), Obstacle)
            and on_link(view, gateway)
            and not self.overlay.mode.wraps(near=True)
        )

    def annotations(self, view: View) -> Mapping[str, str]:
        """Return what the directory wants to be known."""
        return self.directory.announce(view)

    def mtu(self, view: View) -> int:
        """Return what fits through a tunnel, or the underlay's own where nothing is wrapped.

        Raises:
            NotReadyError: this node has no pod CIDR yet.
        """
        return self.overlay.mtu(view)

    def _obstacles(self, view: View, peer: Node) -> Iterator[str]:
        if self._silent(peer):
            yield f"node {peer.name} says no AS number: it lacks the annotation {PREFIX}{ASN}"
            return
        routed = self.overlay.mode is not Mode.NEVER or self._told_to_routers(view)
        for family in self.networks.families(view):
            cidr = self.networks.of_peer(view, peer, family)
            address = self.directory.address(view, peer, family)
            if isinstance(cidr, Obstacle):
                yield cidr.reason
            elif isinstance(address, Obstacle):
                yield address.reason
            elif not routed and not on_link(view, address):
                where = underlay(view, family)
                network = where.network if where is not None else f"any IPv{family} network"
                yield (
                    f"node {peer.name} at {address} is not on {network}: without enable-overlay nothing "
                    "tunnels to it, and no router is told of pods"
                )

    def _told_to_routers(self, view: View) -> bool:
        """Do routers know the way to pods? Then packets to nodes in other subnets go by them."""
        try:
            return self.flags.tell_pods and bool(self.flags.routers or self._own(view).routers)
        except BadConfigurationError:
            return False

    def remarks(self, view: View) -> tuple[str, ...]:
        """Return what keeps this node from speaking, and why services are left out, a sentence each."""
        hint = f"kubectl annotate node {view.me} {PREFIX}{ASN}={self.flags.asn}"
        mute = f"node {view.me} says no AS number, which there must be without a mesh ({hint})"
        try:
            own_remarks = (mute,) if self._silent(view.here) else ()
        except BadConfigurationError:
            own_remarks = ()  # which is said of the whole node
        return (*own_remarks, *offers(view, self.flags.advertised).remarks)

    def _silent(self, node: Node | None) -> bool:
        """Without a full mesh nodes peer by AS number, and this one says none."""
        return not self.flags.full_mesh and (node is None or role(node).asn is None)

    def _own(self, view: View) -> Own:
        return own(view.here) if view.here is not None else NOBODY

    def _mesh(self) -> Mesh:
        restart = self.flags.restart_time
        return Mesh(
            own_as_only=not self.flags.full_mesh,
            nodes_only=True,
            graceful=restart is not None,
            restart_time=restart,
            timers=self._timers,
        )

    @property
    def _timers(self) -> Timers:
        hold = self.flags.hold
        return Timers(hold, max(hold // 3, 1), RETRY, 0, PATIENCE)

    def _member(self, node: Node, v4: object, v6: object) -> Member:
        said = role(node)
        return Member(
            node.name,
            said.asn or self.flags.asn,
            v4 if isinstance(v4, IPv4Address) else None,
            v6 if isinstance(v6, IPv6Address) else None,
            said.cluster_id,
            said.client_of,
            self.flags.port,
        )

    def _speaker(self, view: View) -> Speaker:
        flags = self.flags
        here = view.here or Node(view.me)
        asn = role(here).asn
        v4, v6 = view.underlay.v4, view.underlay.v6
        identity = v4.ip if v4 is not None else _hashed(view.me)
        return Speaker(
            flags.router_id or identity,
            asn or flags.asn,
            v4.ip if v4 is not None else None,
            v6.ip if v6 is not None else None,
            near=tuple(held.network for each in FAMILIES if (held := underlay(view, each)) is not None),
            port=flags.port,
            strict_bind=True,
            owned=tuple(self._cidrs(view)),
            left=tuple(self._left(view)),
            refused=(*view.service_cidrs, *self._service_ranges),
            restart_time=flags.restart_time,
            scan_time=flags.scan_time,
        )

    def _left(self, view: View) -> Iterator[Left]:
        """Yield what BIRD leaves to the overlay: pods' networks, on other subnets or everywhere."""
        if self.overlay.mode is not Mode.NEVER:
            near = self.overlay.mode is Mode.CROSS_SUBNET
            yield from (Left(network, unless_near=near) for network in self.networks.cluster(view))

    @property
    def _service_ranges(self) -> tuple[Network, ...]:
        told = self.flags.advertised
        ranges = (*told.external_ranges, *told.load_balancer_ranges, *told.aggregates)
        return (*self.flags.service_ranges, *ranges)

    def _cidrs(self, view: View) -> Iterator[Network]:
        for family in FAMILIES:
            cidr = self.networks.own(view, family)
            if cidr is not None:
                yield cidr

    def _router(self, speaker: Speaker, said: Own, router: Router) -> Blueprint:
        family = router.address.version
        listening = next((each for each in said.listen if each.version == family), None)
        source: Address | None = router.source or listening
        return session(
            speaker,
            Session(
                str(router.address),
                router.address,
                router.asn,
                families=speaker.families,
                port=router.port,
                source=source,
                password=router.password,
                hops=FAR if router.asn == speaker.asn else self.flags.hops,
                tell_pods=self.flags.tell_pods,
                next_hop_address=(source,) if self.flags.override_next_hop and source is not None else (),
                bfd=router.bfd,
                timers=self._timers,
                restart_time=self.flags.restart_time,
                graceful=self.flags.restart_time is not None,
                prepend=said.prepend,
                communities=said.communities,
            ),
        )


@lru_cache(maxsize=4)
def _strays(vips: Same[tuple[Vip, ...]], ranges: tuple[Network, ...]) -> tuple[Network, ...]:
    """Return the addresses that lie in no range, as networks of one, in order."""
    held = {each.address for each in vips.held}
    strays = (each for each in held if not any(each in network for network in ranges))
    return tuple(sorted(map(alone, strays), key=lambda each: (each.version, each.network_address)))


def _hashed(name: str) -> IPv4Address:
    """Return a router id for a node without IPv4, of its name (the original's ``--router-id=generate``)."""
    return IPv4Address(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) | 1)
