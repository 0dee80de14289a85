"""Statements: the parts of a rule that do something to a packet.

What lives here: verdict maps, address translation, marks, counters, logs, rejection; each with its nft text
and its meaning for one packet. Plain verdicts are in ``packet``. What it must not know: chains, elements.
"""

from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address

from octet.blueprint.nft.fields import Field
from octet.blueprint.nft.matches import concatenation, read_all
from octet.blueprint.nft.packet import ACCEPT, DROP, Decision, Packet, Step, Surroundings, Verdict
from octet.blueprint.nft.values import NetworkAddress, Value, check_name, check_text, fits, holds, text


@dataclass(frozen=True, slots=True, init=False)
class VerdictMap:
    """Look fields up in a named map and follow the verdict found; nothing found, next rule."""

    fields: tuple[Field, ...]
    map: str

    def __init__(self, *fields: Field, into: str) -> None:
        object.__setattr__(self, "fields", fields)
        object.__setattr__(self, "map", into)
        check_name(into)
        if not fields:
            raise ValueError(f"a lookup in @{into} of nothing")

    def __str__(self) -> str:
        return f"{concatenation(self.fields)} vmap @{self.map}"

    def evaluate(self, packet: Packet, around: Surroundings) -> Step:
        """Decide what the map says, if it says something."""
        key = read_all(self.fields, packet, around)
        found = around.find(self.map, key) if key is not None else None
        return Decision(found, packet) if isinstance(found, Verdict) else None


@dataclass(frozen=True, slots=True)
class InlineVerdicts:
    """A small verdict map inside a rule: ``ct state vmap { established : accept, invalid : drop }``."""

    field: Field
    verdicts: tuple[tuple[Value, Verdict], ...]

    def __post_init__(self) -> None:
        if not self.verdicts or not all(fits(value, self.field.kind) for value, _ in self.verdicts):
            raise ValueError(f"{self.field} cannot be mapped by {self.verdicts}")

    def __str__(self) -> str:
        rows = (f"{text(value, self.field.kind)} : {verdict}" for value, verdict in self.verdicts)
        return f"{self.field} vmap {{ {', '.join(rows)} }}"

    def evaluate(self, packet: Packet, around: Surroundings) -> Step:
        """Decide by the row that holds the packet's value, if one does."""
        value = self.field.read(packet, around)
        if value is None:
            return None
        found = next((verdict for held, verdict in self.verdicts if holds(held, value)), None)
        return Decision(found, packet) if found else None


@dataclass(frozen=True, slots=True)
class Masquerade:
    """Translate the source to the address of the interface the packet leaves by.

    Attributes:
        fully_random: choose source ports at random (NF_NAT_RANGE_PROTO_RANDOM_FULLY), which avoids the
            insertion races of simultaneous DNS queries (kubernetes/kubernetes#56903).
    """

    fully_random: bool = True

    def __str__(self) -> str:
        return "masquerade fully-random" if self.fully_random else "masquerade"

    def evaluate(self, packet: Packet, around: Surroundings) -> Step:
        """Accept with the interface's address as the source."""
        address = around.address_on(packet.oif, packet.family)
        return Decision(ACCEPT, packet.translated(address, None, "snat"), translates=True)


@dataclass(frozen=True, slots=True)
class Nat:
    """Translate source (``snat``) or destination (``dnat``) to one address, or address and port."""

    how: str
    address: NetworkAddress
    port: int | None = None

    def __post_init__(self) -> None:
        _check_how(self.how)

    @property
    def family(self) -> int:
        """4 or 6."""
        return self.address.version

    def __str__(self) -> str:
        bracketed = self.address if self.family == 4 or self.port is None else f"[{self.address}]"
        port = f":{self.port}" if self.port is not None else ""
        return f"{self.how} {_word(self.family)} to {bracketed}{port}"

    def evaluate(self, packet: Packet, _: Surroundings) -> Step:
        """Accept the translated packet, if it is of our family."""
        if packet.family != self.family:
            return None
        return Decision(ACCEPT, packet.translated(self.address, self.port, self.how), translates=True)


@dataclass(frozen=True, slots=True, init=False)
class NatMap:
    """Translate to what a named map holds for some fields; nothing found, next rule.

    Attributes:
        family: 4 or 6; packets of the other family do not match.
    """

    how: str
    family: int
    fields: tuple[Field, ...]
    map: str

    def __init__(self, how: str, family: int, *fields: Field, into: str) -> None:
        object.__setattr__(self, "how", how)
        object.__setattr__(self, "family", family)
        object.__setattr__(self, "fields", fields)
        object.__setattr__(self, "map", into)
        _check_how(how)
        check_name(into)
        if not fields:
            raise ValueError(f"a lookup in @{into} of nothing")

    def __str__(self) -> str:
        return f"{self.how} {_word(self.family)} to {concatenation(self.fields)} map @{self.map}"

    def evaluate(self, packet: Packet, around: Surroundings) -> Step:
        """Accept the packet translated to what the map says, if it says something."""
        key = read_all(self.fields, packet, around) if packet.family == self.family else None
        found = around.find(self.map, key) if key is not None else None
        if not isinstance(found, tuple):
            return None
        address = next((each for each in found if isinstance(each, IPv4Address | IPv6Address)), None)
        port = next((each for each in found if isinstance(each, int)), None)
        return Decision(ACCEPT, packet.translated(address, port, self.how), translates=True)


@dataclass(frozen=True, slots=True)
class SetMark:
    """Set the bits of the packet mark under a mask; the others stay as they are."""

    value: int
    mask: int = 0xFFFFFFFF

    def __post_init__(self) -> None:
        if not 0 <= self.value <= self.mask <= 0xFFFFFFFF or self.value & ~self.mask:
            raise ValueError(f"mark {self.value:#x} does not fit mask {self.mask:#x}")

    def __str__(self) -> str:
        if self.mask == 0xFFFFFFFF:
            return f"meta mark set 0x{self.value:08x}"
        kept = f"meta mark & 0x{self.mask ^ 0xFFFFFFFF:08x}"
        return f"meta mark set {kept} | 0x{self.value:08x}" if self.value else f"meta mark set {kept}"

    def evaluate(self, packet: Packet, _: Surroundings) -> Step:
        """Go on with the mark changed."""
        return replace(packet, mark=packet.mark & ~self.mask | self.value)


@dataclass(frozen=True, slots=True)
class Notrack:
    """Keep connection tracking from seeing the packet; before priority -200 only (nft(8))."""

    def __str__(self) -> str:
        return "notrack"

    def evaluate(self, packet: Packet, _: Surroundings) -> Step:
        """Go on as a packet that is not tracked."""
        return replace(packet, state="untracked")


@dataclass(frozen=True, slots=True)
class Counter:
    """Count packets and bytes; the numbers are no part of what is wanted."""

    def __str__(self) -> str:
        return "counter"

    def evaluate(self, packet: Packet, _: Surroundings) -> Step:
        """Go on."""
        return packet


BURST = 5
"""Packets that a limit lets pass at once where it does not say (nft(8), LIMIT STATEMENT)."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Go on with so many packets a second, of all that come here together.

    Attributes:
        burst: packets that may come at once.
    """

    per_second: int
    burst: int = BURST

    def __str__(self) -> str:
        burst = "" if self.burst == BURST else f" burst {self.burst} packets"
        return f"limit rate {self.per_second}/second{burst}"

    def evaluate(self, packet: Packet, _: Surroundings) -> Step:
        """Go on: a traced packet is the first one."""
        return packet


@dataclass(frozen=True, slots=True)
class Log:
    """Tell the kernel's log, or with ``group`` whoever listens there (NFLOG)."""

    prefix: str
    group: int | None = None

    def __post_init__(self) -> None:
        check_text(self.prefix)

    def __str__(self) -> str:
        group = f" group {self.group}" if self.group is not None else ""
        return f'log prefix "{self.prefix}"{group}'

    def evaluate(self, packet: Packet, _: Surroundings) -> Step:
        """Go on."""
        return packet


@dataclass(frozen=True, slots=True)
class Reject:
    """Drop and tell the sender.

    Attributes:
        tcp_reset: with a TCP reset, else with ICMP "administratively prohibited" of the packet's family.
    """

    tcp_reset: bool = False

    def __str__(self) -> str:
        return "reject with tcp reset" if self.tcp_reset else "reject with icmpx admin-prohibited"

    def evaluate(self, packet: Packet, _: Surroundings) -> Step:
        """Drop it, if it is one that this answer fits."""
        return None if self.tcp_reset and packet.protocol != "tcp" else Decision(DROP, packet)


def _check_how(how: str) -> None:
    if how not in {"snat", "dnat"}:
        raise ValueError(f"address translation is snat or dnat, not {how!r}")


def _word(family: int) -> str:
    return "ip" if family == 4 else "ip6"
