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
    L4PROTO,
    Chain,
    Compare,
    Counter,
    Element,
    Hook,
    Lookup,
    Part,
    Rule,
    Set,
    saddr,
)
from octet.cluster.objects import Address, Network
from octet.cluster.view import View

FILTER = 0
"""Priority "filter" (nft(8))."""

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

    def guarded(self) -> Iterator[KernelObject]:
        """Yield the chain that drops what doesn't come from a known node, and its list.

        Without it any machine that reaches the node could send it a packet of any pod, past every policy
        that tells pods by address (felix, rules/static.go: the same for IPIP and VXLAN).
        """
        came: tuple[Part, ...] = (Compare(L4PROTO, self.protocol),)
        came += (Compare(DPORT, self.port),) if self.port is not None else ()
        stranger = Lookup(saddr(self.family), into=f"{NODES}{self.family}", negated=True)
        drop = Rule(
            *came, stranger, Counter(), DROP, comment="only nodes of the cluster send wrapped packets"
        )
        yield Set(f"{NODES}{self.family}", (f"ipv{self.family}_addr",))
        yield Chain(f"tunnel-{self.name}{self.family}", (drop,), Hook("filter", "input", FILTER))


def known(address: Address) -> Element:
    """Return what lets a node send wrapped packets from its address."""
    return Element(f"{NODES}{address.version}", address)


def guarded(entrances: Iterable[Entrance]) -> Blueprint:
    """Return the chains of several tunnels, and their common lists."""
    return Blueprint(item for each in entrances for item in each.guarded())
