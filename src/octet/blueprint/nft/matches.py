"""Matches: the parts of a rule that ask and never change anything.

What lives here: comparison, mask, set lookup, reverse path, conntrack status; each with its nft text and
its meaning for one packet. What it must not know: chains, what a set holds.
"""

from dataclasses import dataclass

from octet.blueprint.nft.fields import Field
from octet.blueprint.nft.packet import Packet, Step, Surroundings
from octet.blueprint.nft.values import BITMASKS, WORDS, Value, canonical, check_name, fits, holds, text

CUT = 0x1000_0000
"""Bit of a connection's mark: policy forbids it by now, no packet of it passes, and it is not forgotten.

A mark, because it is there for every connection, also for one that is older than our table (a label is not),
lasts as long as the connection and goes with it. Of the bits, one that nobody is known to use there: Istio
0x539, the AWS plugin 0x80, Tailscale 0x00ff0000; the packet mark, with kube-proxy's 0xc000 and Calico's
0xffff0000, is another field. It is set and cleared under its mask.
"""


@dataclass(frozen=True, slots=True, init=False)
class Compare:
    """A field is (or is not) one of some values: ``ip saddr != { 10.0.0.0/8, 224.0.0.0/4 }``.

    A packet that lacks the field does not match, negated or not, as in the kernel: ``ip saddr != X`` never
    matches IPv6.
    """

    field: Field
    values: tuple[Value, ...]
    negated: bool

    def __init__(self, field: Field, *values: Value, negated: bool = False) -> None:
        object.__setattr__(self, "field", field)
        object.__setattr__(self, "values", tuple(canonical(value) for value in values))
        object.__setattr__(self, "negated", negated)
        if not values or not all(fits(value, field.kind) for value in self.values):
            raise ValueError(f"{field} cannot be compared with {values}")
        if len({*self.values}) != len(self.values):
            raise ValueError(f"{field} is compared with the same value twice: {values}")

    def __str__(self) -> str:
        parts = [text(value, self.field.kind) for value in self.values]
        if self.field.kind in BITMASKS:
            return f"{self.field} {'!= ' * self.negated}{','.join(parts)}"
        right = parts[0] if len(parts) == 1 else f"{{ {', '.join(parts)} }}"
        return f"{self.field} {'!= ' * self.negated}{right}"

    def evaluate(self, packet: Packet, around: Surroundings) -> Step:
        """Go on if the packet's value is held by one of ours."""
        value = self.field.read(packet, around)
        if value is None:
            return None
        return packet if any(holds(ours, value) for ours in self.values) != self.negated else None


@dataclass(frozen=True, slots=True)
class Marked:
    """The packet mark, under a mask, is (or is not) a value: a test that leaves others' bits alone.

    Attributes:
        connection: is it the mark of the packet's connection that is asked for?
    """

    value: int
    mask: int = 0xFFFFFFFF
    negated: bool = False
    connection: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.value <= self.mask <= 0xFFFFFFFF or self.value & ~self.mask:
            raise ValueError(f"mark {self.value:#x} under mask {self.mask:#x} never matches")

    def __str__(self) -> str:
        field = "ct mark" if self.connection else "meta mark"
        left = field if self.mask == 0xFFFFFFFF else f"{field} & 0x{self.mask:08x}"
        return f"{left} {'!=' if self.negated else '=='} 0x{self.value:08x}"

    def evaluate(self, packet: Packet, _: Surroundings) -> Step:
        """Go on if the masked mark is ours; without a connection there is none of that, negated or not."""
        if self.connection and not packet.tracked:
            return None
        mark = packet.connection_mark if self.connection else packet.mark
        return packet if (mark & self.mask == self.value) != self.negated else None


@dataclass(frozen=True, slots=True, init=False)
class Lookup:
    """Fields, together, are (or are not) an element of a named set: ``iifname . ip saddr @allowed``."""

    fields: tuple[Field, ...]
    set: str
    negated: bool

    def __init__(self, *fields: Field, into: str, negated: bool = False) -> None:
        object.__setattr__(self, "fields", fields)
        object.__setattr__(self, "set", into)
        object.__setattr__(self, "negated", negated)
        check_name(into)
        if not fields:
            raise ValueError(f"a lookup in @{into} of nothing")

    def __str__(self) -> str:
        return f"{concatenation(self.fields)} {'!= ' * self.negated}@{self.set}"

    def evaluate(self, packet: Packet, around: Surroundings) -> Step:
        """Go on if the set holds the packet's values; a packet that lacks one of the fields never matches."""
        key = read_all(self.fields, packet, around)
        if key is None:
            return None
        return packet if (around.find(self.set, key) is not None) != self.negated else None


@dataclass(frozen=True, slots=True)
class ReversePath:
    """Would an answer to the packet's source (not) leave through the interface it came in by (RFC 3704, 2.2)?

    Attributes:
        missing: match those without such a way back, which is what a strict check drops.
    """

    missing: bool = True

    def __str__(self) -> str:
        return f"fib saddr . iif oif {'missing' if self.missing else 'exists'}"

    def evaluate(self, packet: Packet, around: Surroundings) -> Step:
        """Go on if the way back is as asked."""
        back = bool(packet.iif) and around.way_to(packet.source) == packet.iif
        return packet if back != self.missing else None


@dataclass(frozen=True, slots=True, init=False)
class ConntrackStatus:
    """Connection tracking has put any of these flags on the packet's connection: ``ct status dnat``."""

    flags: tuple[str, ...]

    def __init__(self, *flags: str) -> None:
        object.__setattr__(self, "flags", flags)
        if not flags or not WORDS["ct_status"].issuperset(flags):
            raise ValueError(f"conntrack has no status {flags}")

    def __str__(self) -> str:
        return f"ct status {','.join(self.flags)}"

    def evaluate(self, packet: Packet, _: Surroundings) -> Step:
        """Go on if one of the flags is there."""
        return packet if packet.tracked and packet.status.intersection(self.flags) else None


@dataclass(frozen=True, slots=True)
class Midstream:
    """A TCP packet that does not begin a connection, SYN without ACK, FIN and RST (RFC 9293, 3.5)."""

    def __str__(self) -> str:
        return "tcp flags & (fin | syn | rst | ack) != syn"

    def evaluate(self, packet: Packet, _: Surroundings) -> Step:
        """Go on if it is one."""
        return packet if packet.protocol == "tcp" and not packet.opens else None


def concatenation(fields: tuple[Field, ...]) -> str:
    """Return several fields as nft writes one key."""
    return " . ".join(str(each) for each in fields)


def read_all(fields: tuple[Field, ...], packet: Packet, around: Surroundings) -> tuple[Value, ...] | None:
    """Return the packet's values of all fields, or None if it lacks one."""
    values = [each.read(packet, around) for each in fields]
    present = tuple(value for value in values if value is not None)
    return present if len(present) == len(values) else None
