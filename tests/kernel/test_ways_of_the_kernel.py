"""The kernel is asked which way a packet takes: the route that matches, and where one packet goes."""

import subprocess
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest

from octet.kernel import namespaces
from octet.kernel.netlink.wire import Socket
from octet.kernel.ways import Hop, way

pytestmark = pytest.mark.kernel

WAYS = """
ip link add one type veth peer name eno
ip link add two type veth peer name owt
ip link set eno up
ip link set owt up
ip addr add 10.9.1.1/24 dev one
ip addr add 10.9.2.1/24 dev two
ip addr add fd09:1::1/64 dev one nodad
ip link set one up
ip link set two up
ip link set lo up
ip route add 10.8.1.0/24 via 10.9.1.9 proto 111
ip route add 10.8.2.0/24 proto bird metric 111 nexthop via 10.9.1.9 nexthop via 10.9.2.9
ip route add 10.8.3.0/24 via inet6 fd09:1::9 dev one
ip route add blackhole 10.8.0.0/16
ip route add blackhole 10.8.4.0/24 proto 111
ip -6 route add fd08::/64 via fd09:1::9 proto 111
ip -6 route add blackhole fd08:1::/64
"""

GONE = """
ip link del one
ip link del two
ip route del blackhole 10.8.0.0/16
ip route del blackhole 10.8.4.0/24
ip -6 route del blackhole fd08:1::/64
"""


@pytest.fixture
def socket(node_ns: int) -> Iterator[Socket]:
    with namespaces.inside(node_ns):
        for line in WAYS.strip().splitlines():
            subprocess.run(line.split(), check=True)
        held = Socket()
    yield held
    held.close()
    with namespaces.inside(node_ns):
        for line in GONE.strip().splitlines():
            subprocess.run(line.split(), check=True)


def test_a_route_and_its_next_hop(socket: Socket) -> None:
    """A plain route: who made it, over which gateway and link, from which address."""
    for to, destination, via in (
        ("10.8.1.7", "10.8.1.0/24", "10.9.1.9"),
        ("fd08::7", "fd08::/64", "fd09:1::9"),
    ):
        found = way(socket, ip_address(to))
        assert found.match is not None
        assert (found.match.destination, found.match.protocol) == (ip_network(destination), 111)
        assert found.hop == Hop(ip_address(via), "one")
        assert found.match.hops == (found.hop,)
    assert way(socket, ip_address("10.8.1.7")).source == ip_address("10.9.1.1")


def test_a_route_that_is_shared_out(socket: Socket) -> None:
    """All next hops of the route are told, and the one that a packet takes is among them."""
    found = way(socket, ip_address("10.8.2.7"))
    assert found.match is not None
    assert (found.match.protocol, found.match.metric) == (12, 111)
    assert set(found.match.hops) == {Hop(ip_address("10.9.1.9"), "one"), Hop(ip_address("10.9.2.9"), "two")}
    assert found.hop in found.match.hops


def test_a_next_hop_of_the_other_family(socket: Socket) -> None:
    """An IPv4 route through an IPv6 gateway (RFC 8950) is told as it is."""
    assert way(socket, ip_address("10.8.3.7")).hop == Hop(ip_address("fd09:1::9"), "one")


@pytest.mark.parametrize(
    ("to", "by"), [("10.8.4.7", "10.8.4.0/24"), ("10.8.9.7", "10.8.0.0/16"), ("fd08:1::7", "fd08:1::/64")]
)
def test_what_is_swallowed_is_told_by_the_route_that_does(socket: Socket, to: str, by: str) -> None:
    """Of blackholes the longest that holds the address is named."""
    found = way(socket, ip_address(to))
    assert found.match is not None
    assert (found.match.destination, found.match.kind, found.hop) == (ip_network(by), "blackhole", None)
    assert found.refusal


def test_no_way_and_ourselves(socket: Socket) -> None:
    """Without any route there is none, in the kernel's words; one's own address is here."""
    nowhere, here = way(socket, ip_address("192.0.2.1")), way(socket, ip_address("10.9.1.1"))
    assert (nowhere.match, nowhere.hop, nowhere.refusal) == (None, None, "Network is unreachable")
    assert here.match is not None
    assert here.match.kind == "local"
