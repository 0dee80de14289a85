"""The rows that speak BGP, whole, on two racks: agents, BIRD for near nodes, a tunnel for the others."""

import json
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address

import pytest

from octet.lab import Lab, Registry
from octet.lab.provider import Octet
from octet.lab.racks import Shape

pytestmark = [pytest.mark.qemu, pytest.mark.timeout(240)]

NODES = ("node1", "node2", "node3")
"""Two of the first rack, one of the second."""

PINGS = 3
LARGEST = 1500 - 20
"""Bytes of a pod's packet: the underlay's without the outer header (RFC 2003)."""

ROWS = (
    Octet("calico", {"first_pools": {"ipipMode": "CrossSubnet"}}),
    Octet("kube-router"),
)


def wait_for(true: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something is so, as an emulated machine does it; fail when it takes longer."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.5)


def up(lab: Lab, node: str) -> set[str]:
    """The peers that a node's BIRD has an established session with."""
    told = json.loads(lab.ask_agent(node, "/bgp"))
    return {each["peer"] for each in told["sessions"] if each["state"] == "Established"}


def way(lab: Lab, address: str) -> str:
    """The last route of node1 that covers an address: who made it, and where it leads."""
    return lab.exec("node1", ["ip", "route", "show", "match", address]).stdout.splitlines()[-1]


def reaches(lab: Lab, address: str, size: int = LARGEST) -> bool:
    """Do all packets of a size, not to be cut, come back to node1's pod?"""
    ping = ["ping", "-c", str(PINGS), "-i", "0.1", "-W", "2", "-M", "do", "-s", str(size - 28), address]
    return lab.exec("on-node1", ping).returncode == 0


@pytest.fixture(params=ROWS, ids=lambda row: row.model)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A row on racks that know nothing of pods; no lab is left after it."""
    with Lab.up(request.param, nodes=len(NODES), fabric="routed", shape=Shape(2, 1, 1)) as made:
        yield made
    assert list(Registry().entries()) == []


def test_near_by_bird_and_far_by_the_tunnel(lab: Lab) -> None:
    """Near pods are reached, with the whole MTU, by what BIRD heard; routes to far ones are not BIRD's.

    Addresses come out of what each node itself holds.
    """
    held = {node: lab.run(f"on-{node}", node).addresses[0] for node in NODES}
    networks = {
        ip_address(each).packed[:3] + bytes([ip_address(each).packed[3] >> 6]) for each in held.values()
    }
    assert len(networks) == len(NODES)
    wait_for(lambda: all(up(lab, node) == {*NODES} - {node} for node in NODES))
    wait_for(lambda: "proto bird" in way(lab, held["node2"]))
    near, far = way(lab, held["node2"]), way(lab, held["node3"])
    assert "via 172.31.1.2 dev eth0 " in near
    assert "proto bird" not in far
    assert "dev eth0" not in far
    assert reaches(lab, held["node2"])
