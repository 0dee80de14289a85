"""Three nodes with a pod each: two share a subnet, the third is behind a router.

What lives here: ``Site``, which lets real nodes hold what a model says of given views, and looks at what they
send. What it must not know: any model.
"""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Interface, IPv6Interface

from msgspec import structs

import hands
from octet.blueprint import Blueprint
from octet.cluster.endpoint import Endpoint
from octet.cluster.indexes import Nodes
from octet.cluster.view import View
from octet.kernel import namespaces
from octet.kernel.drift import is_drift
from octet.kernel.host import HostKernel
from octet.kernel.monitor import Monitor
from octet.kernel.reconcile import compare, prune
from octet.models import Running, example

UNDERLAY = {
    1: (IPv4Interface("192.0.2.1/24"), IPv6Interface("2001:db8:a::1/64")),
    2: (IPv4Interface("192.0.2.2/24"), IPv6Interface("2001:db8:a::2/64")),
    3: (IPv4Interface("198.51.100.3/24"), IPv6Interface("2001:db8:b::3/64")),
}
"""node1 and node2 share a subnet, node3 is behind the router."""

GATEWAYS = {"lan": ("192.0.2.254", "2001:db8:a::fe"), "far": ("198.51.100.254", "2001:db8:b::fe")}
HEADERS = {4: 20 + 8, 6: 40 + 8}
"""Bytes of IP and ICMP headers around what ping sends (RFC 791, RFC 8200, RFC 792)."""

PINGS = 3


def relocated(view: View, me: int) -> View:
    """Return a view of ``models.example`` in which the nodes are where this site's are."""
    families = {each.version for node in view.nodes.values() for each in node.internal_ips}
    nodes = [
        structs.replace(
            view.nodes[example.name(number)],
            internal_ips=tuple(each.ip for each in UNDERLAY[number] if each.version in families),
        )
        for number in UNDERLAY
    ]
    v4, v6 = (each if each.version in families else None for each in UNDERLAY[me])
    return replace(view, nodes=Nodes.of(nodes), underlay=replace(view.underlay, v4=v4, v6=v6))


@dataclass
class Site:
    """The nodes, their pods, and the router.

    Attributes:
        running: the model of all nodes.
        views: what each node sees, by its number.
        nodes, pods: descriptors of namespaces, by number.
        wanted: what each node holds, its pod's part included.
    """

    ends: ExitStack
    running: Running
    views: Callable[[int], View]
    router: int = -1
    nodes: dict[int, int] = field(default_factory=dict)
    pods: dict[int, int] = field(default_factory=dict)
    kernels: dict[int, HostKernel] = field(default_factory=dict)
    wanted: dict[int, Blueprint] = field(default_factory=dict)
    endpoints: dict[int, Endpoint] = field(default_factory=dict)

    def namespace(self) -> int:
        """Return a new namespace that ends with the test."""
        made = namespaces.create()
        self.ends.callback(os.close, made)
        hands.run(made, "ip link set lo up")
        return made

    def build(self) -> "Site":
        """Make everything, and let each node hold what the model says."""
        self.lay()
        for number in UNDERLAY:
            self.attach(number)
        return self

    def lay(self) -> None:
        """Make router, nodes and cables."""
        self.router = self.namespace()
        hands.run(self.router, "ip link add lan type bridge")
        hands.run(self.router, "ip link set lan addrgenmode none up")
        for number in UNDERLAY:
            self.nodes[number] = self.namespace()
            self._wire(number)
        for device, addresses in GATEWAYS.items():
            for address in (*addresses, "fe80::fe"):
                length = "64 dev {} nodad" if ":" in address else "24 dev {}"
                hands.run(self.router, f"ip addr add {address}/{length.format(device)}")
        hands.run(self.router, "sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")

    def _wire(self, number: int) -> None:
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

    def attach(self, number: int) -> None:
        """Let a node hold what the model says, with one pod."""
        kernel, seen = HostKernel(self.nodes[number]), self.views(number)
        self.ends.callback(kernel.close)
        held, left_out = self.running.whole(seen)
        assert left_out == ()
        network = self.running.network(seen)
        self.pods[number] = self.namespace()
        self.endpoints[number] = example.endpoint(self.running.attach, network, me=number)
        plan = self.running.endpoint(network, self.endpoints[number])
        outcome = kernel.apply(held.change_from(Blueprint()))
        assert outcome.ok, outcome.failed
        with kernel.enter(self.pods[number]) as pod:
            assert pod.apply(plan.pod.change_from(Blueprint())).ok
        assert kernel.apply(plan.node.change_from(Blueprint())).ok
        self.kernels[number], self.wanted[number] = kernel, held | plan.node

    def become(self, running: Running, views: Callable[[int], View]) -> None:
        """Let every node hold what another model, or other views, say; pods stay as they are."""
        for number in UNDERLAY:
            pod = self.wanted[number] - self.running.whole(self.views(number))[0]
            held, left_out = running.whole(views(number))
            assert left_out == ()
            self.wanted[number] = held | pod
            assert prune(self.kernels[number], self.wanted[number]).ok
        self.running, self.views = running, views

    def mend(self, number: int, disturbance: str) -> None:
        """Let somebody break something on a node: that is noticed, and a comparison makes it whole."""
        kernel, wanted = self.kernels[number], self.wanted[number]
        desired = {item.key: item for item in wanted}
        with Monitor(self.nodes[number]) as monitor:
            hands.run(self.nodes[number], disturbance)
            events = monitor.drain(desired) + monitor.look(desired)
        assert any(is_drift(event, desired) for event in events), disturbance
        assert compare(kernel, wanted, pruning=True), disturbance
        assert prune(kernel, wanted).ok, disturbance
        assert not compare(kernel, wanted, pruning=True), disturbance

    def address(self, number: int, family: int = 4) -> str:
        """Return a pod's address."""
        return str(next(each for each in self.endpoints[number].addresses if each.version == family))

    def ping(self, one: int, other: int, family: int = 4, size: int = 100, count: int = PINGS) -> bool:
        """Do all packets of a size, not to be cut, come back from another node's pod?"""
        return self.reach(one, self.address(other, family), size, count)

    def reach(self, one: int, target: str, size: int = 100, count: int = PINGS) -> bool:
        """Do all packets of a size, not to be cut, come back to a node's pod from an address?"""
        payload = size - HEADERS[6 if ":" in target else 4]
        return hands.succeeds(self.pods[one], f"ping -c {count} -i 0.05 -W 1 -M do -s {payload} {target}")

    def sent(self, number: int, device: str) -> int:
        """How many packets has a node sent through a device? None has gone through one that is not there."""
        lines = hands.run(self.nodes[number], "cat /proc/thread-self/net/dev").splitlines()
        line = next((line for line in lines if line.strip().startswith(f"{device}:")), None)
        return int(line.partition(":")[2].split()[9]) if line is not None else 0

    def smuggle(self, number: int, setup: str, source: str) -> bool:
        """Does the router, which is no node, bring a ping of its own into a node's pod by a tunnel?

        Args:
            number: the node, which the router reaches directly.
            setup: ``ip`` commands that make the router's end ``smuggler``, separated by semicolons.
            source: an address of somebody else's pod, which the router takes for its own.
        """
        target, counter = self.address(number, 6 if ":" in source else 4), "nft add rule inet seen input"
        hands.run(self.pods[number], "nft add table inet seen")
        hands.run(self.pods[number], "nft add chain inet seen input {type filter hook input priority 0;}")
        for protocol in ("icmp type echo-request", "icmpv6 type echo-request"):
            hands.run(self.pods[number], f"{counter} {protocol} counter")
        for command in setup.split(";"):
            hands.run(self.router, f"ip {command.strip()}")
        hands.run(self.router, "ip link set smuggler up")
        hands.run(self.router, f"ip addr add {source} dev smuggler")
        hands.run(self.router, f"ip route add {target} dev smuggler onlink via {target}")
        hands.succeeds(self.router, f"ping -c 2 -i 0.05 -W 0.3 -I {source} {target}")
        hands.run(self.router, "ip link del smuggler")
        shown = hands.run(self.pods[number], "nft list chain inet seen input").splitlines()
        hands.run(self.pods[number], "nft delete table inet seen")
        return any(int(line.split(" packets ")[1].split()[0]) for line in shown if " packets " in line)

    def passing(self, *matches: str) -> Callable[[], list[int]]:
        """Let the router count what it forwards; return what tells the counts, and ends the counting."""
        hands.run(self.router, "nft add table inet seen")
        hands.run(self.router, "nft add chain inet seen forward {type filter hook forward priority 0;}")
        for match in matches:
            hands.run(self.router, f"nft add rule inet seen forward {match} counter")

        def counts() -> list[int]:
            shown = hands.run(self.router, "nft list chain inet seen forward").splitlines()
            hands.run(self.router, "nft delete table inet seen")
            return [int(line.split(" packets ")[1].split()[0]) for line in shown if " packets " in line]

        return counts
