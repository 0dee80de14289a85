"""Addresses, routes, neighbours, forwarding entries, policy-routing rules.

What lives here: the values between a link and a packet. What it must not know: ifindexes, route protocol
numbers (``kernel`` marks all of ours with one), and which transport wants them.
"""

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network

from octet.blueprint.base import Key

MAIN_TABLE = 254
"""The routing table that everybody looks at (rtnetlink(7), RT_TABLE_MAIN)."""


class Scope(Enum):
    """How far an address or route reaches (rtnetlink(7))."""

    GLOBAL = "global"
    LINK = "link"
    HOST = "host"


class RouteKind(Enum):
    """What a route does with a packet (rtnetlink(7), rtm_type)."""

    UNICAST = "unicast"
    BLACKHOLE = "blackhole"
    UNREACHABLE = "unreachable"
    THROW = "throw"


@dataclass(frozen=True, slots=True)
class Address:
    """An address on a link. IPv6 addresses are added without duplicate address detection: we allot them.

    Attributes:
        prefix_route: let the kernel add the connected route (IFA_F_NOPREFIXROUTE is set when False).
    """

    link: str
    interface: IPv4Interface | IPv6Interface
    scope: Scope = Scope.GLOBAL
    prefix_route: bool = True

    @property
    def key(self) -> Key:
        """Identity: link and address with its prefix length."""
        return ("address", self.link, str(self.interface))

    def _own_scope(self) -> Scope:
        """Return the scope that IPv6 addresses have by themselves; IPv4's is what they are given."""
        of_link = self.interface.version == 6 and self.interface.is_link_local
        return Scope.LINK if of_link else Scope.GLOBAL

    def __str__(self) -> str:
        parts = [f"address {self.interface} dev {self.link}"]
        parts += [f"scope {self.scope.value}"] if self.scope is not self._own_scope() else []
        parts += [] if self.prefix_route else ["noprefixroute"]
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class Route:
    """One route of ours; ours is told by the route protocol number that ``kernel`` puts on it.

    Attributes:
        link: device; None for blackhole, unreachable and throw.
        via: gateway, of the destination's family.
        onlink: pretend the gateway is directly attached (flannel's VXLAN routes).
        source: preferred source address.
        mtu: bytes, the route's own path MTU.
        metric: priority; for IPv6 the kernel's default is 1024, so give it when it matters.
    """

    destination: IPv4Network | IPv6Network
    link: str | None = None
    via: IPv4Address | IPv6Address | None = None
    onlink: bool = False
    kind: RouteKind = RouteKind.UNICAST
    scope: Scope = Scope.GLOBAL
    source: IPv4Address | IPv6Address | None = None
    mtu: int | None = None
    metric: int = 0
    table: int = MAIN_TABLE

    @property
    def key(self) -> Key:
        """Identity: table, destination and metric, as the kernel's own for IPv4."""
        return ("route", self.table, str(self.destination), self.metric)

    def __str__(self) -> str:
        parts = ["route"] if self.kind is RouteKind.UNICAST else ["route", self.kind.value]
        parts.append(str(self.destination))
        parts += [f"via {self.via}"] if self.via else []
        parts += [f"dev {self.link}"] if self.link else []
        parts += ["onlink"] if self.onlink else []
        parts += [f"scope {self.scope.value}"] if self.scope is not Scope.GLOBAL else []
        parts += [f"src {self.source}"] if self.source else []
        parts += [f"mtu {self.mtu}"] if self.mtu is not None else []
        parts += [f"metric {self.metric}"] if self.metric else []
        parts += [f"table {self.table}"] if self.table != MAIN_TABLE else []
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A permanent ARP or ND entry, or with ``proxy`` an address we answer for (then without a MAC)."""

    link: str
    address: IPv4Address | IPv6Address
    mac: str | None = None
    proxy: bool = False

    @property
    def key(self) -> Key:
        """Identity: link, address and whether it is a proxy entry."""
        return ("proxy" if self.proxy else "neighbour", self.link, str(self.address))

    def __str__(self) -> str:
        what = "proxy" if self.proxy else f"lladdr {self.mac}"
        return f"neighbour {self.address} {what} dev {self.link}"


@dataclass(frozen=True, slots=True)
class FdbEntry:
    """A permanent forwarding entry: frames to ``mac`` go to ``destination``, or out of this port of a bridge.

    Attributes:
        destination: the other end of a VXLAN device; None where ``link`` is a port of a bridge.
    """

    link: str
    mac: str
    destination: IPv4Address | IPv6Address | None = None

    @property
    def key(self) -> Key:
        """Identity: link and MAC; one MAC lives behind one endpoint."""
        return ("fdb", self.link, self.mac)

    def __str__(self) -> str:
        where = f"dst {self.destination} " if self.destination else ""
        return f"fdb {self.mac} {where}dev {self.link}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy-routing rule at a priority that is ours.

    Attributes:
        family: 4 or 6.
        mark: (value, mask) of the packet mark.
    """

    priority: int
    family: int
    table: int
    source: IPv4Network | IPv6Network | None = None
    destination: IPv4Network | IPv6Network | None = None
    incoming: str | None = None
    mark: tuple[int, int] | None = None

    @property
    def key(self) -> Key:
        """Identity: family, priority and every selector."""
        return (
            "rule",
            self.family,
            self.priority,
            str(self.source or ""),
            str(self.destination or ""),
            self.incoming or "",
            f"{self.mark[0]:#x}/{self.mark[1]:#x}" if self.mark else "",
        )

    def __str__(self) -> str:
        parts = [f"rule {self.priority}: from {self.source or 'all'}"]
        parts += [f"to {self.destination}"] if self.destination else []
        parts += [f"fwmark {self.mark[0]:#x}/{self.mark[1]:#x}"] if self.mark else []
        parts += [f"iif {self.incoming}"] if self.incoming else []
        return " ".join([*parts, f"lookup {self.table}"])
