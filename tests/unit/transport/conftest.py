"""A cluster seen from node1: three nodes on one network, whatever transport they run."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address, ip_network

import msgspec
import pytest

from octet.cluster.indexes import Nodes
from octet.cluster.objects import Node
from octet.cluster.view import View
from octet.models import example, find

FLANNEL = "flannel.alpha.coreos.com/"

Change = Callable[..., View]


@pytest.fixture
def flannel() -> Callable[[str], View]:
    """Return a view of nodes that run a model, in some families."""

    def make(families: str = "v4", model: str = "flannel", nodes: int = 3) -> View:
        running = find(model).parse({}, source="test")
        return example.view(running, example.FAMILIES[families], nodes)

    return make


@pytest.fixture
def changed() -> Change:
    """Return a view in which one node is different: CIDRs, addresses, annotations (None removes one)."""

    def change(view: View, name: str, *, cidrs: str = "", ips: str = "", **said: str | None) -> View:
        node = view.nodes.get(name) or Node(name=name)
        annotations = dict(node.annotations)
        for key, value in said.items():
            annotations.pop(FLANNEL + key.replace("_", "-"), None)
            if value is not None:
                annotations[FLANNEL + key.replace("_", "-")] = value
        fields: dict[str, object] = {"annotations": annotations}
        if cidrs:
            fields["pod_cidrs"] = tuple(ip_network(each) for each in cidrs.split())
        if ips:
            fields["internal_ips"] = tuple(ip_address(each) for each in ips.split())
        nodes = {**view.nodes, name: msgspec.structs.replace(node, **fields)}
        return replace(view, nodes=Nodes.of(nodes.values()))

    return change
