"""Calico: address blocks out of pools, told by BGP or wrapped as their pools say, and ordered policies.

What lives here: the keys of Calico's CNI configuration (``ipam``), and which blocks are told.
What it must not know: how blocks are claimed, how BIRD is spoken to, how policies work.
Source: Calico, cni-plugin/pkg/types/types.go (``assign_ipv4``, ...); confd's bird_ipam.cfg (what is told).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from octet.attach.routed import RoutedAttach
from octet.blueprint import Blueprint, Route
from octet.blueprint.nft import DROP, Reject
from octet.cluster import bgp, bgp_filter
from octet.cluster.endpoint import NodeNetwork
from octet.cluster.felix import DEFAULT, MEANT, OF_NODE, FelixConfiguration
from octet.cluster.objects import Network, Node
from octet.cluster.pools import IPPool, allocatable, pool_of
from octet.cluster.view import View
from octet.errors import BadConfigurationError
from octet.ipam.blocks.holdings import holdings
from octet.ipam.blocks.selection import defaults_from
from octet.models.encapsulation import IN_IPIP, IN_VXLAN, left
from octet.models.model import Option, Options, Running
from octet.service.loops import guard
from octet.transport.calico.advertising import ranges
from octet.transport.calico.directory import ADDRESS, ANNOTATED, AS_NUMBER, CLUSTER_ID
from octet.transport.calico.settings import configuration, ports
from octet.transport.calico.speaking import CalicoBgp
from octet.transport.calico.vxlan import VNI, CalicoVxlan
from octet.transport.ipip import IpipTransport
from octet.transport.together import Together

FIRST_POOLS = "first_pools"

OPTIONS = (
    Option("assign_ipv4", "true: an IPv4 address for each pod, where there is a pool", {"assign_ipv4": True}),
    Option("assign_ipv6", "true: the same for IPv6", {"assign_ipv6": False}),
    Option(
        "ipv4_pools",
        "empty: which pools, by name or CIDR; empty is what pools' selectors say",
        {"ipv4_pools": ["default-ipv4-ippool"]},
    ),
    Option("ipv6_pools", "empty: the same for IPv6", {"ipv6_pools": ["default-ipv6-ippool"]}),
    Option(
        FIRST_POOLS,
        "empty: what the pools say that are made where there is none, as an IPPool's spec",
        {FIRST_POOLS: {"vxlanMode": "CrossSubnet"}},
    ),
)
"""Keys of ``ipam`` in Calico's CNI configuration, and what calico-node is told in its environment
(``CALICO_IPV4POOL_VXLAN`` and the like)."""

READS = {
    "IPPool": "all; IPReservation and IPAMConfiguration, too",
    "BGPConfiguration": ", ".join(bgp.CONFIGURATION),
    "BGPPeer": ", ".join(bgp.PEER),
    "BGPFilter": f"{', '.join(bgp_filter.WAYS)}, each of rules: {', '.join(bgp_filter.RULE)}",
    "FelixConfiguration": ", ".join(MEANT),
    "Node annotations": ", ".join((*ADDRESS.values(), AS_NUMBER, CLUSTER_ID)),
    "Policies": "NetworkPolicy of both APIs, GlobalNetworkPolicy, Tier, network sets, HostEndpoint, staged",
}
"""Objects of the cluster by which an operator says more."""

KEYS = tuple(option.name for option in OPTIONS)


def build(options: Options, source: str) -> Running:
    """Read the options.

    Unlike in Calico, both families are assigned where the cluster has both and nobody says otherwise.
    """
    for name in options:
        if name not in KEYS:
            hint = f"known here: {', '.join(KEYS)}"
            raise BadConfigurationError(source, name, options[name], "is no option of calico", hint=hint)
    families = [family for family in (4, 6) if _flag(options, f"assign_ipv{family}", source)]
    pools = {family: _names(options, f"ipv{family}_pools", source) for family in (4, 6)}
    named = {family: names for family, names in pools.items() if names}
    speaking = CalicoBgp(told, left)
    transport = Ways((speaking, IpipTransport(IN_IPIP, ANNOTATED), CalicoVxlan(IN_VXLAN, ANNOTATED, vni=vni)))
    blocks = replace(defaults_from(families, named, source), first=_first(options, source))
    return Running(
        RoutedAttach(),
        transport,
        policy=True,
        blocks=blocks,
        remarks=speaking.remarks,
        unsure=speaking.unsure,
        served=_guarded,
        advertises=speaking.advertises,
        speaking=ports,
    )


@dataclass(frozen=True, slots=True)
class Ways(Together):
    """BGP for what goes as it is, tunnels for the rest; pods' packets no larger than an operator says."""

    def heard(self, view: View, peer: Node) -> Blueprint:
        """Return the routes that BIRD makes of what one peer tells it: of what no tunnel takes."""
        taken = [each.prefix for each in left(view) if not each.unless_near]
        speaking = next(part for part in self.parts if isinstance(part, CalicoBgp))
        found = speaking.heard(view, peer).of(Route)
        return Blueprint(route for route in found if not any(_inside(route, prefix) for prefix in taken))

    def mtu(self, view: View) -> int:
        """Return what fits through all of them, or less where FelixConfiguration says so."""
        stated = [held.ipip_mtu for held in _felix(view) if IN_IPIP.used(view, 4)]
        stated += [held.vxlan_mtu for held in _felix(view) if IN_VXLAN.used(view, 4)]
        stated += [held.vxlan_mtu_v6 for held in _felix(view) if IN_VXLAN.used(view, 6)]
        return min([Together.mtu(self, view), *filter(None, stated)])


def vni(view: View) -> int:
    """Return the VXLAN network of all nodes."""
    held = view.felix_config.get(("", DEFAULT))
    return (held.vni if held is not None else 0) or VNI


def _guarded(view: View, network: NodeNetwork) -> Blueprint:
    """Return what keeps announced services from going round between node and router.

    Source: felix/dataplane/linux/service_loop_mgr.go; the whole ranges, whether or not they are told now.
    """
    said = next((held.loops for held in _felix(view) if held.loops), "Drop")
    if said == "Disabled":
        return Blueprint()
    families = {each.version for each in network.cluster}
    held = ranges(configuration(view, view.me))
    return guard(held, sorted(families), DROP if said == "Drop" else Reject())


def told(view: View) -> tuple[Network, ...]:
    """Return what this node tells: its blocks and borrowed addresses, but of pools with disableBGPExport."""
    return tuple(_exported(view))


def _exported(view: View) -> Iterator[Network]:
    pools = allocatable(view.pools.values())
    for prefix in holdings(view, view.me).prefixes:
        pool = pool_of(pools, prefix.network_address)
        if pool is not None and not pool.no_bgp:
            yield prefix


def _felix(view: View) -> tuple[FelixConfiguration, ...]:
    """Return what counts for this node: its own settings and those of all."""
    found = (view.felix_config.get(("", name)) for name in (f"{OF_NODE}{view.me}", DEFAULT))
    return tuple(held for held in found if held is not None)


def _inside(route: Route, prefix: Network) -> bool:
    found = route.destination
    return found.version == prefix.version and found.network_address in prefix


def _first(options: Options, source: str) -> Mapping[str, Any]:
    """Return what first pools say, refused here where an IPPool with it would be."""
    value = options.get(FIRST_POOLS, {})
    if not isinstance(value, Mapping):
        raise BadConfigurationError(source, FIRST_POOLS, value, "must be fields of an IPPool's spec")
    for name in ("cidr", "blockSize"):
        if name in value:
            problem = "is of one pool: an IPPool of your own would do"
            raise BadConfigurationError(source, f"{FIRST_POOLS}.{name}", value[name], problem)
    IPPool.from_object({"metadata": {"name": FIRST_POOLS}, "spec": {**value, "cidr": "192.0.2.0/24"}})
    return value


def _flag(options: Options, name: str, source: str) -> bool:
    value = options.get(name, True)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise BadConfigurationError(source, name, value, "must be true or false")
    return value


def _names(options: Options, name: str, source: str) -> list[str]:
    value = options.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        problem = "must be a list of names and CIDRs of pools"
        raise BadConfigurationError(source, name, value, problem, hint='such as ["default-ipv4-ippool"]')
    return value
