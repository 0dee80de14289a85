"""What kube-router's flags come to, as values for all nodes of a cluster.

What lives here: ``Flags`` and ``Advertised``. What it must not know: how flags are spelled (``models``).
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Address

from octet.cluster.objects import Network
from octet.transport.bgp.speaker import BGP_PORT
from octet.transport.kube_router.routers import Router

AS_NUMBER = 64512
"""The cluster's, where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Advertised:
    """Which service addresses are told to routers; a service's annotations have the last word.

    Attributes:
        cluster, external, load_balancer: ``--advertise-cluster-ip`` and so on.
        strict: must external and load balancer addresses lie in their ranges?
        aggregates: ranges of which the whole is told in the place of addresses that every node tells.
    """

    cluster: bool = False
    external: bool = False
    load_balancer: bool = False
    strict: bool = True
    external_ranges: tuple[Network, ...] = ()
    load_balancer_ranges: tuple[Network, ...] = ()
    aggregates: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Flags:
    """One cluster's settings.

    Attributes:
        asn: of every node that says no other.
        full_mesh: a session with every other node; without it with nodes of the same AS, which each must say.
        internal: are there sessions between nodes at all?
        routers: of every node; where there are none, each node's own.
        hops: to routers and themselves; 1 is a direct neighbour.
        tell_pods: are routers told pod CIDRs?
        override_next_hop: is the next hop said to routers the address that the session is from?
        restart_time: seconds that peers keep routes while this node's speaker restarts; None turns it off.
        hold: seconds without a word after which a peer is given up (RFC 4271, 4.2).
        scan_time: seconds between comparisons of routes with the kernel's.
        router_id: None is the node's IPv4 address, or without one a hash of its name.
        service_ranges: service cluster addresses, beside what the View knows.
    """

    asn: int = AS_NUMBER
    full_mesh: bool = True
    internal: bool = True
    routers: tuple[Router, ...] = ()
    hops: int = 1
    port: int = BGP_PORT
    tell_pods: bool = True
    override_next_hop: bool = False
    restart_time: int | None = 90
    hold: int = 90
    scan_time: int = 10
    router_id: IPv4Address | None = None
    service_ranges: tuple[Network, ...] = ()
    advertised: Advertised = field(default_factory=Advertised)
