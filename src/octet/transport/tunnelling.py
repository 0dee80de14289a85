"""What tunnels of every kind decide alike: which of a node's prefixes are wrapped, and who may send wrapped.

What lives here: ``Mode``, ``Carried``, ``Share``, and the node's list of machines that may send it packets in
packets. What it must not know: any tunnel, where prefixes and modes come from.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from octet.blueprint import Blueprint, KernelObject
from octet.blueprint.nft import (
    DPORT,
    DROP,
    FIB_SADDR_TYPE,
    L4PROTO,
    OIFNAME,
    Chain,
    Compare,
    Counter,
    Element,
    Hook,
    Lookup,
    Masquerade,
    Notrack,
    Part,
    Rule,
    Set,
    daddr,
    saddr,
)
from octet.cluster.objects import Address, Network
from octet.cluster.view import View

RAW, FILTER, SOURCE_NAT = -300, 0, 100
"""Priorities (nft(8)): before connection tracking, "filter", "srcnat"."""

IPV4, IPV6 = 4, 41
"""IP protocols of a packet within a packet (RFC 2003, RFC 2473)."""

NODES = "tunnel-nodes"
"""Stem of the sets of who may send: one list for all tunnels of a node."""


class Mode(Enum):
    """When a packet to another node is wrapped (Calico's ``ipipMode``, ``vxlanMode``)."""

    NEVER = "Never"
    CROSS_SUBNET = "CrossSubnet"
    ALWAYS = "Always"

    def wraps(self, *, near: bool) -> bool:
        """Is a packet to a node wrapped that is on this node's own network (``near``), or is not?"""
        return self is Mode.ALWAYS or (self is Mode.CROSS_SUBNET and not near)


@dataclass(frozen=True, slots=True)
class Carried:
    """A prefix of a node, and when packets to it are wrapped."""

    prefix: Network
    mode: Mode


class Share(Protocol):
    """What of the cluster's addresses is one tunnel's affair."""

    def used(self, view: View, family: int) -> bool:
        """May any packet of a family ever go through it: does the cluster need the device?"""
        ...

    def of(self, view: View, node: str) -> Iterable[Carried]:
        """Return what of it is on a node."""
        ...


@dataclass(frozen=True, slots=True)
class Entrance:
    """By which packets of one tunnel are told, where they come into a node.

    Attributes:
        name: of the tunnel; ends the chain's name.
        family: 4 or 6, of the outer packets.
        protocol: IP protocol of the tunnel.
        port: UDP destination port, where the tunnel is in UDP.
    """

    name: str
    family: int
    protocol: int | str
    port: int | None = None

    @property
    def chain(self) -> str:
        """The name of the chain that drops, which begins those of the others."""
        return f"tunnel-{self.name}{self.family}"

    def guarded(self) -> Iterator[KernelObject]:
        """Yield the list of who may send, the chain that drops what others send, and two that don't track.

        Without the first chain any machine that reaches the node could send it a packet of any pod, past
        every policy that tells pods by address. What nodes send each other is not tracked: the packets within
        are, and policies for hosts let pass what is untracked, or they would cut the pods' network (felix,
        rules/static.go: the same for IPIP and VXLAN).
        """
        nodes, comment = f"{NODES}{self.family}", "only nodes of the cluster send wrapped packets"
        wrapped: tuple[Part, ...] = (Compare(L4PROTO, self.protocol),)
        wrapped += (Compare(DPORT, self.port),) if self.port is not None else ()
        stranger = Lookup(saddr(self.family), into=nodes, negated=True)
        drop = Rule(*wrapped, stranger, Counter(), DROP, comment=comment)
        arriving = Rule(*wrapped, Lookup(saddr(self.family), into=nodes), Notrack())
        leaving = Rule(*wrapped, Lookup(daddr(self.family), into=nodes), Notrack())
        yield Set(nodes, (f"ipv{self.family}_addr",))
        yield Chain(self.chain, (drop,), Hook("filter", "input", FILTER))
        yield Chain(f"{self.chain}-in", (arriving,), Hook("filter", "prerouting", RAW))
        yield Chain(f"{self.chain}-out", (leaving,), Hook("filter", "output", RAW))

    def answered(self, device: str, inner: Address) -> Chain:
        """Return the chain that gives the tunnel's address to what the node itself sends from another one.

        The answer would go to that other address, past the tunnel, and a network that looks at sources would
        not pass it (felix, rules/static.go: StaticNATPostroutingChains).
        """
        other = Compare(saddr(self.family), inner, negated=True)
        own = Rule(Compare(OIFNAME, device), Compare(FIB_SADDR_TYPE, "local"), other, Masquerade())
        return Chain(f"{self.chain}-source", (own,), Hook("nat", "postrouting", SOURCE_NAT))


def known(address: Address) -> Element:
    """Return what lets a node send wrapped packets from its address."""
    return Element(f"{NODES}{address.version}", address)


def guarded(entrances: Iterable[Entrance]) -> Blueprint:
    """Return the chains of several tunnels, and their common lists."""
    return Blueprint(item for each in entrances for item in each.guarded())
