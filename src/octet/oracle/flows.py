"""One flow, and what is said about it.

What lives here: the first packet of a connection as policies see it, verdicts and their reasons.
What it must not know: policies, who has which address.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address
INGRESS, EGRESS = "Ingress", "Egress"
NUMBERS = {"ICMP": 1, "TCP": 6, "UDP": 17, "ICMPV6": 58, "SCTP": 132, "UDPLITE": 136}
"""Protocols that policies know by name (IANA's numbers)."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A connection's first packet after translation: what is a service address before is a pod's here.

    Attributes:
        protocol: ``TCP``, ``UDP``, ``SCTP``, ``ICMP``, ``ICMPv6``, ``UDPLite``, or a number as text.
        port, source_port: None where the protocol has none.
        icmp: type and code.
        interface: the node's interface that it comes in or leaves by, where that is known.
        node: the node whose own process sends it, where its address does not say so (a bridge's, a tunnel's).
        hairpin: a pod reached itself through a service, which is not the same as through its own address.
    """

    source: Address
    destination: Address
    protocol: str = "TCP"
    port: int | None = None
    source_port: int | None = None
    icmp: tuple[int, int] | None = None
    interface: str = ""
    node: str = ""
    hairpin: bool = False

    @property
    def family(self) -> int:
        """4 or 6."""
        return self.destination.version

    @property
    def number(self) -> int:
        """The protocol's number."""
        return protocol_number(self.protocol)

    def __str__(self) -> str:
        ends = f"{self.source} to {self.destination}"
        return f"{ends} {self.port}/{self.protocol}" if self.port is not None else f"{ends} {self.protocol}"


@dataclass(frozen=True, slots=True)
class Reason:
    """Who decided in one direction.

    Attributes:
        direction: INGRESS or EGRESS, or empty where policy does not apply at all.
        tier: its name, or empty.
        policy: kind, namespace and name; empty where nothing selects the endpoint or everything passed.
        rule: as in ``ingress[0]``; empty where the end of a tier decided.
        words: the sentence.
    """

    direction: str
    words: str
    tier: str = ""
    policy: str = ""
    rule: str = ""

    def __str__(self) -> str:
        return f"{self.direction.lower()}: {self.words}" if self.direction else self.words


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the specification says.

    Attributes:
        allowed: None where it depends on what names mean, and nobody has said it.
        reasons: of each direction that was asked, in the packet's order; the last one decided.
    """

    allowed: bool | None
    reasons: tuple[Reason, ...] = ()

    @property
    def reason(self) -> Reason:
        """The one that decided."""
        return self.reasons[-1]

    def __str__(self) -> str:
        word = {True: "allowed", False: "denied", None: "unknown"}[self.allowed]
        return f"{word}: {'; '.join(str(each) for each in self.reasons)}"


def protocol_number(name: str | int) -> int:
    """Return a protocol's number by name (in any case) or number; raises ValueError for others."""
    text = str(name).upper()
    return NUMBERS[text] if text in NUMBERS else int(text)
