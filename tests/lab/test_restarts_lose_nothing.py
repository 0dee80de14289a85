"""Traffic between pods of two nodes while both nodes' agents are killed and started again."""

import json
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from octet.errors import OctetError
from octet.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(400)]

NODES = ("node1", "node2")
KILLS = 50
CHURNED = 6


@pytest.fixture
def lab() -> Iterator[Lab]:
    """Two dual-stack nodes with a pod each."""
    with Lab.up("flannel", nodes=2, family="dual") as made:
        made.run("a", "node1")
        made.run("b", "node2")
        yield made


def addresses(lab: Lab, pod: str) -> list[str]:
    """A pod's addresses, IPv4 first."""
    item = next(item for item in lab.get("pods") if item["metadata"]["name"] == pod)
    return [each["ip"] for each in item["status"]["podIPs"]]


def pinging(lab: Lab, interval: float) -> list[subprocess.Popen[str]]:
    """Pings from one node's pod to the other's, one of each family and direction."""
    pairs = [("a", address) for address in addresses(lab, "b")] + [
        ("b", address) for address in addresses(lab, "a")
    ]
    return [
        lab.popen(pod, ["ping", "-i", str(interval), "-W", "2", to], stdout=subprocess.PIPE, text=True)
        for pod, to in pairs
    ]


def ended(pings: list[subprocess.Popen[str]]) -> list[str]:
    """End pings and return what they say of their packets."""
    for ping in pings:
        ping.send_signal(signal.SIGINT)
    said = [ping.communicate(timeout=10)[0] for ping in pings]
    return [line for text in said for line in text.splitlines() if "packets transmitted" in line]


def on_both(act: Callable[[str], None]) -> None:
    """Do something to both nodes at the same time."""
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(act, NODES))


def test_a_restart_of_both_agents_loses_no_packet(lab: Lab) -> None:
    """Pings and TCP streams between nodes, in both families, do not notice that both agents die."""
    servers, streams = [], []
    for port, address in enumerate(addresses(lab, "b"), start=5201):
        server = ["iperf3", "-s", "-1", "-p", str(port), "-B", address]
        servers.append(lab.popen("b", server, stdout=subprocess.DEVNULL))
    time.sleep(0.5)
    pings = pinging(lab, 0.02)
    for port, address in enumerate(addresses(lab, "b"), start=5201):
        client = ["iperf3", "-J", "-t", "6", "-i", "0.5", "-b", "200M", "-p", str(port), "-c", address]
        streams.append(lab.popen("a", client, stdout=subprocess.PIPE, text=True))
    time.sleep(0.5)
    on_both(lab.kill_agent)
    assert {node["lab"]["agent"]["state"] for node in lab.get("nodes")} == {"killed"}
    time.sleep(0.5)
    on_both(lab.start_agent)
    time.sleep(1)  # the time in which an agent compares, and would remove
    figures = [json.loads(stream.communicate(timeout=20)[0]) for stream in streams]
    said = ended(pings)
    for server in servers:
        server.wait(timeout=10)
    assert len(said) == 4
    assert all(" 0% packet loss" in line for line in said), said
    for figure in figures:
        assert min(part["sum"]["bytes"] for part in figure["intervals"]) > 0, figure["intervals"]
        assert figure["end"]["sum_received"]["bytes"] > 0


def churn(lab: Lab, turn: int) -> int:
    """Start or end a few pods at once, of which some meet a dead agent; return how many did not."""

    def one(number: int) -> bool:
        name = f"c{number}"
        try:
            if (turn + number) % 2:
                lab.run(name, NODES[number % 2])
            else:
                lab.delete("pod", name)
        except OctetError:
            return False  # the agent was dead, or the pod is not there because it was dead before
        return True

    with ThreadPoolExecutor(CHURNED) as threads:
        return sum(threads.map(one, range(CHURNED)))


def journal(lab: Lab, node: str) -> set[str]:
    """The attachments' addresses that an agent holds."""
    ask = ["curl", "-sf", "--unix-socket", f"/run/octet/{node}/health.sock", "http://agent/state"]
    return {str(each["v4"]) for each in json.loads(lab.exec(node, ask).stdout)["endpoints"]}


def veths(lab: Lab, node: str) -> list[str]:
    return [
        name for name in lab.exec(node, ["ls", "/sys/class/net"]).stdout.split() if name.startswith("veth")
    ]


def test_fifty_kills_of_both_agents_during_churn(lab: Lab) -> None:
    """Both agents die 50 times while pods come and go: no ping between the nodes is lost, nothing leaks."""
    done = 0
    dice = random.Random(12)
    pings = pinging(lab, 0.05)
    with ThreadPoolExecutor(1) as thread:
        for turn in range(KILLS):
            churning = thread.submit(churn, lab, turn)
            time.sleep(dice.uniform(0, 0.05))
            on_both(lab.kill_agent)
            done += churning.result(timeout=70)
            on_both(lab.start_agent)
    said = ended(pings)
    assert all(" 0% packet loss" in line for line in said), said
    assert min(int(line.split()[0]) for line in said) > 20 * KILLS / 2
    assert KILLS < done < KILLS * CHURNED, "some of the work met a dead agent, and some did not"
    for item in lab.get("pods"):
        if item["metadata"]["name"].startswith("c"):
            lab.delete("pod", item["metadata"]["name"])
    for node, pod in zip(NODES, "ab", strict=True):
        end = time.monotonic() + 10
        while len(veths(lab, node)) > 1 or len(journal(lab, node)) > 1:
            assert time.monotonic() < end, (veths(lab, node), journal(lab, node))
            time.sleep(0.1)
        assert journal(lab, node) == {addresses(lab, pod)[0]}
