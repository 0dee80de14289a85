"""Routes of a namespace as ``ip`` prints them, and who put each one there.

What lives here: the command, reading its JSON, the names of route protocols. What it must not know: where it
is run, labs.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from types import MappingProxyType
from typing import Any

from octet.blueprint.daemons import ROUTE_METRIC
from octet.errors import OctetError
from octet.kernel.port import ROUTE_PROTOCOL
from octet.lab.names import Network, everywhere

BIRD, GOBGP = 12, 112
OWNERS: Mapping[int, str] = MappingProxyType({
    1: "icmp redirect",
    2: "kernel",
    3: "by hand",
    4: "by hand (static)",
    9: "router advertisement",
    11: "frr (zebra)",
    BIRD: "bird",
    16: "dhcp",
    ROUTE_PROTOCOL: "octet",
    GOBGP: "gobgp",
    186: "frr (bgp)",
    187: "frr (isis)",
    188: "frr (ospf)",
    189: "frr (rip)",
    196: "frr (static)",
})  # fmt: skip
"""Who marks routes with a number: linux/rtnetlink.h (RTPROT_*), FRR's zebra/rt_netlink.h, and our own.

GoBGP's are put there by ``routers.mirror``, which marks them."""

MAIN, LOCAL = 254, 255
_KINDS = {1: "", 6: "blackhole", 7: "unreachable", 8: "prohibit", 9: "throw"}
"""Types of routes a person asks for (RTN_*); local, broadcast and multicast ones are left out."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One way a packet may take: gateway and device, each empty where there is none."""

    via: str
    dev: str

    def __str__(self) -> str:
        return " ".join(
            each for each in (self.via and f"via {self.via}", self.dev and f"dev {self.dev}") if each
        )


@dataclass(frozen=True, slots=True)
class Route:
    """One route of a namespace.

    Attributes:
        kind: empty for one that leads somewhere; else blackhole, unreachable, prohibit or throw.
        hops: more than one where traffic is shared out.
        protocol: the number that says who put it there.
    """

    destination: Network
    hops: tuple[Hop, ...]
    protocol: int
    metric: int = 0
    table: int = MAIN
    kind: str = ""

    @property
    def owner(self) -> str:
        """Who put it there. A BIRD that an agent looks after is told by its metric."""
        if self.protocol == BIRD and self.metric == ROUTE_METRIC:
            return "octet (bird)"
        return OWNERS.get(self.protocol, f"protocol {self.protocol}")

    def as_json(self) -> dict[str, Any]:
        """Return everything about it."""
        hops = [{"via": hop.via, "dev": hop.dev} for hop in self.hops]
        return {
            "destination": str(self.destination),
            "kind": self.kind,
            "hops": hops,
            "owner": self.owner,
            "protocol": self.protocol,
            "metric": self.metric,
            "table": self.table,
        }


def command(version: int) -> tuple[str, ...]:
    """Return what prints all routes of a family for ``read``."""
    return ("ip", "-N", "-d", "-j", f"-{version}", "route", "show", "table", "all")


def read(text: str, version: int) -> list[Route]:
    """Return the routes in the output of ``command``, without link-local ones. Raises OctetError."""
    try:
        found = [_route(item, version) for item in json.loads(text or "[]") if int(item["type"]) in _KINDS]
    except (ValueError, KeyError, TypeError) as error:
        raise OctetError(f"ip route says {text[:80]!r}: {error!r}") from error
    return [route for route in found if route.table != LOCAL and not route.destination.is_link_local]


def _route(item: Mapping[str, Any], version: int) -> Route:
    word = item["dst"]
    destination = everywhere(version) if word == "default" else ip_network(word)
    hops = tuple(_hop(each) for each in item.get("nexthops", [item]))
    protocol, table = int(item.get("protocol", 0)), int(item.get("table", MAIN))
    kind = _KINDS[int(item["type"])]
    return Route(destination, () if kind else hops, protocol, int(item.get("metric", 0)), table, kind)


def _hop(item: Mapping[str, Any]) -> Hop:
    # "via" is how a gateway of another family than the destination's is printed (RFC 8950).
    via = item.get("gateway") or item.get("via", {}).get("host", "")
    return Hop(via, item.get("dev", ""))


def missing(routes: Iterable[Route], wanted: Sequence[Network]) -> list[Network]:
    """Return the networks to which there is no route of exactly this prefix."""
    there = {route.destination for route in routes}
    return [network for network in wanted if network not in there]
