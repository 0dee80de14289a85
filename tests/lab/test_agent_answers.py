"""The agent's answers to every command, and how it follows its node's own interface."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import machine as machines
from pods import pods

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[machines.Machine]:
    with machines.running(tmp_path_factory.mktemp("machine")) as here:
        yield here


@pytest.fixture
def pod(machine: machines.Machine, tmp_path: Path) -> Iterator[str]:
    """An empty namespace; what is attached as container "p" is detached afterwards."""
    with pods(tmp_path, 1) as (path,):
        yield path
        machine.plugin_call("DEL", "p", path)


def inside(machine: machines.Machine, pod: str, *command: str) -> str:
    return machine.call("nsenter", f"--net={pod}", *command).stdout


def mtu(machine: machines.Machine, name: str, pod: str = "") -> int:
    command = ("ip", "-j", "link", "show", "dev", name)
    shown = inside(machine, pod, *command) if pod else machine.call(*command).stdout
    return int(json.loads(shown)[0]["mtu"])


@pytest.mark.parametrize("version", ["0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_the_answer_has_the_version_that_was_asked(machine: machines.Machine, pod: str, version: str) -> None:
    """An ADD is answered in the configuration's own version, in that version's shape."""
    status, answer = machine.plugin_call("ADD", "p", pod, cniVersion=version)
    assert (status, answer["cniVersion"]) == (0, version)
    assert ("version" in answer["ips"][0]) is (version < "1.0.0")
    assert ("mtu" in answer["interfaces"][1]) is (version == "1.1.0")


def test_check_passes_and_then_names_what_is_wrong(machine: machines.Machine, pod: str) -> None:
    """CHECK is silent while all is as ADD made it, and names what somebody took away."""
    _, result = machine.plugin_call("ADD", "p", pod)
    assert machine.plugin_call("CHECK", "p", pod, prevResult=result) == (0, {})
    inside(machine, pod, "ip", "route", "del", "default")
    status, wrong = machine.plugin_call("CHECK", "p", pod, prevResult=result)
    assert (status, wrong["code"]) == (1, 103)
    assert "the pod lacks route 0.0.0.0/0" in wrong["msg"]


def test_check_of_an_unknown_container(machine: machines.Machine, pod: str) -> None:
    """CHECK of what was never attached says so, with code 3."""
    previous = {"cniVersion": "1.1.0", "ips": []}
    status, wrong = machine.plugin_call("CHECK", "stranger", pod, prevResult=previous)
    assert (status, wrong["code"]) == (1, 3)


def test_status_and_version(machine: machines.Machine) -> None:
    """A ready node answers STATUS with nothing, and VERSION with what the plugin speaks."""
    assert machine.plugin_call("STATUS", "", "") == (0, {})
    assert machine.plugin_call("VERSION", "", "")[1]["supportedVersions"] == [
        "0.3.1",
        "0.4.0",
        "1.0.0",
        "1.1.0",
    ]


def test_gc_removes_what_is_not_listed(machine: machines.Machine, tmp_path: Path) -> None:
    """GC detaches every attachment of its network that is not valid, and leaves the others alone."""
    with pods(tmp_path, 2) as (keep, drop):
        for name, path in (("keep", keep), ("drop", drop)):
            assert machine.plugin_call("ADD", name, path)[0] == 0
        valid = [{"containerID": "keep", "ifname": "eth0"}]
        assert machine.plugin_call("GC", "", "", **{"cni.dev/valid-attachments": valid})[0] == 0
        machines.wait_for(lambda: len([n for n in machine.links() if n.startswith("veth")]) == 1)
        assert "10.244.1.1" in inside(machine, keep, "ip", "route")
        machine.plugin_call("DEL", "keep", keep)


def test_capabilities_are_honoured(machine: machines.Machine, pod: str) -> None:
    """A requested address and MAC are given; name servers are passed on."""
    asked = {"ips": ["10.244.1.77/24"], "mac": "02:00:00:00:00:77", "dns": {"servers": ["10.96.0.10"]}}
    status, answer = machine.plugin_call("ADD", "p", pod, runtimeConfig=asked)
    assert status == 0, answer
    assert answer["ips"][0]["address"] == "10.244.1.77/24"
    assert answer["interfaces"][1]["mac"] == "02:00:00:00:00:77"
    assert answer["dns"]["nameservers"] == ["10.96.0.10"]


def test_a_host_port_leads_to_the_pod_once(machine: machines.Machine, tmp_path: Path) -> None:
    """A host port reaches its pod; another pod's claim to it is refused with the first one's name."""
    ports: dict[str, Any] = {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]}
    with pods(tmp_path, 2) as (one, two):
        assert machine.plugin_call("ADD", "one", one, runtimeConfig=ports)[0] == 0
        status, refused = machine.plugin_call("ADD", "two", two, runtimeConfig=ports)
        assert (status, refused["code"]) == (1, 105)
        assert "octet/one/eth0" in refused["msg"]
        serve = ["nsenter", f"--net={one}", "timeout", "10", "python3", "-c", SERVE]
        with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            server.stdout.readline()
            asked = machine.call("curl", "-s", "--max-time", "5", "telnet://172.31.0.1:8080").stdout
            assert asked == "hello"
        machine.plugin_call("DEL", "one", one)


SERVE = """
import socket
s = socket.create_server(("", 80))
print("up", flush=True)
c, _ = s.accept()
c.sendall(b"hello")
c.close()
"""


def test_running_pods_follow_a_shrinking_path(machine: machines.Machine, pod: str) -> None:
    """When the underlay takes less, device and running pods do at once; when it takes more, new pods do."""
    assert machine.plugin_call("ADD", "p", pod)[0] == 0
    assert mtu(machine, "eth0", pod) == 1450
    machine.call("ip", "link", "set", "uplink", "mtu", "1400")
    machines.wait_for(lambda: (mtu(machine, "flannel.1"), mtu(machine, "eth0", pod)) == (1350, 1350))
    machine.call("ip", "link", "set", "uplink", "mtu", "1500")
    machines.wait_for(lambda: mtu(machine, "flannel.1") == 1450)
    assert mtu(machine, "eth0", pod) == 1350


def test_the_nodes_address_is_followed(machine: machines.Machine) -> None:
    """When the node gets another address, the tunnel starts there."""
    machine.call("ip", "addr", "del", "172.31.0.1/24", "dev", "uplink")
    machine.call("ip", "addr", "add", "172.31.0.9/24", "dev", "uplink")
    shown = ("ip", "-d", "link", "show", "flannel.1")
    machines.wait_for(lambda: "local 172.31.0.9" in machine.call(*shown).stdout)
    machine.call("ip", "addr", "del", "172.31.0.9/24", "dev", "uplink")
    machine.call("ip", "addr", "add", "172.31.0.1/24", "dev", "uplink")
    machines.wait_for(lambda: "local 172.31.0.1" in machine.call(*shown).stdout)


def test_flannels_own_plugin_could_read_this_node(machine: machines.Machine) -> None:
    """The agent leaves flanneld's subnet.env, as flannel's CNI plugin reads it."""
    said = dict(line.split("=") for line in (machine.run / "subnet.env").read_text().splitlines())
    assert said == {
        "FLANNEL_NETWORK": "10.244.0.0/16",
        "FLANNEL_SUBNET": "10.244.1.1/24",
        "FLANNEL_MTU": "1450",
        "FLANNEL_IPMASQ": "true",
    }
