"""The configuration that counts for one node, and what this node is as a speaker.

What lives here: ``configuration``, ``member``, ``speaker``. What it must not know: peers' sessions.
Source: confd/pkg/backends/calico (getBGPConfig, node_mesh), confd's templates/bird.cfg.template.
"""

import hashlib
from ipaddress import IPv4Address, IPv6Address

import msgspec

from octet.blueprint import Secret
from octet.cluster.bgp import DEFAULT, OF_NODE, PORT, BGPConfiguration, SecretKey
from octet.cluster.objects import Address, Network, Node
from octet.cluster.view import View
from octet.transport.bgp import Left, Member, Mesh, Speaker, Tagged, Timers
from octet.transport.calico.advertising import ranges
from octet.transport.calico.directory import ANNOTATED, as_number, cluster_id
from octet.transport.reach import FAMILIES, Obstacle, underlay

TIMERS = Timers(connect_delay=1, connect_retry=2, error_wait=(1, 30))
"""Of sessions between nodes. Calico's BIRDs wait 2 and 5 s before they connect anew, for which time whoever
becomes a reflector is missed."""

SECRETS = "kube-system"
"""The namespace of passwords' Secrets: where calico/node itself runs (manifests/calico.yaml)."""

IGNORED = ("cali*", "tunl*", "vxlan.calico", "vxlan-v6.calico", "octet*", "kube-*", "docker*", "dummy*")
"""Interfaces whose addresses mean nothing where BGPConfiguration has no ignoredInterfaces."""


def configuration(view: View, node: str) -> BGPConfiguration:
    """Return what counts for a node: its own configuration where that says something, else that of all."""
    common = view.bgp_config.get(("", DEFAULT)) or BGPConfiguration(DEFAULT)
    own = view.bgp_config.get(("", f"{OF_NODE}{node}"))
    if own is None:
        return common
    return msgspec.structs.replace(
        common,
        port=own.port if own.port != PORT else common.port,
        bound=own.bound or common.bound,
        ignored=own.ignored if own.ignored is not None else common.ignored,
        advertised=own.advertised or common.advertised,
        cluster_ips=own.cluster_ips or common.cluster_ips,
        external_ips=own.external_ips or common.external_ips,
        load_balancer_ips=own.load_balancer_ips or common.load_balancer_ips,
        aggregated=own.aggregated and common.aggregated,
    )


def ports(view: View) -> tuple[int, ...]:
    """Return the ports at which nodes and routers speak BGP, whichever sessions there are."""
    nodes = {each.port for each in view.bgp_config.values()}
    routers = {each.port for each in view.bgp_peers.values() if each.port}
    return tuple(sorted({PORT} | nodes | routers))


def secret(held: SecretKey | None) -> Secret | None:
    """Return where a password is kept."""
    return Secret(SECRETS, held.name, held.key) if held is not None else None


def mesh(view: View) -> Mesh:
    """Return how nodes find each other: reflectors are out of it, and named by BGPPeers."""
    held = configuration(view, "")
    return Mesh(
        full=held.mesh,
        reflectors_join=False,
        nodes_only=True,
        restart_time=held.restart_time,
        password=secret(held.password),
        timers=TIMERS,
    )


def member(view: View, node: Node) -> Member:
    """Return a node as the cluster's BGP sees it. Raises BadConfigurationError for its annotations."""
    v4, v6 = (_address(view, node, family) for family in FAMILIES)
    held = configuration(view, node.name)
    return Member(
        node.name,
        as_number(node) or held.asn,
        v4 if isinstance(v4, IPv4Address) else None,
        v6 if isinstance(v6, IPv6Address) else None,
        cluster_id(node),
        port=held.port,
    )


def _address(view: View, node: Node, family: int) -> Address | Obstacle | None:
    if node.name != view.me:
        return ANNOTATED.address(view, node, family)
    own = underlay(view, family)
    return own.ip if own is not None else None


def myself(view: View) -> Member:
    """Return this node as a member, also before the cluster knows it."""
    return member(view, view.here or Node(view.me))


def speaker(
    view: View,
    owned: tuple[Network, ...] = (),
    left: tuple[Left, ...] = (),
    services: tuple[Network, ...] = (),
) -> Speaker:
    """Return this node as a speaker. Raises BadConfigurationError for its annotations.

    Sessions don't depend on what is announced on them: for one peer's no owner need be asked.
    """
    held, me = configuration(view, view.me), myself(view)
    return Speaker(
        me.v4 if me.v4 is not None else _identity(view.me),
        me.asn,
        me.v4,
        me.v6,
        near=near(view),
        port=held.port,
        strict_bind=held.bound,
        owned=owned,
        services=services,
        refused=(*view.service_cidrs, *ranges(held)),
        tagged=tuple(Tagged(each.cidr, each.communities) for each in held.advertised),
        left=left,
        ignored_interfaces=IGNORED if held.ignored is None else ("cali*", *held.ignored),
    )


def near(view: View) -> tuple[Network, ...]:
    """Return this node's own subnets."""
    return tuple(own.network for each in FAMILIES if (own := underlay(view, each)) is not None)


def _identity(name: str) -> IPv4Address:
    """Return a router id for a node without IPv4: of its name, as with Calico's CALICO_ROUTER_ID=hash."""
    return IPv4Address(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) | 1)
