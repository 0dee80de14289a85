"""Nodes, namespaces and pods, as much of them as a pod network has an interest in.

What lives here: slim frozen values; 100,000 pods fit into an agent.
What it must not know: policies and services, and who assigned what.
"""

from collections.abc import Mapping
from typing import Any, Self

import msgspec

from octet.cluster.reading import NOTHING, Address, Fields, Network, Words, read

NETWORK_ANNOTATIONS = (
    "kubernetes.io/ingress-bandwidth",
    "kubernetes.io/egress-bandwidth",
    "cni.projectcalico.org/",
    "qos.projectcalico.org/",
)
"""Beginnings of the pod annotations that say something about its network; others are not kept."""

FINISHED = ("Succeeded", "Failed")
PROTOCOLS = ("TCP", "UDP", "SCTP")


class Node(msgspec.Struct, frozen=True, gc=False):
    """A machine of the cluster.

    Attributes:
        uid: changes when a node of the same name is another machine.
        pod_cidrs: what its pods get addresses from, at most one per family (``spec.podCIDRs``).
        internal_ips: its own addresses inside the cluster, the preferred one of a family first.
        ready: the kubelet says so (condition ``Ready``).
        provider_id: the machine's name at its cloud (``spec.providerID``), or empty.
    """

    name: str
    uid: str = ""
    labels: Words = NOTHING
    annotations: Words = NOTHING
    pod_cidrs: tuple[Network, ...] = ()
    internal_ips: tuple[Address, ...] = ()
    ready: bool = False
    provider_id: str = ""

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read a Kubernetes Node; raises BadConfigurationError naming the field."""
        fields, metadata = read("Node", item)
        spec, status = fields.child("spec"), fields.child("status")
        return cls(
            name=metadata.shared_text("name"),
            uid=metadata.text("uid"),
            labels=metadata.words("labels"),
            annotations=metadata.words("annotations"),
            pod_cidrs=_pod_cidrs(spec),
            internal_ips=_internal_ips(status),
            ready=any(
                each.text("type") == "Ready" and each.text("status") == "True"
                for each in status.children("conditions")
            ),
            provider_id=spec.text("providerID"),
        )

    def pod_cidr(self, family: int) -> Network | None:
        """Return the pod CIDR of one family (4 or 6), or None."""
        return next((each for each in self.pod_cidrs if each.version == family), None)

    def internal_ip(self, family: int) -> Address | None:
        """Return the first internal address of one family (4 or 6), or None."""
        return next((each for each in self.internal_ips if each.version == family), None)


class Namespace(msgspec.Struct, frozen=True, gc=False):
    """A Kubernetes namespace."""

    name: str
    labels: Words = NOTHING
    annotations: Words = NOTHING

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read a Kubernetes Namespace; raises BadConfigurationError naming the field."""
        _, metadata = read("Namespace", item)
        return cls(metadata.shared_text("name"), metadata.words("labels"), metadata.words("annotations"))


class ContainerPort(msgspec.Struct, frozen=True, gc=False):
    """A port that a container gave a name, so that policies and services may use the name."""

    name: str
    port: int
    protocol: str = "TCP"


class Pod(msgspec.Struct, frozen=True, gc=False):
    """A pod of any node.

    Attributes:
        node: where it runs, or empty while it waits for a node.
        ips: its addresses, at most one per family (``status.podIPs``).
        annotations: those that begin as in NETWORK_ANNOTATIONS.
        ports: its named container ports only.
        host_network: it lives in its node's network namespace, so its addresses are the node's.
        terminating: its deletion was asked for.
        finished: it ran to its end; its addresses may belong to somebody else.
    """

    name: str
    namespace: str
    uid: str = ""
    node: str = ""
    ips: tuple[Address, ...] = ()
    labels: Words = NOTHING
    annotations: Words = NOTHING
    service_account: str = ""
    ports: tuple[ContainerPort, ...] = ()
    host_network: bool = False
    terminating: bool = False
    finished: bool = False

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read a Kubernetes Pod; raises BadConfigurationError naming the field."""
        fields, metadata = read("Pod", item)
        spec, status = fields.child("spec"), fields.child("status")
        return cls(
            name=metadata.text("name"),
            namespace=metadata.shared_text("namespace", "default"),
            uid=metadata.text("uid"),
            node=spec.shared_text("nodeName"),
            ips=_pod_ips(status),
            labels=metadata.words("labels"),
            annotations=_network_annotations(metadata.words("annotations")),
            service_account=spec.shared_text("serviceAccountName"),
            ports=_named_ports(spec),
            host_network=spec.flag("hostNetwork"),
            terminating="deletionTimestamp" in metadata,
            finished=status.text("phase") in FINISHED,
        )

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name)."""
        return self.namespace, self.name

    @property
    def own_ips(self) -> tuple[Address, ...]:
        """The addresses that are this pod's alone: none on the host network, none after its end."""
        return () if self.host_network or self.finished else self.ips

    def ip(self, family: int) -> Address | None:
        """Return the address of one family (4 or 6), or None."""
        return next((each for each in self.ips if each.version == family), None)


def _pod_cidrs(spec: Fields) -> tuple[Network, ...]:
    cidrs = spec.networks("podCIDRs")
    if not cidrs and spec.text("podCIDR"):
        cidrs = (spec.network("podCIDR"),)
    if len({each.version for each in cidrs}) < len(cidrs):
        raise spec.refusal("podCIDRs", "must be at most one CIDR per family")
    return cidrs


def _internal_ips(status: Fields) -> tuple[Address, ...]:
    return tuple(
        each.address("address") for each in status.children("addresses") if each.text("type") == "InternalIP"
    )


def _pod_ips(status: Fields) -> tuple[Address, ...]:
    ips = tuple(each.address("ip") for each in status.children("podIPs"))
    return ips or ((status.address("podIP"),) if status.text("podIP") else ())


def _network_annotations(annotations: Words) -> Words:
    kept = {key: value for key, value in annotations.items() if key.startswith(NETWORK_ANNOTATIONS)}
    return kept or NOTHING


def _named_ports(spec: Fields) -> tuple[ContainerPort, ...]:
    return tuple(
        ContainerPort(
            port.shared_text("name"),
            port.number("containerPort", low=1, high=65535),
            port.choice("protocol", PROTOCOLS, "TCP"),
        )
        for container in spec.children("initContainers") + spec.children("containers")
        for port in container.children("ports")
        if "name" in port
    )
