"""An agent killed at any point of its work leaks nothing and loses nothing."""

import json
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import machine as machines
from octet.kernel import namespaces
from pods import pods
from racks import ended

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(300)]

KILLS = 50
PODS = 6


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[machines.Machine]:
    with machines.running(tmp_path) as here:
        yield here


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[list[str]]:
    with pods(tmp_path, PODS + 1) as made:
        yield made


def addresses(machine: machines.Machine) -> set[str]:
    """The addresses that the agent's journal holds."""
    state = subprocess.run(
        ["curl", "-sf", "--unix-socket", str(machine.run / "health.sock"), "http://agent/state"],
        check=True,
        capture_output=True,
    )
    return {str(endpoint["v4"]) for endpoint in json.loads(state.stdout)["endpoints"]}


def test_fifty_kills_during_churn(machine: machines.Machine, paths: list[str]) -> None:
    """50 kills at random moments of ADDs and DELs: a running ping loses nothing, nothing leaks."""
    random.seed(2)
    status, _ = machine.plugin_call("ADD", "stable", paths[PODS])
    assert status == 0
    stable = addresses(machine)
    heard = (machine.root / "ping").open("w+")
    with namespaces.inside(machine.namespace):
        ping = subprocess.Popen(
            ["ping", "-i", "0.05", "-W", "1", next(iter(stable))], stdout=heard, text=True
        )
    for _ in range(KILLS):
        churn = [
            machine.start_plugin(random.choice(["ADD", "DEL"]), f"c{number}", paths[number])
            for number in range(PODS)
        ]
        time.sleep(random.uniform(0, 0.02))
        machine.kill_agent()
        for process in churn:
            process.communicate(timeout=70)
        machine.start_agent()
        machine.wait_ready()
    for number in range(PODS):
        assert machine.plugin_call("DEL", f"c{number}", paths[number])[0] == 0
    with heard:
        sent, lost = ended(ping, heard)
    assert sent > KILLS
    assert lost == 0
    assert addresses(machine) == stable
    machines.wait_for(lambda: len([n for n in machine.links() if n.startswith("veth")]) == 1)
    for path in paths[:PODS]:
        left = subprocess.run(
            ["nsenter", f"--net={path}", "ip", "-j", "link"], check=True, capture_output=True
        )
        assert [link["ifname"] for link in json.loads(left.stdout)] == ["lo"]
