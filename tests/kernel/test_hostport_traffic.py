"""Real connections through host ports and masquerade: who answers, and whose address the pod sees."""

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from octet.blueprint import Blueprint, Sysctl
from octet.blueprint.base import union
from octet.cluster.endpoint import Attachment, Endpoint, HostPort
from octet.kernel import namespaces
from octet.kernel.nft import NftFacility
from octet.service import hostport
from octet.transport.masquerade import masquerade

pytestmark = pytest.mark.kernel

SEGMENTS = (ip_network("10.244.1.0/24"), ip_network("fd00:10:0:1::/64"))
CLUSTER = (ip_network("10.244.0.0/16"), ip_network("fd00:10::/48"))
HOST_PORTS = (
    HostPort(8080, 80),
    HostPort(8080, 80, "udp"),
    HostPort(8081, 80, "tcp", ip_address("192.0.2.1")),
)
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def endpoint(number: int, ports: tuple[HostPort, ...]) -> Endpoint:
    """Return a pod's endpoint with computed names and addresses."""
    return Endpoint(
        Attachment("octet", f"c{number}", "eth0"),
        host_link=f"veth{number}",
        mac=f"02:00:00:00:00:0{number}",
        mtu=1500,
        v4=ip_address(f"10.244.1.{number}"),
        v6=ip_address(f"fd00:10:0:1::{number}"),
        host_ports=ports,
    )


@dataclass
class World:
    """A node with a bridge and two pods, and another machine on its network."""

    node: int
    stack: ExitStack
    places: dict[str, int] = field(default_factory=dict)

    def run(self, where: str, *commands: str) -> None:
        """Run commands of iproute2 in one of the namespaces."""
        with namespaces.inside(self.places[where]):
            for command in commands:
                subprocess.run(["ip", *command.split()], check=True)

    def add(self, name: str, near: str, v4: str, v6: str, *, router: tuple[str, str]) -> None:
        """Add a namespace that is joined to the node by a pair, with addresses and default routes."""
        self.places[name] = namespaces.create()
        impatient(self.places[name])
        self.stack.callback(os.close, self.places[name])
        self.run("node", f"link add {near} type veth peer name eth0")
        with namespaces.inside(self.places[name]), subprocess.Popen(["sleep", "60"]) as there:
            self.run("node", f"link set eth0 netns {there.pid}", f"link set {near} up")
            there.kill()
        self.run(name, "link set lo up", "link set eth0 up", f"address add {v4} dev eth0")
        self.run(name, f"address add {v6} dev eth0 nodad")
        self.run(name, f"route add default via {router[0]}", f"-6 route add default via {router[1]}")

    def serve(self, name: str, *, port: int = 80) -> None:
        """Answer every TCP connection and UDP packet in a pod with its name and the source it saw."""
        for kind in KINDS.values():
            with namespaces.inside(self.places[name]):
                listener = listening(kind, port)
            self.stack.callback(shut, listener)
            threading.Thread(target=answer, args=(listener, name), daemon=True).start()

    def ask(self, where: str, address: str, port: int, protocol: str = "tcp") -> tuple[str, str]:
        """Return (who answered, whose address it saw) of a connection; ("", "") is nobody."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with namespaces.inside(self.places[where]), socket.socket(family, KINDS[protocol]) as client:
            client.settimeout(1.0)
            with suppress(TimeoutError, ConnectionError, OSError):
                client.connect((address, port))
                client.send(b"?")
                name, _, seen = client.recv(200).decode().partition(" ")
                return name, seen.removeprefix("::ffff:")
        return "", ""


def impatient(namespace: int) -> None:
    """Let IPv6 addresses be used at once, without a second of looking for duplicates."""
    with namespaces.inside(namespace):
        Path("/proc/sys/net/ipv6/conf/default/accept_dad").write_text("0")


def listening(kind: int, port: int) -> socket.socket:
    """Return a TCP or UDP socket of both families that takes what comes to a port."""
    if kind == socket.SOCK_STREAM:
        return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    made = socket.socket(socket.AF_INET6, kind)
    made.bind(("::", port))
    return made


def shut(listener: socket.socket) -> None:
    """Wake the thread that waits for a socket, and close it."""
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def answer(listener: socket.socket, name: str) -> None:
    """Tell clients who we are and whom we saw, until the socket is shut."""
    with suppress(OSError):
        while listener.type == socket.SOCK_STREAM:
            connection, peer = listener.accept()
            with connection:
                connection.send(f"{name} {peer[0]}".encode())
                connection.recv(10)
        while True:
            data, peer = listener.recvfrom(10)
            if not data:
                return
            listener.sendto(f"{name} {peer[0]}".encode(), peer)


@pytest.fixture(params=[0, 1], ids=["bridged frames unseen", "bridged frames seen"])
def world(request: pytest.FixtureRequest, pod_ns: int) -> Iterator[World]:
    """A node, two pods that serve, another machine; with and without br_netfilter at work."""
    with ExitStack() as stack:
        made = World(pod_ns, stack, {"node": pod_ns})
        impatient(pod_ns)
        made.run("node", "link set lo up", "link add cni0 type bridge", "link set cni0 up")
        made.run("node", "address add 10.244.1.1/24 dev cni0", "address add fd00:10:0:1::1/64 dev cni0 nodad")
        made.add("other", "eth1", "192.0.2.7/24", "2001:db8::7/64", router=("192.0.2.1", "2001:db8::1"))
        made.run("node", "address add 192.0.2.1/24 dev eth1", "address add 2001:db8::1/64 dev eth1 nodad")
        made.run("node", "address add 192.0.2.3/24 dev eth1")
        for n in (2, 3):
            v4, v6 = f"10.244.1.{n}/24", f"fd00:10:0:1::{n}/64"
            made.add(f"pod{n}", f"veth{n}", v4, v6, router=("10.244.1.1", "fd00:10:0:1::1"))
            made.run(
                "node", f"link set veth{n} master cni0", f"link set veth{n} type bridge_slave hairpin on"
            )
            made.serve(f"pod{n}")
        made.serve("other", port=99)
        facility = NftFacility(pod_ns)
        stack.callback(facility.close)
        settle(pod_ns, facility, request.param)
        yield made


def settle(namespace: int, facility: NftFacility, bridged: int) -> None:
    """Put everything in force on the node."""
    blueprint = union(
        [
            masquerade(CLUSTER, SEGMENTS),
            hostport.base(SEGMENTS, "cni0"),
            hostport.elements(endpoint(2, HOST_PORTS)),
            hostport.elements(endpoint(3, (HostPort(8081, 80),))),
        ]
    )
    nft = Blueprint(item for item in blueprint if facility.handles(item))
    assert facility.apply(nft.change_from(Blueprint())).ok
    others = [("net/ipv4/ip_forward", "1"), ("net/ipv6/conf/all/forwarding", "1")]
    seen = [(f"net/bridge/bridge-nf-call-ip{six}tables", str(bridged)) for six in ("", "6")]
    ours = [(item.path, item.value) for item in blueprint.of(Sysctl)]
    with namespaces.inside(namespace):
        for path, value in [*others, *seen, *ours]:
            Path("/proc/sys", path).write_text(value)


ASKED = [
    ("other", "192.0.2.1", 8080, "tcp", ("pod2", "192.0.2.7")),
    ("other", "192.0.2.1", 8080, "udp", ("pod2", "192.0.2.7")),
    ("other", "2001:db8::1", 8080, "tcp", ("pod2", "2001:db8::7")),
    ("other", "2001:db8::1", 8080, "udp", ("pod2", "2001:db8::7")),
    ("other", "192.0.2.1", 8081, "tcp", ("pod2", "192.0.2.7")),
    ("other", "192.0.2.3", 8081, "tcp", ("pod3", "192.0.2.7")),
    ("other", "192.0.2.1", 8082, "tcp", ("", "")),
    ("pod2", "192.0.2.1", 8080, "tcp", ("pod2", "10.244.1.1")),
    ("pod2", "192.0.2.1", 8080, "udp", ("pod2", "10.244.1.1")),
    ("pod2", "2001:db8::1", 8080, "tcp", ("pod2", "fd00:10:0:1::1")),
    ("pod2", "10.244.1.1", 8080, "tcp", ("pod2", "10.244.1.1")),
    ("pod3", "192.0.2.1", 8080, "tcp", ("pod2", "10.244.1.1")),
    ("pod3", "2001:db8::1", 8080, "tcp", ("pod2", "fd00:10:0:1::1")),
    ("node", "192.0.2.1", 8080, "tcp", ("pod2", "192.0.2.1")),
    ("node", "2001:db8::1", 8080, "tcp", ("pod2", "2001:db8::1")),
    ("node", "127.0.0.1", 8080, "tcp", ("pod2", "10.244.1.1")),
    ("node", "127.0.0.1", 8080, "udp", ("pod2", "10.244.1.1")),
    ("pod2", "10.244.1.3", 80, "tcp", ("pod3", "10.244.1.2")),
    ("pod2", "192.0.2.7", 99, "tcp", ("other", "192.0.2.1")),
    ("pod2", "2001:db8::7", 99, "udp", ("other", "2001:db8::1")),
]


def test_everybody_is_answered(world: World) -> None:
    """From outside, pods, the pod itself and the node; TCP and UDP; both families; with the right source."""
    found = [(*asked[:4], world.ask(*asked[:4])) for asked in ASKED]
    assert found == ASKED


def test_localhost_of_the_node_stays_closed(world: World) -> None:
    """A neighbour that routes 127.0.0.1 to the node reaches nothing there, though route_localnet is on."""
    with namespaces.inside(world.places["node"]):
        listener = socket.create_server(("127.0.0.1", 7000))
    world.stack.callback(shut, listener)
    threading.Thread(target=answer, args=(listener, "node"), daemon=True).start()
    assert world.ask("node", "127.0.0.1", 7000)[0] == "node"
    for place in ("pod2", "other"):
        gateway = "10.244.1.1" if place == "pod2" else "192.0.2.1"
        world.run(place, "address del 127.0.0.1/8 dev lo", f"route add 127.0.0.1 via {gateway}")
        with namespaces.inside(world.places[place]):
            Path("/proc/sys/net/ipv4/conf/eth0/route_localnet").write_text("1")
        assert world.ask(place, "127.0.0.1", 7000) == ("", "")


def test_a_udp_client_follows_a_moved_port(world: World) -> None:
    """A client that keeps sending from one socket reaches the new pod after the port moved."""
    facility = NftFacility(world.node)
    with namespaces.inside(world.places["other"]), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(1.0)
        client.connect(("192.0.2.1", 8080))
        client.send(b"?")
        assert client.recv(200).startswith(b"pod2")
        before = hostport.elements(endpoint(2, (HostPort(8080, 80, "udp"),)))
        after = hostport.elements(endpoint(3, (HostPort(8080, 80, "udp"),)))
        assert facility.apply(after.change_from(before)).ok
        client.send(b"?")
        assert client.recv(200).startswith(b"pod3")
    facility.close()
