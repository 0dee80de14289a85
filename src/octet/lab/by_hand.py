"""Routes to pods as an operator or a cloud would set them, for providers that leave that to somebody else.

What lives here: which routes each namespace needs. What it must not know: how they are set.
"""

from collections.abc import Iterator, Mapping, Sequence

from octet.lab.fabric import Fabric
from octet.lab.names import Address, Network

Hop = tuple[Network, Address]


def static_routes(fabric: Fabric, cidrs: Mapping[str, Sequence[Network]]) -> Mapping[str, list[Hop]]:
    """Return (pod CIDR, next hop) by namespace: on nodes to peers on their own network, on routers to nodes.

    Args:
        fabric: whose routers tell each other.
        cidrs: pod CIDRs by node.
    """
    found = {node: list(_to_peers(fabric, node, cidrs)) for node in cidrs}
    for node, held in cidrs.items():
        above = fabric.ports[node].space
        if above in fabric.routers:
            found.setdefault(above, []).extend(_hops(fabric, node, held))
    return found


def _to_peers(fabric: Fabric, here: str, cidrs: Mapping[str, Sequence[Network]]) -> Iterator[Hop]:
    own = [interface.network for interface in fabric.interfaces[here]]
    for node, held in cidrs.items():
        for cidr, via in _hops(fabric, node, held) if node != here else ():
            if any(via in network for network in own if network.version == via.version):
                yield cidr, via


def _hops(fabric: Fabric, node: str, held: Sequence[Network]) -> Iterator[Hop]:
    for cidr in held:
        yield from ((cidr, via) for via in fabric.addresses(node) if via.version == cidr.version)
