"""Whose an address is, in the words of a cluster: block or node CIDR, node, service, outside."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from octet.cluster.indexes import Named, Pods
from octet.cluster.objects import Pod, Service
from octet.models import example, find
from octet.models.whereabouts import Whereabouts, whereabouts


def where(model: str, address: str) -> Whereabouts:
    running = find(model).parse({}, source="test")
    view = replace(
        example.view(running),
        pods=Pods.of([Pod("web", "shop", node="node2", ips=(ip_address("10.244.2.5"),))]),
        services=Named.of([Service("dns", "kube-system", external_ips=(ip_address("198.51.100.1"),))]),
        service_cidrs=(ip_network("10.96.0.0/16"),),
    )
    return whereabouts(running, view, ip_address(address))


@pytest.mark.parametrize(
    ("model", "kind", "prefix", "pool"),
    [
        ("calico", "block", "10.244.2.0/26", "default-ipv4-ippool"),
        ("flannel", "node CIDR", "10.244.2.0/24", ""),
        ("canal", "node CIDR", "10.244.2.0/24", ""),
        ("kopeio-vxlan", "node CIDR", "10.244.2.0/24", ""),
    ],
)
def test_a_pod_of_another_node(model: str, kind: str, prefix: str, pool: str) -> None:
    """Its block or its node's CIDR, the pool, the node, and the pod."""
    found = where(model, "10.244.2.5")
    assert found == Whereabouts(kind, ip_network(prefix), pool, "node2", owner="shop/web")


@pytest.mark.parametrize(
    ("address", "kind", "node", "owner"),
    [
        ("192.0.2.1", "node", "node1", ""),
        ("192.0.2.2", "node", "node2", ""),
        ("10.96.0.9", "service", "", ""),
        ("198.51.100.1", "service", "", "kube-system/dns"),
        ("203.0.113.1", "outside", "", ""),
    ],
)
def test_what_is_no_pods(address: str, kind: str, node: str, owner: str) -> None:
    """Nodes' own addresses, services', and the rest of the world."""
    found = where("calico", address)
    assert (found.kind, found.node, found.owner) == (kind, node, owner)


@pytest.mark.parametrize("model", ["calico", "flannel"])
def test_what_is_nobodys(model: str) -> None:
    """An address of the cluster that no node has is told with the network that it is in."""
    found = where(model, "10.244.200.7")
    assert (found.prefix, found.node) == (ip_network("10.244.0.0/16"), "")
