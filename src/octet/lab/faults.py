"""What is broken in the fabric right now, as a value that renders to the switch's own nftables table.

What lives here: Drop, Faults and their text. What it must not know: agents, how nft is run.

Loss and cuts only: delay, jitter, reordering and duplication need the kernel's netem scheduler, which is not
everywhere (``tc qdisc add ... netem``), and a rate limit is the provider's business (the ``bandwidth``
capability).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from octet.errors import BadConfigurationError

TABLE = "octet_lab_faults"
PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132, "icmp": 1, "icmpv6": 58, "ipip": 4, "gre": 47, "esp": 50}
"""Protocols of outer packets by name and number (IANA, Assigned Internet Protocol Numbers)."""

_SCALE = 10_000
"""Loss is drawn in hundredths of a per cent."""

LEAST = 100 / _SCALE
"""Per cent: less would never be drawn."""

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Drop:
    """Packets that the switch loses.

    Attributes:
        percent: how many of a hundred, drawn for each packet.
        node: sent or received by this node; empty is any.
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
        isolated: nodes whose switch port is down.
        severed: pairs of nodes between which nothing passes, each in alphabetical order.
    """

    isolated: frozenset[str] = frozenset()
    severed: frozenset[Pair] = frozenset()
    drops: tuple[Drop, ...] = ()

    def cut(self, node: str, peer: str = "") -> "Faults":
        """Return these and a cut: the node's cable, or all between it and a peer."""
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
            self.isolated - {node},
            frozenset(pair for pair in self.severed if node not in pair),
            tuple(drop for drop in self.drops if node not in {drop.node, drop.peer}),
        )

    def at(self, node: str) -> tuple[str, ...]:
        """Return what is broken at a node, as sentences."""
        found = ["cut off"] if node in self.isolated else []
        found += [f"cut from {_other(pair, node)}" for pair in sorted(self.severed) if node in pair]
        found += [str(drop) for drop in self.drops if not drop.node or node in {drop.node, drop.peer}]
        return tuple(found)

    def render(self) -> str:
        """Return the whole table as text for ``nft -f``: replaces whatever was there, in one transaction."""
        head = f"add table bridge {TABLE}\ndelete table bridge {TABLE}\n"
        rules = [*_severed(self.severed), *(line for drop in self.drops for line in _dropped(drop))]
        if not rules:
            return head
        body = "\n".join(f"\t\t{rule}" for rule in rules)
        hook = "type filter hook forward priority 0; policy accept;"
        return f"{head}table bridge {TABLE} {{\n\tchain forward {{\n\t\t{hook}\n{body}\n\t}}\n}}\n"


def _pair(node: str, peer: str) -> Pair:
    if node == peer:
        raise BadConfigurationError("fault", "peer", peer, "a node cannot be cut from itself")
    return (node, peer) if node < peer else (peer, node)


def _other(pair: Pair, node: str) -> str:
    return pair[1] if pair[0] == node else pair[0]


def _severed(pairs: frozenset[Pair]) -> Iterator[str]:
    for one, other in sorted(pairs):
        yield f'iifname "{one}" oifname "{other}" drop'
        yield f'iifname "{other}" oifname "{one}" drop'


def _dropped(drop: Drop) -> Iterator[str]:
    chance = "" if drop.percent == 100 else f"numgen random mod {_SCALE} < {round(drop.percent * 100)} "
    for ends in _directions(drop.node, drop.peer):
        for what in _packets(drop):
            yield f"{ends}{what}{chance}drop"


def _directions(node: str, peer: str) -> tuple[str, ...]:
    if node and peer:
        there, back = f'iifname "{node}" oifname "{peer}" ', f'iifname "{peer}" oifname "{node}" '
        return there, back
    return (f'iifname "{node}" ', f'oifname "{node}" ') if node else ("",)


def _packets(drop: Drop) -> tuple[str, ...]:
    if drop.port:
        return tuple(f"{drop.protocol} {end} {drop.port} " for end in ("dport", "sport"))
    return (f"meta l4proto {PROTOCOLS[drop.protocol]} ",) if drop.protocol else ("",)
