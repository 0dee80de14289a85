"""A node's network and a pod on it, in each family."""

from ipaddress import ip_address, ip_network

import pytest

from octet.cluster.endpoint import Attachment, Endpoint, NodeNetwork

V4, V6 = ip_address("10.244.1.5"), ip_address("fd00:10:244:1::5")


@pytest.fixture
def dual() -> NodeNetwork:
    return NodeNetwork(
        mtu=1430,
        v4=ip_network("10.244.1.0/24"),
        v6=ip_network("fd00:10:244:1::/64"),
        gateway_v4=ip_address("10.244.1.1"),
        gateway_v6=ip_address("fd00:10:244:1::1"),
        cluster=(ip_network("10.244.0.0/16"), ip_network("fd00:10:244::/48")),
    )


@pytest.fixture
def only_v4() -> NodeNetwork:
    return NodeNetwork(
        mtu=1450,
        v4=ip_network("10.244.1.0/24"),
        gateway_v4=ip_address("10.244.1.1"),
        cluster=(ip_network("10.244.0.0/16"),),
    )


@pytest.fixture
def only_v6() -> NodeNetwork:
    return NodeNetwork(
        mtu=1430,
        v6=ip_network("fd00:10:244:1::/64"),
        gateway_v6=ip_address("fd00:10:244:1::1"),
        cluster=(ip_network("fd00:10:244::/48"),),
    )


@pytest.fixture
def pod() -> Endpoint:
    return Endpoint(Attachment("octet", "c1", "eth0"), "veth0", "0a:58:0a:f4:01:05", 1430, V4, V6)


@pytest.fixture
def pod_v4() -> Endpoint:
    return Endpoint(Attachment("octet", "c1", "eth0"), "veth0", "0a:58:0a:f4:01:05", 1450, V4)


@pytest.fixture
def pod_v6() -> Endpoint:
    return Endpoint(Attachment("octet", "c1", "eth0"), "veth0", "0a:58:0a:f4:01:05", 1430, None, V6)
