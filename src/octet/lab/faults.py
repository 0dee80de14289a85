"""What is broken in the fabric right now, as a value.

What lives here: Drop, Faults and their text. What it must not know: where in a fabric that is (``breaking``),
agents.

Loss and cuts only: delay, jitter, reordering and duplication need the kernel's netem scheduler, which is not
everywhere (``tc qdisc add ... netem``), and a rate limit is the provider's business (the ``bandwidth``
capability).
"""

from dataclasses import dataclass, replace

from octet.errors import BadConfigurationError

PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132, "icmp": 1, "icmpv6": 58, "ipip": 4, "gre": 47, "esp": 50}
"""Protocols of outer packets by name and number (IANA, Assigned Internet Protocol Numbers)."""

SCALE = 10_000
"""Loss is drawn in hundredths of a per cent."""

LEAST = 100 / SCALE
"""Per cent: less would never be drawn."""

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Drop:
    """Packets that the fabric loses.

    Attributes:
        percent: how many of a hundred, drawn for each packet.
        node: sent or received by this node, router or router's link (``tor1/up1``); empty is any node.
        peer: and by this one at the other end; empty is any.
        protocol: of the outer packet; empty is any.
        port: destination or source port of the outer packet (tcp, udp, sctp); 0 is any.
    """

    percent: float = 100.0
    node: str = ""
    peer: str = ""
    protocol: str = ""
    port: int = 0

    def __post_init__(self) -> None:
        if not LEAST <= self.percent <= 100:
            raise BadConfigurationError("fault", "percent", self.percent, f"outside {LEAST} to 100")
        if self.protocol and self.protocol not in PROTOCOLS:
            hint = f"one of {', '.join(PROTOCOLS)}"
            raise BadConfigurationError("fault", "protocol", self.protocol, "unknown", hint=hint)
        if self.port and self.protocol not in {"tcp", "udp", "sctp"}:
            raise BadConfigurationError("fault", "port", self.port, "only tcp, udp and sctp have ports")
        if not 0 <= self.port <= 65535:
            raise BadConfigurationError("fault", "port", self.port, "outside 1 to 65535")
        if self.peer and not self.node:
            raise BadConfigurationError("fault", "peer", self.peer, "a peer needs a node")
        if self.peer and self.peer == self.node:
            raise BadConfigurationError("fault", "peer", self.peer, "the node itself: nothing passes between")

    def __str__(self) -> str:
        ends = " and ".join(end for end in (self.node, self.peer) if end) or "every node"
        what = f" {self.protocol}" if self.protocol else ""
        what += f" port {self.port}" if self.port else ""
        return f"drop {self.percent:g} % of{what} packets at {ends}"


@dataclass(frozen=True, slots=True)
class Faults:
    """Everything that is broken now; each change returns a new value.

    Attributes:
        isolated: nodes, routers and links whose cables are unplugged.
        severed: pairs between which nothing passes, each in alphabetical order.
    """

    isolated: frozenset[str] = frozenset()
    severed: frozenset[Pair] = frozenset()
    drops: tuple[Drop, ...] = ()

    def cut(self, node: str, peer: str = "") -> "Faults":
        """Return these and a cut: all cables of a node or router, or all between it and a peer."""
        if peer:
            return replace(self, severed=self.severed | {_pair(node, peer)})
        return replace(self, isolated=self.isolated | {node})

    def drop(self, drop: Drop) -> "Faults":
        """Return these and a loss."""
        return replace(self, drops=(*self.drops, drop))

    def heal(self, node: str = "", peer: str = "") -> "Faults":
        """Return what is left when all, all of a node, or all between two nodes is mended."""
        if not node:
            return Faults()
        if peer:
            pair = _pair(node, peer)
            drops = tuple(drop for drop in self.drops if {drop.node, drop.peer} != set(pair))
            return replace(self, severed=self.severed - {pair}, drops=drops)
        return Faults(
            frozenset(name for name in self.isolated if not _is_of(name, node)),
            frozenset(pair for pair in self.severed if node not in pair),
            tuple(drop for drop in self.drops if node not in {drop.node, drop.peer}),
        )

    def at(self, node: str) -> tuple[str, ...]:
        """Return what is broken at a node or router, as sentences."""
        found = ["cut off"] if node in self.isolated else []
        found += [f"{name} cut off" for name in sorted(self.isolated) if name != node and _is_of(name, node)]
        found += [f"cut from {_other(pair, node)}" for pair in sorted(self.severed) if node in pair]
        found += [str(drop) for drop in self.drops if not drop.node or node in {drop.node, drop.peer}]
        return tuple(found)


def _is_of(name: str, node: str) -> bool:
    """Tell whether a name is a node's, or one of its links'."""
    return name == node or name.startswith(f"{node}/")


def _pair(node: str, peer: str) -> Pair:
    if node == peer:
        raise BadConfigurationError("fault", "peer", peer, "a node cannot be cut from itself")
    return (node, peer) if node < peer else (peer, node)


def _other(pair: Pair, node: str) -> str:
    return pair[1] if pair[0] == node else pair[0]
