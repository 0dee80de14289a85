"""kube-router's overlay: a tunnel of its own for each peer, for pods that reach nodes as well.

What lives here: ``Overlay``, its devices' names, overheads, the table by which pods' packets to other nodes
themselves go through the tunnels. What it must not know: BGP (``left`` says what it leaves alone), policies.
Source: kube-router, pkg/controllers/routing (network_routes_controller.go, pbr.go), docs/tunnels.md.

Networks that pass only UDP, TCP and ICMP drop IP in IP: Azure's do. There ``in_udp`` is what would do.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network

from octet.blueprint import (
    Blueprint,
    FouPort,
    InUdp,
    Ip6Tunnel,
    Ipip,
    KernelObject,
    Link,
    LinkDetail,
    Route,
    Rule,
    Sysctl,
)
from octet.cluster.objects import Address, Network, Node
from octet.cluster.view import View
from octet.errors import NotReadyError
from octet.transport.host_gateway import direct_route
from octet.transport.reach import (
    INTERNAL,
    OF_THE_CLUSTER,
    Directory,
    Obstacle,
    PodNetworks,
    on_link,
    underlay,
)
from octet.transport.tunnelling import IPV4, IPV6, Entrance, Mode, guarded, known

TABLE = 77
"""Where pods' packets to other nodes find their tunnels; "kube-router" in rt_tables there."""

PRIORITY = 32700
"""Of the rule that leads there: before the main table's 32766, behind everybody who cares to be first."""

PORT = 5555
TTL = 225
"""Of outer packets: as the original's, which says no why."""

OVERHEAD = {4: 20, 6: 40}
"""Bytes around a pod's packet: the outer header (RFC 791, RFC 8200)."""

GUE = 8 + 4
"""Bytes more in UDP: its header, and that of Generic UDP Encapsulation without options (linux/gue.h)."""


def device(address: Address) -> str:
    """Return the name of the tunnel to a node.

    The original hashes the address's text without its separators: 21.3.0.4 and 2.13.0.4 have one tunnel.
    Here an IPv4 address is in the name as it is. Of an IPv6 address 44 bits of a hash fit in: should two
    nodes ever agree in them, the later one is left out, and named (``models.model.together``).
    """
    if address.version == 4:
        return f"tun-{address.packed.hex()}"
    return f"tun-{hashlib.sha256(address.packed).hexdigest()[:11]}"


@dataclass(frozen=True, slots=True)
class Overlay:
    """Tunnels to peers: to all of them, or to those behind a router.

    Attributes:
        mode: ALWAYS is ``--overlay-type=full``, CROSS_SUBNET ``subnet``, NEVER ``--enable-overlay=false``.
        in_udp: UDP port of GUE (``--overlay-encap=fou``, ``--overlay-encap-port``); None is plain IP in IP.
        bare: make the routes to near peers, too, that are not wrapped: nobody else does.
    """

    networks: PodNetworks = OF_THE_CLUSTER
    mode: Mode = Mode.CROSS_SUBNET
    in_udp: int | None = None
    directory: Directory = INTERNAL
    bare: bool = False

    @property
    def ports(self) -> tuple[int, ...]:
        """As the protocol says; IP in IP itself is closed to pods everywhere (``policy.gates``)."""
        return (self.in_udp,) if self.in_udp is not None and self.mode is not Mode.NEVER else ()

    def node(self, view: View) -> Blueprint:
        """Return where tunnels in UDP end, who may send to them, and what leads pods' packets there."""
        families = self._families(view)
        items: list[KernelObject] = []
        for family in families:
            own = self.networks.own(view, family)
            items += [FouPort(self.in_udp, family)] if self.in_udp is not None else []
            items += [Rule(PRIORITY, family, TABLE, source=own)] if own is not None else []
        return Blueprint(items) | guarded(self._entrance(family) for family in families)

    def peer(self, view: View, peer: Node) -> Blueprint:
        """Return a peer's tunnels and what is behind them, for each family that it is reached in."""
        return Blueprint(each for each in self._ways(view, peer) if not isinstance(each, Obstacle))

    def obstacles(self, view: View, peer: Node) -> tuple[str, ...]:
        """Return why families of the peer's pods cannot be reached."""
        return tuple(each.reason for each in self._ways(view, peer) if isinstance(each, Obstacle))

    def annotations(self, view: View) -> Mapping[str, str]:
        """Return what the directory wants to be known."""
        return self.directory.announce(view)

    def overhead(self, family: int) -> int:
        """Return the bytes around a pod's packet."""
        if self.mode is Mode.NEVER:
            return 0
        return OVERHEAD[family] + (GUE if self.in_udp is not None else 0)

    def mtu(self, view: View) -> int:
        """Return what fits through the narrowest tunnel; the original takes nothing off.

        Raises:
            NotReadyError: this node has no pod CIDR yet.
        """
        families = self.networks.families(view)
        if not families:
            raise NotReadyError(f"node {view.me} has no pod CIDR yet")
        return view.underlay.mtu - max(self.overhead(family) for family in families)

    def _families(self, view: View) -> tuple[int, ...]:
        return self.networks.families(view) if self.mode is not Mode.NEVER else ()

    def _entrance(self, family: int) -> Entrance:
        if self.in_udp is not None:
            return Entrance("gue", family, "udp", self.in_udp)
        return Entrance("overlay", family, IPV4 if family == 4 else IPV6)

    def _ways(self, view: View, peer: Node) -> Iterator[KernelObject | Obstacle]:
        for family in self.networks.families(view):
            yield from self._way(view, peer, family)

    def _way(self, view: View, peer: Node, family: int) -> Iterator[KernelObject | Obstacle]:
        cidr = self.networks.of_peer(view, peer, family)
        address, local = self.directory.address(view, peer, family), underlay(view, family)
        if isinstance(cidr, Obstacle) or isinstance(address, Obstacle):
            yield from (each for each in (cidr, address) if isinstance(each, Obstacle))
            return
        if local is None:
            yield Obstacle(f"this node has no IPv{family} address on {view.underlay.interface}")
            return
        near = on_link(view, address)
        if self.mode is not Mode.NEVER:
            yield known(address)
        if self.mode.wraps(near=near):
            yield from self._tunnelled(view, cidr, address, local.ip)
        elif self.bare and near:
            yield direct_route(view, cidr, address)

    def _tunnelled(
        self, view: View, cidr: Network, address: Address, local: Address
    ) -> Iterator[KernelObject]:
        """Yield a tunnel, the route to the peer's pods, and for pods of this node the one to the peer itself.

        What the node itself sends to pods has its underlay address, by which the peer answers: through the
        tunnel to a pod, but to the node as it is. The reverse path check is loose (2) for that.
        """
        name, mtu = device(address), view.underlay.mtu - self.overhead(cidr.version)
        yield Link(name, self._detail(local, address), "transport overlay", mtu=mtu, ipv6_autoconf=False)
        if cidr.version == 4:
            yield Sysctl(f"net/ipv4/conf/{name}/rp_filter", "2")
        yield Route(cidr, name, source=local)
        yield Route(ip_network(address), name, table=TABLE)

    def _detail(self, local: Address, remote: Address) -> LinkDetail:
        wrapped = InUdp(self.in_udp) if self.in_udp is not None else None
        if isinstance(local, IPv4Address) and isinstance(remote, IPv4Address):
            return Ipip(local, remote, TTL, wrapped)
        if isinstance(local, IPv6Address) and isinstance(remote, IPv6Address):
            return Ip6Tunnel(local, remote, TTL, wrapped)
        raise ValueError(f"no tunnel from {local} to {remote}: they are of two families")
