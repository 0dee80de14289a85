"""This node as a BGP speaker: who it is, what it announces, what it never believes.

What lives here: the values common to all of a node's sessions. What it must not know: peers, BIRD.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from octet.cluster.objects import Address, Network
from octet.errors import BadConfigurationError

AS_MAX = 2**32 - 1  # RFC 6793
BGP_PORT = 179  # RFC 4271, 4.2

Community = tuple[int, ...]
"""Two numbers of 16 bits (RFC 1997), or three of 32 bits: a large community (RFC 8092)."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """Communities that announced routes within a prefix bear (Calico's prefixAdvertisements)."""

    prefix: Network
    communities: tuple[Community, ...]


@dataclass(frozen=True, slots=True)
class Left:
    """Routes within a prefix that somebody else installs: a tunnel (Calico's programClusterRoutes).

    Attributes:
        unless_near: routes with a next hop on one of the node's own subnets are installed all the same
            (CrossSubnet); only these are then left: with a next hop elsewhere.
    """

    prefix: Network
    unless_near: bool = False


@dataclass(frozen=True, slots=True)
class Speaker:
    """One node. What is not said here has the value that Calico gives it.

    Attributes:
        router_id: never 0.0.0.0; what it is on IPv6-only nodes is the model's affair.
        asn: the node's AS number.
        v4, v6: the node's own addresses, next hops of what it announces; None where it has no such family.
        near: the node's own subnets: next hops there are reached without a router.
        port: where it listens.
        strict_bind: listen on the sessions' own addresses only, not on all.
        owned: pod CIDR or blocks, and borrowed addresses: announced to nodes, and to external peers that are
            to be told pods' addresses.
        services: service addresses or aggregates of them: announced to external peers only.
        refused: prefixes of which nothing is believed, whoever says so: the cluster's service networks,
            custom rejects. Default routes and martians never are believed.
        tagged: communities by prefix, on what external and internal peers are told.
        left: what is not installed in the kernel from here.
        ignored_interfaces: patterns of interfaces whose addresses mean nothing (pods', kube-ipvs0).
        restart_time: seconds that peers keep our routes while we restart (RFC 4724); None turns it off.
        ecmp: next hops of one route in the kernel, at most; 1 is no ECMP.
        scan_time: seconds between comparisons of BIRD's routes with the kernel's.
    """

    router_id: IPv4Address
    asn: int
    v4: IPv4Address | None = None
    v6: IPv6Address | None = None
    near: tuple[Network, ...] = ()
    port: int = BGP_PORT
    strict_bind: bool = False
    owned: tuple[Network, ...] = ()
    services: tuple[Network, ...] = ()
    refused: tuple[Network, ...] = ()
    tagged: tuple[Tagged, ...] = ()
    left: tuple[Left, ...] = ()
    ignored_interfaces: tuple[str, ...] = ("cali*", "tunl*", "kube-*", "cni*", "octet*", "veth*")
    restart_time: int | None = 120
    ecmp: int = 16
    scan_time: int = 10

    def __post_init__(self) -> None:
        check_asn("speaker", "asn", self.asn)
        check_port("speaker", "port", self.port)
        check_range("speaker", "restart_time", self.restart_time, 1, 4095)  # RFC 4724, 3: twelve bits
        check_range("speaker", "ecmp", self.ecmp, 1, 255)
        check_range("speaker", "scan_time", self.scan_time, 1, 3600)
        for tag in self.tagged:
            check_communities("speaker", "tagged", tag.communities)
        if self.router_id.is_unspecified:
            raise BadConfigurationError(
                "speaker", "router_id", str(self.router_id), "identifies nobody (RFC 6286)"
            )

    def address(self, family: int) -> Address | None:
        """Return the node's own address of a family."""
        return self.v4 if family == 4 else self.v6

    @property
    def families(self) -> tuple[int, ...]:
        """The families that the node has addresses of."""
        return tuple(family for family in (4, 6) if self.address(family) is not None)


def of_family(networks: tuple[Network, ...], family: int) -> Iterator[Network]:
    """Yield the networks of one family in a stable order, each once."""
    yield from sorted({each for each in networks if each.version == family})


def check_asn(source: str, field: str, value: int) -> None:
    """Refuse what is no AS number (RFC 6793; RFC 7607 forbids 0). Raises BadConfigurationError."""
    check_range(source, field, value, 1, AS_MAX)


def check_port(source: str, field: str, value: int) -> None:
    """Refuse what is no TCP port. Raises BadConfigurationError."""
    check_range(source, field, value, 1, 65535)


def check_range(source: str, field: str, value: int | None, low: int, high: int) -> None:
    """Refuse a number out of bounds; None is no number. Raises BadConfigurationError."""
    if value is not None and not low <= value <= high:
        raise BadConfigurationError(source, field, value, "is out of bounds", hint=f"{low} to {high}")


def check_communities(source: str, field: str, communities: tuple[Community, ...]) -> None:
    """Refuse what is neither a community nor a large one. Raises BadConfigurationError."""
    for each in communities:
        limit = {2: 2**16, 3: 2**32}.get(len(each), 0)
        if not all(0 <= number < limit for number in each):
            text = ":".join(map(str, each))
            hint = "65000:100, or 65000:100:1 for a large one"
            raise BadConfigurationError(source, field, text, "is no community", hint=hint)
