"""What an operator is told of BGP sessions: the command, the agent's answer, the figures."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from octet.agent.health import HealthServer
from octet.agent.metrics import Metrics
from octet.agent.sessions import Sessions
from octet.transport.bgp import Mesh, Session, session
from speakers import QUICK, Lan, Node, lan, mesh

pytestmark = pytest.mark.kernel

AGENT = """
[node]
name = "node1"
[model]
name = "flannel"
[cluster]
pod_cidrs = ["10.244.0.0/16"]
[store]
path = "{root}/store.db"
[paths]
run = "{root}"
"""


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[Lan]:
    with lan(tmp_path) as made:
        yield made


@pytest.fixture
def node(switch: Lan) -> Node:
    """Node1 with a session to node2 that is up, and one to a router that is not there."""
    nodes = [switch.node(number) for number in (1, 2)]
    for each in nodes:
        assert each.hold(mesh(each, nodes, Mesh(timers=QUICK))).ok
    absent = Session("tor1", nodes[0].member().v4 + 200, 65001, timers=QUICK)
    assert nodes[0].hold(nodes[0].wanted, session(nodes[0].speaker(), absent)).ok
    switch.watch(lambda: nodes[0].sessions()["node2"].up and bool(nodes[0].sessions()["tor1"].error))
    switch.watch(lambda: all(each.imported for each in nodes[0].sessions()["node2"].channels))
    return nodes[0]


async def shown(node: Node, root: Path, *flags: str) -> tuple[int, str, str]:
    """Return exit code and output of ``octet bgp status`` while the agent's answers are served."""
    (root / "agent.toml").write_text(AGENT.format(root=root))
    server = HealthServer({"/bgp": Sessions(node.daemons).answer})
    await server.listen(root / "health.sock")
    command = [sys.executable, "-m", "octet.cli.main", "bgp", "status", "--config", str(root / "agent.toml")]
    done = await asyncio.to_thread(
        subprocess.run, [*command, *flags], capture_output=True, text=True, check=False
    )
    server.close()
    return done.returncode, done.stdout, done.stderr


async def test_the_command_shows_every_session(node: Node, tmp_path: Path) -> None:
    """State, for how long, prefixes in and out by family, the last error; exit 3 as one is not up."""
    code, out, _ = await shown(node, tmp_path)
    assert code == 3
    heading, one, other = (line.split() for line in out.splitlines())
    assert " ".join(heading) == "Peer Address AS State For In Out Last error"
    assert one[:4] == ["node2", "10.0.0.2", "64512", "Established"]
    assert one[5:9] == ["v4:1", "v6:1", "v4:1", "v6:1"]
    assert other[:3] == ["tor1", "10.0.0.201", "65001"]
    assert " ".join(other).endswith("Socket: No route to host")


async def test_programs_get_the_same_as_json(node: Node, tmp_path: Path) -> None:
    """``--json`` has what the table has, times in seconds, and whether it is a node."""
    _, out, _ = await shown(node, tmp_path, "--json")
    told = json.loads(out)
    assert (told["running"], told["starts"], told["problems"]) == (True, 1, [])
    peers = {each["peer"]: each for each in told["sessions"]}
    assert peers["node2"]["families"][0] == {"family": 4, "in": 1, "out": 1, "rejected": 0}
    assert 0 <= peers["node2"]["seconds"] < 60
    assert (peers["node2"]["node"], peers["tor1"]["node"]) == (True, False)


def test_every_session_has_its_figures(node: Node) -> None:
    """Metrics say per peer whether it is up and how many prefixes go each way; gone peers go."""
    metrics = Metrics()
    sessions = Sessions(node.daemons)
    sessions.measure(metrics)
    text = metrics.text().decode()
    assert 'octet_bgp_session_up{peer="node2"} 1.0' in text
    assert 'octet_bgp_session_up{peer="tor1"} 0.0' in text
    assert 'octet_bgp_prefixes{direction="in",family="6",peer="node2"} 1.0' in text
    assert 'octet_daemon_starts{daemon="bgp"} 1.0' in text
    metrics.sessions.set([])
    assert 'peer="node2"' not in metrics.text().decode()


async def test_a_stopped_speaker_is_told_as_a_problem(node: Node, tmp_path: Path) -> None:
    """While BIRD does not answer, the command says so and why, and exits with 3."""
    node.daemons.leave()
    code, out, err = await shown(node, tmp_path)
    assert code == 3
    assert "the BGP speaker does not answer" in err
    assert "Established" not in out
