"""What a lab's own namespaces show and hide, and what it says where it may have none."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from octet.lab import Lab, Registry, reference

pytestmark = pytest.mark.lab

OCTET = str(Path(sys.executable).with_name("octet"))


def veths(lab: Lab) -> list[str]:
    """The nodes' ends of the pods on node1."""
    names = lab.exec("node1", ["ls", "/sys/class/net"]).stdout.split()
    return [name for name in names if name.startswith("veth")]


def test_only_the_labs_own_processes_are_there() -> None:
    """Inside, process 1 is the lab's; nothing of the machine's processes is to be seen."""
    with Lab.up(reference("ptp"), nodes=1, name="walls") as lab:
        shown = lab.exec("node1", ["ps", "-eo", "pid,args"]).stdout.splitlines()[1:]
    assert shown[0].split()[0] == "1"
    assert all("octet.lab.janitor" in line or "ps -eo" in line for line in shown)


def test_the_machines_run_is_hidden_and_the_labs_is_not_there() -> None:
    """A lab's /run is its own; what it writes there is nowhere on the machine."""
    with Lab.up(reference("ptp"), nodes=1) as lab:
        lab.exec("node1", ["touch", "/run/octet-lab-was-here"])
        inside = lab.exec("node1", ["ls", "/run"]).stdout.split()
        assert {"netns", "octet", "lab", "octet-lab-was-here"} == set(inside)
        assert not Path("/run/octet-lab-was-here").exists()


def test_names_of_namespaces_are_for_ip_netns() -> None:
    """Inside a lab, ``ip netns`` knows nodes, pods, switch and outside by name."""
    with Lab.up(reference("ptp"), nodes=1) as lab:
        lab.run("a", "node1")
        listed = lab.exec("switch", ["ip", "netns", "list"]).stdout.split("\n")
        assert {line.split()[0] for line in listed if line} == {"switch", "node1", "outside", "default.a"}
        links = lab.exec("switch", ["ip", "-n", "default.a", "-br", "link"]).stdout
        assert "eth0" in links


def test_a_namespace_that_a_client_names_stays() -> None:
    """``ip netns add`` on a node outlives its caller, for later programs and for the agent."""
    with Lab.up("flannel", nodes=1) as lab:
        lab.exec("node1", ["ip", "netns", "add", "mine"])
        (pid,) = {node["lab"]["agent"]["pid"] for node in lab.get("nodes")}
        for shell in (["sh", "-c"], ["nsenter", f"--mount=/proc/{pid}/ns/mnt", "sh", "-c"]):
            named = "stat --file-system --format=%T /run/netns/mine"
            assert lab.exec("node1", [*shell, named]).stdout.strip() == "nsfs"
        lab.exec("node1", ["ip", "netns", "delete", "mine"])
        assert "mine" not in lab.exec("node1", ["ls", "/run/netns"]).stdout


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_a_pods_deleted_pair_comes_back(family: str) -> None:
    """Within a second the agent has made it anew in the pod, whose packets pass again, and says so."""
    with Lab.up("flannel", nodes=1, family=family) as lab:
        lab.run("a", "node1")
        (pair,) = veths(lab)

        def remade() -> float:
            """Delete the pair; return the seconds until there is one again."""
            lab.exec("node1", ["ip", "link", "del", pair])
            begin = time.monotonic()
            while not veths(lab):
                assert time.monotonic() < begin + 20, "".join(lab.log("node1"))
            assert veths(lab) == [pair]
            return time.monotonic() - begin

        assert any(remade() < 1 for _ in range(3))
        there = lab.run("b", "node1").addresses[0]
        ping = lab.exec("a", ["ping", "-c", "5", "-i", "0.2", "-W", "2", there])
        assert ping.returncode == 0, ping.stdout
        assert "made a pod's pair anew" in "".join(lab.log("node1"))


def test_a_program_keeps_directory_and_environment(tmp_path: Path) -> None:
    """A program in a pod starts where its caller is, with the caller's environment and files."""
    (tmp_path / "here").write_text("mine")
    with Lab.up(reference("ptp"), nodes=1) as lab:
        program = lab.popen(
            "node1",
            ["sh", "-c", "cat here; echo $WORD"],
            cwd=tmp_path,
            env={**os.environ, "WORD": "kept"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert program.communicate(timeout=10)[0] == "minekept\n"


@pytest.mark.parametrize("setting", ["max_pid_namespaces", "max_net_namespaces", "max_mnt_namespaces"])
def test_a_machine_that_allows_no_namespaces_is_told_so(registry: Registry, setting: str) -> None:
    """Where the kernel refuses a namespace the error says what to allow, and nothing is left."""
    limit = f"echo 0 > /proc/sys/user/{setting}"
    script = f'{limit} && exec "$0" lab up --name refused --model flannel --nodes 1'
    refused = ["unshare", "--user", "--map-root-user", "sh", "-c", script, OCTET]
    done = subprocess.run(refused, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "make namespaces" in done.stderr
    assert "user.max_user_namespaces" in done.stderr
    assert registry.entries() == []


def test_many_pods_at_once_share_nothing() -> None:
    """Forty pods started together have forty addresses; deleted together they leave no link or namespace."""
    with Lab.up("flannel", nodes=2) as lab, ThreadPoolExecutor(20) as threads:
        empty = lab.exec("node1", ["ls", "/sys/class/net"]).stdout.split()
        pods = list(threads.map(lambda n: lab.run(f"p{n}", f"node{n % 2 + 1}"), range(40)))
        assert len({pod.address() for pod in pods}) == 40
        list(threads.map(lambda pod: lab.delete("pod", pod.name), pods))
        assert lab.get("pods") == []
        assert "default." not in lab.exec("node1", ["ls", "/run/netns"]).stdout
        end = time.monotonic() + 20
        while set(lab.exec("node1", ["ls", "/sys/class/net"]).stdout.split()) - set(empty) - {"cni0"}:
            assert time.monotonic() < end, "links were left"


@pytest.mark.parametrize("kind", ["bridge", "ptp"])
@pytest.mark.parametrize("family", ["v4", "v6", "dual"])
def test_the_reference_plugins_make_clusters_too(kind: str, family: str) -> None:
    """With static routes, pods of the reference plugins reach each other on one node and across two."""
    with Lab.up(reference(kind), nodes=2, family=family) as lab:
        pods = [lab.run("a", "node1"), lab.run("c", "node1"), lab.run("b", "node2")]
        assert len(pods[0].addresses) == (2 if family == "dual" else 1)
        for target in (*pods[1].addresses, *pods[2].addresses):
            # The first answer ends it; duplicate address detection of the plugins takes up to two seconds.
            ping = lab.exec("a", ["ping", "-c", "1", "-i", "0.1", "-w", "10", target])
            assert ping.returncode == 0, ping.stdout


@pytest.mark.parametrize("masquerade", [True, False])
def test_only_masquerade_gets_an_answer_from_outside(masquerade: bool) -> None:
    """The host outside knows no way back to a pod: only the node's own address gets an answer."""
    with Lab.up(reference("bridge", masquerade=masquerade), nodes=1) as lab:
        lab.run("a", "node1")
        ping = lab.exec("a", ["ping", "-c", "1", "-W", "1", "198.51.100.1"])
        assert (ping.returncode == 0) is masquerade
