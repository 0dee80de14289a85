"""Which addresses the kernel leads somewhere: what is asked before an address is freed."""

from ipaddress import ip_address

import pytest

from hands import run
from octet.kernel.host import HostKernel

pytestmark = pytest.mark.kernel


def test_pods_of_anybody_are_in_use(node_ns: int) -> None:
    """An address with a route of its own is in use, whoever made the route, and so is an interface's own."""
    run(node_ns, "ip link add cali1 type bridge")
    run(node_ns, "ip link set cali1 up")
    run(node_ns, "ip address add 10.0.0.9/24 dev cali1")
    run(node_ns, "ip route add 10.9.0.7 dev cali1 scope link proto boot")
    run(node_ns, "ip -6 route add fd00:9::7 dev cali1 proto 12")
    run(node_ns, "ip route add 10.9.1.0/26 dev cali1")
    run(node_ns, "ip route add blackhole 10.9.0.64/26")
    run(node_ns, "ip route add blackhole 10.9.0.8")
    with HostKernel(node_ns) as kernel:
        found = kernel.in_use()
    assert {ip_address(each) for each in ("10.9.0.7", "fd00:9::7", "10.0.0.9")} <= found
    absent = {ip_address(each) for each in ("10.9.0.8", "10.9.0.64", "10.9.1.0", "10.9.1.1")}
    assert not absent & found
    run(node_ns, "ip route del blackhole 10.9.0.64/26")
    run(node_ns, "ip route del blackhole 10.9.0.8")
    run(node_ns, "ip link del cali1")
