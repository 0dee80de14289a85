"""Ports of the node that lead to pods (CNI capability ``portMappings``), in nftables maps.

What lives here: the chains and maps of a node, and the elements of one pod. Any number of mappings costs a
packet the same two lookups. What it must not know: CNI's JSON, how pods attach, the kernel.

A mapping works from other machines, from the node, from pods (the pod itself among them) and through
127.0.0.1. The client's address is kept, but where an answer would not come back through the node.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_network

from octet.blueprint import Blueprint, KernelObject, Sysctl
from octet.blueprint.nft import (
    DPORT,
    DROP,
    FIB_DADDR_TYPE,
    IIFNAME,
    L4PROTO,
    SADDR4,
    Chain,
    Compare,
    ConntrackStatus,
    Element,
    Hook,
    Lookup,
    Map,
    Masquerade,
    NatMap,
    Network,
    Rule,
    Set,
    collapse,
    daddr,
    jump,
    saddr,
)
from octet.cluster.endpoint import Endpoint, HostPort

FAMILIES = (4, 6)
LOOPBACK = ip_network("127.0.0.0/8")
LOOPBACK6 = IPv6Address("::1")

_CHAIN = "hostport-translate"
_RAW, _DEST_NAT, _SOURCE_NAT = -300, -100, 100  # priorities raw, dstnat and srcnat of nft(8)


def base(segments: Iterable[Network] = (), bridge: str = "") -> Blueprint:
    """Return what a node holds for host ports whatever pods there are.

    Args:
        segments: networks whose members reach each other without passing this node's IP stack (a bridge's
            pod CIDR). Between them the client's address must be rewritten, or the answer goes past us.
        bridge: the link through which pods are reached, where they share one.
    """
    return Blueprint(
        [
            *(item for family in FAMILIES for item in _holders(family)),
            Chain(_CHAIN, tuple(rule for family in FAMILIES for rule in _translations(family))),
            *_entrances(),
            Chain(
                "hostport-source", tuple(_sources(list(segments))), Hook("nat", "postrouting", _SOURCE_NAT)
            ),
            *([_localnet(bridge)] if bridge else []),
        ]
    )


def elements(endpoint: Endpoint, *, own_link: bool = False) -> Blueprint:
    """Return what one pod adds; nothing where it has no host ports.

    Args:
        endpoint: the pod.
        own_link: is it reached through a link of its own (routed), not through a shared bridge?
    """
    if not endpoint.host_ports:
        return Blueprint()
    found: list[KernelObject] = []
    for pod in endpoint.addresses:
        found.append(Element(_self(pod.version), pod, pod))
        for port in endpoint.host_ports:
            found += _mapping(port, pod)
    return Blueprint([*found, *([_localnet(endpoint.host_link)] if own_link and endpoint.v4 else [])])


def _at(family: int) -> str:
    return f"hostport-at{family}"


def _any(family: int) -> str:
    return f"hostport-any{family}"


def _target(family: int) -> str:
    return f"hostport-target{family}"


def _self(family: int) -> str:
    return f"hostport-self{family}"


def _holders(family: int) -> Iterator[KernelObject]:
    address = f"ipv{family}_addr"
    port = ("inet_proto", "inet_service")
    data = (address, "inet_service")
    yield Map(_at(family), (address, *port), data)
    yield Map(_any(family), port, data)
    yield Set(_target(family), (address, *port))
    yield Set(_self(family), (address, address))


def _translations(family: int) -> Iterator[Rule]:
    """Yield the two lookups; a mapping of one address comes before one of all addresses."""
    at = NatMap("dnat", family, daddr(family), L4PROTO, DPORT, into=_at(family))
    yield Rule(at, comment="host ports of one address")
    yield Rule(
        NatMap("dnat", family, L4PROTO, DPORT, into=_any(family)), comment="host ports of all addresses"
    )


def _entrances() -> Iterator[Chain]:
    """Yield the base chains that lead here, and the guard that keeps 127.0.0.0/8 what it is.

    ``route_localnet`` alone would let neighbours reach services that listen on 127.0.0.1 (CVE-2020-8558).
    ::1 is left out: the kernel has no such setting for IPv6, and a packet from ::1 cannot leave the node.
    """
    local = Compare(FIB_DADDR_TYPE, "local")
    not_self = Compare(daddr(6), LOOPBACK6, negated=True)
    outside = Compare(IIFNAME, "lo", negated=True)
    yield Chain("hostport-in", (Rule(local, jump(_CHAIN)),), Hook("nat", "prerouting", _DEST_NAT))
    yield Chain(
        "hostport-out",
        (
            Rule(local, Compare(SADDR4, ip_network("0.0.0.0/0")), jump(_CHAIN)),
            Rule(local, not_self, jump(_CHAIN)),
        ),
        Hook("nat", "output", _DEST_NAT),
    )
    yield Chain(
        "hostport-guard",
        (
            Rule(outside, Compare(daddr(4), LOOPBACK), DROP, comment="route_localnet opens nothing"),
            Rule(outside, Compare(saddr(4), LOOPBACK), DROP, comment="nobody outside is 127.0.0.1"),
        ),
        Hook("filter", "prerouting", _RAW),
    )


def _sources(segments: list[Network]) -> Iterator[Rule]:
    """Yield where the client's address is rewritten to ours: only where the answer would miss us."""
    ours = ConntrackStatus("dnat")
    for family in FAMILIES:
        target = Lookup(daddr(family), L4PROTO, DPORT, into=_target(family))
        mirror = Lookup(saddr(family), daddr(family), into=_self(family))
        yield Rule(ours, mirror, target, Masquerade(), comment="a pod to itself by its host port")
        shared = collapse(segments, family)
        if shared:
            from_neighbour = Compare(saddr(family), *shared)
            yield Rule(ours, from_neighbour, target, Masquerade(), comment="a neighbour on the same bridge")
    loopback = Compare(saddr(4), LOOPBACK)
    target = Lookup(daddr(4), L4PROTO, DPORT, into=_target(4))
    yield Rule(ours, loopback, target, Masquerade(), comment="the node by 127.0.0.1")


def _mapping(port: HostPort, pod: IPv4Address | IPv6Address) -> Iterator[Element]:
    """Yield one port of one pod address; a mapping of an address of the other family is none here."""
    if port.address is not None and port.address.version != pod.version:
        return
    goal = (pod, port.container_port)
    key = (port.protocol, port.host_port)
    if port.address is None or port.address.is_unspecified:
        yield Element(_any(pod.version), *key, target=goal)
    else:
        yield Element(_at(pod.version), port.address, *key, target=goal)
    yield Element(_target(pod.version), pod, port.protocol, port.container_port)


def _localnet(link: str) -> Sysctl:
    """Return the setting by which packets from 127.0.0.1 may leave through a link (ip-sysctl.rst)."""
    return Sysctl(f"net/ipv4/conf/{link}/route_localnet", "1")
