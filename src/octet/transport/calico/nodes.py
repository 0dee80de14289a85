"""What Calico's nodes tell each other of their tunnels, in annotations of Node objects.

What lives here: names of annotations and of IPAM handles, reading them, MACs that follow from node names.
What it must not know: devices, routes, how an address is taken out of a pool.
Sources: Calico, libcalico-go/lib/backend/k8s/resources/node.go; node/pkg/allocateip; felix/calc,
vxlan_resolver.go (``vtepMACForHost``).
"""

import hashlib
from dataclasses import dataclass
from ipaddress import ip_address

from octet.blueprint import mac
from octet.cluster.objects import Address, Node
from octet.transport.reach import Obstacle

PREFIX = "projectcalico.org/"


@dataclass(frozen=True, slots=True)
class TunnelAddress:
    """The address of one kind of tunnel on each node: an allocation out of a pool, told by annotation.

    Attributes:
        annotation: of the node that has it.
        handle: its name in IPAM, with ``{}`` for the node's.
        kind: IPAM attribute ``type``.
    """

    family: int
    annotation: str
    handle: str
    kind: str

    def of(self, node: Node | None) -> Address | None:
        """Return the address that a node tells; None where it tells none of this family."""
        text = node.annotations.get(self.annotation, "") if node is not None else ""
        try:
            found = ip_address(text)
        except ValueError:
            return None
        return found if found.version == self.family else None

    def of_peer(self, node: Node) -> Address | Obstacle:
        """Return a peer's address, or why there is none."""
        return self.of(node) or Obstacle(f"node {node.name} has no usable annotation {self.annotation}")


IPIP = TunnelAddress(4, f"{PREFIX}IPv4IPIPTunnelAddr", "ipip-tunnel-addr-{}", "ipipTunnelAddress")
VXLAN = {
    4: TunnelAddress(4, f"{PREFIX}IPv4VXLANTunnelAddr", "vxlan-tunnel-addr-{}", "vxlanTunnelAddress"),
    6: TunnelAddress(6, f"{PREFIX}IPv6VXLANTunnelAddr", "vxlan-v6-tunnel-addr-{}", "vxlanV6TunnelAddress"),
}
VXLAN_MACS = {4: f"{PREFIX}VXLANTunnelMACAddr", 6: f"{PREFIX}VXLANTunnelMACAddrV6"}


def vtep_mac(name: str, node: Node | None, family: int) -> str:
    """Return the MAC of a node's VXLAN device: the annotated one, else 66 and five bytes of its name's SHA-1.

    Every node computes its peers': nothing has to be agreed on.
    """
    said = mac.unicast(node.annotations.get(VXLAN_MACS[family], "")) if node is not None else None
    text = name if family == 4 else f"{name}-v6"
    computed = b"f" + hashlib.sha1(text.encode(), usedforsecurity=False).digest()[:5]
    return said or mac.written(computed)
