"""Packets through every model, as a user would send them: ping, TCP and UDP, same node and across nodes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bgp_told import await_told
from octet import models

pytestmark = [pytest.mark.lab, pytest.mark.slow]

OCTET = str(Path(sys.executable).with_name("octet"))
FAMILIES = {"v4": (4,), "v6": (6,), "dual": (4, 6)}
HEADERS = {4: 28, 6: 48}  # IPv4 20 or IPv6 40, and ICMP 8: what ping -s does not count
WIRE = 1500  # of the lab's cables
PLAIN = {4: 0, 6: 0}
VXLAN = {4: 20 + 8 + 8 + 14, 6: 40 + 8 + 8 + 14}  # RFC 7348: outer IP, UDP, VXLAN, the pod's Ethernet header
IN_IP = {4: 20, 6: 40}  # RFC 2003, RFC 2473
OVERHEAD = {
    "flannel": VXLAN,
    "flannel:direct": VXLAN,
    "flannel:host-gw": PLAIN,
    "flannel:policy": VXLAN,
    "kopeio-vxlan": VXLAN,
    "canal": VXLAN,
    "calico": PLAIN,
    "calico:vxlan": VXLAN,
    "kube-router": IN_IP,
    "kube-router:no-overlay": PLAIN,
}
"""Bytes that a model adds to a pod's packet; direct routing counts what peers beyond a router need."""
ECHO = """
import socket, sys
family, kind = (socket.AF_INET6 if sys.argv[1] == "6" else socket.AF_INET), sys.argv[2]
s = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
s.settimeout(20)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", 7777))
if kind == "tcp":
    s.listen(1)
    print("up", flush=True)
    c, who = s.accept()
    c.sendall(c.recv(100) + who[0].encode())
else:
    print("up", flush=True)
    data, who = s.recvfrom(100)
    s.sendto(data + who[0].encode(), who)
"""
ASK = """
import socket, sys
family, kind = (socket.AF_INET6 if sys.argv[1] == "6" else socket.AF_INET), sys.argv[2]
s = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
s.settimeout(5)
s.connect((sys.argv[3], 7777))
s.send(b"hello ")
print(s.recv(200).decode())
"""


@dataclass
class Cluster:
    """One lab of two nodes with three pods: a and c on node1, b on node2."""

    name: str
    mtu: int
    addresses: dict[str, dict[int, str]]

    def exec(self, pod: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program in a pod, as a user of the lab would."""
        full = [OCTET, "lab", "exec", pod, "--name", self.name, "--", *command]
        return subprocess.run(full, capture_output=True, text=True, timeout=30, check=False)

    def start(self, pod: str, *command: str) -> subprocess.Popen[str]:
        """Start a program in a pod and leave it running."""
        full = [OCTET, "lab", "exec", pod, "--name", self.name, "--", *command]
        return subprocess.Popen(full, stdout=subprocess.PIPE, text=True)


def octet(*arguments: str) -> str:
    done = subprocess.run([OCTET, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(scope="module", params=[f"{m} {f}" for m in models.names() for f in FAMILIES])
def cluster(request: pytest.FixtureRequest) -> Iterator[tuple[Cluster, tuple[int, ...]]]:
    model, family = request.param.split()
    name = f"m-{model.replace(':', '-')}-{family}"
    octet("lab", "up", "--name", name, "--model", model, "--nodes", "2", "--family", family)
    try:
        for pod, node in (("a", "node1"), ("b", "node2"), ("c", "node1")):
            octet("lab", "run", pod, "--node", node, "--name", name)
        await_told(OCTET, name, ("node1", "node2"))
        pods = json.loads(octet("lab", "get", "pods", "--name", name, "--json"))
        addresses = {
            pod["metadata"]["name"]: {6 if ":" in ip["ip"] else 4: ip["ip"] for ip in pod["status"]["podIPs"]}
            for pod in pods
        }
        mtu = WIRE - max(OVERHEAD[model][version] for version in FAMILIES[family])
        yield Cluster(name, mtu, addresses), FAMILIES[family]
    finally:
        octet("lab", "down", name)


def test_every_pod_has_the_families_of_its_cluster(cluster: tuple[Cluster, tuple[int, ...]]) -> None:
    """A pod has one address of each family that its cluster has, and none of another."""
    lab, families = cluster
    assert {tuple(sorted(held)) for held in lab.addresses.values()} == {families}


@pytest.mark.parametrize("target", ["b", "c"])
def test_the_largest_packet_passes_and_one_byte_more_does_not(
    cluster: tuple[Cluster, tuple[int, ...]], target: str
) -> None:
    """The pod's MTU is what the wire leaves, and fits through the whole path; one byte more is refused."""
    lab, families = cluster
    link = json.loads(lab.exec("a", "ip", "-j", "link", "show", "dev", "eth0").stdout)
    mtu = link[0]["mtu"]
    assert mtu == lab.mtu
    for family in families:
        address = lab.addresses[target][family]
        ping = ["ping", "-c", "2", "-i", "0.2", "-W", "2", "-M", "do", "-s"]
        fits = lab.exec("a", *ping, str(mtu - HEADERS[family]), address)
        assert " 0% packet loss" in fits.stdout, fits.stdout + fits.stderr
        refused = lab.exec("a", *ping, str(mtu - HEADERS[family] + 1), address)
        assert refused.returncode != 0, refused.stdout


@pytest.mark.parametrize("target", ["b", "c"])
@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_streams_and_datagrams_arrive_from_the_pods_own_address(
    cluster: tuple[Cluster, tuple[int, ...]], target: str, kind: str
) -> None:
    """TCP and UDP pass both ways, and the other pod sees the sender's own address: nothing is masqueraded."""
    lab, families = cluster
    for family in families:
        server = lab.start(target, sys.executable, "-c", ECHO, str(family), kind)
        assert server.stdout is not None
        assert server.stdout.readline() == "up\n"
        asked = lab.exec("a", sys.executable, "-c", ASK, str(family), kind, lab.addresses[target][family])
        server.wait(timeout=20)
        server.stdout.close()
        assert asked.stdout.split() == ["hello", lab.addresses["a"][family]], asked.stderr
