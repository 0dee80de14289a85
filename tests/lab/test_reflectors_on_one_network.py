"""From a mesh to reflectors on one network: no router knows pods beside them, so what is lost would show."""

import json
import time
from collections.abc import Callable

import pytest

from octet.lab import Lab
from octet.lab.provider import Octet
from racks import mark, reaches, resource, streaming, wait_for

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(300)]

NODES = ("node1", "node2", "node3", "node4")
REFLECTORS = ("node2", "node3")
SWITCHED = 1.0
"""Seconds of a stream that a switch of the topology may cost."""

REFLECTED = {
    "node1": {"node2", "node3"},
    "node2": {"node1", "node3", "node4"},
    "node3": {"node1", "node2", "node4"},
    "node4": {"node2", "node3"},
}
MESHED = {node: {*NODES} - {node} for node in NODES}


def settled(lab: Lab, peers: dict[str, set[str]]) -> None:
    """Wait until nodes have these sessions and no other, all of them up."""
    for node, names in peers.items():
        up = dict.fromkeys(names, "Established")
        wait_for(lambda node=node, up=up: sessions(lab, node) == up, 30)


def sessions(lab: Lab, node: str) -> dict[str, str]:
    """The state of a node's sessions, by the peer's name."""
    return {each["peer"]: each["state"] for each in json.loads(lab.ask_agent(node, "/bgp"))["sessions"]}


def pairs(lab: Lab) -> list[tuple[str, str]]:
    """Streams between clients, to and from a reflector, between reflectors, in both families."""
    pods = {node: lab.run(f"on-{node}", node).addresses for node in NODES}
    ways = (("node1", "node4"), ("node1", "node2"), ("node3", "node4"), ("node2", "node3"))
    return [(f"on-{here}", address) for here, there in ways for address in pods[there]]


def calico_reflects(lab: Lab) -> None:
    """All at once, reflectors first: their roles, the mesh's end, who peers with them."""
    for node in REFLECTORS:
        said = {"projectcalico.org/RouteReflectorClusterID": "244.0.0.1"}
        mark(lab, node, labels={"reflector": ""}, annotations=said)
    reflected = resource("BGPPeer", "reflectors", nodeSelector="all()", peerSelector="has(reflector)")
    lab.put([resource("BGPConfiguration", "default", nodeToNodeMeshEnabled=False), reflected])


def calico_meshes(lab: Lab) -> None:
    """All at once and back again."""
    lab.put([resource("BGPConfiguration", "default", nodeToNodeMeshEnabled=True)])
    for node in REFLECTORS:
        mark(lab, node, annotations={"projectcalico.org/RouteReflectorClusterID": ""})
    lab.delete("bgppeer", "reflectors")


def kube_router_reflects(lab: Lab) -> None:
    """All at once, in the order of the nodes: a client before there is a reflector."""
    for node in NODES:
        role = "server" if node in REFLECTORS else "client"
        mark(lab, node, annotations={f"kube-router.io/rr.{role}": "1"})


def kube_router_meshes(lab: Lab) -> None:
    """All at once and back again."""
    for node in NODES:
        mark(lab, node, annotations={f"kube-router.io/rr.{role}": "" for role in ("server", "client")})


ROWS = [
    pytest.param("calico", calico_reflects, calico_meshes, id="calico"),
    pytest.param(
        Octet("kube-router", {"enable-overlay": False}),
        kube_router_reflects,
        kube_router_meshes,
        id="kube-router",
    ),
]


@pytest.mark.parametrize(("model", "reflect", "mesh"), ROWS)
def test_from_a_mesh_to_reflectors_and_back(
    model: str | Octet, reflect: Callable[[Lab], None], mesh: Callable[[Lab], None]
) -> None:
    """Streams between clients, and to and from reflectors, lose less than a second, whatever comes first.

    Reflectors restart gracefully, and a session of the mesh stays until those to the reflectors are up.
    """
    with Lab.up(model, nodes=4, family="dual") as lab:
        held = pairs(lab)
        settled(lab, MESHED)
        wait_for(lambda: all(reaches(lab, pod, address) for pod, address in held), 30)
        for switch, wanted in ((reflect, REFLECTED), (mesh, MESHED)):
            with streaming(lab, held) as streams:
                switch(lab)
                settled(lab, wanted)
                time.sleep(1)
            assert min(streams.sent.values()) > 100
            assert streams.seconds() < SWITCHED, streams.lost
