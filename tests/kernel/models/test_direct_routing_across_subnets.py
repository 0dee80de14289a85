"""flannel with DirectRouting where a router stands between some nodes: routes within, VXLAN beyond."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_network
from itertools import permutations

import pytest
from msgspec import structs

import hands
from octet.blueprint import Blueprint
from octet.cluster.endpoint import Endpoint
from octet.cluster.indexes import Nodes
from octet.cluster.objects import Node
from octet.cluster.view import Underlay, View
from octet.kernel import namespaces
from octet.kernel.host import HostKernel
from octet.models import example, find

pytestmark = pytest.mark.kernel

RUNNING = find("flannel:direct").parse({}, source="test")
UNDERLAY = {
    1: (IPv4Interface("192.0.2.1/24"), IPv6Interface("2001:db8:a::1/64")),
    2: (IPv4Interface("192.0.2.2/24"), IPv6Interface("2001:db8:a::2/64")),
    3: (IPv4Interface("198.51.100.3/24"), IPv6Interface("2001:db8:b::3/64")),
}
"""node1 and node2 share a subnet, node3 is behind the router."""

GATEWAYS = {"lan": ("192.0.2.254", "2001:db8:a::fe"), "far": ("198.51.100.254", "2001:db8:b::fe")}
HEADERS = {4: 20 + 8, 6: 40 + 8}
TUNNEL = {4: "flannel.1", 6: "flannel-v6.1"}
PINGS = 3


def view(me: int, families: tuple[int, ...], nodes: tuple[Node, ...]) -> View:
    v4, v6 = UNDERLAY[me]
    underlay = Underlay("eth0", 1500, v4 if 4 in families else None, v6 if 6 in families else None)
    cluster = tuple(ip_network(example.CLUSTER[family]) for family in families)
    return View(f"node{me}", underlay, Nodes.of(nodes), pod_cidrs=cluster)


def nodes(families: tuple[int, ...]) -> tuple[Node, ...]:
    """The three nodes, as each other's agents have annotated them."""
    cidrs = {4: "10.244.{0}.0/24", 6: "fd00:10:244:{0}::/64"}
    silent = tuple(
        Node(
            name=f"node{number}",
            pod_cidrs=tuple(ip_network(cidrs[family].format(number)) for family in families),
            internal_ips=tuple(ip_address(each.ip) for each in UNDERLAY[number] if each.version in families),
        )
        for number in UNDERLAY
    )
    return tuple(
        structs.replace(node, annotations=dict(RUNNING.annotations(view(number, families, silent))))
        for number, node in enumerate(silent, start=1)
    )


@dataclass
class Site:
    """Three nodes with a pod each, and the router.

    Attributes:
        nodes, pods: descriptors of namespaces, by number.
    """

    ends: ExitStack
    router: int = -1
    nodes: dict[int, int] = field(default_factory=dict)
    pods: dict[int, int] = field(default_factory=dict)
    endpoints: dict[int, Endpoint] = field(default_factory=dict)

    def namespace(self) -> int:
        made = namespaces.create()
        self.ends.callback(os.close, made)
        hands.run(made, "ip link set lo up")
        return made

    def build(self, families: tuple[int, ...]) -> None:
        self.router = self.namespace()
        hands.run(self.router, "ip link add lan type bridge")
        hands.run(self.router, "ip link set lan addrgenmode none up")
        known = nodes(families)
        for number in UNDERLAY:
            self.nodes[number] = self.namespace()
            self.wire(number)
            self.attach(number, view(number, families, known))
        for device, addresses in GATEWAYS.items():
            for address in (*addresses, "fe80::fe"):
                length = "64 dev {} nodad" if ":" in address else "24 dev {}"
                hands.run(self.router, f"ip addr add {address}/{length.format(device)}")
        hands.run(self.router, "sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")

    def wire(self, number: int) -> None:
        """Lead a cable from a node to the router: into the shared subnet's bridge, or a port of its own."""
        place, port = ("lan", f"to{number}") if number < 3 else ("far", "far")
        peer = f"peer name eth0 netns /proc/{os.getpid()}/fd/{self.nodes[number]}"
        hands.run(self.router, f"ip link add {port} type veth {peer}")
        if place == "lan":
            hands.run(self.router, f"ip link set {port} master lan")
        hands.run(self.router, f"ip link set {port} addrgenmode none up")
        v4, v6 = UNDERLAY[number]
        for command in (
            f"addr add {v4} dev eth0",
            f"addr add {v6} dev eth0 nodad",
            "link set eth0 addrgenmode none up",
            f"addr add fe80::{number}/64 dev eth0 nodad",
            f"route add default via {GATEWAYS[place][0]}",
            f"-6 route add default via {GATEWAYS[place][1]} dev eth0",
        ):
            hands.run(self.nodes[number], f"ip {command}")

    def attach(self, number: int, seen: View) -> None:
        """Let a node hold what the model says, with one pod."""
        kernel = HostKernel(self.nodes[number])
        self.ends.callback(kernel.close)
        held, left_out = RUNNING.whole(seen)
        assert left_out == ()
        network = RUNNING.network(seen)
        self.pods[number] = self.namespace()
        self.endpoints[number] = example.endpoint(RUNNING.attach, network)
        plan = RUNNING.endpoint(network, self.endpoints[number])
        assert kernel.apply(held.change_from(Blueprint())).ok
        with kernel.enter(self.pods[number]) as pod:
            assert pod.apply(plan.pod.change_from(Blueprint())).ok
        assert kernel.apply(plan.node.change_from(Blueprint())).ok

    def ping(self, one: int, other: int, family: int, size: int, count: int = PINGS) -> bool:
        """Do all packets of a size, not to be cut, come back from another node's pod?"""
        target = next(each for each in self.endpoints[other].addresses if each.version == family)
        payload = size - HEADERS[family]
        return hands.succeeds(self.pods[one], f"ping -c {count} -i 0.05 -W 1 -M do -s {payload} {target}")

    def tunnelled(self, number: int, family: int) -> int:
        """How many packets a node has sent through its VXLAN device."""
        lines = hands.run(self.nodes[number], "cat /proc/thread-self/net/dev").splitlines()
        line = next(line for line in lines if line.strip().startswith(f"{TUNNEL[family]}:"))
        return int(line.partition(":")[2].split()[9])


@pytest.fixture(params=example.FAMILIES)
def site(request: pytest.FixtureRequest) -> Iterator[tuple[Site, tuple[int, ...]]]:
    with ExitStack() as ends:
        families = example.FAMILIES[request.param]
        made = Site(ends)
        made.build(families)
        yield made, families


def test_within_a_subnet_direct_and_beyond_it_vxlan(site: tuple[Site, tuple[int, ...]]) -> None:
    """Every pod reaches every other; only what crosses the router is tunnelled, and all of that."""
    made, families = site
    for one, other in permutations(UNDERLAY, 2):
        for family in families:
            mtu = made.endpoints[one].mtu
            before = made.tunnelled(one, family)
            assert made.ping(one, other, family, mtu), (one, other, family)
            sent = made.tunnelled(one, family) - before
            assert sent == (PINGS if 3 in {one, other} else 0), (one, other, family)


def test_the_mtu_is_that_of_the_longest_way(site: tuple[Site, tuple[int, ...]]) -> None:
    """A pod's MTU leaves room for VXLAN, as some peers are beyond the router; one byte more is refused."""
    made, families = site
    overhead = max({4: 50, 6: 70}[family] for family in families)
    assert {endpoint.mtu for endpoint in made.endpoints.values()} == {1500 - overhead}
    for family in families:
        assert not made.ping(1, 3, family, 1500 - overhead + 1, count=1)


def test_the_router_knows_no_pod(site: tuple[Site, tuple[int, ...]]) -> None:
    """What passes the router is VXLAN between nodes: no packet of a pod itself is forwarded there."""
    made, families = site
    pods = {4: "ip saddr 10.244.0.0/16", 6: "ip6 saddr fd00:10:244::/48"}
    for family in families:
        hands.run(made.router, "nft add table inet seen")
        hands.run(made.router, "nft add chain inet seen forward {type filter hook forward priority 0;}")
        for match in (pods[family], "udp dport 8472"):
            hands.run(made.router, f"nft add rule inet seen forward {match} counter")
        assert made.ping(1, 3, family, 100)
        shown = hands.run(made.router, "nft list chain inet seen forward").splitlines()
        counts = [int(line.split(" packets ")[1].split()[0]) for line in shown if " packets " in line]
        assert counts == [0, 2 * PINGS]
        hands.run(made.router, "nft delete table inet seen")
