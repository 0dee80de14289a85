"""What follows for a node from addresses that come in blocks out of pools.

What lives here: its share of the pod network, its blackholes, whose packets are masqueraded.
What it must not know: any particular model, transports, how a pod gets its address.
"""

from collections.abc import Iterable

from octet.blueprint import Blueprint
from octet.blueprint.base import union
from octet.cluster.endpoint import NodeNetwork
from octet.cluster.pools import allocatable
from octet.cluster.view import View
from octet.errors import NotReadyError
from octet.ipam.blocks.holdings import blackholes
from octet.ipam.blocks.selection import Defaults
from octet.transport.masquerade import masquerade


def families(view: View, defaults: Defaults) -> tuple[int, ...]:
    """Return the families in which there is a pool; raises NotReadyError where there is none."""
    found = {pool.cidr.version for pool in allocatable(view.pools.values())}
    present = tuple(family for family in defaults.families if family in found)
    if not present:
        raise NotReadyError("there is no IPPool yet", hint="octet lab apply, or kubectl apply, one")
    return present


def network(view: View, defaults: Defaults, mtu: int) -> NodeNetwork:
    """Return this node's share of the pod network: all pools are inside, also disabled ones (Felix)."""
    inside = tuple(pool.cidr for pool in allocatable(view.pools.values()))
    return NodeNetwork(mtu=mtu, cluster=inside, pooled=families(view, defaults))


def contribution(view: View, speaking: Iterable[int] = (), *, masqueraded: bool) -> Blueprint:
    """Return blackholes for own blocks, and masquerade from pools with natOutgoing to where no pool is.

    ``speaking`` is as in ``masquerade``.
    """
    pools = allocatable(view.pools.values())
    sources = [pool.cidr for pool in pools if pool.nat_outgoing]
    if not masqueraded or not sources:
        return blackholes(view)
    return union([blackholes(view), masquerade([pool.cidr for pool in pools], sources, speaking=speaking)])
