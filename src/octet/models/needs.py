"""What a model needs from the kernel and of programs, read off the objects it would make.

What lives here: which object needs which feature, by the names of ``kernel.features``.
What it must not know: how a feature is probed, which kernels have it.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import assert_never

from msgspec import structs

from octet.blueprint import (
    Blueprint,
    Bridge,
    Daemon,
    FouPort,
    Ifb,
    Ip6Tunnel,
    Ipip,
    Link,
    LinkDetail,
    Shaper,
    Veth,
    Vxlan,
    nft,
)
from octet.blueprint.base import KernelObject
from octet.cluster.endpoint import Bandwidth, HostPort
from octet.cluster.indexes import Named
from octet.cluster.view import View
from octet.errors import BadConfigurationError
from octet.models import example
from octet.models.model import Running


def needs(running: Running, families: tuple[int, ...] = (4, 6)) -> tuple[str, ...]:
    """Return names of kernel features in alphabetical order, with every capability that a pod may ask for.

    They are those of nodes on one network, with the pools that a new cluster has.
    """
    return _needed_by(running, example.view(running, families), families)


def sometimes(running: Running, families: tuple[int, ...] = (4, 6)) -> tuple[str, ...]:
    """Return names of features that only some clusters need: those with routers, or with tunnelled pools."""
    view = example.view(running, families)
    found: set[str] = set()
    for each in (view, _pooled(view, ipip="Always"), _pooled(view, vxlan="Always")):
        with suppress(BadConfigurationError):  # what a model refuses needs nothing
            found |= set(_needed_by(running, example.between_routers(each), families))
    return tuple(sorted(found - set(needs(running, families))))


def between_nodes(running: Running, families: tuple[int, ...] = (4,), *, routed: bool) -> tuple[str, ...]:
    """Return names of features that nodes need for their pods to meet: on one network, or in two subnets."""
    view = example.view(running, families)
    seen = example.between_routers(view) if routed else view
    return tuple(sorted(of(running.node(seen)) | of(running.peer(seen, seen.peers[0]))))


def of(items: Iterable[KernelObject]) -> frozenset[str]:
    """Return names of the features that these objects need."""
    return frozenset(feature for item in items for feature in _needed(item))


def _pooled(view: View, ipip: str = "Never", vxlan: str = "Never") -> View:
    """Return the view with all its pools tunnelled; IPIP carries IPv4 only."""
    pools = [
        structs.replace(pool, ipip_mode=ipip if pool.cidr.version == 4 else "Never", vxlan_mode=vxlan)
        for pool in view.pools.values()
    ]
    return replace(view, pools=Named.of(pools))


def _needed_by(running: Running, view: View, families: tuple[int, ...]) -> tuple[str, ...]:
    network = running.network(view)
    pod = replace(
        example.endpoint(running.attach, network),
        bandwidth=Bandwidth(1000, 0, 1000, 0),
        host_ports=(HostPort(8080, 80),),
    )
    plan = running.endpoint(network, pod)
    parts: tuple[Blueprint, ...] = (
        running.node(view),
        running.peer(view, view.peers[0]),
        plan.pod,
        plan.node,
    )
    found = {feature for part in parts for feature in of(part)}
    if running.policy:
        found |= {"nftables-concatenated-ranges", "nftables-log", "conntrack-mark"}
    return tuple(sorted(found | ({"ipv6"} if 6 in families else set())))


def programs(running: Running) -> tuple[str, ...]:
    """Return names of the programs that the agent starts for a model, in alphabetical order."""
    started = running.node(example.view(running)).of(Daemon)
    return tuple(sorted({each.program for each in started}))


def _needed(item: KernelObject) -> Iterator[str]:
    if isinstance(item, Link):
        yield _kind(item.detail)
        yield from ["locked-ports"] if item.port is not None and item.port.locked else []
    elif isinstance(item, FouPort):
        yield "fou" if item.family == 4 else "fou6"
    elif isinstance(item, Shaper):
        yield "tbf"
        yield from ["redirect"] if item.redirect_from else []
    elif isinstance(item, nft.Chain):
        yield "nftables"
        yield from ["nftables-nat"] if isinstance(item.hook, nft.Hook) and item.hook.kind == "nat" else []
        yield from ["nftables-fib"] if any("fib " in str(rule) for rule in item.rules) else []


def _kind(detail: LinkDetail) -> str:
    match detail:
        case Veth():
            return "veth"
        case Bridge():
            return "bridge"
        case Ifb():
            return "ifb"
        case Vxlan():
            return "vxlan" if detail.local.version == 4 else "vxlan6"
        case Ipip():
            return "ipip"
        case Ip6Tunnel():
            return "ip6tnl"
    assert_never(detail)
