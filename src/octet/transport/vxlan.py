"""VXLAN (RFC 7348) with every entry programmed: what flannel's and kopeio's flavours have in common.

What lives here: ``VxlanTransport``, overheads, a device, the entries of a far end, the way without a tunnel.
What it must not know: names, MACs, numbers and annotations; a ``Flavour`` says them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_interface
from typing import Protocol

from octet.blueprint import Address, Blueprint, FdbEntry, KernelObject, Link, Neighbour, Route, Sysctl, Vxlan
from octet.cluster import objects
from octet.cluster.objects import Network, Node
from octet.cluster.view import View
from octet.errors import NotReadyError
from octet.transport.host_gateway import direct_route
from octet.transport.reach import OF_THE_CLUSTER, Obstacle, PodNetworks, on_link

OVERHEAD = {4: 50, 6: 70}
"""Bytes around a pod's packet, by family of the underlay.

Inner Ethernet 14 + VXLAN 8 + UDP 8 (RFC 7348, section 5) + outer IPv4 20 (RFC 791) or IPv6 40 (RFC 8200).
"""


@dataclass(frozen=True, slots=True)
class Device:
    """One VXLAN device of this node, for pods of one family.

    Attributes:
        mtu: bytes of a pod's packet, so without the overhead.
    """

    name: str
    detail: Vxlan
    mac: str
    mtu: int


@dataclass(frozen=True, slots=True)
class FarEnd:
    """Where a peer's device is: the MAC of its inner side, the underlay address of its outer side."""

    mac: str
    address: objects.Address


class Flavour(Protocol):
    """What one provider's VXLAN calls its device, and how its nodes find each other."""

    @property
    def port(self) -> int:
        """UDP port of its packets between nodes."""
        ...

    def device(self, view: View, cidr: Network) -> Device | None:
        """Return the device for this node's pod CIDR, or None while the underlay lacks the family."""
        ...

    def far_end(self, view: View, peer: Node, cidr: Network) -> FarEnd | Obstacle:
        """Return where a peer with this pod CIDR is, or why that isn't known."""
        ...

    def mtu(self, view: View, family: int) -> int:
        """Return the bytes of a pod's packet that fit through the device of a family."""
        ...

    def annotations(self, view: View) -> Mapping[str, str]:
        """Return what this node tells its peers."""
        ...


@dataclass(frozen=True, slots=True)
class VxlanTransport:
    """A device per family, and for each peer a neighbour, a forwarding entry and a route.

    Attributes:
        direct: peers on this node's own network are routed to without the tunnel (flannel's DirectRouting).
            Pods keep the tunnel's MTU all the same: which peers are near changes with every node that joins,
            and a connection must not break when a packet takes the other way.
    """

    flavour: Flavour
    networks: PodNetworks = OF_THE_CLUSTER
    direct: bool = False

    @property
    def ports(self) -> tuple[int, ...]:
        """As the protocol says."""
        return (self.flavour.port,)

    def node(self, view: View) -> Blueprint:
        """Return the devices with their addresses."""
        return Blueprint(item for family in self.networks.families(view) for item in self._end(view, family))

    def peer(self, view: View, peer: Node) -> Blueprint:
        """Return what leads to a peer, for each family that it is reached in."""
        return Blueprint(each for each in self._ways(view, peer) if not isinstance(each, Obstacle))

    def obstacles(self, view: View, peer: Node) -> tuple[str, ...]:
        """Return why families of the peer's pods cannot be reached."""
        return tuple(each.reason for each in self._ways(view, peer) if isinstance(each, Obstacle))

    def annotations(self, view: View) -> Mapping[str, str]:
        """Return what the flavour's nodes tell each other."""
        return self.flavour.annotations(view)

    def mtu(self, view: View) -> int:
        """Return what fits through the narrowest of the devices.

        Raises:
            NotReadyError: this node has no pod CIDR yet.
        """
        families = self.networks.families(view)
        if not families:
            raise NotReadyError(f"node {view.me} has no pod CIDR yet")
        return min(self.flavour.mtu(view, family) for family in families)

    def _end(self, view: View, family: int) -> Iterator[KernelObject]:
        cidr = self.networks.own(view, family)
        device = self.flavour.device(view, cidr) if cidr else None
        if cidr is not None and device is not None:
            yield from end(device, cidr.network_address)

    def _ways(self, view: View, peer: Node) -> Iterator[KernelObject | Obstacle]:
        for family in self.networks.families(view):
            yield from self._way(view, peer, family)

    def _way(self, view: View, peer: Node, family: int) -> Iterator[KernelObject | Obstacle]:
        cidr = self.networks.of_peer(view, peer, family)
        if isinstance(cidr, Obstacle):
            yield cidr
            return
        far = self.flavour.far_end(view, peer, cidr)
        if isinstance(far, Obstacle):
            yield far
        elif self.direct and on_link(view, far.address):
            yield direct_route(view, cidr, far.address)
        else:
            yield from self._tunnelled(view, peer, cidr, far)

    def _tunnelled(
        self, view: View, peer: Node, cidr: Network, far: FarEnd
    ) -> Iterator[KernelObject | Obstacle]:
        own = self.networks.own(view, cidr.version)
        device = self.flavour.device(view, own) if own else None
        if device is None:
            yield Obstacle(f"this node has no IPv{cidr.version} address on {view.underlay.interface}")
        elif far.mac == device.mac:
            yield Obstacle(f"node {peer.name} says that its device has this node's MAC {far.mac}")
        else:
            yield from entries(device.name, cidr.network_address, far)
            yield through(device.name, cidr.network_address, cidr)


def end(device: Device, inner: objects.Address | None) -> Iterator[KernelObject]:
    """Yield this node's end, with its inner address if it has one.

    Replies of a node's own processes come through the tunnel from an underlay address, which is routed
    elsewhere: a strict reverse path check would drop them, so it is loose (2) here. The device takes no
    routes from the network (flannel sets the same ``accept_ra``).
    """
    name, why = device.name, "transport vxlan"
    yield Link(name, device.detail, why, mtu=device.mtu, mac=device.mac, ipv6_autoconf=False)
    if inner is not None:
        yield Address(name, ip_interface(inner))
    yield Sysctl(f"net/ipv6/conf/{name}/accept_ra", "0")
    if device.detail.local.version == 4:
        yield Sysctl(f"net/ipv4/conf/{name}/rp_filter", "2")


def entries(device: str, inner: objects.Address, far: FarEnd) -> Iterator[KernelObject]:
    """Yield the MAC of a peer's inner address, and the machine behind that MAC."""
    yield Neighbour(device, inner, far.mac)
    yield FdbEntry(device, far.mac, far.address)


def through(device: str, inner: objects.Address, prefix: Network) -> Route:
    """Return the route to what is behind a peer's inner address, as flannel's and Felix'."""
    return Route(prefix, device, inner, onlink=True)
