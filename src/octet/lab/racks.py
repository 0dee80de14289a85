"""The fabric ``routed``: racks of nodes below routers of their own, spines above, the outside above those.

What lives here: Shape, and every name, address and AS number of such a fabric, computed from each other.
What it must not know: how a router's software is told (``routers``), the kernel, providers.

::

             outside              AS 65200, eth0, eth1 to spines; 198.51.100.1, 2001:db8:ffff::1 on lo
        +-------+-------+         172.30.200.2S/31 and fd00:172:30:200::2S/127: the spine has the even one
      spine1          spine2      AS 65100, all of them (RFC 7938, section 5.2.1)
        +---+-------+---+         172.30.R.2U/31 and fd00:172:30:R::2U/127: the spine has the even one
        |   |       |   |
        tor1         tor2         AS 65000 + R, 172.31.R.254 and fd00:172:31:R::fe on its bridge ``rack``
       +----+       +----+
    node1 node2  node3 node4      172.31.R.N/24 and fd00:172:31:R::N/64 on eth0, default route to their tor

- Names: ``torR`` is the router of rack R; its ``upU`` is uplink U, to spine (U-1) mod spines + 1, where the
  other end is called ``torR-upU``. A tor's port to node N is ``nodeN``, a spine's to the outside ``outside``.
  Nodes fill racks in order: 4 nodes in 2 racks are 1, 2 and 3, 4.
- Every link between routers carries one eBGP session per family. Router ids: 172.30.255.R (tors),
  172.30.254.S (spines), 172.30.253.1 (outside).
- A tor takes eBGP sessions from any address of its rack's subnet, with any AS number but its own (nodes that
  ask to peer use 64512, Calico's and kube-router's default), both families on either session. It believes
  them everything but default routes and the fabric's own networks, and tells them all it knows, a default
  route among it. BIRD's tors speak BFD with nodes that have it.
- The outside originates default routes. It has routes to what it was told of, and to nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_interface, ip_network

from octet.errors import BadConfigurationError
from octet.lab.names import Interface, Network, node_number

SOFTWARE = ("bird", "frr", "gobgp")
"""What a rack's router may run; spines and the outside run the first."""

RACKS, SPINES, UPLINKS = 16, 4, 4
"""The most there may be of each."""

TOR_AS, SPINE_AS, OUTSIDE_AS = 65000, 65100, 65200
"""A tor's is 65000 and its rack's number (private use, RFC 6996)."""

NODE_AS = 64512
"""What nodes that ask to peer use: the default of Calico's asNumber and of kube-router's --cluster-asn."""

BRIDGE = "rack"
"""A tor's bridge, with a port for each node of its rack."""

FABRIC_NETWORKS: dict[int, tuple[Network, ...]] = {
    4: (ip_network("172.30.0.0/16"), ip_network("172.31.0.0/16")),
    6: (ip_network("fd00:172:30::/48"), ip_network("fd00:172:31::/48")),
}
"""What links and racks are cut from; no node may announce any of it."""

_LINKS = {4: "172.30.{group}.{number}/31", 6: "fd00:172:30:{group}::{number}/127"}
_RACKS = {4: "172.31.{rack}.{number}/24", 6: "fd00:172:31:{rack}::{number}/64"}
_GATEWAY = {4: "254", 6: "fe"}
_OUTSIDE_GROUP = 200


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a routed fabric is, and what its tors run.

    Attributes:
        uplinks: of each tor; the routers share traffic out over all of them.
        routers: software of the tors, one of ``SOFTWARE`` each, from rack 1 on and again from the first.

    Raises:
        BadConfigurationError: naming the field.
    """

    racks: int = 2
    spines: int = 2
    uplinks: int = 2
    routers: tuple[str, ...] = SOFTWARE[:1]

    def __post_init__(self) -> None:
        for field, most in (("racks", RACKS), ("spines", SPINES), ("uplinks", UPLINKS)):
            value = getattr(self, field)
            if not 1 <= value <= most:
                raise BadConfigurationError("fabric routed", field, value, f"outside 1 to {most}")
        if self.uplinks < self.spines:
            hint = f"--uplinks {self.spines}, or fewer spines"
            problem = f"fewer than the {self.spines} spines: one would have no rack below it"
            raise BadConfigurationError("fabric routed", "uplinks", self.uplinks, problem, hint=hint)
        for software in self.routers or ("",):
            if software not in SOFTWARE:
                hint = f"one or more of {', '.join(SOFTWARE)}"
                raise BadConfigurationError("fabric routed", "routers", software, "unknown", hint=hint)

    def software(self, rack: int) -> str:
        """Return what the router of a rack runs."""
        return self.routers[(rack - 1) % len(self.routers)]

    def rack(self, node: str, count: int) -> int:
        """Return the rack of a node of a lab with so many nodes."""
        return (node_number(node) - 1) * self.racks // count + 1

    def links(self) -> Iterator[tuple[int, int, int]]:
        """Yield (rack, uplink, spine) of every link between a tor and a spine."""
        for rack in range(1, self.racks + 1):
            for uplink in range(1, self.uplinks + 1):
                yield rack, uplink, (uplink - 1) % self.spines + 1


def tor(rack: int) -> str:
    """Return the name of a rack's router."""
    return f"tor{rack}"


def spine(number: int) -> str:
    """Return the name of a spine."""
    return f"spine{number}"


def node_interface(node: str, rack: int, version: int) -> Interface:
    """Return a node's address with its prefix length: node3 in rack 2 has 172.31.2.3/24."""
    number = node_number(node)
    return ip_interface(_RACKS[version].format(rack=rack, number=number if version == 4 else f"{number:x}"))


def gateway_interface(rack: int, version: int) -> Interface:
    """Return a tor's address in its rack, the nodes' default gateway."""
    return ip_interface(_RACKS[version].format(rack=rack, number=_GATEWAY[version]))


def uplink_interfaces(rack: int, uplink: int, version: int) -> tuple[Interface, Interface]:
    """Return the spine's and the tor's address on a link between them (RFC 3021, RFC 6164)."""
    return _link(rack, uplink, version)


def outside_interfaces(number: int, version: int) -> tuple[Interface, Interface]:
    """Return a spine's and the outside's address on the link between them."""
    return _link(_OUTSIDE_GROUP, number, version)


def _link(group: int, number: int, version: int) -> tuple[Interface, Interface]:
    lower, upper = (_LINKS[version].format(group=group, number=2 * number + end) for end in (0, 1))
    return ip_interface(lower), ip_interface(upper)


def router_id(group: int, number: int) -> IPv4Address:
    """Return a router's id: groups 255 (tors), 254 (spines), 253 (outside)."""
    return IPv4Address(f"172.30.{group}.{number}")
