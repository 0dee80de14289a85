"""Traffic between pods of two nodes while both nodes' agents are killed and started again."""

import json
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from octet.errors import OctetError
from octet.lab import Lab
from racks import quiet, streaming, wait_for

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


def pairs(lab: Lab) -> list[tuple[str, str]]:
    """From each node's pod to the other's, in each family."""
    return [("a", address) for address in addresses(lab, "b")] + [
        ("b", address) for address in addresses(lab, "a")
    ]


def listening(lab: Lab, pod: str, *ports: int) -> bool:
    """Do servers of a pod take connections on all these ports?"""
    shown = lab.exec(pod, ["ss", "-Hltn"]).stdout
    return all(f":{port} " in shown for port in ports)


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
    wait_for(lambda: listening(lab, "b", 5201, 5202))
    with streaming(lab, pairs(lab), 0.02) as pings:
        for port, address in enumerate(addresses(lab, "b"), start=5201):
            client = ["iperf3", "-J", "-t", "6", "-i", "1", "-b", "200M", "-p", str(port), "-c", address]
            streams.append(lab.popen("a", client, stdout=subprocess.PIPE, text=True))
        time.sleep(0.5)
        on_both(lab.kill_agent)
        assert {node["lab"]["agent"]["state"] for node in lab.get("nodes")} == {"killed"}
        time.sleep(0.5)
        on_both(lab.start_agent)
        time.sleep(1)  # the time in which an agent compares, and would remove
        figures = [json.loads(stream.communicate(timeout=60)[0]) for stream in streams]
    for server in servers:
        server.wait(timeout=10)
    assert len(pings.sent) == 4
    quiet(pings)
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
    with streaming(lab, pairs(lab), 0.05) as pings, ThreadPoolExecutor(1) as thread:
        for turn in range(KILLS):
            churning = thread.submit(churn, lab, turn)
            time.sleep(dice.uniform(0, 0.05))
            on_both(lab.kill_agent)
            done += churning.result(timeout=70)
            on_both(lab.start_agent)
    quiet(pings)
    assert KILLS // 5 < done < KILLS * CHURNED, "some of the work met a dead agent, and some did not"
    for item in lab.get("pods"):
        if item["metadata"]["name"].startswith("c"):
            lab.delete("pod", item["metadata"]["name"])
    for node, pod in zip(NODES, "ab", strict=True):
        wait_for(lambda node=node: len(veths(lab, node)) == len(journal(lab, node)) == 1)
        assert journal(lab, node) == {addresses(lab, pod)[0]}
