"""Packets in packets: no pod sends any, to whatever address, or it could speak for any other pod."""

import contextlib
import socket
import struct
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

import policy_world
from octet.kernel import namespaces
from policy_net import ATTACH, PolicyNet, policy_net

pytestmark = pytest.mark.kernel

WAIT = 0.3
SENDER, POD, NODE = "10.244.2.3", "10.244.1.2", "192.168.0.1"
EXPERIMENT = 253
"""A protocol for experiments (RFC 3692): shows that whatever else a pod sends does arrive."""

MARK = b"wrapped by a pod"


@pytest.fixture(scope="module", params=ATTACH)
def net(request: pytest.FixtureRequest) -> Iterator[PolicyNet]:
    """Two nodes with pods that no policy is about."""
    with policy_net(request.param) as made:
        made.prober.close()  # what listens here is the test's own
        made.enforce(list(policy_world.objects(dual=True).values()))
        yield made


def arrives(net: PolicyNet, target: str, protocol: int, payload: bytes) -> bool:
    """Send one packet of an IP protocol from a pod; tell whether it comes to the other node or its pod."""
    held = net.slots.get(ip_address(target))
    place = held.namespace if held is not None else net.nodes["node-1"]
    with namespaces.inside(place):
        seen = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    with namespaces.inside(net.slots[ip_address(SENDER)].namespace):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    ends = ip_address(SENDER).packed + ip_address(target).packed
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 77, 0, 64, protocol, 0)
    with seen, raw:
        seen.settimeout(WAIT)
        raw.sendto(head + ends + payload, (target, 0))
        with contextlib.suppress(TimeoutError):
            while True:
                if MARK in seen.recv(2048):
                    return True
    return False


@pytest.mark.parametrize("target", [POD, NODE], ids=["another pod", "another node"])
@pytest.mark.parametrize("protocol", [4, 41], ids=["IPv4 inside", "IPv6 inside"])
def test_a_pod_sends_no_ip_in_ip(net: PolicyNet, target: str, protocol: int) -> None:
    """Protocols 4 and 41 go nowhere, though another one that nobody knows arrives."""
    assert arrives(net, target, EXPERIMENT, MARK)
    assert not arrives(net, target, protocol, MARK)


@pytest.mark.parametrize("target", [POD, NODE], ids=["another pod", "another node"])
@pytest.mark.parametrize("port", [4789, 8472])
def test_a_pod_sends_no_vxlan(net: PolicyNet, target: str, port: int) -> None:
    """UDP to VXLAN's ports goes nowhere, and to the port beside it arrives."""
    datagrams = [struct.pack(">HHHH", 4000, each, 8 + len(MARK), 0) + MARK for each in (port + 1, port)]
    assert [arrives(net, target, 17, each) for each in datagrams] == [True, False]
