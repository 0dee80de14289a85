"""kopeio-vxlan: one VXLAN device without a lower one, and MACs that follow from pod CIDRs.

What lives here: kopeio's flavour of VXLAN. What it must not know: bridges, flannel's annotations.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from octet.blueprint import Vxlan, mac
from octet.cluster.objects import Network, Node
from octet.cluster.view import View
from octet.transport.reach import INTERNAL, InternalAddresses, Obstacle, PodNetworks, underlay
from octet.transport.vxlan import OVERHEAD, Device, FarEnd, VxlanTransport

VNI = 1
PORT = 4789
"""IANA's VXLAN port (RFC 7348, section 5), which flannel doesn't use."""

DEVICES = {4: "vxlan1", 6: "vxlan1-v6"}

_V4_PREFIX = b"\x00\x53"


def vtep_mac(cidr: Network) -> str:
    """Return the MAC of the node that has a pod CIDR; every node computes its peers' instead of asking.

    IPv4, as the original: ``00:53`` and the four bytes of the CIDR's address. That prefix is not marked as
    locally administered, so by IEEE 802 it is not ours to use; it is kept because the peers compute the same.
    IPv6: the original has no mapping and stops. Sixteen bytes don't fit, so here it is a locally
    administered MAC made of a hash of the CIDR: still computed, still nothing to agree on.
    """
    if cidr.version == 4:
        return mac.written(_V4_PREFIX + cidr.network_address.packed)
    return mac.of_text(f"kopeio {cidr}")


@dataclass(frozen=True, slots=True)
class KopeioFlavour:
    """VXLAN as kopeio/networking has it: nothing but Node objects is needed to reach every peer.

    IPv6 and dual stack go beyond the original: IPv6 pods have a second device over the IPv6 underlay.
    The overhead is the real one; the original took off 100 bytes, which nothing made pods respect.
    """

    directory: InternalAddresses = INTERNAL

    @property
    def port(self) -> int:
        """IANA's, always."""
        return PORT

    def device(self, view: View, cidr: Network) -> Device | None:
        """Return ``vxlan1``, or ``vxlan1-v6`` for IPv6 pods; it outlives the NIC, as nothing is below."""
        local = underlay(view, cidr.version)
        if local is None:
            return None
        detail = Vxlan(VNI, PORT, local.ip)
        return Device(DEVICES[cidr.version], detail, vtep_mac(cidr), self.mtu(view, cidr.version))

    def far_end(self, view: View, peer: Node, cidr: Network) -> FarEnd | Obstacle:
        """Return the MAC computed from the peer's CIDR, at the peer's InternalIP."""
        address = self.directory.address(view, peer, cidr.version)
        return address if isinstance(address, Obstacle) else FarEnd(vtep_mac(cidr), address)

    def mtu(self, view: View, family: int) -> int:
        """Return the underlay's MTU without the overhead."""
        return view.underlay.mtu - OVERHEAD[family]

    def annotations(self, view: View) -> Mapping[str, str]:
        """Return nothing: peers compute."""
        del view
        return {}


def kopeio_vxlan(networks: PodNetworks) -> VxlanTransport:
    """Return kopeio's transport."""
    return VxlanTransport(KopeioFlavour(), networks)
