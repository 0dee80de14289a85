"""flannel's VXLAN: ``flannel.<VNI>`` and ``flannel-v6.<VNI>``, found by annotation.

What lives here: ``FlannelFlavour``, and flannel's host-gw, which refuses to hide behind NAT.
What it must not know: how net-conf.json is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from octet.blueprint import Blueprint, Vxlan, mac
from octet.cluster.objects import Network, Node
from octet.cluster.view import View
from octet.transport.flannel.annotations import (
    DATA,
    OVERWRITE,
    FlannelDirectory,
    VxlanData,
    read_vxlan_data,
)
from octet.transport.flannel.netconf import VxlanBackend
from octet.transport.host_gateway import HostGateway
from octet.transport.reach import Obstacle, PodNetworks, underlay
from octet.transport.vxlan import OVERHEAD, Device, FarEnd, VxlanTransport

DEVICE = {4: "flannel.", 6: "flannel-v6."}
"""Begins the name of the device, by family of the pods and of the underlay; the VNI ends it."""


@dataclass(frozen=True, slots=True)
class FlannelFlavour:
    """What flanneld's vxlan backend makes, from ``Backend`` of net-conf.json.

    Attributes:
        directory: where peers say where they are.
    """

    backend: VxlanBackend
    directory: FlannelDirectory

    @property
    def port(self) -> int:
        """``Backend.Port``."""
        return self.backend.port

    def device(self, view: View, cidr: Network) -> Device | None:
        """Return the device over the underlay of the pods' own family."""
        family, local = cidr.version, underlay(view, cidr.version)
        if local is None:
            return None
        backend = self.backend
        detail = Vxlan(backend.vni, backend.port, local.ip, view.underlay.interface, backend.learning)
        name = f"{DEVICE[family]}{backend.vni}"
        return Device(name, detail, self.vtep_mac(view, cidr), self.mtu(view, family))

    def far_end(self, view: View, peer: Node, cidr: Network) -> FarEnd | Obstacle:
        """Return what a peer's annotations say."""
        address = self.directory.address(view, peer, cidr.version)
        if isinstance(address, Obstacle):
            return address
        name = DATA[cidr.version]
        data = read_vxlan_data(self.directory.said(peer, name))
        if data is None:
            return Obstacle(f"node {peer.name} has no usable annotation {self.directory.prefix}{name}")
        if not data.matches(self.backend.vni):
            return Obstacle(f"node {peer.name} has VNI {data.vni}, this node {self.backend.vni}")
        return FarEnd(data.mac, address)

    def mtu(self, view: View, family: int) -> int:
        """Return the underlay's MTU without the overhead.

        ``Backend.MTU`` is the path's, below the interface's own; one above it counts as the interface's, as
        the kernel cuts it there. flannel takes off 50 bytes in both families; over IPv6 that is 20 too few.
        """
        outer = min(self.backend.mtu or view.underlay.mtu, view.underlay.mtu)
        return outer - OVERHEAD[family]

    def vtep_mac(self, view: View, cidr: Network) -> str:
        """Return the device's MAC: the annotated one after a restart, else one that follows from the node.

        flanneld's is random. Ours is the same however often it is computed, before the annotation was
        written and after it was lost, so peers never hold an old one.
        """
        here = view.here
        known = read_vxlan_data(self.directory.said(here, DATA[cidr.version]))
        if known is not None:
            return known.mac
        identity = (here.uid or here.name) if here else view.me
        return mac.of_text(f"flannel {identity} {cidr} {self.backend.vni}")

    def annotations(self, view: View) -> Mapping[str, str]:
        """Return what flanneld would write."""
        data: dict[int, str] = {}
        for family in self.directory.networks.families(view):
            cidr = self.directory.networks.own(view, family)
            device = self.device(view, cidr) if cidr else None
            if device is not None:
                data[family] = VxlanData(device.mac, self.backend.vni).text()
        return self.directory.announce_data(view, data)


HOST_GATEWAYS = FlannelDirectory("host-gw")


@dataclass(frozen=True, slots=True)
class FlannelHostGateway(HostGateway):
    """flannel's host-gw: peers by annotation; a public address that isn't the interface's is refused."""

    directory: FlannelDirectory = HOST_GATEWAYS

    def node(self, view: View) -> Blueprint:
        """Return nothing.

        Raises:
            BadConfigurationError: this node is told to advertise an address that packets don't arrive at.
        """
        for family in self.networks.families(view):
            own, said = underlay(view, family), self.directory.advertised(view, family)
            if own is not None and said != own.ip:
                problem = f"host-gw needs this node's own address {own.ip}: nothing may translate in between"
                raise self.directory.refusal(view, OVERWRITE[family], problem)
        return Blueprint()


def flannel_vxlan(backend: VxlanBackend, networks: PodNetworks) -> VxlanTransport:
    """Return flannel's VXLAN transport."""
    flavour = FlannelFlavour(backend, FlannelDirectory("vxlan", networks))
    return VxlanTransport(flavour, networks, direct=backend.direct_routing)


def flannel_host_gateway(networks: PodNetworks) -> FlannelHostGateway:
    """Return flannel's host-gw transport."""
    return FlannelHostGateway(networks, FlannelDirectory("host-gw", networks))
