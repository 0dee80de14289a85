"""Whose answers about names are believed where slices are older than pods: not of who has but the address."""

from ipaddress import IPv4Address
from typing import Any

import pytest

from octet.agent.desired import Desired
from octet.agent.policing import Policing
from octet.blueprint.nft import Element
from octet.cluster.changes import Underlay
from octet.cluster.endpoint import Attachment, Endpoint
from octet.cluster.resolvers import Resolvers
from octet.cluster.view import View
from octet.policy.gates import Gate

HERE, SERVICE = IPv4Address("10.0.0.7"), "10.96.0.10"


def pod(name: str, namespace: str, address: str = "") -> dict[str, Any]:
    ips = {"podIPs": [{"ip": address}]} if address else {}
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"nodeName": "node1"}, "status": ips}


def endpoint(name: str, namespace: str) -> Endpoint:
    key = Attachment("o", f"c-{name}", "eth0")
    return Endpoint(key, f"cali{name[:8]}", "02:00:00:00:00:07", 1500, HERE, None, namespace, name)


class Node:
    """A node that believes kube-dns, of which one slice names HERE."""

    def __init__(self, target: str = "") -> None:
        place = {"name": "kube-dns", "namespace": "kube-system"}
        service = {"metadata": place, "spec": {"clusterIP": SERVICE, "ports": [{"port": 53}]}}
        labels = {"kubernetes.io/service-name": "kube-dns"}
        named = {"targetRef": {"kind": "Pod", "name": target}} if target else {}
        behind = {
            "metadata": {**place, "labels": labels},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [str(HERE)], **named}],
        }
        resolvers = Resolvers((), (("kube-system", "kube-dns"),))
        view = View("node1", Underlay("eth0", 1500), resolvers=resolvers)
        view = view.with_listing("Service", [service]).view
        self.view = view.with_listing("EndpointSlice", [behind]).view
        self.desired = Desired()
        self.policing = Policing(self.desired, Gate())
        self.policing.begin(self.view, [])

    def see(self, item: dict[str, Any], happened: str = "ADDED") -> None:
        self.view, changes = self.view.with_event("Pod", (happened, item))
        self.policing.see(self.view, changes)
        self.policing.flush()

    def believed(self) -> set[str]:
        """Who is, as the rules say, which must be as whoever reads answers says."""
        held = self.desired.blueprint().of(Element)
        found = {str(each.values[0]) for each in held if each.of == "policy-resolvers4"}
        assert found == {str(each) for each in self.policing.naming.resolvers}
        return found


@pytest.mark.parametrize("namespace", ["shop", ""])
def test_a_new_pod_with_a_resolvers_address_is_not_believed(namespace: str) -> None:
    """A slice still names the address, and the pod's status does not say it yet: its ADD ends the belief."""
    node = Node()
    node.see(pod("heir", "shop"))
    assert str(HERE) in node.believed()
    node.policing.attach(endpoint("heir", namespace))
    assert node.believed() == {SERVICE}


def test_a_resolver_of_this_node_is_believed_from_its_start() -> None:
    """The pod that the slice names, before its status says its address; and no more once it is gone."""
    node = Node("kube-dns-1")
    node.see(pod("kube-dns-1", "kube-system"))
    node.policing.attach(endpoint("kube-dns-1", "kube-system"))
    assert node.believed() == {SERVICE, str(HERE)}
    node.policing.detach(endpoint("kube-dns-1", "kube-system").attachment)
    node.see(pod("kube-dns-1", "kube-system"), "DELETED")
    assert node.believed() == {SERVICE}


def test_whom_the_cluster_says_has_an_address_is_asked_last() -> None:
    """What is attached here counts, though another pod of the resolver's still claims the address."""
    node = Node()
    node.see(pod("kube-dns-1", "kube-system", str(HERE)))
    node.policing.attach(endpoint("heir", "shop"))
    assert node.believed() == {SERVICE}


def test_the_address_of_a_pod_that_is_gone_is_nobodys() -> None:
    """A slice names an address and a pod that is not there: on another node it may be anybody's by now."""
    node = Node("kube-dns-1")
    assert node.believed() == {SERVICE}
    node.see(pod("kube-dns-1", "kube-system"))
    assert node.believed() == {SERVICE, str(HERE)}
