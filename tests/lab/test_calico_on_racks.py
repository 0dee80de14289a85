"""Model calico on racks: mesh, reflectors, the racks' routers alone, switched while streams run."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network

import pytest

from octet.lab import Lab
from octet.lab.racks import Shape
from racks import end_agent, mark, quiet, reaches, resource, restart_agents, streaming, wait_for, ways

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(400)]

NODES = ("node1", "node2", "node3", "node4")
REFLECTORS = ("node2", "node3")
ID = "projectcalico.org/RouteReflectorClusterID"
SWITCHED = 1.0
"""Seconds of a stream that a switch of the topology may cost."""

REFLECTED = resource("BGPPeer", "reflectors", nodeSelector="all()", peerSelector="has(reflector)")


@dataclass
class Racks:
    """A lab of two racks with a pod on each node."""

    lab: Lab
    addresses: dict[str, tuple[str, ...]]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Who streams to whom: between racks and within one, in both families."""
        ways = (("node1", "node3"), ("node4", "node2"), ("node1", "node2"))
        return [(f"on-{here}", address) for here, there in ways for address in self.addresses[there]]

    def sessions(self, node: str) -> dict[str, str]:
        """The state of a node's sessions, by the peer's name."""
        told = json.loads(self.lab.ask_agent(node, "/bgp"))
        return {each["peer"]: each["state"] for each in told["sessions"]}

    def settled(self, **peers: set[str]) -> None:
        """Wait until nodes have these sessions and no other, all of them up."""
        for node, names in peers.items():
            up = dict.fromkeys(names, "Established")
            wait_for(lambda node=node, up=up: self.sessions(node) == up, 60)

    def mesh(self, *, on: bool) -> None:
        """Turn the mesh on or off."""
        self.lab.put([resource("BGPConfiguration", "default", nodeToNodeMeshEnabled=on)])


def racked(lab: Lab) -> Racks:
    """Label nodes by rack, have each peer with its rack's router, start a pod on each."""
    for number, node in enumerate(NODES):
        mark(lab, node, labels={"rack": str(number // 2 + 1)})
    peers = [
        resource(
            "BGPPeer", f"tor{rack}", nodeSelector=f"rack == '{rack}'", peerIP=f"172.31.{rack}.254",
            asNumber=65000 + rack, numAllowedLocalASNumbers=1,
        )
        for rack in (1, 2)
    ]  # fmt: skip
    lab.put(peers)
    made = Racks(lab, {node: lab.run(f"on-{node}", node).addresses for node in NODES})
    mesh = {node: {*NODES, f"tor{number // 2 + 1}"} - {node} for number, node in enumerate(NODES)}
    made.settled(**mesh)
    return made


@pytest.fixture(scope="module")
def racks() -> Iterator[Racks]:
    with Lab.up("calico", nodes=4, fabric="routed", family="dual") as lab:
        yield racked(lab)


@pytest.fixture
def meshed(racks: Racks) -> Iterator[Racks]:
    """The same; it is a mesh with the racks' routers again after the test."""
    yield racks
    racks.mesh(on=True)
    for node in REFLECTORS:
        mark(racks.lab, node, annotations={ID: ""})
    if any(item["metadata"]["name"] == "reflectors" for item in racks.lab.get("bgppeer")):
        racks.lab.delete("bgppeer", "reflectors")
    racks.settled(node1={"node2", "node3", "node4", "tor1"}, node4={"node1", "node2", "node3", "tor2"})


def test_from_a_mesh_to_reflectors_to_the_racks_routers_alone(meshed: Racks) -> None:
    """Each switch of the topology, there and back, costs a running stream less than a second."""
    lab = meshed.lab
    outside = {"node1": {"tor1"}, "node2": {"tor1"}, "node3": {"tor2"}, "node4": {"tor2"}}
    reflected = {
        "node1": {"node2", "node3", "tor1"},
        "node2": {"node1", "node3", "node4", "tor1"},
        "node3": {"node1", "node2", "node4", "tor2"},
        "node4": {"node2", "node3", "tor2"},
    }
    with streaming(lab, meshed.pairs) as streams:
        lab.put([REFLECTED])
        for node in REFLECTORS:
            mark(lab, node, labels={"reflector": ""}, annotations={ID: "244.0.0.1"})
        time.sleep(1)
        meshed.mesh(on=False)
        meshed.settled(**reflected)
    assert streams.seconds() < SWITCHED, streams.lost
    with streaming(lab, meshed.pairs) as streams:
        lab.delete("bgppeer", "reflectors")
        meshed.settled(**outside)
    assert streams.seconds() < SWITCHED, streams.lost
    with streaming(lab, meshed.pairs) as streams:
        meshed.mesh(on=True)
        for node in REFLECTORS:
            mark(lab, node, annotations={ID: ""})
        meshed.settled(**{node: {*NODES, *tors} - {node} for node, tors in outside.items()})
    assert streams.seconds() < SWITCHED, streams.lost


def test_everything_at_once(meshed: Racks) -> None:
    """Mesh off and reflectors on in the same instant: less than a second is lost."""
    with streaming(meshed.lab, meshed.pairs) as streams:
        for node in REFLECTORS:
            mark(meshed.lab, node, labels={"reflector": ""}, annotations={ID: "244.0.0.1"})
        meshed.lab.put([resource("BGPConfiguration", "default", nodeToNodeMeshEnabled=False), REFLECTED])
        meshed.settled(node1={"node2", "node3", "tor1"}, node4={"node2", "node3", "tor2"})
    assert streams.seconds() < SWITCHED, streams.lost


def test_a_restart_of_agents_loses_nothing(racks: Racks) -> None:
    """Agents that are killed and come back are not noticed by any stream."""
    with streaming(racks.lab, racks.pairs) as streams:
        restart_agents(racks.lab, "node1", "node3")
    quiet(streams)


def test_agents_that_are_told_to_end_lose_nothing(racks: Racks) -> None:
    """SIGTERM ends agents and their BIRD with them; peers keep the routes until both are back (RFC 4724)."""
    with streaming(racks.lab, racks.pairs) as streams:
        for node, tor in (("node1", "tor1"), ("node3", "tor2")):
            end_agent(racks.lab, node)
            time.sleep(1)
            racks.lab.start_agent(node)
            racks.settled(**{node: {*NODES, tor} - {node}})
        time.sleep(1)
    quiet(streams)


def test_a_killed_bird_loses_nothing(racks: Racks) -> None:
    """BIRD dies and is started again; peers keep its routes (RFC 4724), and so does its kernel."""
    for node in ("node1", "node3"):
        before = starts(racks, node)
        with streaming(racks.lab, racks.pairs) as streams:
            kill_bird(racks.lab, node)
            wait_for(lambda node=node, before=before: starts(racks, node) > before)
            others = {each for each in NODES if each != node}
            racks.settled(**{node: {*others, "tor1" if node == "node1" else "tor2"}})
            time.sleep(1)
        quiet(streams)


def kill_bird(lab: Lab, node: str) -> None:
    """Kill a node's BIRD, which is the one in its agent's directory."""
    place = f"/run/octet/{node}/daemons/bgp"
    which = f'[ "$(readlink /proc/$pid/cwd)" = {place} ] && kill -9 $pid && echo done'
    done = lab.exec(node, ["sh", "-c", f"for pid in $(pgrep -x bird); do {which}; done"])
    assert done.stdout == "done\n", done


def test_why_a_route_is_taken(racks: Racks) -> None:
    """On a lab's node: whose block it is, who told the route, and the next hop that the kernel takes."""
    command = [sys.executable, "-m", "octet.cli.main", "routes", "why", racks.addresses["node3"][0], "node1"]
    done = subprocess.run(
        [*command, "--name", racks.lab.name, "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["kind"], told["node"], told["owner"]) == ("block", "node3", "default/on-node3")
    assert set(told["told_by"]) == {"node3", "tor1"}
    assert (told["transport"], told["next_hop"]) == ("BGP", {"via": "172.31.1.254", "dev": "eth0"})
    nobodys = [*command[:-2], "10.244.255.1", "node1", "--name", racks.lab.name]
    assert subprocess.run(nobodys, capture_output=True, check=False).returncode == 3


def starts(racks: Racks, node: str) -> int:
    """How often a node's BIRD was started."""
    told: dict[str, int] = json.loads(racks.lab.ask_agent(node, "/bgp"))
    return told["starts"]


def test_a_pools_tunnel_is_switched_while_streams_run(racks: Racks) -> None:
    """Into VXLAN between racks, everywhere, and out of it: each switch costs less than a second."""
    pools = racks.lab.get("ippools")
    for mode, carriers in (
        ("CrossSubnet", {"eth0", "vxlan.calico"}),
        ("Always", {"vxlan.calico"}),
        ("Never", {"eth0"}),
    ):
        with streaming(racks.lab, racks.pairs) as streams:
            racks.lab.put([{**each, "spec": {**each["spec"], "vxlanMode": mode}} for each in pools])
            wait_for(lambda carriers=carriers: carried(racks) == carriers)
            time.sleep(1)
        assert streams.seconds() < SWITCHED, streams.lost


def carried(racks: Racks) -> set[str]:
    """The devices that the first node's packets to other nodes' blocks leave by."""
    pool, own = ip_network("10.244.0.0/16"), "blackhole"
    held = [each for each in racks.lab.routes("node1")["node1"] if each.kind != own]
    return {
        hop.dev
        for each in held
        if each.destination.version == 4
        and each.destination.subnet_of(pool)
        and each.destination.prefixlen < 32
        for hop in each.hops
    }


def test_an_announced_range_goes_no_way_round(racks: Racks) -> None:
    """From outside, an address of an announced range that is no service's: no packet comes back to a router.

    With serviceLoopPrevention Disabled one does, until its hops are used up.
    """
    lab, looped = racks.lab, "Time to live exceeded"
    web = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"clusterIP": "10.96.1.1", "ports": [{"port": 80}]},
    }

    def answer(told: str) -> bool:
        return told in lab.exec("outside", ["ping", "-c", "2", "-W", "1", "10.96.7.7"]).stdout

    ranges = [{"cidr": "10.96.0.0/16"}]
    lab.put(
        [resource("BGPConfiguration", "default", nodeToNodeMeshEnabled=True, serviceClusterIPs=ranges), web]
    )
    try:
        wait_for(lambda: len(ways(lab, "outside", "10.96.0.0/16")) == 2)
        wait_for(lambda: not answer(looped))
        lab.put([resource("FelixConfiguration", "default", serviceLoopPrevention="Disabled")])
        wait_for(lambda: answer(looped))
        lab.put([resource("FelixConfiguration", "default", serviceLoopPrevention="Reject")])
        wait_for(lambda: answer("Packet filtered"))
    finally:
        lab.delete("felixconfigurations", "default")
        lab.delete("services", "web")
        racks.mesh(on=True)


def test_frr_and_gobgp_peer_with_nodes_too() -> None:
    """Racks' routers that are not BIRD hear of blocks and tell them on, with and without the mesh."""
    with Lab.up(
        "calico", nodes=4, fabric="routed", family="dual", shape=Shape(routers=("frr", "gobgp"))
    ) as lab:
        mixed = racked(lab)
        for tor, word in (("tor1", ["vtysh", "-c", "show bgp summary"]), ("tor2", ["gobgp", "neighbor"])):
            assert "64512" in lab.exec(tor, word).stdout
        for on in (True, False):
            mixed.mesh(on=on)
            for tor in ("tor1", "tor2"):
                wait_for(lambda tor=tor: blocks(lab, tor) >= 2 * len(NODES))
            for pod, address in mixed.pairs:
                assert reaches(lab, pod, address)
        mixed.settled(node1={"tor1"}, node4={"tor2"})


def blocks(lab: Lab, router: str) -> int:
    """How many blocks of pods a router's kernel has a way to."""
    pools = tuple(ip_network(each) for each in ("10.244.0.0/16", "fd00:10:244::/48"))
    held = {each.destination for each in lab.routes(router)[router]}
    return sum(any(each.version == pool.version and each.subnet_of(pool) for pool in pools) for each in held)
