"""Whose an address is, and how its node is reached: what the cluster says, before the kernel is asked.

What lives here: ``whereabouts``, out of the View, for any model. What it must not know: routes in the kernel.
"""

from dataclasses import dataclass

from octet.cluster.objects import Address, Network, Node
from octet.cluster.pools import allocatable, pool_of
from octet.cluster.view import View
from octet.ipam.blocks.holdings import block_of, node_of
from octet.models.model import Running
from octet.transport.reach import Obstacle, own_addresses

BLOCK, CIDR, NODE, SERVICE, OUTSIDE = "block", "node CIDR", "node", "service", "outside"


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What is known of an address.

    Attributes:
        kind: BLOCK, CIDR, NODE, SERVICE or OUTSIDE.
        prefix: the block or node CIDR that it is in, or the cluster's network where it is in neither.
        pool: the IPPool's name, or empty.
        node: where packets to it go; empty is nowhere.
        apart: it is in a block of another node, or of none (borrowed, left over).
        owner: the pod or service that has it, as namespace/name; empty where nobody is known to.
        obstacles: why that node's pods cannot be reached, a sentence each.
    """

    kind: str
    prefix: Network | None = None
    pool: str = ""
    node: str = ""
    apart: bool = False
    owner: str = ""
    obstacles: tuple[str, ...] = ()


def whereabouts(running: Running, view: View, address: Address) -> Whereabouts:
    """Return what the cluster knows of an address."""
    node = _node_at(view, address)
    if node:
        return Whereabouts(NODE, node=node)
    service = _service_at(view, address)
    if service or any(address in cidr for cidr in view.service_cidrs):
        return Whereabouts(SERVICE, owner=service)
    found = _in_blocks(view, address) if running.blocks is not None else _in_cidrs(running, view, address)
    peer = view.nodes.get(found.node)
    pod = view.pods.at(address)
    told = running.obstacles(view, peer) if peer is not None and found.node != view.me else ()
    return Whereabouts(
        found.kind,
        found.prefix,
        found.pool,
        found.node,
        found.apart,
        f"{pod.namespace}/{pod.name}" if pod is not None else "",
        told,
    )


def _node_at(view: View, address: Address) -> str:
    if address in tuple(own_addresses(view)):
        return view.me
    return next((node.name for node in view.nodes.values() if address in node.internal_ips), "")


def _service_at(view: View, address: Address) -> str:
    for service in view.services.values():
        if address in (*service.cluster_ips, *service.external_ips, *service.load_balancer_ips):
            return f"{service.namespace}/{service.name}"
    return ""


def _in_blocks(view: View, address: Address) -> Whereabouts:
    pool = pool_of(allocatable(view.pools.values()), address)
    if pool is None:
        return Whereabouts(OUTSIDE)
    block = block_of(view, address)
    if block is None:
        return Whereabouts(BLOCK, pool.cidr, pool.name)
    node = node_of(view, address)
    return Whereabouts(BLOCK, block.cidr, pool.name, node, apart=bool(node) and node != block.host)


def _in_cidrs(running: Running, view: View, address: Address) -> Whereabouts:
    inside = [each for each in running.networks.cluster(view) if address in each]
    if not inside:
        return Whereabouts(OUTSIDE)
    for node in view.nodes.values():
        cidr = _cidr(running, view, node, address.version)
        if cidr is not None and address in cidr:
            return Whereabouts(CIDR, cidr, node=node.name)
    return Whereabouts(CIDR, inside[0])


def _cidr(running: Running, view: View, node: Node, family: int) -> Network | None:
    if node.name == view.me:
        return running.networks.own(view, family)
    found = running.networks.of_peer(view, node, family)
    return None if isinstance(found, Obstacle) else found
