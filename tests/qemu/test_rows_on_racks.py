"""The rows that speak BGP, whole, on two racks: agents claim, BIRD tells, a tunnel takes what leaves a rack.

The racks' routers are told nothing of pods, so whatever passes them between pods has to be wrapped.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_network

import pytest

import racks
from octet.errors import NotReadyError
from octet.lab import Lab, Registry
from octet.lab.provider import Octet
from octet.lab.racks import Shape
from octet.lab.routes import Hop

pytestmark = [pytest.mark.qemu, pytest.mark.timeout(600)]

NODES = ("node1", "node2", "node3")
"""Two of the first rack, one of the second."""

NEAR = "172.31.1.2"
"""Where the rack has node2."""

PINGS = 3
LARGEST = 1500 - 20
"""Bytes of a pod's packet: the underlay's without the outer header (RFC 2003)."""

COUNT = """
add table inet seen
add chain inet seen forward { type filter hook forward priority 0; }
add rule inet seen forward ip protocol 4 counter
add rule inet seen forward ip saddr 10.244.0.0/16 counter
"""
"""What the first rack's router sees: wrapped packets, and pods' own."""

wait_for = partial(racks.wait_for, seconds=150, pause=0.5)
"""An emulated machine takes its time, and every look takes some of it."""


@dataclass(frozen=True)
class Row:
    """A row of the table, as it is run here.

    Attributes:
        tunnel: node1's device for pods of node3.
    """

    provider: Octet
    tunnel: str

    def __str__(self) -> str:
        return self.provider.model


CALICO = Row(Octet("calico", {"first_pools": {"ipipMode": "CrossSubnet"}}), "ipip.calico")
KUBE_ROUTER = Row(Octet("kube-router"), "tun-ac1f0203")


@dataclass
class Racks:
    """A lab with a pod on each node, whose addresses ``pods`` has by node."""

    row: Row
    lab: Lab
    pods: dict[str, str] = field(default_factory=dict)

    def start(self, pod: str, node: str, **annotations: str) -> str:
        """Start a pod, again where its node asks for that, as a runtime does; return its address."""
        metadata = {"name": pod, "namespace": "default", "annotations": annotations}
        item = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"nodeName": node}}
        wait_for(lambda: self._started(item))
        found = {each["metadata"]["name"]: each["status"] for each in self.lab.get("pods")}
        return str(found[pod]["podIPs"][0]["ip"])

    def _started(self, pod: dict[str, object]) -> bool:
        try:
            self.lab.put([pod])
        except NotReadyError:
            return False
        return True

    def peers(self, node: str) -> set[str]:
        """Whom a node's BIRD has an established session with."""
        told = json.loads(self.lab.ask_agent(node, "/bgp"))
        return {each["peer"] for each in told["sessions"] if each["state"] == "Established"}

    def held(self, node: str) -> set[str]:
        """The networks that the cluster's objects give a node: claimed blocks, or its pod CIDR."""
        if self.row is KUBE_ROUTER:
            nodes = {item["metadata"]["name"]: item["spec"] for item in self.lab.get("nodes")}
            return {nodes[node]["podCIDR"]}
        claims = [item["spec"] for item in self.lab.get("blockaffinities")]
        return {each["cidr"] for each in claims if (each["node"], each["state"]) == (node, "confirmed")}

    def free(self, node: str) -> str:
        """The last address of a node's blocks that nobody has taken; empty where there is none."""
        blocks = [item["spec"] for item in self.lab.get("ipamblocks")]
        mine = [each for each in blocks if each["affinity"] == f"host:{node}" and each["unallocated"]]
        return str(ip_network(mine[0]["cidr"])[mine[0]["unallocated"][-1]]) if mine else ""

    def ways(self, node: str, owner: str) -> dict[str, Hop]:
        """Where the routes of an owner lead on a node, by destination."""
        found = [each for each in self.lab.routes(node)[node] if each.owner == owner and not each.kind]
        return {str(each.destination): hop for each in found for hop in each.hops}

    def heard(self) -> dict[str, Hop]:
        """What BIRD has put into the first node's kernel."""
        return self.ways("node1", "octet (bird)")

    def ping(self, pod: str, address: str, size: int = LARGEST) -> str:
        """What ping says of packets of a size that nobody may cut."""
        ping = ["ping", "-c", str(PINGS), "-i", "0.2", "-W", "5", "-M", "do", "-s", str(size - 28), address]
        done = self.lab.exec(pod, ping)
        return done.stdout + done.stderr

    def reaches(self, pod: str, address: str) -> bool:
        """Do all packets that fill the underlay come back?"""
        return " 0% packet loss" in self.ping(pod, address)

    def count(self) -> None:
        """Let the first rack's router count what it forwards."""
        done = self.lab.exec("tor1", ["nft", "-f", "-"], text=COUNT)
        assert done.returncode == 0, done.stderr

    def counts(self) -> list[int]:
        """How many packets that router has forwarded since: wrapped ones, and pods' own."""
        shown = self.lab.exec("tor1", ["nft", "list", "table", "inet", "seen"]).stdout.splitlines()
        return [int(line.split(" packets ")[1].split()[0]) for line in shown if " packets " in line]


@pytest.fixture(scope="module", params=[CALICO, KUBE_ROUTER], ids=str)
def made(request: pytest.FixtureRequest) -> Iterator[Racks]:
    """A row on racks, where everybody has a session with everybody; no lab is left after it."""
    row = request.param
    with Lab.up(row.provider, nodes=len(NODES), fabric="routed", shape=Shape(2, 1, 1)) as lab:
        racked = Racks(row, lab)
        for node in NODES:
            racked.pods[node] = racked.start(f"on-{node}", node)
        wait_for(lambda: all(racked.peers(node) == {*NODES} - {node} for node in NODES))
        racked.count()
        yield racked
    wait_for(lambda: list(Registry().entries()) == [])


def test_near_by_bird_and_far_by_the_tunnel(made: Racks) -> None:
    """What a node of the rack holds is BIRD's plain route, what one beyond holds is in the tunnel.

    Both carry pods' packets. The rack's router forwards wrapped ones only.
    """
    wait_for(lambda: made.heard() == dict.fromkeys(made.held("node2"), Hop(NEAR, "eth0")))
    far = made.held("node3")
    wait_for(lambda: far <= made.ways("node1", "octet").keys())
    beyond = made.ways("node1", "octet")
    assert {beyond[each].dev for each in far} == {made.row.tunnel}
    before = made.counts()
    assert made.reaches("on-node1", made.pods["node2"])
    assert made.counts() == before
    assert made.reaches("on-node1", made.pods["node3"])
    assert made.counts() == [before[0] + 2 * PINGS, 0]


def test_every_pods_largest_packet_leaves_room_for_the_outer_header(made: Racks) -> None:
    """Pods have 20 bytes less than the underlay, near ones, too; a byte more is refused where it is sent."""
    for node in NODES:
        (link,) = json.loads(made.lab.exec(f"on-{node}", ["ip", "-j", "link", "show", "eth0"]).stdout)
        assert link["mtu"] == LARGEST
    for node in ("node2", "node3"):
        assert f"message too long, mtu={LARGEST}" in made.ping("on-node1", made.pods[node], LARGEST + 1)


@pytest.mark.parametrize("made", [CALICO], indirect=True, ids=str)
def test_a_borrowed_address_is_told_apart_from_its_block(made: Racks) -> None:
    """A pod of node2 with an address of node3's block: BIRD tells node1 of it, node3 has it in the tunnel.

    Its packets take these ways; when the pod is gone, so are they.
    """
    wait_for(lambda: bool(made.free("node3")))
    address = made.free("node3")
    asked = {"cni.projectcalico.org/ipAddrs": json.dumps([address])}
    assert made.start("guest", "node2", **asked) == address
    alone, before = f"{address}/32", made.counts()
    wait_for(lambda: made.heard().get(alone) == Hop(NEAR, "eth0"))
    wait_for(lambda: alone in made.ways("node3", "octet"))
    assert made.ways("node3", "octet")[alone].dev == made.row.tunnel
    assert made.reaches("on-node1", address)
    assert made.counts() == before
    assert made.reaches("on-node3", address)
    assert made.counts() == [before[0] + 2 * PINGS, 0]
    made.lab.delete("pods", "guest")
    wait_for(lambda: alone not in made.heard())
    wait_for(lambda: alone not in made.ways("node3", "octet"))
