"""Advertised service addresses: a packet that reaches this node for one gets to an endpoint that is ready.

What lives here: translation of addresses and ports, for those addresses alone; it is no service proxy: what
is not advertised, node ports and affinity are kube-proxy's. A lookup finds the port's chain, whatever the
number of services, and that one draws an endpoint. What it must not know: who announces addresses and why.

Where the traffic policy is Cluster, clients from outside are masqueraded, or an endpoint on another node
would answer past this one; where it is Local, endpoints see the client. A packet for an advertised address
that nobody here answers is refused: forwarded, it would come back by the router that sent it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from octet.blueprint import Blueprint, KernelObject
from octet.blueprint.nft import (
    CT_DPORT,
    DPORT,
    IIFNAME,
    L4PROTO,
    RETURN,
    Chain,
    Compare,
    ConntrackStatus,
    Counter,
    Element,
    Hook,
    InlineVerdicts,
    Lookup,
    Map,
    Masquerade,
    Nat,
    Network,
    Part,
    Reject,
    Rule,
    Set,
    VerdictMap,
    collapse,
    ct_daddr,
    daddr,
    goto,
    jump,
    numgen,
    saddr,
)
from octet.cluster import backends
from octet.cluster.backends import REMEMBERED, Vip
from octet.cluster.objects import Address, ServicePort
from octet.cluster.same import Same
from octet.cluster.view import View
from octet.service.loops import guard

PROTOCOLS = ("tcp", "udp", "sctp")
_DEST_NAT, _SOURCE_NAT = -100, 100  # priorities dstnat and srcnat of nft(8)

_TRANSLATE = "service-translate"

Target = tuple[Address, int]


@dataclass(frozen=True, slots=True)
class Frontend:
    """One port of one address, and who answers there.

    Attributes:
        protocol: as nft writes it.
        targets: (address, port) of endpoints; at least one.
        masqueraded: is a client from outside given this node's address?
        sources: networks of the clients that may come, of any family; None is everybody.
    """

    address: Address
    protocol: str
    port: int
    targets: tuple[Target, ...]
    masqueraded: bool
    sources: tuple[Network, ...] | None = None

    @property
    def chain(self) -> str:
        """The chain that draws an endpoint."""
        return f"service-{_digest(f'{self.address} {self.protocol} {self.port}')}"


@dataclass(frozen=True, slots=True)
class Surround:
    """The node around them.

    Attributes:
        cluster: pods' networks: their packets keep their addresses.
        segments: networks whose members reach each other without this node (pods of a bridge), if any.
        link: by which pods' packets come in.
    """

    cluster: tuple[Network, ...]
    segments: tuple[Network, ...]
    link: str

    @property
    def families(self) -> tuple[int, ...]:
        """The families that there are pods of."""
        return tuple(sorted({each.version for each in self.cluster}))


def frontends(view: View, vips: Iterable[Vip]) -> tuple[Frontend, ...]:
    """Return every port that somebody answers; of services that share one, the first has it."""
    found: dict[tuple[Address, str, int], Frontend] = {}
    for vip in vips:
        for port in vip.service.ports:
            protocol = port.protocol.lower()
            targets = vip.targets(view, port)
            if targets:
                found.setdefault((vip.address, protocol, port.port), _front(Same(vip), port, Same(targets)))
    return tuple(found.values())


@lru_cache(maxsize=REMEMBERED)
def _front(vip: Same[Vip], port: ServicePort, targets: Same[tuple[Target, ...]]) -> Frontend:
    """Return one port of one address; the same as long as the same endpoints answer there."""
    held, protocol = vip.held, port.protocol.lower()
    return Frontend(held.address, protocol, port.port, targets.held, not held.local, held.sources)


def answered(held: Iterable[Frontend], addresses: Iterable[Network], around: Surround) -> Blueprint:
    """Return the translation; nothing where no address is advertised.

    Args:
        held: what is answered.
        addresses: everything that is advertised, or that is meant to be while somebody answers.
        around: the node.
    """
    fronts, networks = tuple(held), tuple(addresses)
    if not networks:
        return Blueprint()
    items: list[KernelObject] = [*_holders(around.families), *_hooks(around)]
    for each in fronts:
        items += _frontend(Same(each)) if each.address.version in around.families else ()
    pods_may = Compare(IIFNAME, around.link, negated=True)
    return Blueprint([*items, *guard(networks, around.families, Reject(), pods_may)])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _holders(families: Iterable[int]) -> Iterator[KernelObject]:
    for family in families:
        key = (f"ipv{family}_addr", "inet_proto", "inet_service")
        yield Map(f"service-port{family}", key)
        yield Set(f"service-front{family}", key)
        yield Set(f"service-source{family}", key)
        yield Set(f"service-self{family}", (f"ipv{family}_addr",) * 2)
        address, port = f"ipv{family}_addr", "inet_service"
        yield Map(f"service-lasting{family}", (*key, address), (address, port))


def _hooks(around: Surround) -> Iterator[Chain]:
    lookups = (
        VerdictMap(daddr(each), L4PROTO, DPORT, into=f"service-port{each}") for each in around.families
    )
    yield Chain(_TRANSLATE, tuple(Rule(each) for each in lookups))
    yield Chain("service-in", (Rule(jump(_TRANSLATE)),), Hook("nat", "prerouting", _DEST_NAT))
    yield Chain("service-out", (Rule(jump(_TRANSLATE)),), Hook("nat", "output", _DEST_NAT))
    yield Chain("service-back", tuple(_sources(around)), Hook("nat", "postrouting", _SOURCE_NAT))


def _sources(around: Surround) -> Iterator[Rule]:
    """Yield where the client's address is rewritten: only where the answer would miss this node."""
    for family in around.families:
        mirror = Lookup(saddr(family), daddr(family), into=f"service-self{family}")
        yield from _masqueraded(family, "front", "a pod to itself", mirror)
        for each in collapse(around.segments, family):
            among = (Compare(saddr(family), each), Compare(daddr(family), each))
            yield from _masqueraded(family, "front", "a neighbour on the bridge", *among)
        inside = collapse(around.cluster, family)
        from_outside = [Compare(saddr(family), *inside, negated=True)] if inside else []
        yield from _masqueraded(family, "source", "clients, traffic policy Cluster", *from_outside)


def _masqueraded(family: int, which: str, comment: str, *conditions: Part) -> Iterator[Rule]:
    """Yield the rules for connections that were made to an address and port in one of the sets.

    One for each protocol: nft knows how long ``ct original proto-dst`` is only where the protocol is given.
    """
    asked = Lookup(ct_daddr(family), L4PROTO, CT_DPORT, into=f"service-{which}{family}")
    for protocol in PROTOCOLS:
        connection = (ConntrackStatus("dnat"), Compare(L4PROTO, protocol), asked)
        yield Rule(*connection, *conditions, Masquerade(), comment=comment)


@lru_cache(maxsize=REMEMBERED)
def _frontend(front: Same[Frontend]) -> tuple[KernelObject, ...]:
    """Return what one port of one address adds; the same as long as nothing of it changes."""
    return tuple(_parts(front.held))


def _parts(front: Frontend) -> Iterator[KernelObject]:
    family = front.address.version
    key = (front.address, front.protocol, front.port)
    yield Element(f"service-port{family}", *key, target=goto(front.chain))
    yield Element(f"service-front{family}", *key)
    if front.masqueraded:
        yield Element(f"service-source{family}", *key)
    chains = [_end(front.protocol, target) for target in front.targets]
    yield from chains
    yield from (Element(f"service-self{family}", address, address) for address, _ in front.targets)
    if front.protocol == "udp":
        # No rule asks this map. UDP clients never say that they are done: with an element the connections of
        # its endpoint go (kernel.nft.flows), and a client's next packet finds another endpoint.
        lasting = f"service-lasting{family}"
        yield from (
            Element(lasting, *key, address, target=(address, port)) for address, port in front.targets
        )
    ways = [goto(each.name) for each in chains]
    drawn = InlineVerdicts(numgen(len(ways)), tuple(enumerate(ways))) if len(ways) > 1 else ways[0]
    yield Chain(front.chain, (*_strangers(front), Rule(drawn)))


def _strangers(front: Frontend) -> Iterator[Rule]:
    """Yield what leaves clients that may not come without a pod; they are refused where others are.

    A family of which no network may come has strangers only, as where somebody limits IPv4 and forgets IPv6.
    """
    if front.sources is not None:
        family = front.address.version
        allowed = collapse(front.sources, family)
        others = [Compare(saddr(family), *allowed, negated=True)] if allowed else []
        yield Rule(*others, Counter(), RETURN, comment="may not come: loadBalancerSourceRanges")


def _end(protocol: str, target: Target) -> Chain:
    """Return the chain that leads to one endpoint, the same for every service that has it."""
    address, port = target
    rule = Rule(Compare(L4PROTO, protocol), Nat("dnat", address, port))
    return Chain(f"service-end-{_digest(f'{address} {protocol} {port}')}", (rule,))


def alone(vips: Iterable[Vip]) -> tuple[Network, ...]:
    """Return the addresses as networks of one."""
    return tuple(backends.alone(each.address) for each in vips)
