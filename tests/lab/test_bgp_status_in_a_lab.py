"""`octet bgp status` asks the agent of a lab's node where it is."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from octet.lab import Lab
from racks import resource, wait_for

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@pytest.fixture
def lab() -> Iterator[Lab]:
    made = Lab.up("flannel", nodes=1, name="bgp-status")
    yield made
    made.down()


def test_a_labs_node_is_asked_on_the_node(lab: Lab) -> None:
    """A node whose model speaks no BGP has no sessions, which is no fault; an unknown node is one."""
    command = [sys.executable, "-m", "octet.cli.main", "bgp", "status", "--name", lab.name, "--json"]
    done = subprocess.run([*command, "node1"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"running": False, "starts": 0, "problems": [], "sessions": []}
    unknown = subprocess.run([*command, "node9"], capture_output=True, text=True, check=False)
    assert unknown.returncode == 4
    assert "no node 'node9' in the lab bgp-status (nodes: node1)" in unknown.stderr


def test_a_session_without_its_secret_is_told_and_stops_no_pod() -> None:
    """It is `not made` and exit 3; pods are attached by the agent that runs, and by the next one."""
    said = {"secretKeyRef": {"name": "bgp", "key": "none"}}
    peer = resource("BGPPeer", "tor", peerIP="192.0.2.1", asNumber=65001, password=said)
    with Lab.up("calico", nodes=2, name="bgp-unmade") as lab:
        lab.put([peer])
        wait_for(lambda: '"not made"' in lab.ask_agent("node1", "/bgp"))
        command = [sys.executable, "-m", "octet.cli.main", "bgp", "status", "--name", lab.name, "--json"]
        done = subprocess.run([*command, "node1"], capture_output=True, text=True, check=False)
        assert done.returncode == 3, done.stderr
        told = {each["peer"]: each for each in json.loads(done.stdout)["sessions"]}
        assert told["tor"]["state"] == "not made"
        assert "secret kube-system/bgp[none] is not known" in told["tor"]["error"]
        assert lab.run("one", "node1").addresses
        lab.kill_agent("node1")
        lab.start_agent("node1")
        assert lab.run("two", "node1").addresses
