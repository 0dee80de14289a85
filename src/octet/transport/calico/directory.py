"""Who a node is, by its own annotations (projectcalico.org/...) and its Node object.

What lives here: reading and writing them. What it must not know: sessions, the configuration of all nodes.
Source: libcalico-go/lib/backend/k8s/resources/node.go (names of annotations).
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_interface

from octet.cluster.bgp import AS_MAX, autonomous
from octet.cluster.objects import Address, Node
from octet.cluster.view import View
from octet.errors import BadConfigurationError
from octet.transport.reach import FAMILIES, INTERNAL, Obstacle, underlay, usable

ADDRESS = {4: "projectcalico.org/IPv4Address", 6: "projectcalico.org/IPv6Address"}
"""A node's address with its prefix length, by family."""

AS_NUMBER, CLUSTER_ID = "projectcalico.org/ASNumber", "projectcalico.org/RouteReflectorClusterID"


@dataclass(frozen=True, slots=True)
class Annotated:
    """Peers are reached at what their annotation says, else at their InternalIP."""

    def address(self, view: View, peer: Node, family: int) -> Address | Obstacle:
        """Return the peer's address of a family, or why it has none that can be used."""
        stated = peer.annotations.get(ADDRESS[family], "")
        if not stated:
            return INTERNAL.address(view, peer, family)
        try:
            found = ip_interface(stated).ip
        except ValueError:
            found = None
        if found is None or found.version != family:
            return Obstacle(
                f"node {peer.name} has {ADDRESS[family]}={stated!r}, which is no IPv{family} address"
            )
        return usable(view, peer, found)

    def announce(self, view: View) -> Mapping[str, str]:
        """Return this node's own addresses, as Calico's nodes write them."""
        found = {family: underlay(view, family) for family in FAMILIES}
        return {ADDRESS[family]: str(own) for family, own in found.items() if own is not None}


ANNOTATED = Annotated()


def addresses_of(node: Node) -> Iterator[Address]:
    """Yield the addresses that a node says it has, whether or not they can be used."""
    for family in FAMILIES:
        with suppress(ValueError):
            yield ip_interface(node.annotations.get(ADDRESS[family], "")).ip
    yield from node.internal_ips


def as_number(node: Node | None) -> int:
    """Return the AS number of a node's annotation, 0 where it has none. Raises BadConfigurationError."""
    stated = node.annotations.get(AS_NUMBER, "") if node is not None else ""
    number = autonomous(stated) if stated else 0
    if number is None:
        raise _refusal(node, AS_NUMBER, stated, f"must be an AS number from 1 to {AS_MAX}")
    return number


def cluster_id(node: Node | None) -> IPv4Address | None:
    """Return the cluster id that makes a node a route reflector. Raises BadConfigurationError."""
    stated = node.annotations.get(CLUSTER_ID, "") if node is not None else ""
    if not stated:
        return None
    try:
        return IPv4Address(stated)
    except ValueError:
        raise _refusal(
            node, CLUSTER_ID, stated, "must look like an IPv4 address, such as 244.0.0.1"
        ) from None


def _refusal(node: Node | None, key: str, value: str, problem: str) -> BadConfigurationError:
    name = node.name if node is not None else ""
    return BadConfigurationError(f"Node {name}", f"metadata.annotations[{key}]", value, problem)
