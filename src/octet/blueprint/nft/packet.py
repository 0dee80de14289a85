"""A packet as rules see it, and what evaluating a part of a rule comes to.

What lives here: the packet's value, the questions a rule may ask of its surroundings, the three ways a part
of a rule can end. What it must not know: hooks and chains (``kernel.fake_nft`` walks those).
"""

from dataclasses import dataclass, replace
from typing import Protocol

from octet.blueprint.nft.values import NetworkAddress, Value, check_name


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet at one moment on its way through a node.

    Attributes:
        protocol: as nft names it: ``tcp``, ``udp``, ``sctp``, ``icmp``, ``icmpv6``; a number without a name.
        iif: where it came in; empty for the node's own.
        oif: where it will leave; empty before the routing decision and for what is delivered here.
        state: connection tracking's word: ``new``, ``established``, ``related``, ``invalid``, ``untracked``.
        status: connection tracking's flags; ``snat`` and ``dnat`` once translated.
        icmp_type: word of ICMP and ICMPv6 (a number for types without one), or empty.
        opens: of TCP: does it begin a connection (SYN without ACK, FIN and RST)?
        source_mac: of the frame it came in, or empty.
        connection_mark: of its connection.
        direction: is it of who began its connection (``original``), or for them (``reply``)?
        ends: who began that connection, and who answers; None where that is who sends it and who gets it.
        asked: where the connection's first packet was sent before any translation; None is its other end.
    """

    source: NetworkAddress
    destination: NetworkAddress
    protocol: str | int = "tcp"
    source_port: int | None = None
    destination_port: int | None = None
    iif: str = ""
    oif: str = ""
    mark: int = 0
    state: str = "new"
    status: frozenset[str] = frozenset()
    icmp_type: str | int = ""
    icmp_code: int = 0
    opens: bool = True
    source_mac: str = ""
    connection_mark: int = 0
    direction: str = "original"
    ends: tuple[NetworkAddress, NetworkAddress] | None = None
    asked: tuple[NetworkAddress, int | None] | None = None

    @property
    def tracked(self) -> bool:
        """Has it a connection? Else no match that asks about one holds (net/netfilter/nft_ct.c)."""
        return self.state not in {"invalid", "untracked"}

    @property
    def goal(self) -> tuple[NetworkAddress, int | None]:
        """Address and port that the connection's first packet was sent to (``ct original``)."""
        if self.asked is not None:
            return self.asked
        if self.direction == "reply":
            return self.source, self.source_port
        return self.destination, self.destination_port

    @property
    def family(self) -> int:
        """4 or 6."""
        return self.source.version

    def translated(self, address: NetworkAddress | None, port: int | None, how: str) -> "Packet":
        """Return it after ``snat`` or ``dnat`` to an address, a port or both; None leaves a part.

        Translated to what it is already, a connection is not marked (net/netfilter/nf_nat_core.c).
        """
        if how == "dnat":
            goal = address or self.destination, port or self.destination_port
            changed = replace(self, destination=goal[0], destination_port=goal[1], asked=self.goal)
        else:
            goal = address or self.source, port or self.source_port
            changed = replace(self, source=goal[0], source_port=goal[1])
        same = replace(changed, asked=self.asked) == self
        return self if same else replace(changed, status=self.status | {how})


class Surroundings(Protocol):
    """What rules ask of the node around them."""

    def find(self, name: str, key: tuple[Value, ...]) -> "tuple[Value, ...] | Verdict | None":
        """Look a key up in a set or map: the value, an empty tuple for a set's member, None if absent."""
        ...

    def kind_of(self, address: NetworkAddress) -> str:
        """Return the routing type of an address: ``local``, ``unicast``, ``multicast``, ``broadcast``."""
        ...

    def way_to(self, address: NetworkAddress) -> str:
        """Return the interface that packets to this address leave through, empty where there is none."""
        ...

    def address_on(self, link: str, family: int) -> NetworkAddress | None:
        """Return the address that masquerading through this interface would use."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule or a verdict map decides: also a statement, the last of its rule.

    Attributes:
        kind: ``accept``, ``drop``, ``return``, ``continue``, ``jump`` or ``goto``.
        chain: where to, for the last two.
    """

    kind: str
    chain: str = ""

    def __post_init__(self) -> None:
        if (self.kind in {"jump", "goto"}) != bool(self.chain):
            raise ValueError(f"verdict {self.kind!r} with chain {self.chain!r}")
        if self.chain:
            check_name(self.chain)

    def __str__(self) -> str:
        return f"{self.kind} {self.chain}" if self.chain else self.kind

    def evaluate(self, packet: Packet, _: Surroundings) -> "Step":
        """Decide, whatever the packet."""
        return Decision(self, packet)


@dataclass(frozen=True, slots=True)
class Decision:
    """The rule ends here, with a verdict and the packet as it left.

    Attributes:
        translates: has the rule decided the connection's translation, so that no other will?
    """

    verdict: Verdict
    packet: Packet
    translates: bool = False


Step = Packet | Decision | None
"""What a part of a rule comes to: go on with this packet, stop with a decision, or no match."""


class Part(Protocol):
    """One match or statement of a rule; ``str()`` is its nft text."""

    def evaluate(self, packet: Packet, around: Surroundings) -> Step:
        """Do to a packet what the kernel would."""
        ...


ACCEPT = Verdict("accept")
DROP = Verdict("drop")
RETURN = Verdict("return")
CONTINUE = Verdict("continue")


def jump(chain: str) -> Verdict:
    """Go through another chain and come back after its last rule."""
    return Verdict("jump", chain)


def goto(chain: str) -> Verdict:
    """Go through another chain and end there."""
    return Verdict("goto", chain)
