"""A pod's pair: made from the pod's side in one go, silent once retired, deleted in groups."""

import errno
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

import pytest

from hands import run, succeeds
from octet.blueprint import (
    Address,
    Blueprint,
    Bridge,
    BridgePort,
    Change,
    Link,
    Neighbour,
    Route,
    Scope,
    Sysctl,
    Veth,
)
from octet.kernel import namespaces
from octet.kernel.host import HostKernel
from octet.kernel.netlink import links
from octet.kernel.netlink.interfaces import Interfaces
from octet.kernel.netlink.wire import Message
from octet.kernel.reconcile import prune

pytestmark = pytest.mark.kernel

MAC, HOST_MAC = "0a:58:0a:01:00:05", "0a:58:0a:01:00:06"
GATEWAY = "ee:ee:ee:ee:ee:ee"
NODE = Blueprint(
    [
        Sysctl("net/ipv4/ip_forward", "1"),
        Sysctl("net/ipv6/conf/all/forwarding", "1"),
        Link("br0", Bridge(), "bridge", mtu=1400, mac="0a:58:0a:01:00:01", ipv6_autoconf=False),
        Address("br0", ip_interface("10.1.0.1/24")),
        Address("br0", ip_interface("fd01::1/64")),
    ]
)
POD = Blueprint(
    [
        Link("eth0", Veth("pod0", HOST_MAC), "pod", mtu=1400, mac=MAC),
        Address("eth0", ip_interface("10.1.0.5/24")),
        Address("eth0", ip_interface("fd01::5/64")),
        Route(ip_network("0.0.0.0/0"), "eth0", ip_address("10.1.0.1")),
        Route(ip_network("::/0"), "eth0", ip_address("fd01::1")),
        Sysctl("net/ipv4/conf/eth0/arp_notify", "1"),
        Sysctl("net/ipv4/ip_unprivileged_port_start", "80"),
    ]
)
PORT = BridgePort(hairpin=True, isolated=True)
ON_NODE = Blueprint(
    [Link("pod0", Veth("eth0", MAC), "pod five", 1400, HOST_MAC, "br0", PORT, ipv6_autoconf=False)]
)
ROUTED_POD = Blueprint(
    [
        Link("eth0", Veth("pod0", GATEWAY), "pod", mtu=1400, mac=MAC),
        Address("eth0", ip_interface("10.1.0.5/32")),
        Address("eth0", ip_interface("fd01::5/128")),
        Route(ip_network("169.254.1.1/32"), "eth0", scope=Scope.LINK),
        Route(ip_network("0.0.0.0/0"), "eth0", ip_address("169.254.1.1")),
        Neighbour("eth0", ip_address("169.254.1.1"), GATEWAY),
        Route(ip_network("::/0"), "eth0", ip_address("fe80::1")),
        Neighbour("eth0", ip_address("fe80::1"), GATEWAY),
    ]
)
ROUTED_ON_NODE = Blueprint(
    [
        Link("pod0", Veth("eth0", MAC), "pod five", mtu=1400, mac=GATEWAY, ipv6_autoconf=False),
        Address("pod0", ip_interface("fe80::1/64")),
        Neighbour("pod0", ip_address("10.1.0.5"), MAC),
        Neighbour("pod0", ip_address("fd01::5"), MAC),
        Route(ip_network("10.1.0.5/32"), "pod0", scope=Scope.LINK),
        Route(ip_network("fd01::5/128"), "pod0"),
    ]
)
WAYS = {"bridge": (POD, ON_NODE), "routed": (ROUTED_POD, ROUTED_ON_NODE)}
PINGS = ("ping -c1 -W1 10.1.0.1", "ping -c1 -W1 fd01::1")


@pytest.fixture
def node(node_ns: int) -> Iterator[HostKernel]:
    """A node with a bridge that forwards."""
    with HostKernel(node_ns) as kernel:
        make(kernel, NODE)
        while not succeeds(node_ns, "ping -c1 -W1 fd01::1"):
            time.sleep(0.01)  # the kernel puts an IPv6 address into force a moment later
        yield kernel
        prune(kernel, Blueprint())
        kernel.reap()
        kernel.apply(Change(remove=tuple(NODE)))


def make(kernel: HostKernel, wanted: Blueprint) -> None:
    outcome = kernel.apply(wanted.change_from(Blueprint()))
    assert outcome.ok, [str(failure) for failure in outcome.failed]


@contextmanager
def closing_namespace() -> Iterator[int]:
    descriptor = namespaces.create()
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def attach(node: HostKernel, pod_ns: int, way: str = "bridge") -> None:
    inside, outside = WAYS[way]
    with node.enter(pod_ns) as pod:
        make(pod, inside)
    make(node, outside)


def first_datagrams(node_ns: int, pod_ns: int) -> bool:
    """Send one datagram to the node and one back, without starting a program."""
    with namespaces.inside(node_ns):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with namespaces.inside(pod_ns):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with server, client:
        server.bind(("", 5555))
        server.settimeout(0.3)
        client.settimeout(0.3)
        try:
            client.sendto(b"there", ("10.1.0.1", 5555))
            server.sendto(b"back", server.recvfrom(9)[1])
            return client.recv(9) == b"back"
        except TimeoutError:
            return False


@pytest.mark.parametrize("way", WAYS)
def test_the_first_packet_of_a_pod_passes(way: str, node: HostKernel, node_ns: int) -> None:
    """Of ten pods, each one's first packet passes and is answered: no carrier, no port is waited for."""
    for _ in range(10):
        with closing_namespace() as pod_ns:
            attach(node, pod_ns, way)
            assert first_datagrams(node_ns, pod_ns)
            node.apply(Change(remove=tuple(WAYS[way][1])))


@pytest.mark.parametrize("way", WAYS)
def test_a_pod_speaks_both_families(way: str, node: HostKernel, pod_ns: int) -> None:
    """A pod reaches its node by IPv4 and IPv6."""
    attach(node, pod_ns, way)
    assert [succeeds(pod_ns, ping) for ping in PINGS] == [True, True]


@pytest.mark.parametrize("way", WAYS)
def test_both_ends_read_as_they_were_wanted(way: str, node: HostKernel, pod_ns: int) -> None:
    """Reading after attaching finds nothing to do, in the pod and on the node."""
    attach(node, pod_ns, way)
    inside, outside = WAYS[way]
    with node.enter(pod_ns) as pod:
        assert not inside.change_from(pod.read(inside))
    wanted = NODE | outside
    assert not wanted.change_from(node.read(wanted))


def test_the_port_of_a_pod_is_as_asked(node: HostKernel, node_ns: int, pod_ns: int) -> None:
    """MACs, MTU, alias, hairpin and isolation of the pair are what the blueprint says."""
    attach(node, pod_ns)
    link = json.loads(run(node_ns, "ip -d -j link show pod0"))[0]
    port = link["linkinfo"]["info_slave_data"]
    assert (link["address"], link["mtu"], link["master"]) == (HOST_MAC, 1400, "br0")
    assert (link["ifalias"], link["inet6_addr_gen_mode"]) == ("octet:pod five", "none")
    assert (port["hairpin"], port["isolated"], port["state"]) == (True, True, "forwarding")
    assert MAC in run(pod_ns, "ip link show eth0")


def test_settings_of_a_pod_are_the_pods_only(node: HostKernel, node_ns: int, pod_ns: int) -> None:
    """A sysctl that goes with a pod changes the pod's namespace and leaves the node's alone."""
    attach(node, pod_ns)
    asked = "sysctl -n net.ipv4.ip_unprivileged_port_start"
    assert (run(pod_ns, asked), run(node_ns, asked)) == ("80\n", "1024\n")


@pytest.mark.parametrize("way", WAYS)
def test_a_retired_pod_passes_nothing(way: str, node: HostKernel, node_ns: int, pod_ns: int) -> None:
    """From the moment that removal returns, nothing goes from or to the pod, though its links are there."""
    attach(node, pod_ns, way)
    assert succeeds(node_ns, "ping -c1 -W1 10.1.0.5")
    outcome = node.apply(Change(remove=tuple(WAYS[way][1])))
    assert outcome.ok
    assert [succeeds(pod_ns, ping) for ping in PINGS] == [False, False]
    assert not succeeds(node_ns, "ping -c1 -W1 10.1.0.5")
    assert "eth0" in run(pod_ns, "ip link")


@pytest.mark.parametrize("way", WAYS)
def test_a_retired_pod_cannot_reach_out_by_force(
    way: str, node: HostKernel, node_ns: int, pod_ns: int
) -> None:
    """Whatever source a retired pod makes up, its packets are not taken in."""
    attach(node, pod_ns, way)
    node.apply(Change(remove=tuple(WAYS[way][1])))
    run(pod_ns, "ip address add 10.1.0.77/24 dev eth0")
    run(pod_ns, "ip neigh replace 10.1.0.1 lladdr ff:ff:ff:ff:ff:ff dev eth0 nud permanent")
    run(pod_ns, "ip link set eth0 down")
    run(pod_ns, "ip link set eth0 up")
    run(pod_ns, "ip neigh replace 10.1.0.1 lladdr ff:ff:ff:ff:ff:ff dev eth0 nud permanent")
    counter = "/proc/net/snmp"
    before = run(node_ns, f"awk /^Icmp:/{{print$3}} {counter}")
    assert not succeeds(pod_ns, "ping -c2 -i0.2 -W1 -I 10.1.0.77 10.1.0.1")
    assert run(node_ns, f"awk /^Icmp:/{{print$3}} {counter}") == before


def test_retired_links_are_nobodys_until_reaped(node: HostKernel, node_ns: int, pod_ns: int) -> None:
    """A retired link is not listed, is deleted with its other end by reaping, and counts once."""
    attach(node, pod_ns)
    node.apply(Change(remove=tuple(ON_NODE)))
    assert node.read(NODE | ON_NODE) == NODE
    assert (node.reap(), node.reap()) == (1, 0)
    assert "pod0" not in run(node_ns, "ip link")
    assert "eth0" not in run(pod_ns, "ip link")


def test_a_mac_that_somebody_changes_is_set_again(
    node: HostKernel, node_ns: int, pod_ns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that gives the new link another MAC before we answer does not have its way."""
    before_asking = links.honour_carrier
    monkeypatch.setattr(links, "honour_carrier", lambda *of: [meddling(of[0], of[2]), *before_asking(*of)])
    attach(node, pod_ns, "routed")
    assert GATEWAY in run(node_ns, "ip link show pod0")


def test_a_mac_that_does_not_stay_is_told(
    node: HostKernel, pod_ns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is changed again and again the link counts as refused, and the reason names a suspect."""
    before_asking = links.honour_carrier

    def again(link: Link, known: Interfaces) -> list[Message]:
        change, question = SET_MAC(link, known)
        return [change, meddling(link, known), question]

    monkeypatch.setattr(links, "honour_carrier", lambda *of: [meddling(of[0], of[2]), *before_asking(*of)])
    monkeypatch.setattr(links, "set_mac", again)
    with node.enter(pod_ns) as pod:
        assert pod.apply(Change(add=tuple(ROUTED_POD))).ok
    outcome = node.apply(Change(add=tuple(ROUTED_ON_NODE)))
    assert [(each.item.key, each.errno) for each in outcome.failed] == [(("link", "pod0"), errno.EAGAIN)]
    assert "MACAddressPolicy" in outcome.failed[0].reason


SET_MAC = links.set_mac


def meddling(link: Link, known: Interfaces) -> Message:
    """Return what another program would send to give a link a MAC of its own choice."""
    return SET_MAC(replace(link, mac="02:00:00:00:00:77"), known)[0]


def test_a_name_can_be_used_again_before_reaping(node: HostKernel, pod_ns: int) -> None:
    """An attachment that comes back at once takes the place of its retired link."""
    attach(node, pod_ns)
    node.apply(Change(remove=tuple(ON_NODE)))
    with node.enter(pod_ns) as pod:
        pod.apply(Change(remove=tuple(POD)))
    attach(node, pod_ns)
    assert succeeds(pod_ns, PINGS[0])


def test_a_taken_name_on_the_node_stops_the_whole_pod(node: HostKernel, node_ns: int, pod_ns: int) -> None:
    """Where the pair can't be made, nothing of the pod's part remains, and every object says so."""
    run(node_ns, "ip link add pod0 type bridge")
    with node.enter(pod_ns) as pod:
        outcome = pod.apply(Change(add=tuple(item for item in POD if not isinstance(item, Sysctl))))
    assert (outcome.done, len(outcome.failed)) == ((), 5)
    assert "eth0" not in run(pod_ns, "ip link")
    run(node_ns, "ip link del pod0")


def test_a_half_made_pair_is_recognised(node: HostKernel, pod_ns: int) -> None:
    """A node that died between the pod's side and its own still knows the pair as its own."""
    with node.enter(pod_ns) as pod:
        make(pod, POD)
    assert [link.name for link in node.read(NODE).of(Link)] == ["br0", "pod0"]
    assert prune(node, NODE).ok
    node.reap()
    assert [link.name for link in node.read(NODE).of(Link)] == ["br0"]


def test_a_pair_is_made_from_its_pod_only(node: HostKernel) -> None:
    """Adding the node's end where there is none is refused, as a missing device."""
    (failure,) = node.apply(Change(add=tuple(ON_NODE))).failed
    assert failure.errno == 19
    assert "made from its pod's end" in failure.reason


def test_the_mtu_of_a_pod_is_lowered_from_the_node(node: HostKernel, node_ns: int, pod_ns: int) -> None:
    """A running pod's MTU follows a path that shrank, without a descriptor of its namespace."""
    attach(node, pod_ns)
    with namespaces.inside(pod_ns), subprocess.Popen(["sleep", "20"]) as program:
        with namespaces.inside(node_ns):
            node.set_peer_mtu("pod0", 1300)
        program.kill()
    assert "mtu 1300" in run(pod_ns, "ip link show eth0")


def test_a_pod_that_cannot_be_found_keeps_its_mtu(node: HostKernel, pod_ns: int) -> None:
    """Where no process and no name leads to the pod's namespace, the caller learns that."""
    attach(node, pod_ns)
    with pytest.raises(OSError, match="can't be found"):
        node.set_peer_mtu("pod0", 1300)
    with pytest.raises(OSError, match="no pair gone0"):
        node.set_peer_mtu("gone0", 1300)


def test_a_pod_that_died_first_is_no_error(node: HostKernel, pod_ns: int) -> None:
    """Removing a pod's part when its namespace took the pair along is done."""
    attach(node, pod_ns, "routed")
    run(pod_ns, "ip link del eth0")
    assert node.apply(Change(remove=tuple(ROUTED_ON_NODE))).ok


def test_fifty_pods_are_reaped_in_one_operation(node: HostKernel, node_ns: int, pod_ns: int) -> None:
    """Fifty retired links are deleted together, in less time than four of them take alone (16 ms each)."""
    pairs = [Link(f"eth{n}", Veth(f"many{n}"), "pod", mtu=1400) for n in range(50)]
    with node.enter(pod_ns) as pod:
        make(pod, Blueprint(pairs))
    ends = [Link(f"many{n}", Veth(f"eth{n}"), "pod", mtu=1400, master="br0") for n in range(50)]
    make(node, Blueprint(ends))
    assert node.apply(Change(remove=tuple(ends))).ok
    assert node.reap() == 50
    assert "many" not in run(node_ns, "ip link")


def test_a_descriptor_that_is_no_namespace_is_refused(node: HostKernel) -> None:
    """Entering anything but a network namespace is an error before anything happens."""
    with Path("/dev/null").open() as file, pytest.raises(OSError, match="not a network namespace"):
        node.enter(file.fileno())


def test_altering_a_port_keeps_its_pod_attached(node: HostKernel, pod_ns: int) -> None:
    """MTU, purpose and port settings change in place; the pod goes on."""
    attach(node, pod_ns)
    (old,) = ON_NODE.of(Link)
    new = replace(old, mtu=1300, purpose="pod six", port=BridgePort())
    assert node.apply(Change(alter=((old, new),))).ok
    assert node.read(Blueprint([new])).get(new.key) == new
    assert succeeds(pod_ns, PINGS[0])
