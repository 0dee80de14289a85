"""Our plugin works wherever it can stand in a chain of the reference plugins, and theirs do their work."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import hands
from machine import Machine, wait_for
from octet.cni.runtime import Result, Runtime
from octet.cni.spec import CniError
from octet.kernel import namespaces
from pods import pods

pytestmark = [pytest.mark.clients, pytest.mark.slow]

Plugin = dict[str, object]
VERSIONS = ("0.4.0", "1.0.0")
"""What Debian 12's plugins (1.1.1) and we speak, and CHECK is part of."""

POD, NODE, OUTSIDE = "10.244.1.2", "172.31.0.1", "172.31.0.2"
TUNING: Plugin = {"type": "tuning", "mtu": 1400, "sysctl": {"net.ipv4.conf.eth0.arp_announce": "2"}}
RATE = 8_000_000
BANDWIDTH: Plugin = {"type": "bandwidth", "ingressRate": RATE, "ingressBurst": 800_000}
PORTMAP: Plugin = {"type": "portmap", "capabilities": {"portMappings": True}}
FIREWALL: Plugin = {"type": "firewall", "backend": "iptables"}
SBR: Plugin = {"type": "sbr"}
LOOPBACK: Plugin = {"type": "loopback"}
MAPPING = {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]}


@dataclass
class Chain:
    """A node with our agent, one pod, and a host beyond the node's uplink."""

    machine: Machine
    pod: str
    outside: int

    @property
    def inside(self) -> int:
        """A descriptor of the pod's namespace; the caller closes it."""
        return os.open(self.pod, os.O_RDONLY)

    def ours(self, *, host_ports: bool) -> Plugin:
        """Our entry; where ``portmap`` is to map the ports it must not ask for them, too."""
        names = ("portMappings",) * host_ports
        return {**self.machine.plugin, "capabilities": dict.fromkeys(names, True)}

    def configure(self, version: str, *plugins: Plugin) -> Runtime:
        """Write the network and return what a container runtime has."""
        self.machine.conflist(*plugins, version=version)
        return Runtime("/etc/cni/net.d", ["/opt/cni/bin"], cache="/var/lib/cni/cache")

    def add(self, runtime: Runtime, **capabilities: object) -> Result:
        with namespaces.inside(self.machine.namespace):
            return runtime.add("c1", self.pod, "eth0", capabilities=capabilities)

    def check(self, runtime: Runtime) -> None:
        with namespaces.inside(self.machine.namespace):
            runtime.check("c1", self.pod, "eth0")

    def delete(self, runtime: Runtime) -> None:
        with namespaces.inside(self.machine.namespace):
            runtime.delete("c1", self.pod, "eth0")

    def in_pod(self, command: str) -> subprocess.CompletedProcess[str]:
        whole = ["nsenter", f"--net={self.pod}", *command.split()]
        return subprocess.run(whole, capture_output=True, text=True, check=False)

    def reaches_outside(self, *, size: int = 56) -> bool:
        """Does a ping of the pod come back from beyond the node?"""
        return self.in_pod(f"ping -c 1 -W 1 -M do -s {size} {OUTSIDE}").returncode == 0

    def rules(self, table: str) -> str:
        """The node's iptables rules, which only the reference plugins make."""
        return hands.run(self.machine.namespace, f"iptables-save -t {table}")


@pytest.fixture
def chain(machine: Machine, tmp_path: Path) -> Iterator[Chain]:
    outside = namespaces.create()
    wire = f"ip link set wire netns /proc/{os.getpid()}/fd/{outside}"
    hands.run(machine.namespace, wire)
    for command in ("ip link set wire up", f"ip addr add {OUTSIDE}/24 dev wire", "ip link set lo up"):
        hands.run(outside, command)
    with pods(tmp_path, 1) as (path,):
        yield Chain(machine, path, outside)
    os.close(outside)


def serve(namespace: int, port: int) -> socket.socket:
    """Listen in a namespace."""
    with namespaces.inside(namespace):
        server = socket.create_server(("0.0.0.0", port))
    server.settimeout(10)
    return server


def seconds_for(sender: int, server: socket.socket, address: tuple[str, int], size: int) -> float:
    """Send bytes from a namespace over TCP; return the time until the receiver has them all."""
    got = threading.Event()

    def receive() -> None:
        connection, _ = server.accept()
        with connection:
            left = size
            while left:
                left -= len(connection.recv(min(left, 1 << 16)))
        got.set()

    receiver = threading.Thread(target=receive)
    receiver.start()
    with namespaces.inside(sender):
        client = socket.create_connection(address, timeout=10)
    begin = time.monotonic()
    with client:
        client.sendall(bytes(size))
        assert got.wait(20)
    receiver.join()
    return time.monotonic() - begin


@pytest.mark.parametrize("version", VERSIONS)
def test_tuning_after_ours_gives_another_mtu(chain: Chain, version: str) -> None:
    """The pod has tuning's MTU and setting, packets of just that size pass, and our CHECK agrees to both."""
    runtime = chain.configure(version, chain.machine.plugin, TUNING)
    chain.add(runtime)
    assert "mtu 1400 " in chain.in_pod("ip link show dev eth0").stdout
    assert chain.in_pod("cat /proc/sys/net/ipv4/conf/eth0/arp_announce").stdout.strip() == "2"
    assert chain.reaches_outside(size=1400 - 28)
    assert not chain.reaches_outside(size=1400 - 27)
    chain.check(runtime)
    chain.delete(runtime)


@pytest.mark.parametrize("version", VERSIONS)
def test_bandwidth_after_ours_limits_the_pod(chain: Chain, version: str) -> None:
    """A megabyte into the pod takes as long as bandwidth's rate says, and CHECK passes."""
    runtime = chain.configure(version, chain.ours(host_ports=False), BANDWIDTH)
    chain.add(runtime)
    inside = chain.inside
    with serve(inside, 80) as server:
        took = seconds_for(chain.machine.namespace, server, (POD, 80), 1_000_000)
    os.close(inside)
    assert (8_000_000 - 800_000) / RATE * 0.9 < took < 8_000_000 / RATE * 4
    chain.check(runtime)
    chain.delete(runtime)


@pytest.mark.parametrize("version", VERSIONS)
def test_firewall_after_ours_lets_the_pod_through(chain: Chain, version: str) -> None:
    """Where the node forwards nothing, the pod alone is forwarded while it is attached; CHECK passes."""
    hands.run(chain.machine.namespace, "iptables -P FORWARD DROP")
    runtime = chain.configure(version, chain.machine.plugin)
    chain.add(runtime)
    assert not chain.reaches_outside()
    chain.delete(runtime)
    runtime = chain.configure(version, chain.machine.plugin, FIREWALL)
    address = str(chain.add(runtime).ips[0].address.ip)
    assert chain.reaches_outside()
    chain.check(runtime)
    chain.delete(runtime)
    assert address not in chain.rules("filter")


@pytest.mark.parametrize("version", VERSIONS)
def test_portmap_after_ours_maps_a_port(chain: Chain, version: str) -> None:
    """The node's port leads into the pod until DEL. CHECK fails through portmap 1.1.1, not through us.

    It looks for the mapping's IPv4 rules among IPv6's.
    """
    runtime = chain.configure(version, chain.ours(host_ports=False), PORTMAP)
    chain.add(runtime, **MAPPING)
    inside = chain.inside
    with serve(inside, 80) as server:
        assert seconds_for(chain.outside, server, (NODE, 8080), 1000) < 10
    os.close(inside)
    with pytest.raises(CniError, match="portmap"):
        chain.check(runtime)
    chain.delete(runtime)
    assert "8080" not in chain.rules("nat")


@pytest.mark.parametrize("version", VERSIONS)
def test_sbr_after_ours_moves_the_routes(chain: Chain, version: str) -> None:
    """The pod's default route is in a table of its own, its packets still pass, and our CHECK finds it."""
    runtime = chain.configure(version, chain.machine.plugin, SBR)
    chain.add(runtime)
    assert "default" not in chain.in_pod("ip route show").stdout
    assert "default" in chain.in_pod("ip route show table 100").stdout
    assert chain.in_pod(f"ping -c 1 -W 1 -I {POD} {OUTSIDE}").returncode == 0
    chain.check(runtime)
    chain.delete(runtime)


@pytest.mark.parametrize("version", VERSIONS)
def test_three_after_ours_each_do_their_work(chain: Chain, version: str) -> None:
    """tuning, bandwidth and firewall together: MTU, rate and forwarding as each alone; CHECK and DEL pass."""
    hands.run(chain.machine.namespace, "iptables -P FORWARD DROP")
    runtime = chain.configure(version, chain.ours(host_ports=True), TUNING, BANDWIDTH, FIREWALL)
    result = chain.add(runtime)
    assert str(result.ips[0].address) == f"{POD}/24"
    assert chain.reaches_outside(size=1400 - 28)
    assert not chain.reaches_outside(size=1400 - 27)
    assert "tbf" in hands.run(chain.machine.namespace, "tc qdisc show")
    chain.check(runtime)
    chain.delete(runtime)
    wait_for(lambda: "tbf" not in hands.run(chain.machine.namespace, "tc qdisc show"))
    assert POD not in chain.rules("filter")


@pytest.mark.parametrize("version", VERSIONS)
def test_loopback_before_ours(chain: Chain, version: str) -> None:
    """The reference plugin that makes a result and no eth0: both interfaces are there and work."""
    runtime = chain.configure(version, LOOPBACK, chain.machine.plugin)
    result = chain.add(runtime)
    assert [interface.name for interface in result.interfaces if interface.sandbox] == ["lo", "eth0"]
    assert chain.reaches_outside()
    assert chain.in_pod("ping -c 1 -W 1 127.0.0.1").returncode == 0
    chain.check(runtime)
    chain.delete(runtime)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("other", "told"),
    [
        (TUNING, "Required prevResult missing"),
        (BANDWIDTH, "must be called as chained plugin"),
        (PORTMAP, "must be called as chained plugin"),
        (FIREWALL, "missing prevResult"),
        (SBR, "must be called as chained plugin"),
    ],
    ids=lambda value: str(value["type"]) if isinstance(value, dict) else "",
)
def test_what_alters_an_interface_cannot_come_first(
    chain: Chain, version: str, other: Plugin, told: str
) -> None:
    """Each of these plugins refuses by itself to stand before the one that makes the pod's interface."""
    runtime = chain.configure(version, other, chain.machine.plugin)
    with pytest.raises(CniError, match=told):
        chain.add(runtime, **MAPPING)
    assert chain.in_pod("ip -o link").stdout.count("\n") == 1


@pytest.mark.parametrize("other", [TUNING, BANDWIDTH, SBR], ids=lambda plugin: str(plugin["type"]))
def test_a_result_before_them_is_no_interface(chain: Chain, other: Plugin) -> None:
    """With loopback's result they go on, and then miss the eth0 that only we are about to make."""
    runtime = chain.configure("1.0.0", LOOPBACK, other, chain.machine.plugin)
    with pytest.raises(CniError, match=rf"{other['type']}: .*eth0"):
        chain.add(runtime)


def test_firewall_between_loopback_and_ours_has_no_pod_to_let_through(chain: Chain) -> None:
    """ADD and DEL pass, but its rules are for 127.0.0.1: only after ours does it know the pod's address."""
    hands.run(chain.machine.namespace, "iptables -P FORWARD DROP")
    runtime = chain.configure("1.0.0", LOOPBACK, FIREWALL, chain.machine.plugin)
    chain.add(runtime)
    assert "127.0.0.1/32" in chain.rules("filter")
    assert POD not in chain.rules("filter")
    assert not chain.reaches_outside()
    with pytest.raises(CniError, match="firewall: expected rule"):
        chain.check(runtime)
    chain.delete(runtime)


def test_portmap_between_loopback_and_ours_maps_nothing(chain: Chain) -> None:
    """ADD and DEL pass, and no rule is made: there is no address of the pod yet."""
    runtime = chain.configure("1.0.0", LOOPBACK, PORTMAP, chain.ours(host_ports=False))
    chain.add(runtime, **MAPPING)
    assert "8080" not in chain.rules("nat")
    chain.delete(runtime)
