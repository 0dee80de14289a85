"""Nodes, namespaces and pods are read from Kubernetes' JSON, or refused by the field's name."""

from ipaddress import ip_address, ip_network

import pytest

from octet.cluster.objects import ContainerPort, Namespace, Node, Pod
from octet.errors import BadConfigurationError

NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {
        "name": "node1",
        "uid": "u1",
        "labels": {"zone": "a"},
        "annotations": {"flannel.alpha.coreos.com/public-ip": "192.0.2.1"},
    },
    "spec": {
        "podCIDR": "10.244.1.0/24",
        "podCIDRs": ["10.244.1.0/24", "fd00:1::/64"],
        "providerID": "aws:///i-1",
    },
    "status": {
        "addresses": [
            {"type": "Hostname", "address": "node1"},
            {"type": "InternalIP", "address": "192.0.2.1"},
            {"type": "InternalIP", "address": "2001:db8::1"},
        ],
        "conditions": [{"type": "DiskPressure", "status": "True"}, {"type": "Ready", "status": "True"}],
        "nodeInfo": {"kernelVersion": "6.1"},
    },
}


def pod(spec=None, status=None, **metadata):
    return {
        "metadata": {"name": "web", "namespace": "shop", **metadata},
        "spec": spec or {},
        "status": status or {},
    }


def test_a_node_is_read_whole():
    """A node's identity, CIDRs, addresses, readiness and cloud identity are read from their places."""
    assert Node.from_object(NODE) == Node(
        name="node1",
        uid="u1",
        labels={"zone": "a"},
        annotations={"flannel.alpha.coreos.com/public-ip": "192.0.2.1"},
        pod_cidrs=(ip_network("10.244.1.0/24"), ip_network("fd00:1::/64")),
        internal_ips=(ip_address("192.0.2.1"), ip_address("2001:db8::1")),
        ready=True,
        provider_id="aws:///i-1",
    )


def test_a_family_is_found_or_none():
    """A node's CIDR and address are found by family, and are None where it lacks the family."""
    node = Node.from_object(NODE)
    assert (str(node.pod_cidr(6)), str(node.internal_ip(4))) == ("fd00:1::/64", "192.0.2.1")
    assert (Node("bare").pod_cidr(4), Node("bare").internal_ip(6)) == (None, None)


def test_the_single_cidr_counts_where_the_list_is_missing():
    """spec.podCIDR is used where an old writer left out spec.podCIDRs."""
    node = Node.from_object({"metadata": {"name": "n"}, "spec": {"podCIDR": "10.1.0.0/24"}})
    assert node.pod_cidrs == (ip_network("10.1.0.0/24"),)


def test_null_is_absence():
    """Fields that are null are as good as absent, as Go writes them."""
    item = {"metadata": {"name": "n", "labels": None}, "spec": None, "status": {"addresses": None}}
    assert Node.from_object(item) == Node("n")


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"metadata": {"name": "n", "labels": ["a"]}}, "metadata.labels"),
        ({"metadata": {"name": "n", "labels": {"a": 1}}}, "metadata.labels['a']"),
        ({"metadata": {"name": "n"}, "spec": "x"}, "spec"),
        ({"metadata": {"name": "n"}, "spec": {"podCIDRs": "10.0.0.0/24"}}, "spec.podCIDRs"),
        ({"metadata": {"name": "n"}, "spec": {"podCIDRs": ["10.0.0.0/40"]}}, "spec.podCIDRs"),
        ({"metadata": {"name": "n"}, "spec": {"podCIDR": "x"}}, "spec.podCIDR"),
        ({"metadata": {"name": "n"}, "spec": {"podCIDRs": ["10.0.0.0/24", "10.0.1.0/24"]}}, "spec.podCIDRs"),
        ({"metadata": {"name": "n"}, "status": {"addresses": [3]}}, "status.addresses[0]"),
        (
            {"metadata": {"name": "n"}, "status": {"addresses": [{"type": "InternalIP", "address": "x"}]}},
            "status.addresses[0].address",
        ),
    ],
)
def test_a_wrong_type_is_refused_by_name(item, field):
    """A field of the wrong type is refused, naming kind, name and the path to the field."""
    with pytest.raises(BadConfigurationError) as refused:
        Node.from_object(item)
    assert (refused.value.source, refused.value.field) == ("Node n", field)


@pytest.mark.parametrize(
    "item", [{}, {"metadata": None}, {"metadata": {"name": ""}}, {"metadata": {"name": 7}}]
)
def test_an_object_without_a_name_is_refused(item):
    """No object is read without metadata.name being a string."""
    with pytest.raises(BadConfigurationError, match=r"metadata\.name"):
        Namespace.from_object(item)


def test_a_namespace_has_its_labels():
    """A namespace is its name, labels and annotations."""
    item = {"metadata": {"name": "shop", "labels": {"team": "a"}}}
    assert Namespace.from_object(item) == Namespace("shop", {"team": "a"})


def test_a_pod_is_read_whole():
    """A pod's place, addresses, account and named ports are read; ports without a name are not kept."""
    spec = {
        "nodeName": "node1",
        "serviceAccountName": "web",
        "containers": [{"ports": [{"name": "http", "containerPort": 8080}, {"containerPort": 9}]}],
    }
    status = {"podIP": "10.1.1.2", "podIPs": [{"ip": "10.1.1.2"}, {"ip": "fd00:1::2"}], "phase": "Running"}
    read = Pod.from_object(pod(spec, status, uid="u", labels={"app": "web"}))
    assert read == Pod(
        name="web",
        namespace="shop",
        uid="u",
        node="node1",
        ips=(ip_address("10.1.1.2"), ip_address("fd00:1::2")),
        labels={"app": "web"},
        service_account="web",
        ports=(ContainerPort("http", 8080),),
    )


def test_a_pod_outside_a_namespace_is_in_default():
    """A pod whose namespace is not stated is in namespace default, as the API server would have it."""
    assert Pod.from_object({"metadata": {"name": "web"}}).key == ("default", "web")


@pytest.mark.parametrize(
    "changed",
    [{"spec": {"hostNetwork": True}}, {"status_phase": "Succeeded"}, {"status_phase": "Failed"}],
    ids=str,
)
def test_addresses_that_are_not_the_pods_alone(changed):
    """A pod on the host network, or at its end, has no address of its own."""
    status = {"podIP": "192.0.2.1", "phase": changed.get("status_phase", "Running")}
    read = Pod.from_object(pod(changed.get("spec"), status))
    assert (read.own_ips, read.ip(4), read.ip(6)) == ((), ip_address("192.0.2.1"), None)


def test_a_pod_keeps_only_annotations_about_its_network():
    """Annotations without a meaning for the network are dropped, so they cost nothing."""
    annotations = {"kubernetes.io/ingress-bandwidth": "1M", "kubectl.kubernetes.io/last-applied": "x" * 1000}
    assert Pod.from_object(pod(annotations=annotations)).annotations == {
        "kubernetes.io/ingress-bandwidth": "1M"
    }


def test_a_pod_that_shall_end_is_terminating():
    """A deletion timestamp makes a pod terminating."""
    assert Pod.from_object(pod(deletionTimestamp="2026-01-01T00:00:00Z")).terminating


@pytest.mark.parametrize("port", [0, 65536, True, "http"])
def test_a_container_port_is_a_port(port):
    """A named container port that is no port number is refused."""
    with pytest.raises(BadConfigurationError, match="containerPort"):
        Pod.from_object(pod({"containers": [{"ports": [{"name": "http", "containerPort": port}]}]}))


def test_equal_labels_share_memory():
    """The pods of one deployment have one label set between them, which nobody can change."""
    one, two = (Pod.from_object(pod(labels={"app": "web", "tier": "front"})).labels for _ in range(2))
    assert one is two
    with pytest.raises(TypeError):
        one["app"] = "db"
