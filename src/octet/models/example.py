"""A small cluster to show a model with: addresses that exist nowhere (RFC 5737, RFC 3849, RFC 4193).

What lives here: its View. What it must not know: how it is shown.
"""

from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_address, ip_network

from octet.attach import Attach
from octet.attach.names import pod_mac
from octet.blueprint import Daemon
from octet.cluster.blocks import cidr_name
from octet.cluster.endpoint import Attachment, Endpoint, NodeNetwork
from octet.cluster.indexes import ByNode, Named, Nodes
from octet.cluster.objects import Network, Node
from octet.cluster.ownership import BlockAffinity, IPAMBlock
from octet.cluster.pools import IPPool
from octet.cluster.view import Underlay, View
from octet.ipam.blocks.holdings import holdings
from octet.ipam.blocks.selection import Defaults
from octet.models import encapsulation
from octet.models.model import Running

FAMILIES = {"v4": (4,), "v6": (6,), "dual": (4, 6)}
"""What a person calls the families, and what they are."""

CLUSTER = {4: "10.244.0.0/16", 6: "fd00:10:244::/48"}
CIDRS = {4: "10.244.{}.0/24", 6: "fd00:10:244:{}::/64"}
BLOCKS = {4: 26, 6: 122}
UNDERLAY_MTU = 1500


def name(index: int) -> str:
    """Return the name of a node: node1 has 10.244.1.0/24 and 192.0.2.1, and so on."""
    return f"node{index}"


def view(running: Running, families: tuple[int, ...] = (4,), nodes: int = 2, me: int = 1) -> View:
    """Return what one node of the cluster sees after every node said what it has to say."""
    silent = tuple(_node(index, families) for index in range(1, nodes + 1))
    known = _world(silent, running, families)
    heard = [
        _said(each, running, _seen_from(index, known, families)) for index, each in enumerate(silent, start=1)
    ]
    return _seen_from(me, replace(known, nodes=Nodes.of(heard)), families)


def between_routers(view: View) -> View:
    """Return the view with a router before every other node."""
    v4, v6 = view.underlay.v4, view.underlay.v6
    alone = replace(view.underlay, v4=v4 and IPv4Interface(v4.ip), v6=v6 and IPv6Interface(v6.ip))
    return replace(view, underlay=alone)


def apart(running: Running, families: tuple[int, ...] = (4,)) -> tuple[str, ...]:
    """Return why pods of two nodes in different subnets cannot reach each other; empty where they may.

    Where a routing daemon runs on each node, routers may tell it the way: nothing is known against that.
    """
    distant = between_routers(view(running, families))
    if any(isinstance(each, Daemon) for each in running.node(distant)):
        return ()
    return running.obstacles(distant, distant.peers[0])


def endpoint(
    attach: Attach, network: NodeNetwork, host: int = 10, interface: str = "eth0", me: int = 1
) -> Endpoint:
    """Return a pod of this node, with the address of that number in each of the node's CIDRs or blocks."""
    own_v4 = network.v4 or (IPv4Network(CIDRS[4].format(me)) if 4 in network.pooled else None)
    own_v6 = network.v6 or (IPv6Network(CIDRS[6].format(me)) if 6 in network.pooled else None)
    v4, v6 = (own_v4[host] if own_v4 else None), (own_v6[host] if own_v6 else None)
    attachment = Attachment("octet", f"container{host}", interface)
    link = attach.host_link(attachment, "default", f"web-{host}")
    return Endpoint(attachment, link, pod_mac(v4, v6), network.mtu, v4, v6, "default", f"web-{host}")


def _node(index: int, families: tuple[int, ...]) -> Node:
    ips = {4: f"192.0.2.{index}", 6: f"2001:db8::{index}"}
    return Node(
        name=name(index),
        pod_cidrs=tuple(ip_network(CIDRS[family].format(index)) for family in families),
        internal_ips=tuple(ip_address(ips[family]) for family in families),
        ready=True,
    )


def _said(node: Node, running: Running, view: View) -> Node:
    annotations = {**running.annotations(view), **_tunnels(view)}
    return Node(
        name=node.name,
        annotations=annotations,
        pod_cidrs=node.pod_cidrs,
        internal_ips=node.internal_ips,
        ready=node.ready,
    )


def _tunnels(view: View) -> dict[str, str]:
    """Return what a node tells of its tunnels' addresses: the second of its block, as IPAM might have it."""
    own: dict[int, Network] = {cidr.version: cidr for cidr in holdings(view, view.me).blocks}
    wanted = [each for each in encapsulation.addresses(view) if each.family in own]
    return {each.annotation: str(own[each.family][1]) for each in wanted}


def _world(nodes: tuple[Node, ...], running: Running, families: tuple[int, ...]) -> View:
    """Return what every node sees alike, from the first one."""
    cluster = tuple(ip_network(CLUSTER[family]) for family in families)
    seen = View(me=name(1), underlay=_underlay(1, families), nodes=Nodes.of(nodes), pod_cidrs=cluster)
    return seen if running.blocks is None else _with_blocks(seen, running.blocks)


def _seen_from(index: int, world: View, families: tuple[int, ...]) -> View:
    return replace(world, me=name(index), underlay=_underlay(index, families))


def _underlay(index: int, families: tuple[int, ...]) -> Underlay:
    return Underlay(
        "eth0",
        UNDERLAY_MTU,
        v4=IPv4Interface(f"192.0.2.{index}/24") if 4 in families else None,
        v6=IPv6Interface(f"2001:db8::{index}/64") if 6 in families else None,
    )


def _with_blocks(view: View, defaults: Defaults) -> View:
    """Return the view with the first pools, and a block of each pool for each node: its CIDR's first part."""
    pools = [IPPool.from_object(item) for item in defaults.first_pools(view.pod_cidrs)]
    wanted = [
        (node.name, ip_network(f"{cidr[0]}/{BLOCKS[cidr.version]}"))
        for node in view.nodes.values()
        for cidr in node.pod_cidrs
    ]
    return replace(
        view,
        pools=Named.of(pools),
        blocks=ByNode.of(IPAMBlock(cidr_name(cidr), cidr, owner) for owner, cidr in wanted),
        affinities=ByNode.of(
            BlockAffinity(f"{owner}-{cidr_name(cidr)}", owner, cidr, routed=True) for owner, cidr in wanted
        ),
    )
