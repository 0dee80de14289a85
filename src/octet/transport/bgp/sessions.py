"""One BGP session, with everything that can be set about it.

What lives here: values and what contradicts itself in them. What it must not know: how BIRD spells it, why
there is the session (``topology``).
"""

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address

from octet.blueprint import Inline, Secret
from octet.cluster.objects import Address
from octet.errors import BadConfigurationError
from octet.transport.bgp.speaker import (
    BGP_PORT,
    Community,
    check_asn,
    check_communities,
    check_port,
    check_range,
)

FAR = 64
"""Hops between nodes of a cluster, at most: more than any fabric has."""


class NextHop(Enum):
    """What we say is the next hop of routes that others told us (Calico's nextHopMode)."""

    AUTO = "auto"
    """As BGP has it (RFC 4271, 5.1.3): ourselves to another AS, unchanged within our own."""
    SELF = "self"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Bfd:
    """Bidirectional forwarding detection (RFC 5880): milliseconds, and how many may be missing."""

    receive: int = 300
    transmit: int = 300
    multiplier: int = 3


@dataclass(frozen=True, slots=True)
class Timers:
    """Seconds; the defaults are what Calico gives BIRD, and RFC 4271's."""

    hold: int = 90
    keepalive: int = 30
    connect_retry: int = 5
    connect_delay: int = 2
    error_wait: tuple[int, int] = (5, 30)


@dataclass(frozen=True, slots=True)
class Prepend:
    """An AS number that the path of what we announce is lengthened by, and how often."""

    asn: int
    times: int = 1


@dataclass(frozen=True, slots=True)
class Session:
    """One session with one address of a peer, for one family or both.

    Attributes:
        name: of the peer, in an operator's words: the node's name, or what a BGPPeer is called.
        address: where it is reached.
        asn: the peer's.
        node: is it a node of this cluster? Nodes are told owned prefixes, everybody else services too.
        families: what is spoken about; both where the peer can (RFC 4760).
        interface: for a link-local address, the link it is on.
        local_asn: what we claim to be, where it is not the speaker's.
        source: the address we speak from; None is the speaker's of that family.
        password: of the TCP segments (RFC 2385), by reference, or as an operator wrote it.
        hops: routers to the peer and itself; 1 is a direct neighbour.
        ttl_security: only packets that came that many hops are taken (RFC 5082); the peer must do it too.
        client_of: we reflect to this peer, as this cluster id (RFC 4456).
        transit: is it told what other peers told us (reflectors, and Calico's nodes towards racks)?
        nodes_only: of that, only what other nodes told? A reflected route to the network of a next hop is
            shorter than the routers' own, and then nothing resolves that next hop (BIRD: "resolvable through
            recursive route").
        passes_on: is a router told what nodes told us, as far as we reach them without a router: on our own
            subnets, or by a tunnel? Of a node on our subnet the next hop is that node itself.
        bound: do we speak from ``source``, or from whatever address the kernel takes?
        tell_pods, tell_services: what external peers are told.
        next_hop: of what others told us; what is ours has our own address always, or ``next_hop_address``.
        next_hop_address: said instead of our own address (kube-router's --override-nexthop), of its family.
        extended_next_hop: IPv4 routes through IPv6 next hops (RFC 8950).
        add_paths: tell and hear several paths for one prefix (RFC 7911), so that reflectors keep ECMP.
        restart_time: seconds that the peer keeps our routes (RFC 4724); None is the speaker's.
        graceful: do we ask for graceful restart at all?
        own_as: how often our own AS may be in a path we believe (numAllowedLocalASNumbers).
        communities: on everything that the peer is told, beside those by prefix.
        imports, exports: names of filters, in order; the first that decides, decides.
        passive: wait for the peer to connect.
        reached_by: gateway of a route to the peer itself (Calico's reachableBy).
    """

    name: str
    address: Address
    asn: int
    node: bool = False
    families: tuple[int, ...] = (4,)
    port: int = BGP_PORT
    interface: str = ""
    local_asn: int | None = None
    source: Address | None = None
    password: Secret | Inline | None = None
    hops: int = 1
    ttl_security: bool = False
    client_of: IPv4Address | None = None
    transit: bool = False
    nodes_only: bool = False
    passes_on: bool = False
    bound: bool = True
    tell_pods: bool = True
    tell_services: bool = True
    next_hop: NextHop = NextHop.AUTO
    next_hop_address: tuple[Address, ...] = ()
    extended_next_hop: bool = False
    add_paths: bool = False
    bfd: Bfd | None = None
    timers: Timers = field(default_factory=Timers)
    restart_time: int | None = None
    graceful: bool = True
    own_as: int = 0
    prepend: Prepend | None = None
    communities: tuple[Community, ...] = ()
    imports: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()
    passive: bool = False
    reached_by: Address | None = None

    def __post_init__(self) -> None:
        source = f"peer {self.name}"
        check_asn(source, "asn", self.asn)
        check_port(source, "port", self.port)
        if self.local_asn is not None:
            check_asn(source, "local_asn", self.local_asn)
        check_communities(source, "communities", self.communities)
        check_range(source, "hops", self.hops, 1, 255)
        check_range(source, "own_as", self.own_as, 0, 255)
        check_range(source, "restart_time", self.restart_time, 1, 4095)
        check_range(source, "timers.hold", self.timers.hold, 3, 65535)  # RFC 4271, 4.2
        check_range(source, "timers.keepalive", self.timers.keepalive, 1, 65535)
        if self.prepend is not None:
            check_asn(source, "prepend.asn", self.prepend.asn)
            check_range(source, "prepend.times", self.prepend.times, 1, 25)
        if self.bfd is not None:
            _check_bfd(source, self.bfd)
        self._check_together(source)

    def _check_together(self, source: str) -> None:
        """Refuse fields that contradict each other. Raises BadConfigurationError."""
        families = ",".join(map(str, self.families))
        if not self.families or set(self.families) - {4, 6} or len(set(self.families)) < len(self.families):
            raise BadConfigurationError(source, "families", families, "must be 4, 6, or both")
        if self.address.version == 6 and self.address.is_link_local and not self.interface:
            problem = "is a link-local address, and no interface is named"
            raise BadConfigurationError(source, "address", str(self.address), problem)
        if self.source is not None and self.source.version != self.address.version:
            problem = f"is not of the family of {self.address}"
            raise BadConfigurationError(source, "source", str(self.source), problem)
        if self.reached_by is not None and self.reached_by.version != self.address.version:
            problem = f"is not of the family of {self.address}"
            raise BadConfigurationError(source, "reached_by", str(self.reached_by), problem)


def _check_bfd(source: str, bfd: Bfd) -> None:
    check_range(source, "bfd.receive", bfd.receive, 10, 60_000)
    check_range(source, "bfd.transmit", bfd.transmit, 10, 60_000)
    check_range(source, "bfd.multiplier", bfd.multiplier, 1, 255)  # RFC 5880, 4.1
