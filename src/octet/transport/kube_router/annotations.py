"""What a Node's annotations say of its BGP: who it is, whom it peers with, what it tells and never believes.

What lives here: every key of kube-router for nodes but its pod CIDRs (``transport.reach``).
What it must not know: flags, the View. Source: cloudnativelabs/kube-router, docs/bgp.md;
pkg/controllers/routing/network_routes_controller.go (annotation names).
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TypeVar

from octet.cluster.objects import Address, Network, Node
from octet.transport.bgp.sessions import Prepend
from octet.transport.bgp.speaker import Community
from octet.transport.kube_router.routers import Lists, Router, of_yaml
from octet.transport.kube_router.words import ASNS, PRIVATE, Said, annotation

ASN, SERVER, CLIENT = "node.asn", "rr.server", "rr.client"
PEERS = "peers"
PREPEND_AS, PREPEND_TIMES = "path-prepend.as", "path-prepend.repeat-n"
COMMUNITIES, REFUSED = "node.bgp.communities", "node.bgp.customimportreject"
LISTEN = "bgp-local-addresses"
SPLIT = ("peer.ips", "peer.asns", "peer.ports", "peer.passwords", "peer.localips")

POD_CIDRS = ("kube-router.io/pod-cidr", "kube-router.io/pod-cidrs")
"""Where a Node may say its pod CIDRs before ``spec.podCIDRs``; the first, though deprecated, wins."""

MOST_REPEATS = 25
"""How often a path is lengthened at most; longer paths are refused by many routers."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Role:
    """What other nodes must know of a node.

    Attributes:
        asn: its own AS number, where it says one.
        cluster_id: it reflects, as this cluster id.
        client_of: it is a client of reflectors with this cluster id.
    """

    asn: int | None = None
    cluster_id: IPv4Address | None = None
    client_of: IPv4Address | None = None


@dataclass(frozen=True, slots=True)
class Own:
    """What a node says that concerns itself alone.

    Attributes:
        listen: the addresses that its sessions with routers are from, one of a family.
    """

    routers: tuple[Router, ...] = ()
    prepend: Prepend | None = None
    communities: tuple[Community, ...] = ()
    refused: tuple[Network, ...] = ()
    listen: tuple[Address, ...] = ()


def role(node: Node) -> Role:
    """Return a node's part in the cluster's BGP. Raises BadConfigurationError naming node and annotation."""
    return Role(
        _read(node, ASN, lambda said: said.asn((*PRIVATE, *ASNS))),
        _read(node, SERVER, Said.cluster_id),
        _read(node, CLIENT, Said.cluster_id),
    )


def own(node: Node) -> Own:
    """Return what a node says of itself alone. Raises BadConfigurationError naming node and annotation."""
    return Own(
        _routers(node),
        _prepend(node),
        _read(node, COMMUNITIES, lambda said: tuple(each.community() for each in said.parts())) or (),
        _read(node, REFUSED, lambda said: tuple(each.network() for each in said.parts())) or (),
        _read(node, LISTEN, lambda said: tuple(each.address() for each in said.parts())) or (),
    )


def _said(node: Node, key: str) -> Said | None:
    return annotation(f"Node {node.name}", node.annotations, key)


def _read(node: Node, key: str, meaning: Callable[[Said], _T]) -> _T | None:
    said = _said(node, key)
    return meaning(said) if said is not None else None


def _routers(node: Node) -> tuple[Router, ...]:
    """Return the routers of ``peers``, or where there is none those of the older split annotations."""
    if (said := _said(node, PEERS)) is not None:
        return of_yaml(said)
    ips, asns, ports, passwords, sources = (_said(node, key) for key in SPLIT)
    if ips is None:
        orphan = next((each for each in (asns, ports, sources) if each is not None), None)
        if orphan is not None:
            raise orphan.refusal("is there without the routers' addresses", "kube-router.io/peer.ips")
        return ()
    if asns is None:
        raise ips.refusal("is there without AS numbers", "kube-router.io/peer.asns")
    return Lists(ips, asns, ports, passwords, sources).routers()


def _prepend(node: Node) -> Prepend | None:
    asn, times = _said(node, PREPEND_AS), _said(node, PREPEND_TIMES)
    if asn is None:
        if times is not None:
            raise times.refusal(f"says nothing without kube-router.io/{PREPEND_AS}")
        return None
    if times is None:
        raise asn.refusal(f"says nothing without kube-router.io/{PREPEND_TIMES}")
    return Prepend(asn.asn((*PRIVATE, *ASNS)), times.number(1, MOST_REPEATS))
