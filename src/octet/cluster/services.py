"""Services and the endpoints behind them, as values.

What lives here: Service (v1), EndpointSlice (discovery.k8s.io/v1) and their parts.
What it must not know: which endpoints a node chooses, how an address is translated.
"""

from collections.abc import Mapping
from typing import Any, Self

import msgspec

from octet.cluster.reading import NOTHING, Address, Fields, Network, Words, read
from octet.cluster.workloads import PROTOCOLS

SERVICE_NAME = "kubernetes.io/service-name"
TYPES = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
POLICIES = ("Cluster", "Local")
AFFINITY_SECONDS = 10800  # default of sessionAffinityConfig.clientIP.timeoutSeconds (API reference)


class ServicePort(msgspec.Struct, frozen=True, gc=False):
    """One port of a service.

    Attributes:
        target: port of the pods, number or container port's name; None is the same number.
        node_port: port on every node, or 0.
        app_protocol: a hint such as ``kubernetes.io/h2c``, or empty.
    """

    port: int
    name: str = ""
    protocol: str = "TCP"
    target: int | str | None = None
    node_port: int = 0
    app_protocol: str = ""


class Service(msgspec.Struct, frozen=True, gc=False):
    """A name for pods, and the addresses that lead to them.

    Attributes:
        cluster_ips: addresses inside the cluster, preferred family first; none for a headless service.
        load_balancer_ips: addresses that a load balancer leads to nodes unchanged (``ipMode: VIP``).
        source_ranges: who may come through the load balancer; none stated is everybody.
        affinity_seconds: how long a client stays with its pod, or 0.
        health_check_node_port: where load balancers ask for local endpoints, or 0.
        created: ``metadata.creationTimestamp``: of two services with one address the older one has it.
    """

    name: str
    namespace: str
    uid: str = ""
    type: str = "ClusterIP"
    cluster_ips: tuple[Address, ...] = ()
    headless: bool = False
    ports: tuple[ServicePort, ...] = ()
    selector: Words = NOTHING
    external_ips: tuple[Address, ...] = ()
    load_balancer_ips: tuple[Address, ...] = ()
    source_ranges: tuple[Network, ...] = ()
    external_policy: str = "Cluster"
    internal_policy: str = "Cluster"
    affinity_seconds: int = 0
    health_check_node_port: int = 0
    publish_not_ready: bool = False
    annotations: Words = NOTHING
    labels: Words = NOTHING
    created: str = ""

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read a Kubernetes Service; raises BadConfigurationError naming the field."""
        fields, metadata = read("Service", item)
        spec = fields.child("spec")
        return cls(
            name=metadata.text("name"),
            namespace=metadata.shared_text("namespace", "default"),
            uid=metadata.text("uid"),
            type=spec.choice("type", TYPES, "ClusterIP"),
            cluster_ips=_cluster_ips(spec),
            headless="None" in (spec.text("clusterIP"), *spec.texts("clusterIPs")),
            ports=tuple(_service_port(each) for each in spec.children("ports")),
            selector=spec.words("selector"),
            external_ips=spec.addresses("externalIPs"),
            load_balancer_ips=_load_balancer_ips(fields.child("status").child("loadBalancer")),
            source_ranges=spec.networks("loadBalancerSourceRanges"),
            external_policy=spec.choice("externalTrafficPolicy", POLICIES, "Cluster"),
            internal_policy=spec.choice("internalTrafficPolicy", POLICIES, "Cluster"),
            affinity_seconds=_affinity(spec),
            health_check_node_port=spec.number("healthCheckNodePort", high=65535),
            publish_not_ready=spec.flag("publishNotReadyAddresses"),
            annotations=metadata.words("annotations"),
            labels=metadata.words("labels"),
            created=metadata.text("creationTimestamp"),
        )

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name)."""
        return self.namespace, self.name


class SliceEndpoint(msgspec.Struct, frozen=True, gc=False):
    """One backend of a slice; unstated conditions mean what the API reference says.

    Attributes:
        addresses: equivalent addresses; consumers use the first.
        ready: unstated is true.
        serving: as ready, but also while terminating; unstated is ready.
        zones: zones that should prefer it (``hints.forZones``).
        pod: name of the pod behind it, or empty.
    """

    addresses: tuple[Address, ...]
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    node: str = ""
    zone: str = ""
    zones: tuple[str, ...] = ()
    pod: str = ""


class SlicePort(msgspec.Struct, frozen=True, gc=False):
    """A port that all endpoints of a slice have; 0 is all ports."""

    port: int
    name: str = ""
    protocol: str = "TCP"


class EndpointSlice(msgspec.Struct, frozen=True, gc=False):
    """Some of the endpoints of a service, all of one address family.

    Attributes:
        service: name of the service in the same namespace, or empty.
        family: 4 or 6; 0 for names instead of addresses (``FQDN``), whose endpoints are not kept.
    """

    name: str
    namespace: str
    service: str = ""
    family: int = 4
    endpoints: tuple[SliceEndpoint, ...] = ()
    ports: tuple[SlicePort, ...] = ()

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read a Kubernetes EndpointSlice; raises BadConfigurationError naming the field."""
        fields, metadata = read("EndpointSlice", item)
        kind = fields.choice("addressType", ("IPv4", "IPv6", "FQDN"), "IPv4")
        endpoints = () if kind == "FQDN" else fields.children("endpoints")
        return cls(
            name=metadata.text("name"),
            namespace=metadata.shared_text("namespace", "default"),
            service=metadata.words("labels").get(SERVICE_NAME, ""),
            family={"IPv4": 4, "IPv6": 6, "FQDN": 0}[kind],
            endpoints=tuple(_slice_endpoint(each) for each in endpoints),
            ports=tuple(_slice_port(each) for each in fields.children("ports")),
        )

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name)."""
        return self.namespace, self.name

    @property
    def service_key(self) -> tuple[str, str]:
        """(namespace, name) of its service."""
        return self.namespace, self.service


def _cluster_ips(spec: Fields) -> tuple[Address, ...]:
    if "None" in (spec.text("clusterIP"), *spec.texts("clusterIPs")):
        return ()
    addresses = spec.addresses("clusterIPs")
    return addresses or ((spec.address("clusterIP"),) if spec.text("clusterIP") else ())


def _load_balancer_ips(fields: Fields) -> tuple[Address, ...]:
    return tuple(
        each.address("ip")
        for each in fields.children("ingress")
        if each.text("ip") and each.text("ipMode", "VIP") == "VIP"
    )


def _affinity(spec: Fields) -> int:
    if spec.choice("sessionAffinity", ("None", "ClientIP"), "None") == "None":
        return 0
    client = spec.child("sessionAffinityConfig").child("clientIP")
    return client.number("timeoutSeconds", AFFINITY_SECONDS, low=1, high=86400)


def _service_port(fields: Fields) -> ServicePort:
    return ServicePort(
        port=fields.number("port", low=1, high=65535),
        name=fields.shared_text("name"),
        protocol=fields.choice("protocol", PROTOCOLS, "TCP"),
        target=fields.number_or_name("targetPort"),
        node_port=fields.number("nodePort", high=65535),
        app_protocol=fields.text("appProtocol"),
    )


def _slice_endpoint(fields: Fields) -> SliceEndpoint:
    conditions, target = fields.child("conditions"), fields.child("targetRef")
    ready = conditions.flag("ready", default=True)
    return SliceEndpoint(
        addresses=fields.addresses("addresses"),
        ready=ready,
        serving=conditions.flag("serving", default=ready),
        terminating=conditions.flag("terminating"),
        node=fields.shared_text("nodeName"),
        zone=fields.shared_text("zone"),
        zones=tuple(each.text("name") for each in fields.child("hints").children("forZones")),
        pod=target.text("name") if target.text("kind") == "Pod" else "",
    )


def _slice_port(fields: Fields) -> SlicePort:
    return SlicePort(
        port=fields.number("port", high=65535),
        name=fields.shared_text("name"),
        protocol=fields.choice("protocol", PROTOCOLS, "TCP"),
    )
