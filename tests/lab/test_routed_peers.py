"""Who speaks BGP on racks: nodes that peer, routers that are not BIRD; and the models that run on them."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from octet.lab import Lab, reference
from octet.lab.names import OUTSIDE
from octet.lab.racks import Shape
from octet.lab.routes import Hop
from racks import reaches, wait_for, ways

pytestmark = pytest.mark.lab

OCTET = str(Path(sys.executable).with_name("octet"))

PEER = """
log stderr all;
router id 9.9.9.9;
protocol device {{ }}
protocol static s4 {{ ipv4; {routes} }}
protocol bgp tor {{
  local as 64512;
  neighbor {tor} external;
  hold time 9;
  connect delay time 0;
  connect retry time 1;
  ipv4 {{ import all; export all; }};
}}
"""


BOTH = """
log stderr all;
router id 9.9.9.9;
protocol device {{ }}
protocol bfd {{ accept direct; }}
protocol static s4 {{ ipv4; route 10.99.2.0/24 unreachable; }}
protocol static s6 {{ ipv6; route fd99:2::/64 unreachable; }}
protocol bgp tor {{
  local as 64512;
  neighbor {tor} external;
  bfd on;
  connect delay time 0;
  connect retry time 1;
  ipv4 {{ import all; export where source = RTS_STATIC; extended next hop on; }};
  ipv6 {{ import all; export where source = RTS_STATIC; }};
}}
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A node in each of two racks."""
    with Lab.up(reference("ptp"), nodes=2, fabric="routed", family="dual") as up:
        yield up


@contextmanager
def speaking(lab: Lab, node: str, text: str) -> Iterator[None]:
    """A BIRD on a node, with this configuration."""
    place = lab.exec(node, ["mktemp", "-d", "/run/peer.XXXXXX"]).stdout.strip()
    lab.exec(node, ["tee", f"{place}/bird.conf"], text=text)
    command = ["bird", "-f", "-c", f"{place}/bird.conf", "-s", f"{place}/bird.ctl"]
    speaker = lab.popen(node, command, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        speaker.terminate()
        speaker.wait(timeout=10)


def gateway(lab: Lab, node: str, version: int = 4) -> str:
    """The address of a node's rack router."""
    hops = [hop for route in lab.routes(node)[node] if not route.destination.prefixlen for hop in route.hops]
    return next(hop.via for hop in hops if (":" in hop.via) == (version == 6))


def peering(lab: Lab, node: str, tor: str) -> None:
    """A node that speaks BGP is heard by everybody, but not about what is not its own."""
    wanted = ["10.99.0.0/24", "10.99.1.1/32"]
    told = [*wanted, "0.0.0.0/0", "172.31.9.0/24", "172.30.1.2/32"]
    routes = " ".join(f"route {each} unreachable;" for each in told)
    with speaking(lab, node, PEER.format(tor=gateway(lab, node), routes=routes)):
        for network in wanted:
            wait_for(lambda network=network: ways(lab, tor, network) == ["rack"])
            wait_for(lambda network=network: len(ways(lab, OUTSIDE, network)) == 2)
        held = {str(each.destination) for each in lab.routes(OUTSIDE)[OUTSIDE]}
        assert not held & {"0.0.0.0/0", "172.31.9.0/24", "172.30.1.2/32"}
        assert ways(lab, tor, "0.0.0.0/0") == ["up1", "up2"]
    wait_for(lambda: ways(lab, OUTSIDE, wanted[0]) == [])


def test_a_node_that_peers_is_heard_by_everybody_but_not_about_others(lab: Lab) -> None:
    """Its networks reach the outside over both spines; default routes and the fabric's own are refused."""
    peering(lab, "node1", "tor1")


def test_one_session_over_ipv6_carries_both_families_and_bfd(lab: Lab) -> None:
    """IPv4 networks have an IPv6 next hop (RFC 8950) on the rack's router, and BFD watches the node."""
    with speaking(lab, "node2", BOTH.format(tor=gateway(lab, "node2", 6))):
        for network in ("10.99.2.0/24", "fd99:2::/64"):
            wait_for(lambda network=network: len(ways(lab, OUTSIDE, network)) == 2)
        held = {str(each.destination): each.hops for each in lab.routes("tor2")["tor2"]}
        assert held["10.99.2.0/24"] == held["fd99:2::/64"] == (Hop("fd00:172:31:2::2", "rack"),)
        watched = ["birdc", "show", "bfd", "sessions"]
        wait_for(lambda: " Up " in lab.exec("tor2", watched).stdout)


def test_a_router_reads_what_somebody_puts_beside_its_configuration(lab: Lab) -> None:
    """A file in a router's `extra` is read when birdc says so, and takes effect like its own."""
    place = "/run/octet/tor1/extra/mine.conf"
    lab.exec("tor1", ["tee", place], text="protocol static mine { ipv4; route 10.77.0.0/24 unreachable; }\n")
    assert "Reconfigured" in lab.exec("tor1", ["birdc", "configure"]).stdout
    wait_for(lambda: len(ways(lab, OUTSIDE, "10.77.0.0/24")) == 2)
    lab.exec("tor1", ["rm", place])
    assert "Reconfigur" in lab.exec("tor1", ["birdc", "configure"]).stdout
    wait_for(lambda: ways(lab, OUTSIDE, "10.77.0.0/24") == [])


@pytest.mark.parametrize(
    ("software", "owner", "question"),
    [
        ("frr", "frr (bgp)", ["vtysh", "-c", "show bgp summary"]),
        ("gobgp", "gobgp", ["gobgp", "neighbor"]),
    ],
)
def test_others_are_a_racks_router_too(software: str, owner: str, question: list[str]) -> None:
    """FRR and GoBGP peer with spines and nodes as BIRD does, and share streams out; each has its own tool."""
    shape = Shape(routers=(software, "bird"))
    with Lab.up("flannel", nodes=2, fabric="routed", family="dual", shape=shape) as lab:
        for tor, rack in (("tor1", 2), ("tor2", 1)):
            for network in (f"172.31.{rack}.0/24", f"fd00:172:31:{rack}::/64"):
                wait_for(lambda tor=tor, network=network: ways(lab, tor, network) == ["up1", "up2"])
        assert {each.owner for each in lab.routes("tor1")["tor1"]} == {"kernel", owner}
        assert "65100" in lab.exec("tor1", question).stdout
        lab.run("a", "node1")
        b = lab.run("b", "node2")
        assert all(reaches(lab, "a", each) for each in b.addresses)
        peering(lab, "node1", "tor1")
        lab.cut("tor1", "spine1")
        # The kernel leaves a dead link at once; their software waits for the hold time.
        wait_for(lambda: reaches(lab, "a", b.addresses[0], 1), 5)
        wait_for(lambda: ways(lab, "tor1", "172.31.2.0/24") == ["up2"], 20)
        lab.heal()
        wait_for(lambda: ways(lab, "tor1", "172.31.2.0/24") == ["up1", "up2"])
        pids = next(router["pids"] for router in lab.routers() if router["name"] == "tor1")
        lab.exec("tor1", ["kill", "-SEGV", str(pids[-1])])
        wait_for(lambda: next(r["state"] for r in lab.routers() if r["name"] == "tor1") == "died")
        lab.start_router("tor1")
        wait_for(lambda: ways(lab, "tor2", "172.31.1.0/24") == ["up1", "up2"])
        lab.kill_router("tor1")
        wait_for(lambda: ways(lab, "tor2", "172.31.1.0/24") == [], 5)
        lab.start_router("tor1")
        wait_for(lambda: ways(lab, "tor2", "172.31.1.0/24") == ["up1", "up2"])
        assert "on config line" not in "".join(lab.log("tor1"))


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_kopeio_crosses_racks(family: str) -> None:
    """Another tunnel, in one family alone."""
    with Lab.up("kopeio-vxlan", nodes=2, fabric="routed", family=family) as lab:
        lab.run("a", "node1")
        assert reaches(lab, "a", lab.run("b", "node2").addresses[0])


def test_host_gateway_says_that_another_rack_is_out_of_reach() -> None:
    """A model that needs one network serves the rack, and names each node that is in another one."""
    with Lab.up("flannel:host-gw", nodes=4, fabric="routed") as lab:
        lab.run("a", "node1")
        near, far = lab.run("b", "node2"), lab.run("c", "node3")
        assert reaches(lab, "a", near.addresses[0])
        assert not reaches(lab, "a", far.addresses[0], 1)
        status = [OCTET, "agent", "status", "--config", "/run/octet/node1/agent.toml"]
        far_away = "node node3 at 172.31.2.3 is not on 172.31.1.0/24"
        wait_for(lambda: far_away in lab.exec("node1", status).stderr)
        assert "node2" not in lab.exec("node1", status).stderr


def test_plain_plugins_are_routed_by_hand_and_known_everywhere() -> None:
    """Routes to a provider's pods are in the racks' routers, as an operator sets them; BGP carries them."""
    with Lab.up(reference("bridge"), nodes=2, fabric="routed", shape=Shape(routers=("bird", "frr"))) as lab:
        lab.run("a", "node1")
        b = lab.run("b", "node2")
        wait_for(lambda: reaches(lab, "a", b.addresses[0], 1))
        assert reaches(lab, "a", b.addresses[0])
        owners = {str(each.destination): each.owner for each in lab.routes("tor1")["tor1"]}
        assert (owners["10.244.0.0/24"], owners["10.244.1.0/24"]) == ("by hand (static)", "bird")
