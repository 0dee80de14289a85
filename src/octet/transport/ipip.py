"""IP in IP (RFC 2003) as Calico has it: one device without a remote for all peers; routes name the machine.

What lives here: ``IpipTransport``, its overhead. What it must not know: pools (a ``Share`` says what is
wrapped), how the tunnel's address came about, BGP.

Who programs which route: the wrapped ones are made here, from what nodes hold, and BGP leaves them alone
(``transport.bgp.Left``); where packets go as they are, BGP installs what it hears, unless ``bare`` says that
nobody does. Calico had BIRD install both, by a patch (``krt_tunnel``) that Debian's BIRD 2 does not have: its
filters can name an interface or a gateway for the kernel, but not a gateway that counts as on the link. Since
v3.33 Felix installs the wrapped ones there, too (FelixConfiguration, ``programClusterRoutes``).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_interface

from octet.blueprint import Address, Blueprint, Ipip, KernelObject, Link, Route, Sysctl
from octet.cluster import objects
from octet.cluster.objects import Node
from octet.cluster.view import View
from octet.transport.calico.nodes import IPIP
from octet.transport.host_gateway import direct_route
from octet.transport.reach import INTERNAL, Directory, Obstacle, on_link
from octet.transport.tunnelling import IPV4, Carried, Entrance, Share, guarded, known

DEVICE = "ipip.calico"
"""The kernel keeps ``tunl0`` for itself: it is there in every namespace and has no end (net/ipv4/ipip.c)."""

OVERHEAD = 20
"""Bytes around a pod's packet: the outer IPv4 header (RFC 791)."""

ENTRANCE = Entrance("ipip", 4, IPV4)


@dataclass(frozen=True, slots=True)
class IpipTransport:
    """A device, and a route for each prefix of a peer that is wrapped. IPv4 only: Calico has no other.

    Attributes:
        share: which prefixes, and when.
        bare: make the routes to near peers, too, that CrossSubnet does not wrap: nobody else does.
    """

    share: Share
    directory: Directory = INTERNAL
    bare: bool = False

    @property
    def ports(self) -> tuple[int, ...]:
        """None: it is in no UDP."""
        return ()

    def node(self, view: View) -> Blueprint:
        """Return the device with its address, and who may send through it; nothing while it is not used."""
        return Blueprint(self._end(view)) | (guarded([ENTRANCE]) if self._used(view) else Blueprint())

    def peer(self, view: View, peer: Node) -> Blueprint:
        """Return a route for each of a peer's prefixes."""
        return Blueprint(each for each in self._ways(view, peer) if not isinstance(each, Obstacle))

    def obstacles(self, view: View, peer: Node) -> tuple[str, ...]:
        """Return why the peer's pods cannot be reached."""
        return tuple(each.reason for each in self._ways(view, peer) if isinstance(each, Obstacle))

    def annotations(self, view: View) -> Mapping[str, str]:
        """Return what the directory wants to be known."""
        return self.directory.announce(view)

    def mtu(self, view: View) -> int:
        """Return the underlay's without the overhead; which peers are near changes, so all pods have it."""
        return view.underlay.mtu - OVERHEAD * self.share.used(view, 4)

    def _used(self, view: View) -> bool:
        return self.share.used(view, 4) and view.underlay.v4 is not None

    def _end(self, view: View) -> Iterator[KernelObject]:
        """Yield the device.

        Its address is what the node's own processes have towards pods; without one they have the underlay's,
        whose answers come back another way: as with VXLAN, the reverse path check is loose (2).
        """
        local = view.underlay.v4
        if local is None or not self._used(view):
            return
        mtu = view.underlay.mtu - OVERHEAD
        yield Link(DEVICE, Ipip(local.ip), "transport ipip", mtu=mtu, ipv6_autoconf=False)
        inner = IPIP.of(view.here)
        if inner is not None:
            yield Address(DEVICE, ip_interface(inner))
            yield ENTRANCE.answered(DEVICE, inner)
        yield Sysctl(f"net/ipv4/conf/{DEVICE}/rp_filter", "2")

    def _ways(self, view: View, peer: Node) -> Iterator[KernelObject | Obstacle]:
        if not self.share.used(view, 4):
            return
        address = self.directory.address(view, peer, 4)
        if isinstance(address, Obstacle):
            yield address
        elif not self._used(view):
            yield Obstacle(f"this node has no IPv4 address on {view.underlay.interface}")
        else:
            yield known(address)
            for carried in self.share.of(view, peer.name):
                yield from self._way(view, carried, address)

    def _way(self, view: View, carried: Carried, address: objects.Address) -> Iterator[Route]:
        if carried.prefix.version != 4:
            return
        if carried.mode.wraps(near=on_link(view, address)):
            yield Route(carried.prefix, DEVICE, address, onlink=True)
        elif self.bare:
            yield direct_route(view, carried.prefix, address)
