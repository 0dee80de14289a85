"""Policies against real packets: in force before the first one, for running connections, unforgeable."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from policy_lab import Cluster, cluster, egress, octet, only, until
from policy_programs import ASK, FORGE, FORGE_FRAME, KNOCK, LISTEN, SERVER, TALK

pytestmark = [pytest.mark.lab, pytest.mark.slow]

MODELS = ("canal", "flannel:policy", "calico")


@pytest.fixture(scope="module", params=MODELS)
def lab(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    model = request.param
    with cluster(f"policy-{model.replace(':', '-')}", model, "--family", "dual") as held:
        yield held


def test_who_may_and_who_may_not(lab: Cluster, tmp_path: Path) -> None:
    """A policy opens one port to one label, on one node and across nodes, by TCP and UDP, v4 and v6."""
    with lab.policy(tmp_path, only("b")):
        for kind in ("tcp", "udp"):
            assert {place: lab.ask(place, "a", kind=kind) for place in ("b", "b2")} == {
                "b": ["yes", "yes"],
                "b2": ["yes", "yes"],
            }
            assert lab.ask("c", "a", kind=kind) == lab.ask("c2", "a", kind=kind) == ["silence", "silence"]
        assert lab.ask("b", "a", 81) == ["silence", "silence"]
    assert lab.ask("c2", "a") == ["yes", "yes"]


def test_the_pods_own_node_may_and_other_nodes_may_not(lab: Cluster, tmp_path: Path) -> None:
    """What a kubelet asks of its own pods passes; another node is a stranger."""
    with lab.policy(tmp_path, only("b")):
        assert lab.ask("node1", "a") == ["yes", "yes"]
        assert lab.ask("node2", "a") == ["silence", "silence"]


def test_a_denied_packet_may_be_answered(lab: Cluster, tmp_path: Path) -> None:
    """With the annotation a denied connection is refused at once: a TCP reset, an ICMP message."""
    with lab.policy(tmp_path, only("b", denied="reject")):
        assert lab.ask("c", "a", seconds=5) == ["Connection refused", "Connection refused"]
        assert lab.ask("c2", "a", seconds=5) == ["Connection refused", "Connection refused"]
        four, six = lab.ask("c", "a", kind="udp", seconds=5)
        assert (four, six) == ("No route to host", "Permission denied")


@pytest.mark.parametrize("place", ["c", "c2"])
def test_a_running_connection_is_cut(lab: Cluster, tmp_path: Path, place: str) -> None:
    """A connection that a new policy forbids stops, and does not begin anew from its other end."""
    address = lab.addresses["a"][0]
    with lab.running(place, sys.executable, "-c", TALK, address) as talk:
        time.sleep(0.5)
        assert talk.poll() is None
        with lab.policy(tmp_path, only("b")):
            assert talk.wait(timeout=20) == 0
            assert talk.stdout is not None
            assert talk.stdout.read() == "cut\n"


def test_a_running_connection_that_is_allowed_goes_on(lab: Cluster, tmp_path: Path) -> None:
    """Policies come and go without a connection that they allow noticing."""
    with lab.running("b2", sys.executable, "-c", TALK, lab.addresses["a"][0]) as talk:
        with lab.policy(tmp_path, only("b")):
            time.sleep(3)
        assert talk.poll() is None


def test_a_policy_may_keep_running_connections(lab: Cluster, tmp_path: Path) -> None:
    """With the annotation running connections go on, while no new one begins."""
    with (
        lab.running("c2", sys.executable, "-c", TALK, lab.addresses["a"][0]) as talk,
        lab.policy(tmp_path, only("b", established="keep")),
    ):
        time.sleep(4)
        assert talk.poll() is None
        assert lab.ask("c2", "a") == ["silence", "silence"]


def test_a_new_pod_is_never_open(lab: Cluster, tmp_path: Path) -> None:
    """A policy that is older than its pod lets nobody in from the first packet on."""
    with lab.policy(tmp_path, only("b", subject="late")):
        following = [f"{part[:-1]}{int(part[-1]) + 1}" for part in (lab.addresses["a"][0],)]
        with lab.running("c2", sys.executable, "-c", KNOCK, following[0], "6") as knock:
            lab.run("late", "node1", sys.executable, "-c", SERVER, label="late")
            assert lab.addresses["late"][0] == following[0]
            assert until(lambda: lab.ask("b", "late") == ["yes", "yes"])
            assert knock.wait(timeout=20) == 0
            assert knock.stdout is not None
            assert knock.stdout.read() == ""
        octet("lab", "delete", "pod", "late", "--name", lab.name)


def test_egress_is_judged_where_the_packet_really_goes(lab: Cluster, tmp_path: Path) -> None:
    """What counts is the pod behind a service address, and the pod's port, not the service's."""
    to_a = {"to": [{"podSelector": {"matchLabels": {"app": "a"}}}], "ports": [{"port": 80}]}
    rules = f"""
table ip test {{
  chain pre {{ type nat hook prerouting priority -101;
    ip daddr 192.0.2.80 tcp dport 8000 dnat to {lab.addresses["a"][0]}:80
    ip daddr 192.0.2.81 tcp dport 80 dnat to {lab.addresses["a"][0]}:81
  }}
}}"""
    for node, pod in (("node1", "c"), ("node2", "c2")):
        assert lab.exec(node, "nft", rules) == ""
        with lab.policy(tmp_path, egress("c", to_a)):
            asked = [
                lab.exec(pod, sys.executable, "-c", ASK, "tcp", address, port, "1.5")
                for address, port in (("192.0.2.80", "8000"), ("192.0.2.81", "80"))
            ]
            assert asked == ["yes", "silence"], pod
        lab.exec(node, "nft", "delete table ip test")


def test_egress_to_the_own_node_is_egress(lab: Cluster, tmp_path: Path) -> None:
    """A pod that may send nothing cannot reach its own node either, which still reaches the pod."""
    with lab.running("node1", sys.executable, "-c", f"print('up', flush=True)\n{SERVER}"):
        ours = json.loads(octet("lab", "get", "nodes", "--name", lab.name, "--json"))
        address = ours[0]["status"]["addresses"][0]["address"]
        ask = (sys.executable, "-c", ASK, "tcp", address, "80", "1.5")
        assert lab.exec("c", *ask) == "yes"
        with lab.policy(tmp_path, egress("c")):
            assert lab.exec("c", *ask) == "silence"
            assert "1 received" in lab.exec("node1", "ping", "-c1", "-W1", lab.addresses["c"][0])


def test_nobody_sends_in_anothers_name(lab: Cluster, tmp_path: Path) -> None:
    """A packet with another pod's or machine's source address goes nowhere, on the same node and beyond."""
    with lab.policy(tmp_path, only("b")):
        for source in (lab.addresses["b"][0], lab.addresses["b2"][0], "203.0.113.9"):
            for goal in ("a", "b2"):
                with lab.running(goal, sys.executable, "-c", LISTEN, source) as seen:
                    lab.exec("c", sys.executable, "-c", FORGE, source, lab.addresses[goal][0])
                    time.sleep(0.3)
                    seen.kill()
                    assert seen.stdout is not None
                    assert seen.stdout.read() == "", (source, goal)


def test_nobody_sends_with_anothers_mac(lab: Cluster, tmp_path: Path) -> None:
    """A frame with another pod's MAC and address is dropped, and the other's packets still reach it."""
    mac = json.loads(lab.exec("b", "ip", "-j", "link", "show", "dev", "eth0"))[0]["address"]
    source, goal = lab.addresses["b"][0], lab.addresses["a"][0]
    with lab.policy(tmp_path, only("b")), lab.running("a", sys.executable, "-c", LISTEN, source) as seen:
        lab.exec("c", sys.executable, "-c", FORGE_FRAME, mac, source, goal)
        assert lab.ask("b", "a") == ["yes", "yes"]
        seen.kill()
        assert seen.stdout is not None
        assert seen.stdout.read() == ""


def test_nobody_sends_tunnels(lab: Cluster) -> None:
    """A pod cannot put packets into another node's VXLAN device: they are dropped and counted."""
    ours = json.loads(octet("lab", "get", "nodes", "--name", lab.name, "--json"))
    address = ours[1]["status"]["addresses"][0]["address"]
    before = lab.counted("policy-guard")
    send = (
        f"import socket;socket.socket(socket.AF_INET,socket.SOCK_DGRAM).sendto(bytes(60),('{address}',8472))"
    )
    lab.exec("c", sys.executable, "-c", send)
    assert lab.counted("policy-guard") == before + 1


def test_pods_are_no_routers(lab: Cluster) -> None:
    """A router advertisement of a pod goes nowhere, while neighbour discovery works without any cache."""
    before = lab.counted("policy-input")
    advertise = """
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex("eth0"))
s.sendto(bytes([134, 0, 0, 0, 64, 0, 0, 30]) + bytes(8), ("ff02::1", 0))
"""
    lab.exec("c", sys.executable, "-c", advertise)
    assert lab.counted("policy-input") == before + 1
    lab.exec("c", "ip", "-6", "neigh", "flush", "dev", "eth0")
    assert lab.ask("c", "a") == ["yes", "yes"]
