"""Calico without tunnels: address blocks out of pools, told to every node by BGP, and ordered policies.

What lives here: the keys of Calico's CNI configuration (``ipam``), and which blocks are told.
What it must not know: how blocks are claimed, how BIRD is spoken to, how policies work.
Source: Calico, cni-plugin/pkg/types/types.go (``assign_ipv4``, ...); confd's bird_ipam.cfg (what is told).
"""

from collections.abc import Iterator

from octet.attach.routed import RoutedAttach
from octet.cluster.objects import Network
from octet.cluster.pools import allocatable, pool_of
from octet.cluster.view import View
from octet.errors import BadConfigurationError
from octet.ipam.blocks.holdings import holdings
from octet.ipam.blocks.selection import defaults_from
from octet.models.model import Option, Options, Running
from octet.transport.calico.speaking import CalicoBgp

OPTIONS = (
    Option(
        "assign_ipv4", "true: pods get an IPv4 address, where the cluster has a pool", {"assign_ipv4": True}
    ),
    Option("assign_ipv6", "true: the same for IPv6", {"assign_ipv6": False}),
    Option(
        "ipv4_pools",
        "empty: which pools, by name or CIDR; empty is what selectors of pools say",
        {"ipv4_pools": ["default-ipv4-ippool"]},
    ),
    Option("ipv6_pools", "the same for IPv6", {"ipv6_pools": ["default-ipv6-ippool"]}),
)
"""Keys of ``ipam`` in Calico's CNI configuration."""

KEYS = tuple(option.name for option in OPTIONS)


def build(options: Options, source: str) -> Running:
    """Read the options: ``assign_ipv4``, ``assign_ipv6``, ``ipv4_pools``, ``ipv6_pools``, as in Calico's.

    Unlike there, both families are assigned where the cluster has both and nobody says otherwise.
    """
    for name in options:
        if name not in KEYS:
            hint = f"known here: {', '.join(KEYS)}"
            raise BadConfigurationError(source, name, options[name], "is no option of calico", hint=hint)
    families = [family for family in (4, 6) if _flag(options, f"assign_ipv{family}", source)]
    pools = {family: _names(options, f"ipv{family}_pools", source) for family in (4, 6)}
    named = {family: names for family, names in pools.items() if names}
    transport = CalicoBgp(told)
    return Running(
        RoutedAttach(),
        transport,
        policy=True,
        blocks=defaults_from(families, named, source),
        advertises=transport.advertises,
    )


def told(view: View) -> tuple[Network, ...]:
    """Return what this node tells: its blocks and borrowed addresses, but of pools with disableBGPExport.

    Raises:
        BadConfigurationError: a pool is to be tunnelled, which this model does not do.
    """
    for pool in allocatable(view.pools.values()):
        for key, mode in (("ipipMode", pool.ipip_mode), ("vxlanMode", pool.vxlan_mode)):
            if mode != "Never":
                problem = "is not supported: this model has no tunnels"
                raise BadConfigurationError(f"IPPool {pool.name}", f"spec.{key}", mode, problem, hint="Never")
    return tuple(_exported(view))


def _exported(view: View) -> Iterator[Network]:
    pools = allocatable(view.pools.values())
    for prefix in holdings(view, view.me).prefixes:
        pool = pool_of(pools, prefix.network_address)
        if pool is not None and not pool.no_bgp:
            yield prefix


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
