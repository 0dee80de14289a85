"""What a Node's annotations say of its BGP: who it is, whom it peers with, what it tells and never believes.

What lives here: every key of kube-router for nodes but its pod CIDRs (``transport.reach``).
What it must not know: flags, the View. Source: cloudnativelabs/kube-router, docs/bgp.md;
pkg/controllers/routing/network_routes_controller.go (annotation names).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address
from typing import TypeVar

from octet.cluster.objects import Address, Network, Node
from octet.transport.bgp.sessions import Prepend
from octet.transport.bgp.speaker import Community
from octet.transport.kube_router.routers import Lists, Router, of_yaml
from octet.transport.kube_router.words import ASNS, PREFIX, PRIVATE, Said, annotation

ASN, SERVER, CLIENT = "node.asn", "rr.server", "rr.client"
PEERS = "peers"
PREPEND_AS, PREPEND_TIMES = "path-prepend.as", "path-prepend.repeat-n"
COMMUNITIES, REFUSED = "node.bgp.communities", "node.bgp.customimportreject"
LISTEN = "bgp-local-addresses"
SPLIT = ("peer.ips", "peer.asns", "peer.ports", "peer.passwords", "peer.localips")

POD_CIDRS = ("kube-router.io/pod-cidr", "kube-router.io/pod-cidrs")
"""Where a Node may say its pod CIDRs before ``spec.podCIDRs``; the first, though deprecated, wins."""

NODE_KEYS = (
    *(ASN, SERVER, CLIENT, PEERS, *SPLIT, PREPEND_AS, PREPEND_TIMES, COMMUNITIES, REFUSED, LISTEN),
    *(each.removeprefix(PREFIX) for each in POD_CIDRS),
)
"""Every annotation of a Node that is read, without its prefix."""

REMEMBERED = 8192
"""Nodes whose part is kept: each is asked for with every other one."""

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
    listen: tuple[Address, ...] = ()


def role(node: Node) -> Role:
    """Return a node's part in the cluster's BGP. Raises BadConfigurationError naming node and annotation."""
    return _role(_Words.of(node))


def own(node: Node) -> Own:
    """Return what a node says of itself alone. Raises BadConfigurationError naming node and annotation."""
    return _own(_Words.of(node))


def rejected(node: Node) -> tuple[Network, ...]:
    """Return what a node never believes. Raises BadConfigurationError naming node and annotation."""
    return _Words.of(node).listed(REFUSED, Said.network)


@dataclass(frozen=True, slots=True)
class _Words:
    """What a node says under kube-router's keys: equal words mean the same, and are read once."""

    node: str
    said: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, node: Node) -> "_Words":
        held = node.annotations.items()
        return cls(node.name, tuple((key, text) for key, text in held if key.startswith(PREFIX)))

    def __getitem__(self, key: str) -> Said | None:
        return annotation(f"Node {self.node}", dict(self.said), key)

    def read(self, key: str, meaning: Callable[[Said], _T]) -> _T | None:
        """Return what an annotation means, None where it is not there."""
        said = self[key]
        return meaning(said) if said is not None else None

    def listed(self, key: str, meaning: Callable[[Said], _T]) -> tuple[_T, ...]:
        """Return what each part of an annotation means."""
        return self.read(key, lambda said: tuple(meaning(each) for each in said.parts())) or ()


@lru_cache(maxsize=REMEMBERED)
def _role(words: _Words) -> Role:
    return Role(
        words.read(ASN, lambda said: said.asn((*PRIVATE, *ASNS))),
        words.read(SERVER, Said.cluster_id),
        words.read(CLIENT, Said.cluster_id),
    )


@lru_cache(maxsize=16)
def _own(words: _Words) -> Own:
    return Own(
        _routers(words),
        _prepend(words),
        words.listed(COMMUNITIES, Said.community),
        words.listed(LISTEN, Said.address),
    )


def _routers(words: _Words) -> tuple[Router, ...]:
    """Return the routers of ``peers``, or where there is none those of the older split annotations."""
    if (said := words[PEERS]) is not None:
        return of_yaml(said)
    ips, asns, ports, passwords, sources = (words[key] for key in SPLIT)
    if ips is None:
        orphan = next((each for each in (asns, ports, sources) if each is not None), None)
        if orphan is not None:
            raise orphan.refusal("is there without the routers' addresses", "kube-router.io/peer.ips")
        return ()
    if asns is None:
        raise ips.refusal("is there without AS numbers", "kube-router.io/peer.asns")
    return Lists(ips, asns, ports, passwords, sources).routers()


def _prepend(words: _Words) -> Prepend | None:
    asn, times = words[PREPEND_AS], words[PREPEND_TIMES]
    if asn is None:
        if times is not None:
            raise times.refusal(f"says nothing without kube-router.io/{PREPEND_AS}")
        return None
    if times is None:
        raise asn.refusal(f"says nothing without kube-router.io/{PREPEND_TIMES}")
    return Prepend(asn.asn((*PRIVATE, *ASNS)), times.number(1, MOST_REPEATS))
