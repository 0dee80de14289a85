"""Nodes that say things in kube-router's annotations, and what node1 sees of them.

What lives here: making nodes and Views. What it must not know: any test.
"""

from collections.abc import Mapping
from ipaddress import IPv4Interface, ip_address, ip_network

from octet.cluster.indexes import Nodes
from octet.cluster.objects import Node
from octet.cluster.view import Underlay, View


def node(number: int, subnet: int = 2, **said: str) -> Node:
    """Node1 has 10.244.1.0/24 and 192.0.2.1; keyword arguments are annotations, `_` for `.` or `-`."""
    return Node(
        f"node{number}",
        annotations=annotated(said),
        pod_cidrs=(ip_network(f"10.244.{number}.0/24"),),
        internal_ips=(ip_address(f"192.0.{subnet}.{number}"),),
    )


KEYS = {
    "node_asn": "node.asn",
    "rr_server": "rr.server",
    "rr_client": "rr.client",
    "peers": "peers",
    "peer_ips": "peer.ips",
    "peer_asns": "peer.asns",
    "peer_ports": "peer.ports",
    "peer_passwords": "peer.passwords",
    "peer_localips": "peer.localips",
    "prepend_as": "path-prepend.as",
    "prepend_n": "path-prepend.repeat-n",
    "communities": "node.bgp.communities",
    "reject": "node.bgp.customimportreject",
    "listen": "bgp-local-addresses",
    "pod_cidr": "pod-cidr",
    "pod_cidrs": "pod-cidrs",
}


def annotated(said: Mapping[str, str]) -> dict[str, str]:
    """Return annotations by kube-router's names."""
    return {f"kube-router.io/{KEYS[key]}": text for key, text in said.items()}


def seen(*nodes: Node, me: int = 1, **fields: object) -> View:
    """Return what node1 sees of nodes."""
    underlay = Underlay("eth0", 1500, v4=IPv4Interface(f"192.0.2.{me}/24"))
    return View(
        me=f"node{me}",
        underlay=underlay,
        nodes=Nodes.of(nodes),
        pod_cidrs=(ip_network("10.244.0.0/16"),),
        service_cidrs=(ip_network("10.96.0.0/16"),),
        **fields,  # type: ignore[arg-type]
    )
