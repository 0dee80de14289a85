"""A pod's interface as the agent knows it, and this node as its pods see it.

What lives here: Attachment (the key of everything a pod owns), Endpoint, NodeNetwork.
What it must not know: CNI's JSON, the kernel, how addresses were chosen.
"""

import hashlib
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

ROUTED_PREFIX = "cali"
"""Begins the name of the node's end of every pod that has a link of its own; policy tools match ``cali+``."""

BRIDGED_PREFIX = "veth"
"""Begins the name of the node's end of every pod behind a bridge; routed packets leave by it to the pod."""


@dataclass(frozen=True, slots=True, order=True)
class Attachment:
    """(network, container id, interface name): the key of everything that a pod owns (CNI 1.1.0, section 2).

    Attributes:
        network: the CNI network's name.
        container: the runtime's container id.
        interface: the interface's name inside the pod.
    """

    network: str
    container: str
    interface: str

    def digest(self) -> str:
        """Return 40 hexadecimal digits that stand for this attachment in names limited to a few bytes."""
        text = f"{self.network}\0{self.container}\0{self.interface}"
        return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def __str__(self) -> str:
        return f"{self.network}/{self.container}/{self.interface}"


@dataclass(frozen=True, slots=True)
class HostPort:
    """A port of the node that leads to the pod (CNI capability ``portMappings``).

    Attributes:
        protocol: ``tcp``, ``udp`` or ``sctp``.
        address: the node's address it is bound to; None is all of them.
    """

    host_port: int
    container_port: int
    protocol: str = "tcp"
    address: IPv4Address | IPv6Address | None = None


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """Limits of one pod, as in the CNI capability ``bandwidth``; rates bit/s, bursts bits, 0 is no limit.

    Ingress is what the pod receives.
    """

    ingress_rate: int = 0
    ingress_burst: int = 0
    egress_rate: int = 0
    egress_burst: int = 0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One pod interface: everything a blueprint of it follows from.

    Attributes:
        host_link: name of the pair's end on the node.
        mac: the pod's end.
        mtu: bytes, of both ends.
        namespace: Kubernetes namespace, or empty where the runtime did not say.
        pod: Kubernetes pod name, or empty.
        default_route: does the pod's default route go through this interface?
    """

    attachment: Attachment
    host_link: str
    mac: str
    mtu: int
    v4: IPv4Address | None = None
    v6: IPv6Address | None = None
    namespace: str = ""
    pod: str = ""
    host_ports: tuple[HostPort, ...] = ()
    bandwidth: Bandwidth = Bandwidth()
    default_route: bool = True

    @property
    def addresses(self) -> tuple[IPv4Address | IPv6Address, ...]:
        """The addresses it has, v4 first."""
        return tuple(a for a in (self.v4, self.v6) if a is not None)


@dataclass(frozen=True, slots=True)
class NodeNetwork:
    """This node's share of the pod network: what every endpoint on it has in common.

    Attributes:
        v4, v6: the node's pod CIDRs.
        gateway_v4, gateway_v6: the first address of each, where a bridge holds it.
        cluster: every CIDR whose traffic is never masqueraded (pod networks of the whole cluster).
        mtu: bytes a pod may send in one piece to any other pod.
        pooled: families of pods whose addresses come out of pools, and not out of a CIDR of the node.
    """

    mtu: int
    v4: IPv4Network | None = None
    v6: IPv6Network | None = None
    gateway_v4: IPv4Address | None = None
    gateway_v6: IPv6Address | None = None
    cluster: tuple[IPv4Network | IPv6Network, ...] = ()
    pooled: tuple[int, ...] = ()

    @property
    def families(self) -> frozenset[int]:
        """The families (4, 6) that this node has pods in."""
        own = {cidr.version for cidr in (self.v4, self.v6) if cidr is not None}
        return frozenset(own | set(self.pooled))
