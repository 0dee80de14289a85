"""Calico's VXLAN: ``vxlan.calico`` and ``vxlan-v6.calico``, one far end per node, all its prefixes behind it.

What lives here: ``CalicoVxlan``. What it must not know: pools (a ``Share`` says what is wrapped), how the
tunnel's address came about, BGP (``transport.ipip`` says who programs which route).
Source: Calico, felix/dataplane/linux/vxlan_mgr.go; docs, reference/felix/configuration (vxlanVNI, vxlanPort).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from octet.blueprint import Blueprint, KernelObject, Vxlan
from octet.cluster import objects
from octet.cluster.objects import Node
from octet.cluster.view import View
from octet.transport.calico.nodes import VXLAN, vtep_mac
from octet.transport.host_gateway import direct_route
from octet.transport.reach import FAMILIES, INTERNAL, Directory, Obstacle, on_link, underlay
from octet.transport.tunnelling import Carried, Entrance, Share, guarded, known
from octet.transport.vxlan import OVERHEAD, Device, FarEnd, end, entries, through

VNI, PORT = 4096, 4789
DEVICES = {4: "vxlan.calico", 6: "vxlan-v6.calico"}


def _usual(_view: View) -> int:
    return VNI


@dataclass(frozen=True, slots=True)
class CalicoVxlan:
    """A device per family that is wrapped, and for each peer a neighbour, a forwarding entry, and routes.

    Attributes:
        share: which prefixes, and when.
        bare: make the routes to near peers, too, that CrossSubnet does not wrap: nobody else does.
        vni: of all nodes, out of the View (FelixConfiguration, ``vxlanVNI``).
        port: of all nodes; what no pod may send to is known before any View.
    """

    share: Share
    directory: Directory = INTERNAL
    bare: bool = False
    vni: Callable[[View], int] = _usual
    port: int = PORT

    @property
    def ports(self) -> tuple[int, ...]:
        """As the protocol says."""
        return (self.port,)

    def node(self, view: View) -> Blueprint:
        """Return the devices with their addresses, and who may send through them; none that is not used."""
        devices = [(family, self._device(view, family)) for family in FAMILIES]
        used = [(family, device) for family, device in devices if device is not None]
        ends = (item for family, device in used for item in self._end(view, device, family))
        return Blueprint(ends) | guarded(self._entrance(family) for family, _ in used)

    def peer(self, view: View, peer: Node) -> Blueprint:
        """Return what leads to a peer, for each family that it is reached in."""
        return Blueprint(each for each in self._ways(view, peer) if not isinstance(each, Obstacle))

    def obstacles(self, view: View, peer: Node) -> tuple[str, ...]:
        """Return why families of the peer's pods cannot be reached."""
        return tuple(each.reason for each in self._ways(view, peer) if isinstance(each, Obstacle))

    def annotations(self, view: View) -> Mapping[str, str]:
        """Return what the directory wants to be known."""
        return self.directory.announce(view)

    def mtu(self, view: View) -> int:
        """Return the underlay's without the overhead of the widest device that is used."""
        used = [OVERHEAD[family] for family in FAMILIES if self.share.used(view, family)]
        return view.underlay.mtu - max(used, default=0)

    def _entrance(self, family: int) -> Entrance:
        return Entrance("vxlan", family, "udp", self.port)

    def _end(self, view: View, device: Device, family: int) -> Iterator[KernelObject]:
        inner = VXLAN[family].of(view.here)
        yield from end(device, inner)
        yield from [self._entrance(family).answered(device.name, inner)] if inner is not None else []

    def _device(self, view: View, family: int) -> Device | None:
        local = underlay(view, family)
        if local is None or not self.share.used(view, family):
            return None
        detail = Vxlan(self.vni(view), self.port, local.ip, view.underlay.interface)
        mtu = view.underlay.mtu - OVERHEAD[family]
        return Device(DEVICES[family], detail, vtep_mac(view.me, view.here, family), mtu)

    def _ways(self, view: View, peer: Node) -> Iterator[KernelObject | Obstacle]:
        shares = tuple(self.share.of(view, peer.name))
        for family in FAMILIES:
            if self.share.used(view, family):
                own = [carried for carried in shares if carried.prefix.version == family]
                yield from self._way(view, peer, family, own)

    def _way(
        self, view: View, peer: Node, family: int, shares: list[Carried]
    ) -> Iterator[KernelObject | Obstacle]:
        address, device = self.directory.address(view, peer, family), self._device(view, family)
        if isinstance(address, Obstacle):
            yield address
            return
        if device is None:
            yield Obstacle(f"this node has no IPv{family} address on {view.underlay.interface}")
            return
        yield known(address)
        near = on_link(view, address)
        wrapped = [carried for carried in shares if carried.mode.wraps(near=near)]
        if wrapped:
            yield from self._tunnelled(peer, device, address, wrapped)
        if self.bare:
            plain = (carried for carried in shares if carried not in wrapped)
            yield from (direct_route(view, carried.prefix, address) for carried in plain)

    def _tunnelled(
        self, peer: Node, device: Device, address: objects.Address, wrapped: list[Carried]
    ) -> Iterator[KernelObject | Obstacle]:
        inner = VXLAN[address.version].of_peer(peer)
        far = FarEnd(vtep_mac(peer.name, peer, address.version), address)
        if isinstance(inner, Obstacle):
            yield inner
        elif far.mac == device.mac:
            yield Obstacle(f"node {peer.name} says that its device has this node's MAC {far.mac}")
        else:
            yield from entries(device.name, inner, far)
            yield from (through(device.name, inner, carried.prefix) for carried in wrapped)
