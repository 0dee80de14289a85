"""Connections that policy forbids by now: dead in both directions, alive again where it allows them."""

import json
import sys
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from octet.lab.fabric import UPLINK
from policy_lab import Cluster, cluster, egress, octet, only, until
from policy_programs import ALARMS, DUET, FALSE_ALARM, SERVER, TALK

pytestmark = [pytest.mark.lab, pytest.mark.slow]

MODELS = ("canal", "flannel:policy")
FAMILIES = pytest.mark.parametrize("family", [4, 6])


@pytest.fixture(scope="module", params=MODELS)
def lab(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    model = request.param
    with cluster(f"cuts-{model.replace(':', '-')}", model, "--family", "dual") as held:
        yield held


def address(lab: Cluster, pod: str, family: int) -> str:
    return next(each for each in lab.addresses[pod] if ip_address(each).version == family)


def node_address(lab: Cluster, node: int) -> str:
    found = json.loads(octet("lab", "get", "nodes", "--name", lab.name, "--json"))
    return str(found[node - 1]["status"]["addresses"][0]["address"])


def duet(port: int, *peer: str) -> tuple[str, ...]:
    return (sys.executable, "-c", DUET, str(port), *peer)


@FAMILIES
@pytest.mark.parametrize("place", ["c", "c2"])
def test_both_ends_of_a_cut_datagram_flow_fall_silent(
    lab: Cluster, tmp_path: Path, place: str, family: int
) -> None:
    """A quarantined pod hears no more of a flow whose other end sends on, nor is it heard; later it is again.

    The other end may open connections to the pod as before, and each of its packets is one of this flow.
    """
    with (
        lab.voice("a", *duet(9000)) as far,
        lab.voice(place, *duet(9001, address(lab, "a", family), "9000")) as near,
    ):
        assert until(lambda: near.last == far.last == "heard")
        with lab.policy(tmp_path, egress("c")):
            assert until(lambda: near.last == far.last == "silence")
            time.sleep(2)
            assert near.last == far.last == "silence"
            assert lab.ask("a", place, seconds=5) == ["Connection refused", "Connection refused"]
        assert until(lambda: near.last == far.last == "heard")


def test_a_datagram_flow_that_a_policy_keeps_goes_on(lab: Cluster, tmp_path: Path) -> None:
    """With the annotation a two-way flow goes on in both directions while no new one begins."""
    kept = egress("c")
    kept["metadata"]["annotations"] = {"policy.octet.dev/established": "keep"}
    with (
        lab.voice("a", *duet(9000)) as far,
        lab.voice("c2", *duet(9001, address(lab, "a", 4), "9000")) as near,
    ):
        assert until(lambda: near.last == far.last == "heard")
        with lab.policy(tmp_path, kept):
            time.sleep(3)
            assert near.last == far.last == "heard"
            assert lab.ask("c2", "a") == ["silence", "silence"]
            kept["metadata"]["annotations"] = {}
            (tmp_path / "cut.json").write_text(json.dumps(kept))
            octet("lab", "apply", "-f", str(tmp_path / "cut.json"), "--name", lab.name)
            assert until(lambda: near.last == far.last == "silence")


def test_a_cut_flow_is_dead_whatever_becomes_of_the_agent(lab: Cluster, tmp_path: Path) -> None:
    """A flow that was cut stays cut without an agent and with the next; what was allowed meanwhile heals."""
    where = ("--name", lab.name)
    with (
        lab.voice("a", *duet(9000)) as far,
        lab.voice("c", *duet(9001, address(lab, "a", 4), "9000")) as near,
    ):
        assert until(lambda: near.last == far.last == "heard")
        with lab.policy(tmp_path, egress("c")):
            assert until(lambda: near.last == far.last == "silence")
            octet("lab", "fault", "kill-agent", "node1", *where)
            time.sleep(1)
            octet("lab", "fault", "start-agent", "node1", *where)
            time.sleep(1)
            assert near.last == far.last == "silence"
            octet("lab", "fault", "kill-agent", "node1", *where)
        octet("lab", "fault", "start-agent", "node1", *where)
        assert until(lambda: near.last == far.last == "heard")


def test_a_flow_to_a_service_is_cut(lab: Cluster, tmp_path: Path) -> None:
    """A flow whose destination is translated on the pod's node is cut as well, from both ends."""
    to = f"{address(lab, 'a', 4)}:9000"
    nat = f"""
table ip test {{
  chain pre {{ type nat hook prerouting priority -101; ip daddr 192.0.2.80 udp dport 900 dnat to {to}
  }}
}}"""
    assert lab.exec("node1", "nft", nat) == ""
    with lab.voice("a", *duet(9000)) as far, lab.voice("c", *duet(9001, "192.0.2.80", "900")) as near:
        assert until(lambda: near.last == far.last == "heard")
        with lab.policy(tmp_path, only("b")):
            assert until(lambda: near.last == far.last == "silence")
            time.sleep(1)
            assert near.last == far.last == "silence"
        assert until(lambda: near.last == far.last == "heard")
    lab.exec("node1", "nft", "delete table ip test")


def test_others_bits_of_the_mark_are_left_alone(lab: Cluster, tmp_path: Path) -> None:
    """Of a connection's mark exactly one bit is set, and cleared again; what others have there stays."""
    others = """
table ip test {
  chain pre { type filter hook prerouting priority -150; udp sport 9005 ct mark set ct mark | 0x80
  }
}"""

    def mark() -> int:
        words = lab.exec("node1", "conntrack", "-L", "-p", "udp", "--orig-port-src", "9005").split()
        return next(int(word[5:]) for word in words if word.startswith("mark="))

    assert lab.exec("node1", "nft", others) == ""
    with (
        lab.voice("a", *duet(9000)) as far,
        lab.voice("c", *duet(9005, address(lab, "a", 4), "9000")) as near,
    ):
        assert until(lambda: near.last == far.last == "heard")
        lab.exec("node1", "nft", "delete table ip test")
        assert mark() == 0x80
        with lab.policy(tmp_path, egress("c")):
            assert until(lambda: far.last == "silence")
            assert mark() == 0x1000_0080
        assert until(lambda: near.last == far.last == "heard")
        assert mark() == 0x80


def test_what_a_pod_that_is_gone_had_open_is_forgotten(lab: Cluster) -> None:
    """Who gets a pod's address after it has none of its connections, long before they would time out."""
    lab.run("first", "node1", label="first")
    goal = address(lab, "first", 4)
    with (
        lab.voice("first", *duet(9000)) as first,
        lab.voice("c2", *duet(9001, goal, "9000")) as other,
    ):
        assert until(lambda: first.last == other.last == "heard")
    tracked = ("conntrack", "-L", "-p", "udp", "--orig-dst", goal)
    assert goal in lab.exec("node1", *tracked)
    octet("lab", "delete", "pod", "first", "--name", lab.name)
    assert until(lambda: goal not in lab.exec("node1", *tracked))


def host(interface: str) -> dict[str, Any]:
    return {
        "apiVersion": "projectcalico.org/v3",
        "kind": "HostEndpoint",
        "metadata": {"name": "n1", "labels": {"host": "n1"}},
        "spec": {
            "node": "node1",
            "interfaceName": interface,
            "profiles": ["projectcalico-default-allow"],
        },
    }


def shut(protocol: str, *ports: int, **spec: object) -> dict[str, Any]:
    rules = [
        {"action": "Deny", "protocol": protocol, "destination": {"ports": list(ports)}},
        {"action": "Allow"},
    ]
    return {
        "apiVersion": "projectcalico.org/v3",
        "kind": "GlobalNetworkPolicy",
        "metadata": {"name": "shut"},
        "spec": {"selector": "host == 'n1'", "types": ["Ingress"], "ingress": rules, **spec},
    }


def test_a_host_endpoints_policy_cuts_but_for_failsafe_ports(lab: Cluster, tmp_path: Path) -> None:
    """A node's own running connections end when its host endpoint's policy forbids them, failsafe never."""
    goal = node_address(lab, 1)
    serve = SERVER.replace("(80, 81)", "(80, 2379)")
    talk = (sys.executable, "-c", TALK, goal)
    with (
        lab.running("node1", sys.executable, "-c", f"print('up', flush=True)\n{serve}"),
        lab.voice("node2", *talk, "80") as forbidden,
        lab.voice("node2", *talk, "2379") as failsafe,
    ):
        time.sleep(0.5)
        with lab.policy(tmp_path, host(UPLINK), shut("TCP", 80, 2379)):
            assert until(lambda: forbidden.last == "cut")
            time.sleep(1)
            assert failsafe.last == ""


def test_a_host_endpoints_policy_cuts_datagrams_that_the_node_sends(lab: Cluster, tmp_path: Path) -> None:
    """A two-way flow of a node's program is dead though the node may send what it likes."""
    goal = node_address(lab, 1)
    with lab.voice("node1", *duet(9000)) as far, lab.voice("node2", *duet(9001, goal, "9000")) as near:
        assert until(lambda: near.last == far.last == "heard")
        with lab.policy(tmp_path, host(UPLINK), shut("UDP", 9000)):
            assert until(lambda: near.last == far.last == "silence")
            time.sleep(1)
            assert near.last == far.last == "silence"
        assert until(lambda: near.last == far.last == "heard")


def test_a_policy_for_forwarded_traffic_cuts_what_is_passed_on(lab: Cluster, tmp_path: Path) -> None:
    """A pod's running connection ends where a policy with applyOnForward forbids it on its way."""
    with lab.voice("c2", sys.executable, "-c", TALK, address(lab, "a", 4)) as talk:
        time.sleep(0.5)
        with lab.policy(tmp_path, host("flannel.1"), shut("TCP", 80, applyOnForward=True)):
            assert until(lambda: talk.last == "cut")


@FAMILIES
def test_errors_about_others_connections_are_no_way_in(lab: Cluster, family: int) -> None:
    """A pod's ICMP error about a flow that is not its own goes nowhere; one of the flow's end arrives."""
    near, far = address(lab, "b", family), address(lab, "b2", family)
    lie = (sys.executable, "-c", FALSE_ALARM, near, far, "9001", "9000")
    with (
        lab.voice("b2", *duet(9000)) as singer,
        lab.voice("b", *duet(9001, far, "9000")) as victim,
        lab.voice("b", sys.executable, "-c", ALARMS, near) as alarms,
    ):
        assert until(lambda: victim.last == singer.last == "heard")
        for liar in ("c", "c2"):
            assert lab.exec(liar, *lie) == ""
        time.sleep(1)
        assert alarms.lines == []
        assert lab.exec("b2", *lie) == ""
        assert until(lambda: alarms.last == f"alarm from {far}")
        assert victim.last == "heard"


@FAMILIES
@pytest.mark.parametrize("router", ["node1", "node2"])
def test_routers_still_say_what_fits(lab: Cluster, tmp_path: Path, family: int, router: str) -> None:
    """A pod under policy learns the path's MTU from its own node and from one further on."""
    goal = address(lab, "c2", family)
    version = f"-{family}"
    way = json.loads(lab.exec(router, "ip", version, "-j", "route", "get", goal))[0]
    via = ("via", way["gateway"], "dev", way["dev"], "onlink") if "gateway" in way else ("dev", way["dev"])
    lab.exec(router, "ip", version, "route", "add", goal, *via, "mtu", "1300", "table", "99")
    lab.exec(router, "ip", version, "rule", "add", "to", goal, "lookup", "99", "pref", "99")
    try:
        with lab.policy(tmp_path, only("nobody")):
            said = lab.exec("a", "ping", version, "-c2", "-W1", "-M", "do", "-s", "1330", goal)
            assert "mtu = 1300" in said or "mtu=1300" in said, said
    finally:
        lab.exec(router, "ip", version, "rule", "del", "pref", "99")
        lab.exec(router, "ip", version, "route", "flush", "table", "99")
        lab.exec("a", "ip", version, "route", "flush", "cache")
