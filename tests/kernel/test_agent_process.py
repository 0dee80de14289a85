"""The agent as a process on a node: how it starts, ends, waits and tells, and what a restart leaves alone."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import machine as machines
from octet.kernel import namespaces
from pods import pods

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

RESIDENT_LIMIT = 60 * 1024  # KiB, with an idle node
PORTS = {"runtimeConfig": {"portMappings": [{"hostPort": 8080, "containerPort": 80}]}}
LIMITS = {
    "ingressRate": 10_000_000,
    "ingressBurst": 1_000_000,
    "egressRate": 10_000_000,
    "egressBurst": 1_000_000,
}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[machines.Machine]:
    with machines.running(tmp_path_factory.mktemp("machine")) as here:
        yield here


def ask(machine: machines.Machine, path: str) -> tuple[int, str]:
    """Return status and body of a path of the health socket."""
    socket = str(machine.run / "health.sock")
    done = machine.call("curl", "-s", "--unix-socket", socket, "-w", "\n%{http_code}", f"http://agent{path}")
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def identities(machine: machines.Machine) -> tuple[list[object], str]:
    """What changes when something is made anew: numbers of links, handles of rules."""
    links = json.loads(machine.call("ip", "-j", "link").stdout)
    rules = machine.call("nft", "-s", "-a", "list", "table", "inet", "octet").stdout
    return [(link["ifname"], link["ifindex"]) for link in links], rules


def test_an_idle_node_costs_little_memory(machine: machines.Machine) -> None:
    """The agent of an idle node stays below 60 MiB resident."""
    assert machine.agent is not None
    status = Path(f"/proc/{machine.agent.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    assert int(found[1]) < RESIDENT_LIMIT


def test_a_restart_makes_nothing_anew(machine: machines.Machine, tmp_path: Path) -> None:
    """After a restart every link and rule is the one that was there, also host ports and shapers of pods."""
    with pods(tmp_path, 1) as (path,):
        wishes = {"runtimeConfig": {**PORTS["runtimeConfig"], "bandwidth": LIMITS}}
        assert machine.plugin_call("ADD", "p", path, **wishes)[0] == 0
        before = identities(machine)
        machine.kill_agent()
        machine.start_agent()
        machine.wait_ready()
        assert identities(machine) == before
        assert ask(machine, "/healthz") == (200, "ok\n")
        assert machine.plugin_call("DEL", "p", path)[0] == 0


def test_sigterm_leaves_pods_alone(machine: machines.Machine, tmp_path: Path) -> None:
    """Ended by SIGTERM the agent exits with 0 within two seconds, and a running ping does not notice."""
    with pods(tmp_path, 1) as (path,):
        _, answer = machine.plugin_call("ADD", "p", path)
        own = str(answer["ips"][0]["address"]).split("/")[0]
        with namespaces.inside(machine.namespace):
            ping = subprocess.Popen(
                ["ping", "-i", "0.02", "-c", "60", own], stdout=subprocess.PIPE, text=True
            )
        agent, begin = machine.agent, time.monotonic()
        machine.kill_agent(signal.SIGTERM)
        assert agent is not None
        assert (agent.returncode, time.monotonic() - begin < 2) == (0, True)
        assert " 0% packet loss" in ping.communicate(timeout=20)[0]
        machine.start_agent()
        machine.wait_ready()
        assert machine.plugin_call("DEL", "p", path)[0] == 0


def bridge_as_it_is(machine: machines.Machine) -> tuple[object, ...]:
    """Everything of the bridge that somebody might alter: itself, its addresses, its ports, its settings."""
    link = json.loads(machine.call("ip", "-j", "-4", "address", "show", "cni0").stdout)
    ports = machine.call("ip", "-br", "link", "show", "master", "cni0").stdout
    places = [f"net/{each}" for each in ("ipv4/conf/cni0/route_localnet", "ipv6/conf/cni0/accept_ra")]
    settings = [machine.call("cat", f"/proc/sys/{place}").stdout for place in places]
    return link, ports, settings


def test_a_foreign_link_in_our_place_is_left_alone(machine: machines.Machine, tmp_path: Path) -> None:
    """Somebody else's bridge where ours belongs: told, not ready, no pod joins it, and it stays as it is."""
    machine.kill_agent(signal.SIGTERM)
    machine.call("ip", "link", "del", "cni0")
    machine.call("ip", "link", "add", "cni0", "address", "02:00:00:00:00:99", "type", "bridge")
    machine.call("ip", "address", "add", "192.168.9.1/24", "dev", "cni0")
    machine.call("ip", "link", "set", "cni0", "up")
    before = bridge_as_it_is(machine)
    machine.start_agent()
    machines.wait_for(lambda: "not ours" in ask(machine, "/healthz")[1])
    status, refused = machine.plugin_call("STATUS", "", "")
    assert (status, refused["code"]) == (1, 51)
    assert "cni0" in refused["msg"]
    assert ask(machine, "/readyz")[0] == 503
    with pods(tmp_path, 1) as (path,):
        assert machine.plugin_call("ADD", "p", path)[1]["code"] == 11
    assert bridge_as_it_is(machine) == before
    machine.call("ip", "link", "del", "cni0")
    machines.wait_for(lambda: ask(machine, "/readyz")[0] == 200, 10)
    assert machine.plugin_call("STATUS", "", "") == (0, {})


def test_a_pod_that_died_without_a_del(machine: machines.Machine, tmp_path: Path) -> None:
    """A namespace that vanished with its pair is told, harms no other pod, and its DEL succeeds."""
    with pods(tmp_path, 1) as (path,):
        assert machine.plugin_call("ADD", "dead", path)[0] == 0
    machines.wait_for(lambda: "dead" in ask(machine, "/healthz")[1])
    (tmp_path / "more").mkdir()
    with pods(tmp_path / "more", 1) as (path,):
        assert machine.plugin_call("ADD", "alive", path)[0] == 0
        assert machine.plugin_call("DEL", "alive", path)[0] == 0
    assert machine.plugin_call("DEL", "dead", "")[0] == 0
    machines.wait_for(lambda: ask(machine, "/healthz")[0] == 200, 10)


def test_a_lost_journal_cuts_nobody_off(machine: machines.Machine, tmp_path: Path) -> None:
    """An agent whose journal is gone while pods run does not start, names them, and their packets go on."""
    journal, kept = machine.run / "journal.db", machine.run / "kept.db"
    with pods(tmp_path, 1) as (path,):
        _, answer = machine.plugin_call("ADD", "p", path)
        machine.kill_agent(signal.SIGTERM)
        journal.rename(kept)
        machine.start_agent()
        assert machine.agent is not None
        assert machine.agent.wait(timeout=20) == 2
        assert "pod octet/p/eth0" in (machine.root / "agent.log").read_text().splitlines()[-1]
        own = str(answer["ips"][0]["address"]).split("/")[0]
        assert " 0% packet loss" in machine.call("ping", "-c", "2", "-i", "0.2", own).stdout
        kept.replace(journal)
        machine.start_agent()
        machine.wait_ready()
        assert machine.plugin_call("DEL", "p", path)[0] == 0


def test_an_agent_waits_for_its_underlay(machine: machines.Machine) -> None:
    """Started before the node's interface is there the agent waits; when it comes, the node is ready."""
    machine.kill_agent(signal.SIGTERM)
    machine.call("ip", "link", "set", "uplink", "name", "later")
    machine.start_agent()
    machines.wait_for(lambda: "waiting for the underlay" in (machine.root / "agent.log").read_text())
    machine.call("ip", "link", "set", "later", "name", "uplink")
    machine.wait_ready()


def test_the_state_is_told(machine: machines.Machine, tmp_path: Path) -> None:
    """``octet agent status --json`` and the health socket say the same of pods and peers."""
    with pods(tmp_path, 1) as (path,):
        assert machine.plugin_call("ADD", "p", path)[0] == 0
        octet = str(Path(sys.executable).with_name("octet"))
        config = str(machine.root / "agent.toml")
        shown = machine.call(octet, "agent", "status", "--config", config, "--json").stdout
        assert json.loads(shown) == json.loads(ask(machine, "/state")[1])
        assert [each["attachment"] for each in json.loads(shown)["endpoints"]] == ["octet/p/eth0"]
        assert "octet_endpoints 1.0" in ask(machine, "/metrics")[1]
        assert machine.plugin_call("DEL", "p", path)[0] == 0


def test_two_in_one_place(machine: machines.Machine, tmp_path: Path) -> None:
    """A second container in a namespace that has its interface already is refused, and the first goes on."""
    with pods(tmp_path, 1) as (path,):
        assert machine.plugin_call("ADD", "one", path)[0] == 0
        status, refused = machine.plugin_call("ADD", "two", path)
        assert (status, refused["code"]) == (1, 104)
        assert machine.plugin_call("DEL", "two", path)[0] == 0
        assert "eth0" in machine.call("nsenter", f"--net={path}", "ip", "-br", "link").stdout
        assert machine.plugin_call("DEL", "one", path)[0] == 0


def test_detached_and_attached_again_at_once(machine: machines.Machine, tmp_path: Path) -> None:
    """DEL and ADD of one pod in one namespace, without a pause, work ten times over."""
    with pods(tmp_path, 1) as (path,):
        for _ in range(10):
            status, answer = machine.plugin_call("ADD", "p", path)
            assert status == 0, answer
            assert machine.plugin_call("DEL", "p", path)[0] == 0
        machines.wait_for(lambda: not [name for name in machine.links() if name.startswith("veth")])
