"""Which interface carries what leaves the node, and what it is now."""

import time
from collections.abc import Iterator
from ipaddress import ip_address, ip_interface

import pytest

from hands import run
from octet.cluster.changes import Underlay
from octet.errors import NotReadyError
from octet.kernel.host import HostKernel

pytestmark = pytest.mark.kernel


def settle(node_ns: int) -> None:
    """Wait until the kernel has put all global IPv6 addresses into force, which it does a moment later."""
    while run(node_ns, "ip -6 address show scope global tentative"):
        time.sleep(0.01)


@pytest.fixture
def kernel(node_ns: int) -> Iterator[HostKernel]:
    """A node with two interfaces, the second of which has the default route."""
    for number, name in ((1, "one0"), (2, "two0")):
        run(node_ns, f"ip link add {name} type bridge")
        run(node_ns, f"ip link set {name} mtu 1{number + 2}00 up")
        run(node_ns, f"ip address add 192.0.{number}.5/24 dev {name}")
        run(node_ns, f"ip address add 192.0.{number}.6/24 dev {name}")
        run(node_ns, f"ip address add fd00:{number}::5/64 dev {name} nodad")
    run(node_ns, "ip route add default via 192.0.2.1 dev two0")
    settle(node_ns)
    with HostKernel(node_ns) as kernel:
        yield kernel
    run(node_ns, "ip link del one0")
    run(node_ns, "ip link del two0")


TWO = Underlay("two0", 1400, ip_interface("192.0.2.5/24"), ip_interface("fd00:2::5/64"))


def test_the_default_route_tells_the_underlay(kernel: HostKernel) -> None:
    """Without more to go by, it is the default route's interface with its first addresses."""
    assert kernel.underlay() == TWO


def test_a_default_route_of_ipv6_will_do(kernel: HostKernel, node_ns: int) -> None:
    """A node without IPv4 beyond its link has its underlay by its IPv6 default route."""
    run(node_ns, "ip route del default")
    run(node_ns, "ip -6 route add default via fd00:1::1 dev one0")
    assert kernel.underlay().interface == "one0"
    run(node_ns, "ip -6 route del default")


def test_an_address_of_the_node_goes_first(kernel: HostKernel) -> None:
    """The interface with an address that the cluster knows the node by is the underlay, with that address."""
    found = kernel.underlay(node_addresses=[ip_address("192.0.1.6")])
    assert (found.interface, found.v4) == ("one0", ip_interface("192.0.1.6/24"))
    assert found.v6 == ip_interface("fd00:1::5/64")


def test_a_named_interface_is_taken(kernel: HostKernel) -> None:
    """The operator's word counts more than routes and addresses."""
    assert kernel.underlay("one0", [ip_address("192.0.2.5")]).interface == "one0"


def test_its_changes_are_followed(kernel: HostKernel, node_ns: int) -> None:
    """Observing again tells the MTU and address of now."""
    run(node_ns, "ip link set two0 mtu 1350")
    assert kernel.underlay().mtu == 1350
    run(node_ns, "ip address del fd00:2::5/64 dev two0")
    run(node_ns, "ip address add fd00:2::6/64 dev two0 nodad")
    settle(node_ns)
    assert kernel.underlay().v6 == ip_interface("fd00:2::6/64")


def test_link_local_addresses_are_not_the_nodes(kernel: HostKernel, node_ns: int) -> None:
    """An address that no other link can answer is not what peers send to."""
    run(node_ns, "ip address del fd00:2::5/64 dev two0")
    run(node_ns, "ip address add fe80::77/64 dev two0 nodad")
    assert kernel.underlay().v6 is None


def test_a_node_without_an_underlay_is_not_ready(kernel: HostKernel, node_ns: int) -> None:
    """A missing interface or default route is something to wait for, and says what would do."""
    with pytest.raises(NotReadyError, match="no interface none0"):
        kernel.underlay("none0")
    run(node_ns, "ip route del default")
    with pytest.raises(NotReadyError, match=r"\[underlay\] interface"):
        kernel.underlay()
