"""What of a packet can be asked for: one row per field.

What lives here: the table of fields: nft text, data type, family, how to read it from a packet.
What it must not know: what it is compared with.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from octet.blueprint.nft.packet import Packet, Surroundings
from octet.blueprint.nft.values import Value

_Read = Callable[[Packet, Surroundings], Value | None]


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that a rule can look at.

    Attributes:
        text: as nft(8) writes it.
        kind: its data type, as sets declare it.
        read: its value in a packet; None where the packet has no such thing, and then nothing matches.
        family: of the packets that have it, 4 or 6; 0 is both.
        needs_protocol: is it at the same place whatever the protocol, so that the protocol must be asked too?
    """

    text: str
    kind: str
    read: _Read = field(repr=False, compare=False)
    family: int = 0
    needs_protocol: bool = False

    def __str__(self) -> str:
        return self.text


IIFNAME = Field("iifname", "ifname", lambda p, _: p.iif)
OIFNAME = Field("oifname", "ifname", lambda p, _: p.oif)
SADDR4 = Field("ip saddr", "ipv4_addr", lambda p, _: p.source if p.family == 4 else None, family=4)
DADDR4 = Field("ip daddr", "ipv4_addr", lambda p, _: p.destination if p.family == 4 else None, family=4)
SADDR6 = Field("ip6 saddr", "ipv6_addr", lambda p, _: p.source if p.family == 6 else None, family=6)
DADDR6 = Field("ip6 daddr", "ipv6_addr", lambda p, _: p.destination if p.family == 6 else None, family=6)
NFPROTO = Field("meta nfproto", "nf_proto", lambda p, _: f"ipv{p.family}")
L4PROTO = Field("meta l4proto", "inet_proto", lambda p, _: p.protocol)
SPORT = Field("th sport", "inet_service", lambda p, _: p.source_port, needs_protocol=True)
DPORT = Field("th dport", "inet_service", lambda p, _: p.destination_port, needs_protocol=True)
MARK = Field("meta mark", "mark", lambda p, _: p.mark)
CT_STATE = Field("ct state", "ct_state", lambda p, _: p.state)
CT_DIRECTION = Field("ct direction", "ct_dir", lambda p, _: _tracked(p, p.direction))
CT_DADDR4 = Field("ct original ip daddr", "ipv4_addr", lambda p, _: _goal(p, 4), family=4)
CT_DADDR6 = Field("ct original ip6 daddr", "ipv6_addr", lambda p, _: _goal(p, 6), family=6)
CT_DPORT = Field(
    "ct original proto-dst", "inet_service", lambda p, _: _tracked(p, p.goal[1]), needs_protocol=True
)
ICMP_TYPE = Field("icmp type", "icmp_type", lambda p, _: _icmp(p, "icmp"), family=4)
ICMPV6_TYPE = Field("icmpv6 type", "icmpv6_type", lambda p, _: _icmp(p, "icmpv6"), family=6)
ICMP_CODE = Field("icmp code", "icmp_code", lambda p, _: _icmp_code(p, "icmp"), family=4)
ICMPV6_CODE = Field("icmpv6 code", "icmpv6_code", lambda p, _: _icmp_code(p, "icmpv6"), family=6)
SMAC = Field("ether saddr", "ether_addr", lambda p, _: p.source_mac or None)
FIB_DADDR_TYPE = Field("fib daddr type", "fib_addrtype", lambda p, around: around.kind_of(p.destination))
FIB_SADDR_TYPE = Field("fib saddr type", "fib_addrtype", lambda p, around: around.kind_of(p.source))


def numgen(count: int) -> Field:
    """Return a number below ``count``, another for each packet; a traced packet draws by its source port."""
    return Field(f"numgen random mod {count}", "integer", lambda p, _: (p.source_port or 0) % count)


def _icmp(packet: Packet, protocol: str) -> Value | None:
    return packet.icmp_type if packet.icmp_type != "" and packet.protocol == protocol else None


def _icmp_code(packet: Packet, protocol: str) -> Value | None:
    return packet.icmp_code if packet.protocol == protocol else None


def began(family: int) -> Field:
    """Return who began the packet's connection, or the one that an ICMP error is about."""
    return Field(f"ct original {_word(family)} saddr", f"ipv{family}_addr", lambda p, _: _end(p, family, 0))


def answers(family: int) -> Field:
    """Return who answers in that connection: its destination, after translation."""
    return Field(f"ct reply {_word(family)} saddr", f"ipv{family}_addr", lambda p, _: _end(p, family, 1))


def ct_daddr(family: int) -> Field:
    """Return the field of what a connection's first packet was sent to, of a family (4 or 6)."""
    return CT_DADDR4 if family == 4 else CT_DADDR6


def _word(family: int) -> str:
    return "ip" if family == 4 else "ip6"


def _end(packet: Packet, family: int, place: int) -> Value | None:
    ends = packet.ends or (packet.source, packet.destination)
    return _tracked(packet, ends[place]) if packet.family == family else None


def _goal(packet: Packet, family: int) -> Value | None:
    return _tracked(packet, packet.goal[0]) if packet.family == family else None


def _tracked(packet: Packet, value: Value | None) -> Value | None:
    """Return what is known of a packet's connection, if connection tracking makes something of it."""
    return value if packet.tracked else None


def saddr(family: int) -> Field:
    """Return the source address field of a family (4 or 6)."""
    return SADDR4 if family == 4 else SADDR6


def daddr(family: int) -> Field:
    """Return the destination address field of a family (4 or 6)."""
    return DADDR4 if family == 4 else DADDR6
