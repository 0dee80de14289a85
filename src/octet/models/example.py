"""A small cluster to show a model with: addresses that exist nowhere (RFC 5737, RFC 3849, RFC 4193).

What lives here: its View. What it must not know: how it is shown.
"""

from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_network

from octet.attach import Attach
from octet.attach.names import pod_mac
from octet.cluster.endpoint import Attachment, Endpoint, NodeNetwork
from octet.cluster.indexes import Nodes
from octet.cluster.objects import Node
from octet.cluster.view import Underlay, View
from octet.models.model import Running

FAMILIES = {"v4": (4,), "v6": (6,), "dual": (4, 6)}
"""What a person calls the families, and what they are."""

CLUSTER = {4: "10.244.0.0/16", 6: "fd00:10:244::/48"}
UNDERLAY_MTU = 1500


def name(index: int) -> str:
    """Return the name of a node: node1 has 10.244.1.0/24 and 192.0.2.1, and so on."""
    return f"node{index}"


def view(running: Running, families: tuple[int, ...] = (4,), nodes: int = 2, me: int = 1) -> View:
    """Return what one node of the cluster sees after every node said what it has to say."""
    silent = tuple(_node(index, families) for index in range(1, nodes + 1))
    known = Nodes.of(silent)
    heard = [
        _said(each, running, _seen_from(index, known, families)) for index, each in enumerate(silent, start=1)
    ]
    return _seen_from(me, Nodes.of(heard), families)


def endpoint(attach: Attach, network: NodeNetwork, host: int = 10, interface: str = "eth0") -> Endpoint:
    """Return a pod of this node, with the address of that number in each of the node's pod CIDRs."""
    v4, v6 = (network.v4[host] if network.v4 else None), (network.v6[host] if network.v6 else None)
    attachment = Attachment("octet", f"container{host}", interface)
    link = attach.host_link(attachment, "default", f"web-{host}")
    return Endpoint(attachment, link, pod_mac(v4, v6), network.mtu, v4, v6, "default", f"web-{host}")


def _node(index: int, families: tuple[int, ...]) -> Node:
    cidrs = {4: f"10.244.{index}.0/24", 6: f"fd00:10:244:{index}::/64"}
    ips = {4: f"192.0.2.{index}", 6: f"2001:db8::{index}"}
    return Node(
        name=name(index),
        pod_cidrs=tuple(ip_network(cidrs[family]) for family in families),
        internal_ips=tuple(ip_address(ips[family]) for family in families),
        ready=True,
    )


def _said(node: Node, running: Running, view: View) -> Node:
    annotations = running.annotations(view)
    return Node(
        name=node.name,
        annotations=annotations,
        pod_cidrs=node.pod_cidrs,
        internal_ips=node.internal_ips,
        ready=node.ready,
    )


def _seen_from(index: int, nodes: Nodes, families: tuple[int, ...]) -> View:
    underlay = Underlay(
        "eth0",
        UNDERLAY_MTU,
        v4=IPv4Interface(f"192.0.2.{index}/24") if 4 in families else None,
        v6=IPv6Interface(f"2001:db8::{index}/64") if 6 in families else None,
    )
    cluster = tuple(ip_network(CLUSTER[family]) for family in families)
    return View(me=name(index), underlay=underlay, nodes=nodes, pod_cidrs=cluster)
