"""Clusters whose blocks are in tunnelled pools: what node1 sees of them.

What lives here: ``cluster``, ``behind_a_router``. What it must not know: any transport.
"""

from dataclasses import replace
from ipaddress import IPv4Interface, IPv6Interface

from msgspec import structs

from octet.attach.routed import RoutedAttach
from octet.cluster.indexes import Named, Nodes
from octet.cluster.view import View
from octet.ipam.blocks.selection import Defaults
from octet.models import example
from octet.models.model import Running
from octet.transport.calico.nodes import IPIP, VXLAN
from octet.transport.host_gateway import HostGateway

RUNNING = Running(RoutedAttach(), HostGateway(), blocks=Defaults((4, 6)))
"""Anything with blocks will do: the pools' modes are set here."""


def cluster(
    families: str = "v4", *, ipip: str = "Never", vxlan: str = "Never", nodes: int = 3, me: int = 1
) -> View:
    """Return a cluster: node2 has 10.244.2.0/26 and 192.0.2.2, and its tunnels 10.244.2.62."""
    view = example.view(RUNNING, example.FAMILIES[families], nodes, me)
    pools = [
        structs.replace(pool, ipip_mode=ipip if pool.cidr.version == 4 else "Never", vxlan_mode=vxlan)
        for pool in view.pools.values()
    ]
    told = [
        structs.replace(node, annotations=_annotations(index))
        for index, node in enumerate(view.nodes.values(), 1)
    ]
    return replace(view, pools=Named.of(pools), nodes=Nodes.of(told))


def _annotations(index: int) -> dict[str, str]:
    return {
        IPIP.annotation: f"10.244.{index}.62",
        VXLAN[4].annotation: f"10.244.{index}.62",
        VXLAN[6].annotation: f"fd00:10:244:{index}::3e",
    }


def behind_a_router(view: View) -> View:
    """Return the view of a node that shares its network with no other."""
    v4, v6 = view.underlay.v4, view.underlay.v6
    alone = replace(
        view.underlay,
        v4=IPv4Interface(v4.ip) if v4 is not None else None,
        v6=IPv6Interface(v6.ip) if v6 is not None else None,
    )
    return replace(view, underlay=alone)


def without_annotation(view: View, name: str, annotation: str) -> View:
    """Return the view in which a node does not tell something."""
    nodes = dict(view.nodes)
    kept = {key: text for key, text in nodes[name].annotations.items() if key != annotation}
    return replace(
        view, nodes=Nodes.of({**nodes, name: structs.replace(nodes[name], annotations=kept)}.values())
    )
