"""Which pods are whose, and which peers can be reached at all: questions that every transport asks.

What lives here: ``PodNetworks``, ``Directory``, ``Obstacle``. What it must not know: devices, routes.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface, ip_network
from typing import Protocol

from octet.cluster.indexes import Nodes
from octet.cluster.objects import Address, Network, Node
from octet.cluster.view import View
from octet.errors import BadConfigurationError

FAMILIES = (4, 6)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why one family of a peer's pods cannot be reached, as a sentence for a person."""

    reason: str


class Directory(Protocol):
    """Where nodes say at which underlay address they are reached."""

    def address(self, view: View, peer: Node, family: int) -> Address | Obstacle:
        """Return the peer's underlay address of a family, checked by ``usable``."""
        ...

    def announce(self, view: View) -> Mapping[str, str]:
        """Return the annotations by which this node says it."""
        ...


@dataclass(frozen=True, slots=True)
class PodNetworks:
    """The cluster's pod networks, and who holds which part of them.

    Nothing outside of them is ever routed to a peer, whatever its Node object says: a node that claims
    ``0.0.0.0/0`` or this node's own pods gets nothing.

    Attributes:
        stated: networks from a model's own options; where there are none, the View's are taken.
        annotations: names of annotations in which a Node may say its pod CIDRs, separated by commas; the
            first that is there is taken, and without one ``spec.podCIDRs``.
    """

    stated: tuple[Network, ...] = ()
    annotations: tuple[str, ...] = ()
    _known: list[tuple[Nodes, Mapping[Network, str]]] = field(default_factory=list, repr=False, compare=False)

    def cluster(self, view: View) -> tuple[Network, ...]:
        """Return the networks that all pods' addresses lie in."""
        return self.stated or view.pod_cidrs

    def own(self, view: View, family: int) -> Network | None:
        """Return this node's pod CIDR, or None where it has none or the cluster hasn't this family.

        Raises:
            BadConfigurationError: it lies outside of the cluster's networks.
        """
        cidr = self.cidr(view.here, family) if view.here else None
        cluster = [each for each in self.cluster(view) if each.version == family]
        if cidr is None or not cluster:
            return None
        if not any(_inside(cidr, each) for each in cluster):
            raise BadConfigurationError(
                f"Node {view.me}",
                "spec.podCIDRs",
                str(cidr),
                f"lies outside of the cluster's pod network {', '.join(map(str, cluster))}",
                hint="give the controller that hands out pod CIDRs and the agent the same cluster network",
            )
        return cidr

    def cidr(self, node: Node, family: int) -> Network | None:
        """Return a node's pod CIDR of a family, or None.

        Raises:
            BadConfigurationError: an annotation is no list of prefixes, at most one of a family.
        """
        name = next((each for each in self.annotations if each in node.annotations), None)
        if name is None:
            return node.pod_cidr(family)
        return next((each for each in _listed(node, name) if each.version == family), None)

    def families(self, view: View) -> tuple[int, ...]:
        """Return the families (4, 6) in which this node has pods."""
        return tuple(family for family in FAMILIES if self.own(view, family) is not None)

    def of_peer(self, view: View, peer: Node, family: int) -> Network | Obstacle:
        """Return a peer's pod CIDR; of two nodes that claim one, the first by name has it."""
        cidr, own = self.cidr(peer, family), self.own(view, family)
        if cidr is None:
            return Obstacle(f"node {peer.name} has no IPv{family} pod CIDR yet")
        if not any(_inside(cidr, each) for each in self.cluster(view)):
            return Obstacle(f"pod CIDR {cidr} of node {peer.name} lies outside of the cluster's pod network")
        if own is not None and cidr.overlaps(own):
            return Obstacle(f"pod CIDR {cidr} of node {peer.name} overlaps this node's own {own}")
        owner = self._owner(view, cidr)
        if owner is not None and owner != peer.name:
            return Obstacle(f"pod CIDR {cidr} of node {peer.name} belongs to node {owner}")
        return cidr

    def _owner(self, view: View, cidr: Network) -> str | None:
        if self.annotations:
            return self._claims(view.nodes).get(cidr)
        owner = view.node_of(cidr.network_address)
        return owner.name if owner is not None else None

    def _claims(self, nodes: Nodes) -> Mapping[Network, str]:
        """Return whose each pod CIDR is, the first name of several, worked out once for each version."""
        if not self._known or self._known[0][0] is not nodes:
            found: dict[Network, str] = {}
            for name, node in sorted(nodes.items()):
                for family in FAMILIES:
                    with suppress(BadConfigurationError):
                        if (cidr := self.cidr(node, family)) is not None:
                            found.setdefault(cidr, name)
            self._known[:] = [(nodes, found)]
        return self._known[0][1]


def _listed(node: Node, name: str) -> list[Network]:
    """Return the prefixes that an annotation lists. Raises BadConfigurationError."""
    text = node.annotations[name]
    try:
        found = [ip_network(each.strip()) for each in text.split(",")]
    except ValueError as error:
        field = f"metadata.annotations[{name}]"
        raise BadConfigurationError(
            f"Node {node.name}", field, text, f"is no list of prefixes: {error}", hint="10.244.1.0/24"
        ) from None
    if len({each.version for each in found}) < len(found):
        problem = "has two prefixes of one family"
        raise BadConfigurationError(f"Node {node.name}", f"metadata.annotations[{name}]", text, problem)
    return found


OF_THE_CLUSTER = PodNetworks()
"""The View's networks, for models that don't state their own."""


@dataclass(frozen=True, slots=True)
class InternalAddresses:
    """Peers are reached at the InternalIP of their Node object; nothing needs to be announced."""

    def address(self, view: View, peer: Node, family: int) -> Address | Obstacle:
        """Return the first InternalIP of a family in the order of its text, as kopeio-vxlan takes it."""
        found = min((each for each in peer.internal_ips if each.version == family), key=str, default=None)
        if found is None:
            return Obstacle(f"node {peer.name} has no IPv{family} InternalIP")
        return usable(view, peer, found)

    def announce(self, view: View) -> Mapping[str, str]:
        """Return nothing."""
        del view
        return {}


INTERNAL = InternalAddresses()


def usable(view: View, peer: Node, address: Address) -> Address | Obstacle:
    """Return the address, if it can be another machine's."""
    if address.is_multicast or address.is_unspecified or address.is_loopback:
        return Obstacle(f"node {peer.name} says it is reached at {address}, which is no machine's address")
    if address in own_addresses(view):
        return Obstacle(f"node {peer.name} says it is reached at {address}, which is this node's own")
    return address


def underlay(view: View, family: int) -> IPv4Interface | IPv6Interface | None:
    """Return this node's address on the underlay, with its prefix."""
    return view.underlay.v4 if family == 4 else view.underlay.v6


def own_addresses(view: View) -> Iterator[Address]:
    """Yield this node's addresses on the underlay."""
    for family in FAMILIES:
        interface = underlay(view, family)
        if interface is not None:
            yield interface.ip


def on_link(view: View, address: Address) -> bool:
    """Tell whether an address is on the underlay's own network: reachable without a router."""
    interface = underlay(view, address.version)
    return interface is not None and address in interface.network


def _inside(cidr: Network, network: Network) -> bool:
    return (
        cidr.version == network.version
        and cidr.prefixlen >= network.prefixlen
        and cidr.network_address in network
    )
