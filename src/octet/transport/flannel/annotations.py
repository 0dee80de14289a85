"""flannel's annotations of a Node, read and written exactly as flanneld does, so both can share a cluster.

What lives here: names, the codec of backend data, ``FlannelDirectory``. What it must not know: devices.
Source: flannel, pkg/subnet/kube (annotations.go, kube.go) and pkg/backend/vxlan/vxlan.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

import msgspec

from octet.blueprint import mac
from octet.cluster.objects import Address, Node
from octet.cluster.view import View
from octet.errors import BadConfigurationError
from octet.transport.reach import FAMILIES, OF_THE_CLUSTER, Obstacle, PodNetworks, underlay, usable

PREFIX = "flannel.alpha.coreos.com/"
"""flanneld's default for ``--kube-annotation-prefix``."""

MANAGED = "kube-subnet-manager"
TYPE = "backend-type"
DATA = {4: "backend-data", 6: "backend-v6-data"}
PUBLIC = {4: "public-ip", 6: "public-ipv6"}
OVERWRITE = {4: "public-ip-overwrite", 6: "public-ipv6-overwrite"}
NODE_PUBLIC = {4: "node-public-ip", 6: "node-public-ipv6"}

NO_DATA = "null"
"""What flanneld writes for a backend without data (host-gw): an empty json.RawMessage."""

_VNI_IN_ANNOTATION = 0xFFFF
"""flanneld writes the VNI as uint16, so a larger one is cut there, though not on the wire."""


class VxlanData(msgspec.Struct, frozen=True):
    """The ``backend-data`` of a VXLAN node.

    Attributes:
        vni: None where an old flanneld did not write it.
        mac: of the VXLAN device, lower-case colon form.
    """

    mac: str
    vni: int | None = None

    def text(self) -> str:
        """Return it as flanneld writes it: ``{"VNI":1,"VtepMAC":"6e:53:6b:01:02:03"}``."""
        return f'{{"VNI":{self.vni},"VtepMAC":"{self.mac}"}}'

    def matches(self, vni: int) -> bool:
        """Tell whether the device is part of the VXLAN with this number."""
        return self.vni is None or self.vni in (vni, vni & _VNI_IN_ANNOTATION)


def read_vxlan_data(text: str) -> VxlanData | None:
    """Return backend data, or None where it is absent or no VXLAN node's; keys in any case, as Go reads."""
    try:
        fields = msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError):
        return None
    known = {key.lower(): value for key, value in fields.items()}
    vtep, vni = known.get("vtepmac"), known.get("vni")
    found = mac.unicast(vtep) if isinstance(vtep, str) else None
    if found is None or not isinstance(vni, int | None) or isinstance(vni, bool):
        return None
    return VxlanData(found, vni)


@dataclass(frozen=True, slots=True)
class FlannelDirectory:
    """Peers say where they are by annotation; nodes that flannel doesn't manage are not peers.

    Attributes:
        backend: as in ``backend-type``; a peer of another one is not reached, as in flannel.
        prefix: begins every annotation, with the slash.
    """

    backend: str
    networks: PodNetworks = OF_THE_CLUSTER
    prefix: str = PREFIX

    def said(self, node: Node | None, name: str) -> str:
        """Return an annotation of a node without the prefix, or an empty text."""
        return node.annotations.get(self.prefix + name, "") if node else ""

    def address(self, view: View, peer: Node, family: int) -> Address | Obstacle:
        """Return the peer's ``public-ip`` (``public-ipv6``)."""
        if self.said(peer, MANAGED) != "true":
            return Obstacle(f"node {peer.name} has no annotation {self.prefix}{MANAGED}=true")
        if self.said(peer, TYPE) != self.backend:
            theirs = self.said(peer, TYPE)
            return Obstacle(f"node {peer.name} has backend {theirs!r}, this node {self.backend!r}")
        found = _parsed(self.said(peer, PUBLIC[family]), family)
        if found is None:
            return Obstacle(f"node {peer.name} has no usable annotation {self.prefix}{PUBLIC[family]}")
        return usable(view, peer, found)

    def advertised(self, view: View, family: int) -> Address | None:
        """Return the address peers shall use: overwritten by annotation, else this node's own.

        Raises:
            BadConfigurationError: the annotation is no address of that family.
        """
        for name in (OVERWRITE[family], NODE_PUBLIC[family]):
            text = self.said(view.here, name)
            if text and _parsed(text, family) is None:
                raise self.refusal(view, name, f"must be an IPv{family} address")
            if text:
                return _parsed(text, family)
        own = underlay(view, family)
        return own.ip if own else None

    def refusal(self, view: View, name: str, problem: str) -> BadConfigurationError:
        """Return the error about one of this node's own annotations; the caller raises it."""
        return BadConfigurationError(
            f"Node {view.me}",
            f"metadata.annotations[{self.prefix}{name}]",
            self.said(view.here, name),
            problem,
            hint="correct the annotation, or remove it to have the node's own address taken",
        )

    def announce(self, view: View) -> Mapping[str, str]:
        """Return the annotations of a node whose backend has no data."""
        return self.announce_data(view, dict.fromkeys(FAMILIES, NO_DATA))

    def announce_data(self, view: View, data: Mapping[int, str]) -> Mapping[str, str]:
        """Return this node's annotations, given its backend data by family; none before it has a pod CIDR."""
        said: dict[str, str] = {}
        for family in self.networks.families(view):
            address = self.advertised(view, family)
            if address is not None and family in data:
                said[DATA[family]] = data[family]
                said[PUBLIC[family]] = str(address)
        if not said:
            return {}
        return {
            self.prefix + name: text for name, text in ({MANAGED: "true", TYPE: self.backend} | said).items()
        }


def wanted_local(node: Node, family: int, prefix: str = PREFIX) -> Address | None:
    """Return the address whose interface the operator wants as underlay (``node-public-ip``), or None."""
    return _parsed(node.annotations.get(prefix + NODE_PUBLIC[family], ""), family)


def _parsed(text: str, family: int) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address if address.version == family else None
