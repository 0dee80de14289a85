"""Calico's resources in a lab of racks: what an operator changes is so a moment later."""

import json
import sys
import time
from collections.abc import Iterator

import pytest
from test_calico_on_racks import NODES, Racks, racked

from octet.lab import Lab
from racks import mark, reaches, resource, wait_for, ways

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(300)]

SERVICES = {
    "serviceClusterIPs": [{"cidr": "10.96.0.0/16"}],
    "serviceExternalIPs": [{"cidr": "203.0.113.0/24"}],
}
WITHDRAWN = 2.0
"""Seconds within which an address is told no more once its last endpoint is not ready."""


@pytest.fixture(scope="module")
def racks() -> Iterator[Racks]:
    with Lab.up("calico", nodes=4, fabric="routed") as lab:
        yield racked(lab)


@pytest.fixture(autouse=True)
def _as_it_was(racks: Racks) -> Iterator[None]:
    """Every test begins with the mesh and the racks' routers, nothing else said."""
    yield
    racks.lab.put([resource("BGPConfiguration", "default", nodeToNodeMeshEnabled=True), tor()])


def tor(**spec: object) -> dict[str, object]:
    """The first rack's router, with more said about it."""
    said = {"peerIP": "172.31.1.254", "asNumber": 65001, "numAllowedLocalASNumbers": 1, **spec}
    return resource("BGPPeer", "tor1", nodeSelector="rack == '1'", **said)


def told(racks: Racks, node: str) -> str:
    """All that the first rack's router knows of a node's block from that node."""
    block = racks.addresses[node][0].rpartition(".")[0]
    shown = racks.lab.exec("tor1", ["birdc", "show", "route", "all", "table", "master4"]).stdout
    routes = shown.split("\n10.")
    return "".join(each for each in routes if f"10.{each}".startswith(block))


def starts(racks: Racks) -> dict[str, str]:
    return {node: racks.lab.ask_agent(node, "/bgp").split('"starts":')[1].split(",")[0] for node in NODES}


def test_communities_by_prefix(racks: Racks) -> None:
    """Announced blocks bear the communities of their prefix as soon as these are applied."""
    before = starts(racks)
    named = {
        "communities": [{"name": "gold", "value": "64512:77"}],
        "prefixAdvertisements": [{"cidr": "10.244.0.0/16", "communities": ["gold", "64512:1:2"]}],
    }
    racks.lab.put([resource("BGPConfiguration", "default", **named)])
    wait_for(lambda: "(64512,77)" in told(racks, "node1") and "(64512, 1, 2)" in told(racks, "node1"))
    assert starts(racks) == before


def test_filters_of_a_router(racks: Racks) -> None:
    """A filter that a BGPPeer names keeps blocks from a router; another rule lets them out again."""
    block = next(
        str(each.destination) for each in racks.lab.routes("node1")["node1"] if each.kind == "blackhole"
    )
    wait_for(lambda: ways(racks.lab, "tor1", block) == ["rack"])
    deny = {"action": "Reject", "cidr": "10.244.0.0/16", "matchOperator": "In", "prefixLength": {"min": 25}}
    racks.lab.put([resource("BGPFilter", "pods", exportV4=[deny]), tor(filters=["pods"])])
    wait_for(lambda: ways(racks.lab, "tor1", block) == [])
    racks.lab.put([resource("BGPFilter", "pods", exportV4=[{**deny, "action": "Accept"}])])
    wait_for(lambda: ways(racks.lab, "tor1", block) == ["rack"])
    racks.lab.put([tor()])
    racks.lab.delete("bgpfilter", "pods")


def test_service_addresses_are_told_to_routers_only(racks: Racks) -> None:
    """A range while a service of all nodes is in it; a Local one's address from where it is ready."""
    lab = racks.lab
    lab.put([resource("BGPConfiguration", "default", **SERVICES)])
    web = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"}}
    lab.put([{**web, "spec": {"clusterIPs": ["10.96.0.10"], "externalIPs": ["203.0.113.7"]}}])
    wait_for(lambda: bool(ways(lab, "tor1", "10.96.0.0/16") and ways(lab, "tor2", "203.0.113.0/24")))
    held = {str(each.destination) for each in lab.routes("node2")["node2"]}
    assert not held & {"10.96.0.0/16", "203.0.113.0/24"}, "a node believes what its own cluster announces"
    local = {
        **web,
        "spec": {"externalIPs": ["203.0.113.7"], "externalTrafficPolicy": "Local", "type": "LoadBalancer"},
    }
    lab.put([local, endpoints("node1", ready=True)])

    def withdrawn() -> float:
        """Let the last endpoint stop being ready; return the seconds until the rack's router knows."""
        lab.put([endpoints("node1", ready=True)])
        wait_for(lambda: hops(lab, "203.0.113.7/32") == ["172.31.1.1"])
        lab.put([endpoints("node1", ready=False)])
        begun = time.monotonic()
        wait_for(lambda: hops(lab, "203.0.113.7/32") == [])
        return time.monotonic() - begun

    wait_for(
        lambda: hops(lab, "203.0.113.7/32") == ["172.31.1.1"] and not ways(lab, "tor1", "203.0.113.0/24")
    )
    assert any(withdrawn() < WITHDRAWN for _ in range(3))


def endpoints(node: str, *, ready: bool) -> dict[str, object]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "web-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "web"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.244.0.9"], "nodeName": node, "conditions": {"ready": ready}}],
    }


def hops(lab: Lab, destination: str) -> list[str]:
    """The next hops of the first rack's router."""
    held = [each for each in lab.routes("tor1")["tor1"] if str(each.destination) == destination]
    return sorted(hop.via for each in held for hop in each.hops)


def test_a_host_endpoint_shuts_a_node_but_not_its_bgp(racks: Racks) -> None:
    """Under default deny a node answers nobody; its sessions (a failsafe port) and its pods don't notice."""
    lab, pod = racks.lab, racks.addresses["node1"][0]
    assert reaches(lab, "node2", "172.31.1.1", 1)
    lab.put([resource("HostEndpoint", "node1-eth0", node="node1", interfaceName="eth0")])
    try:
        wait_for(lambda: not reaches(lab, "node2", "172.31.1.1", 1))
        assert reaches(lab, "on-node3", pod)
        racks.settled(node1={"node2", "node3", "node4", "tor1"})
        allow = {"action": "Allow", "source": {"nets": ["172.31.1.2/32"]}}
        lab.put([resource("GlobalNetworkPolicy", "near", selector="all()", ingress=[allow])])
        wait_for(lambda: reaches(lab, "node2", "172.31.1.1", 1))
        assert not reaches(lab, "node3", "172.31.1.1", 1)
        lab.delete("globalnetworkpolicy", "near")
    finally:
        lab.delete("hostendpoint", "node1-eth0")
    wait_for(lambda: reaches(lab, "node3", "172.31.1.1", 1))


OPENING = """
import socket, struct, sys
claimed = socket.inet_aton(sys.argv[2])
body = struct.pack("!BHH", 4, 64512, 90) + claimed + bytes([10, 2, 8, 1, 4, 0, 1, 0, 1, 64, 0])
said = socket.create_connection((sys.argv[1], 179), 5)
try:
    said.sendall(bytes([255]) * 16 + struct.pack("!HB", 19 + len(body), 1) + body)
    print(len(said.recv(4096)))
except (ConnectionResetError, BrokenPipeError):
    print(0)
"""
"""Opens BGP as a node of AS 64512 that restarts gracefully, and prints the bytes of the answer.

Who knows no such peer ends the connection, before what is sent is there or after it.
"""


def test_no_pod_speaks_bgp_for_its_node(racks: Racks) -> None:
    """A pod that opens BGP to another node or to the racks' router is nobody's peer, and ends no session."""
    racks.settled(node1={"node2", "node3", "node4", "tor1"}, node2={"node1", "node3", "node4", "tor1"})

    def since() -> dict[str, str]:
        told = {node: json.loads(racks.lab.ask_agent(node, "/bgp")) for node in ("node1", "node2")}
        return {
            f"{node} {each['peer']}": each["since"]
            for node, said in told.items()
            for each in said["sessions"]
        }

    before = since()
    for other in ("172.31.1.2", "172.31.2.3", "172.31.1.254"):
        answer = racks.lab.exec("on-node1", [sys.executable, "-c", OPENING, other, "172.31.1.1"])
        assert answer.stdout == "0\n", f"{other}: {answer}"
    assert since() == before


def test_where_nodes_listen(racks: Racks) -> None:
    """Another port, on the nodes' own addresses only: the mesh comes up there."""
    racks.lab.put([resource("BGPConfiguration", "default", listenPort=1790, bindMode="NodeIP")])

    def listening() -> str:
        return racks.lab.exec("node1", ["ss", "-Hltn"]).stdout

    wait_for(lambda: "172.31.1.1:1790" in listening() and ":179 " not in listening())
    racks.settled(node1={"node2", "node3", "node4", "tor1"})


def test_a_node_in_an_as_of_its_own(racks: Racks) -> None:
    """An annotation makes a node's sessions eBGP ones; taken away, it is as before."""
    mark(racks.lab, "node2", annotations={"projectcalico.org/ASNumber": "64999"})
    wait_for(lambda: "AS64999" in told(racks, "node2"), 30)
    mark(racks.lab, "node2", annotations={"projectcalico.org/ASNumber": ""})
    wait_for(lambda: "AS64999" not in told(racks, "node2") and "AS64512" in told(racks, "node2"), 30)


def test_the_meshs_password(racks: Racks) -> None:
    """Nodes with the Secret's key speak with each other, one with another key with nobody; no log has it."""
    words = dict.fromkeys(NODES, "sesame") | {"node4": "barley"}
    for node, word in words.items():
        place = f"/run/octet/{node}/secrets/kube-system/bgp"
        racks.lab.exec(node, ["mkdir", "-p", place])
        racks.lab.exec(node, ["tee", f"{place}/mesh"], text=f"{word}\n")
    password = {"secretKeyRef": {"name": "bgp", "key": "mesh"}}
    racks.lab.put([resource("BGPConfiguration", "default", nodeMeshPassword=password)])
    up = {"node2": "Established", "node3": "Established"}

    def others(node: str) -> dict[str, str]:
        return {peer: state for peer, state in racks.sessions(node).items() if peer.startswith("node")}

    wait_for(lambda: others("node4").keys() == {"node1", "node2", "node3"} and not up_of(others("node4")))
    wait_for(lambda: up_of(others("node1")) == up)
    for node in NODES:
        assert words[node] not in "".join(racks.lab.log(node))
        status = [sys.executable, "-m", "octet.cli.main", "agent", "status"]
        told = racks.lab.exec(node, [*status, "--config", f"/run/octet/{node}/agent.toml", "--json"])
        assert words[node] not in told.stdout + told.stderr
    modes = racks.lab.exec(
        "node1", ["stat", "-c", "%a", "/run/octet/node1/daemons/bgp/config/node.node2.conf"]
    )
    assert modes.stdout.strip() == "600"


def up_of(sessions: dict[str, str]) -> dict[str, str]:
    """Those that are established."""
    return {peer: state for peer, state in sessions.items() if state == "Established"}
