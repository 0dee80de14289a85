"""`octet bgp status` asks the agent of a lab's node where it is."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from octet.lab import Lab

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
    assert subprocess.run([*command, "node9"], capture_output=True, check=False).returncode == 4
