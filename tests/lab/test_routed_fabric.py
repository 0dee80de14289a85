"""Racks and routers with real packets: across racks, and around what is broken."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from octet.errors import NotFoundError, OctetError
from octet.lab import Lab, control, reference
from octet.lab.names import OUTSIDE
from octet.lab.racks import Shape
from racks import reaches, wait_for, ways

pytestmark = pytest.mark.lab

OCTET = str(Path(sys.executable).with_name("octet"))
BEYOND = {4: "198.51.100.1", 6: "2001:db8:ffff::1"}
RACKS = {4: ("172.31.1.0/24", "172.31.2.0/24"), 6: ("fd00:172:31:1::/64", "fd00:172:31:2::/64")}
UP_LIMIT = 8.0
PROMPT = 5.0
"""Seconds: a hold timer that was needed takes more, for keepalives come every 3 s and it is 9 s."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Four nodes in two racks, a pod on the first node and one in the other rack."""
    with Lab.up("flannel", nodes=4, fabric="routed", family="dual") as up:
        up.run("a", "node1")
        up.run("c", "node3")
        wait_for(lambda: mended(up))
        yield up


@pytest.fixture
def whole(lab: Lab) -> Iterator[Lab]:
    """The same, mended after the test."""
    yield lab
    lab.heal()
    for router in lab.routers():
        if router["state"] != "running":
            lab.start_router(router["name"])
    wait_for(lambda: mended(lab))


def going(
    lab: Lab, tor1: str = "up1 up2", tor2: str = "up1 up2", to1: str = "eth0 eth1", to2: str = "eth0 eth1"
) -> bool:
    """Do all go by these devices: each rack's router to the other rack, and the outside to each rack?

    A packet's answer goes its own way, and each router hears of what is broken by sessions of its own.
    """
    asked = (("tor1", 2, tor1), ("tor2", 1, tor2), (OUTSIDE, 1, to1), (OUTSIDE, 2, to2))
    return all(
        ways(lab, target, networks[rack - 1]) == devices.split()
        for networks in RACKS.values()
        for target, rack, devices in asked
    )


def mended(lab: Lab) -> bool:
    """Is every link between routers used again, also for what leaves the cluster?"""
    beyond = [f"{BEYOND[4]}/32", f"{BEYOND[6]}/128"]
    return going(lab) and all(len(ways(lab, tor, to)) == 2 for tor in ("tor1", "tor2") for to in beyond)


def test_a_fabric_of_racks_is_up_soon() -> None:
    """Four nodes in two racks with all sessions up take no more than eight seconds: the best of three."""

    def took() -> float:
        begin = time.monotonic()
        with Lab.up("flannel", nodes=4, fabric="routed", family="dual"):
            return time.monotonic() - begin

    assert any(took() < UP_LIMIT for _ in range(3))


def address(lab: Lab, pod: str, version: int) -> str:
    found = next(item for item in lab.get("pods") if item["metadata"]["name"] == pod)
    return next(ip["ip"] for ip in found["status"]["podIPs"] if (":" in ip["ip"]) == (version == 6))


@pytest.mark.parametrize("version", [4, 6])
def test_pods_reach_pods_of_another_rack_and_the_outside(lab: Lab, version: int) -> None:
    """A tunnel crosses routers it knows nothing of; what leaves the cluster finds its way back."""
    assert reaches(lab, "a", address(lab, "c", version))
    assert reaches(lab, "a", BEYOND[version])


def test_nodes_of_two_racks_are_three_routers_apart(lab: Lab) -> None:
    """A packet passes its rack's router, a spine and the other rack's router: three hops of its TTL."""
    ping = lab.exec("node1", ["ping", "-c", "1", "-W", "1", "172.31.2.3"])
    assert " ttl=61 " in ping.stdout


def sent(lab: Lab, target: str, device: str) -> int:
    shown = lab.exec(target, ["ip", "-s", "-j", "link", "show", "dev", device]).stdout
    packets: int = json.loads(shown)[0]["stats64"]["tx"]["packets"]
    return packets


def test_streams_between_racks_are_shared_out_over_all_uplinks(lab: Lab) -> None:
    """A rack's router has two equal ways to the other rack, and streams that differ in a port take both."""
    assert ways(lab, "tor1", "172.31.2.0/24") == ["up1", "up2"]
    assert ways(lab, "tor1", "fd00:172:31:2::/64") == ["up1", "up2"]
    before = [sent(lab, "tor1", device) for device in ("up1", "up2")]
    program = (
        "import socket\n"
        "for _ in range(200):\n"
        "    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "    s.sendto(b'x', ('172.31.2.3', 9))\n"
    )
    assert lab.exec("node1", [sys.executable, "-c", program]).returncode == 0
    after = [sent(lab, "tor1", device) for device in ("up1", "up2")]
    assert all(now - was > 50 for was, now in zip(before, after, strict=True))


def test_a_cut_uplink_is_routed_around_and_taken_again_when_healed(whole: Lab) -> None:
    """A pulled cable between routers costs no more than a moment, and its rack's other uplink carries all."""
    whole.cut("tor1", "spine1")
    wait_for(lambda: going(whole, tor1="up2", tor2="up2", to1="eth1"), PROMPT)
    assert reaches(whole, "a", address(whole, "c", 4))
    assert reaches(whole, "a", address(whole, "c", 6))
    faults = {router["name"]: router["faults"] for router in whole.routers()}
    assert (faults["tor1"], faults["spine1"], faults["tor2"]) == (["cut from spine1"], ["cut from tor1"], [])
    whole.heal("tor1", "spine1")
    wait_for(lambda: mended(whole))


def test_a_link_that_loses_everything_in_silence_is_left_after_the_hold_time(whole: Lab) -> None:
    """No end sees a carrier go: only the sessions' hold time (9 s) tells that a neighbour is gone."""
    whole.drop(node="tor1", peer="spine1")
    assert going(whole)
    wait_for(lambda: going(whole, tor1="up2", tor2="up2", to1="eth1"), 20)
    assert reaches(whole, "node1", "172.31.2.3")


def test_a_cut_router_takes_its_rack_away_and_a_cut_spine_does_not(whole: Lab) -> None:
    """One spine may go; a rack has one router."""
    whole.cut("spine2")
    wait_for(lambda: going(whole, "up1", "up1", "eth0", "eth0"), PROMPT)
    assert reaches(whole, "a", address(whole, "c", 4))
    whole.cut("tor2")
    assert not reaches(whole, "a", address(whole, "c", 4), 1)
    assert not reaches(whole, "node3", "172.31.2.4", 1)
    whole.heal()
    wait_for(lambda: reaches(whole, "a", address(whole, "c", 4), 1))


def test_a_killed_router_is_forgotten_by_its_neighbours_until_it_is_started(whole: Lab) -> None:
    """Dead software is told from the router's tables, which stay: others stop sending to it at once."""
    whole.kill_router("tor2")
    assert {r["name"]: r["state"] for r in whole.routers()}["tor2"] == "killed"
    wait_for(lambda: ways(whole, "tor1", "172.31.2.0/24") == [], PROMPT)
    assert ways(whole, "tor2", "172.31.1.0/24") == ["up1", "up2"]
    with pytest.raises(OctetError, match="start-router tor2"):
        whole.kill_router("tor2")
    whole.start_router("tor2")
    wait_for(lambda: mended(whole))
    assert reaches(whole, "a", address(whole, "c", 4))
    with pytest.raises(OctetError, match="is running"):
        whole.start_router("tor2")


def test_faults_at_nodes_hold_in_their_rack(whole: Lab) -> None:
    """A node that loses all packets is silent for its own rack and for others, who still hear each other."""
    whole.drop(node="node1")
    assert not reaches(whole, "node1", "172.31.1.254", 1)
    assert not reaches(whole, "node2", "172.31.1.1", 1)
    wait_for(lambda: reaches(whole, "node2", "172.31.2.3", 1))
    whole.heal()
    whole.cut("node1", "node2")
    assert not reaches(whole, "node1", "172.31.1.2", 1)
    # The silence may have cost its neighbours, and they ask once a second.
    wait_for(lambda: reaches(whole, "node1", "172.31.2.3", 1))


def test_what_shares_no_wire_cannot_be_cut_from_each_other(whole: Lab) -> None:
    """The refusal says what there is to cut, and nothing is broken."""
    with pytest.raises(NotFoundError, match="node1 is joined to tor1"):
        whole.cut("node1", "node3")
    with pytest.raises(NotFoundError, match="tor1/up1"):
        whole.cut("tor9")
    assert all(router["faults"] == [] for router in whole.routers())


def test_every_router_answers_for_itself(lab: Lab) -> None:
    """No path is needed: on each router birdc asks that router's own BIRD, which has all sessions up."""

    def sessions(router: str) -> list[str]:
        protocols = lab.exec(router, ["birdc", "show", "protocols"]).stdout
        return [line for line in protocols.splitlines() if " BGP " in line and "Passive" not in line]

    for router in lab.routers():
        name = router["name"]
        assert f"Router ID is {router['id']}" in lab.exec(name, ["birdc", "show", "status"]).stdout
        assert sessions(name)
        wait_for(lambda name=name: all("Established" in line for line in sessions(name)))


def test_the_command_line_shows_whose_each_route_is(lab: Lab) -> None:
    """A node's routes are the kernel's, the lab's and Octet's; a router's are the kernel's and BIRD's."""

    def owners(target: str) -> dict[str, str]:
        command = [OCTET, "lab", "get", "routes", target, "--name", lab.name, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        return {route["destination"]: route["owner"] for route in json.loads(done.stdout)}

    node, tor = owners("node1"), owners("tor1")
    assert node["0.0.0.0/0"] == "by hand"
    assert node["172.31.1.0/24"] == "kernel"
    assert node["10.244.2.0/24"] == "octet"
    assert tor["172.31.1.0/24"] == "kernel"
    assert tor["172.31.2.0/24"] == tor["0.0.0.0/0"] == "bird"
    assert set(owners(OUTSIDE).values()) == {"kernel", "bird"}
    table = subprocess.run(
        [OCTET, "lab", "get", "routers", "--name", lab.name], capture_output=True, text=True, check=True
    )
    assert [line.split()[:3] for line in table.stdout.splitlines()[1:3]] == [
        ["tor1", "bird", "65001"],
        ["tor2", "bird", "65002"],
    ]


def test_a_killed_supervisor_takes_every_router_along() -> None:
    """No process of any router outlives its lab, however that ends."""
    lab = Lab.up(reference("ptp"), nodes=1, fabric="routed", shape=Shape(1, 1, 1, ("frr",)))
    with control.connect(lab._entry) as connection:
        supervisor = control.supervisor_pid(connection)
    namespace = Path(f"/proc/{supervisor}/ns/pid").stat().st_ino

    def inside() -> list[str]:
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if (path / "ns/pid").stat().st_ino == namespace:
                    found.append((path / "comm").read_text().strip())
            except OSError:
                continue
        return found

    assert {"zebra", "bgpd", "bird"} <= set(inside())
    os.kill(supervisor, signal.SIGKILL)
    wait_for(lambda: inside() == [])
    wait_for(lambda: not lab.alive())


def test_labs_of_racks_do_not_meet() -> None:
    """Two at once have the same names and addresses, and each its own routers."""
    shape = Shape(racks=1, spines=1, uplinks=1)
    labs = [Lab.up(reference("ptp"), nodes=1, fabric="routed", shape=shape) for _ in range(2)]
    try:
        one, two = labs
        one.kill_router("tor1")
        assert [r["state"] for lab in (one, two) for r in lab.routers()] == [
            "killed", *itertools.repeat("running", 5),
        ]  # fmt: skip
        assert "Connection refused" in one.exec("tor1", ["birdc", "show", "status"]).stderr
        assert "Router ID is 172.30.255.1" in two.exec("tor1", ["birdc", "show", "status"]).stdout
    finally:
        for lab in labs:
            lab.down()
