"""Services and endpoint slices are read with the defaults of the API reference."""

from ipaddress import ip_address, ip_network

import pytest

from octet.cluster.objects import EndpointSlice, Service, ServicePort, SliceEndpoint, SlicePort
from octet.errors import BadConfigurationError


def service(status=None, **spec):
    item = {"metadata": {"name": "web", "namespace": "shop"}, "spec": spec, "status": status or {}}
    return Service.from_object(item)


def endpoint_slice(**fields):
    labels = {"kubernetes.io/service-name": "web"}
    metadata = {"name": "web-x1", "namespace": "shop", "labels": labels}
    return EndpointSlice.from_object({"metadata": metadata, "addressType": "IPv4", **fields})


def test_a_service_is_read_whole():
    """Addresses, ports, policies, ranges and affinity of a load-balanced service are read."""
    got = service(
        status={"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}, {"hostname": "lb"}]}},
        type="LoadBalancer",
        clusterIP="10.96.0.1",
        clusterIPs=["10.96.0.1", "fd00:96::1"],
        ports=[{"name": "http", "port": 80, "targetPort": "web", "nodePort": 30080}],
        selector={"app": "web"},
        externalIPs=["198.51.100.1"],
        loadBalancerSourceRanges=["203.0.113.0/24"],
        externalTrafficPolicy="Local",
        internalTrafficPolicy="Local",
        sessionAffinity="ClientIP",
        healthCheckNodePort=32000,
    )
    assert got == Service(
        name="web",
        namespace="shop",
        type="LoadBalancer",
        cluster_ips=(ip_address("10.96.0.1"), ip_address("fd00:96::1")),
        ports=(ServicePort(80, "http", "TCP", "web", 30080),),
        selector={"app": "web"},
        external_ips=(ip_address("198.51.100.1"),),
        load_balancer_ips=(ip_address("192.0.2.9"),),
        source_ranges=(ip_network("203.0.113.0/24"),),
        external_policy="Local",
        internal_policy="Local",
        affinity_seconds=10800,
        health_check_node_port=32000,
    )


def test_a_headless_service_has_no_address():
    """The cluster address None makes a service headless."""
    got = service(clusterIP="None", clusterIPs=["None"])
    assert (got.headless, got.cluster_ips) == (True, ())


def test_an_address_of_a_proxying_balancer_is_not_ours():
    """A load balancer that proxies (ipMode Proxy) keeps its address to itself."""
    ingress = [{"ip": "192.0.2.9", "ipMode": "Proxy"}, {"ip": "192.0.2.10", "ipMode": "VIP"}]
    got = service(status={"loadBalancer": {"ingress": ingress}})
    assert got.load_balancer_ips == (ip_address("192.0.2.10"),)


def test_affinity_has_its_stated_time():
    """A stated session affinity timeout is used."""
    config = {"clientIP": {"timeoutSeconds": 60}}
    assert service(sessionAffinity="ClientIP", sessionAffinityConfig=config).affinity_seconds == 60


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"type": "Magic"}, "spec.type"),
        ({"ports": [{}]}, "spec.ports[0].port"),
        ({"ports": [{"port": 80, "targetPort": 0}]}, "spec.ports[0].targetPort"),
        ({"clusterIPs": ["ten"]}, "spec.clusterIPs"),
        ({"publishNotReadyAddresses": "yes"}, "spec.publishNotReadyAddresses"),
        ({"sessionAffinity": "Cookie"}, "spec.sessionAffinity"),
    ],
)
def test_a_wrong_service_is_refused(spec, field):
    """A service's field of a wrong type or value is refused by name."""
    with pytest.raises(BadConfigurationError) as refused:
        service(**spec)
    assert (refused.value.source, refused.value.field) == ("Service shop/web", field)


def test_a_slice_is_read_whole():
    """Endpoints with place, hints and pod, and the slice's ports, are read."""
    got = endpoint_slice(
        endpoints=[
            {
                "addresses": ["10.1.1.2"],
                "conditions": {"ready": False, "serving": True, "terminating": True},
                "nodeName": "node1",
                "zone": "a",
                "hints": {"forZones": [{"name": "a"}]},
                "targetRef": {"kind": "Pod", "name": "web-1"},
            }
        ],
        ports=[{"name": "http", "port": 8080, "protocol": "TCP"}],
    )
    backend = SliceEndpoint((ip_address("10.1.1.2"),), False, True, True, "node1", "a", ("a",), "web-1")
    assert got == EndpointSlice("web-x1", "shop", "web", 4, (backend,), (SlicePort(8080, "http"),))
    assert got.service_key == ("shop", "web")


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, (True, True, False)),
        ({"ready": None}, (True, True, False)),
        ({"ready": False}, (False, False, False)),
        ({"ready": False, "serving": True}, (False, True, False)),
    ],
)
def test_unstated_conditions_mean_what_the_reference_says(conditions, expected):
    """Unstated ready is true, unstated serving is as ready, unstated terminating is false."""
    (got,) = endpoint_slice(endpoints=[{"addresses": ["10.1.1.2"], "conditions": conditions}]).endpoints
    assert (got.ready, got.serving, got.terminating) == expected


def test_names_instead_of_addresses_are_not_kept():
    """A slice of names (FQDN) has no endpoints for us, and is no error."""
    got = endpoint_slice(addressType="FQDN", endpoints=[{"addresses": ["db.example.com"]}])
    assert (got.family, got.endpoints) == (0, ())
