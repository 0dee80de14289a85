"""What ``choose.packet`` derives from a model is what the wire between two nodes of a lab really carries."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import pytest

from bgp_told import await_told
from octet import models
from octet.choose import packet

pytestmark = [pytest.mark.lab, pytest.mark.slow]

OCTET = str(Path(sys.executable).with_name("octet"))
FAMILIES = {"v4": 4, "v6": 6}
MARK = b"octet" * 3
ICMP = 8
LISTEN = """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind((sys.argv[1], 0))
s.settimeout(20)
print("up", flush=True)
while True:
    frame, (_, _, kind, _, _) = s.recvfrom(65535)
    if kind == socket.PACKET_OUTGOING and bytes.fromhex(sys.argv[2]) in frame:
        print(frame.hex())
        break
"""


@dataclass(frozen=True)
class Seen:
    """The frame of a ping of the largest size, as it left node1, and who everybody is."""

    frame: bytes
    nodes: tuple[str, str]
    pods: tuple[str, str]


def octet(*arguments: str) -> str:
    done = subprocess.run([OCTET, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def address(texts: list[str], family: int) -> str:
    return next(text for text in texts if ip_address(text).version == family)


def seen(lab: str, family: int, size: int) -> Seen:
    """Ping pod b from pod a with ``size`` bytes of IP packet, and return what left node1's eth0."""
    nodes = json.loads(octet("lab", "get", "nodes", "--name", lab, "--json"))
    pods = {
        each["metadata"]["name"]: address([ip["ip"] for ip in each["status"]["podIPs"]], family)
        for each in json.loads(octet("lab", "get", "pods", "--name", lab, "--json"))
    }
    inside = [OCTET, "lab", "exec", "node1", "--name", lab, "--"]
    listen = [*inside, sys.executable, "-c", LISTEN, "eth0", MARK.hex()]
    with subprocess.Popen(listen, stdout=subprocess.PIPE, text=True) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == "up\n"
        data = str(size - packet.IP[family] - ICMP)
        ping = ["ping", "-c", "2", "-M", "do", "-s", data, "-p", MARK.hex(), pods["b"]]
        octet("lab", "exec", "a", "--name", lab, "--", *ping)
        frame = bytes.fromhex(listener.stdout.read())
    ips = {
        each["metadata"]["name"]: address(
            [ip["address"] for ip in each["status"]["addresses"] if ip["type"] == "InternalIP"], family
        )
        for each in nodes
    }
    return Seen(frame, (ips["node1"], ips["node2"]), (pods["a"], pods["b"]))


@pytest.fixture(
    scope="module", params=[f"{model} {family}" for model in models.names() for family in FAMILIES]
)
def way(request: pytest.FixtureRequest) -> Iterator[tuple[packet.Walk, Seen]]:
    model, family = request.param.split()
    lab, walk = f"way-{model.replace(':', '-')}-{family}", packet.walk(model, FAMILIES[family])
    octet("lab", "up", "--name", lab, "--model", model, "--nodes", "2", "--family", family)
    try:
        octet("lab", "run", "a", "--node", "node1", "--name", lab)
        octet("lab", "run", "b", "--node", "node2", "--name", lab)
        await_told(OCTET, lab, ("node1", "node2"))
        yield walk, seen(lab, walk.family, walk.pod_mtu)
    finally:
        octet("lab", "down", lab)


def read(header: packet.Header, frame: bytes, inner: bool) -> dict[str, object]:
    """Return what a header of the frame says, by the names that the walk uses."""
    if header.protocol == "IPv4":
        assert frame[0] == 0x45, "IPv4 without options"
        ends = (str(ip_address(frame[12:16])), str(ip_address(frame[16:20])))
        return {"ends": ends, "notes": (f"TTL {frame[8]}",) if inner else ()}
    if header.protocol == "IPv6":
        assert frame[0] >> 4 == 6
        ends = (str(ip_address(frame[8:24])), str(ip_address(frame[24:40])))
        return {"ends": ends, "notes": (f"TTL {frame[7]}",) if inner else ()}
    if header.protocol == "UDP":
        return {"port": str(int.from_bytes(frame[2:4], "big"))}
    if header.protocol == "VXLAN":
        return {"notes": (f"VNI {int.from_bytes(frame[4:7], 'big')}",)}
    return {}


def test_the_wire_carries_the_headers_of_the_walk(way: tuple[packet.Walk, Seen]) -> None:
    """Byte for byte in length, in order, with the same ports, numbers, TTL, and between the same machines."""
    walk, found = way
    assert len(found.frame) == sum(header.size for header in walk.wire)
    rest = found.frame
    addressed = [index for index, header in enumerate(walk.wire) if header.protocol.startswith("IPv")]
    for index, header in enumerate(walk.wire):
        inner = index == addressed[-1]
        says = read(header, rest, inner)
        if "ends" in says:
            assert says["ends"] == (found.pods if inner else found.nodes)
        if "notes" in says:
            assert says["notes"] == header.notes
        if "port" in says:
            assert says["port"] == header.destination
        rest = rest[header.size :]
    assert rest == b""
