"""A node as a speaker, for whoever renders or decides about it."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest

from octet.transport.bgp import Speaker


@pytest.fixture
def speaker() -> Speaker:
    """Node1 with a block and a borrowed address in two families, and a service network."""
    return Speaker(
        IPv4Address("10.0.0.1"),
        64512,
        IPv4Address("10.0.0.1"),
        IPv6Address("fd00::1"),
        near=(ip_network("10.0.0.0/24"), ip_network("fd00::/64")),
        owned=tuple(map(ip_network, ("10.244.1.0/26", "10.244.9.7/32", "fd01:1::/122"))),
        services=(ip_network("10.96.0.0/16"),),
        refused=(ip_network("10.96.0.0/16"),),
    )
