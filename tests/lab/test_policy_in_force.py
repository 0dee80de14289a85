"""Policies against real packets: in force before the first one, for running connections, unforgeable."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.slow]

OCTET = str(Path(sys.executable).with_name("octet"))
MODELS = ("canal", "flannel:policy")
SERVER = """
import selectors, socket
chosen = selectors.DefaultSelector()
for port in (80, 81):
    tcp = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    udp.bind(("::", port))
    chosen.register(tcp, selectors.EVENT_READ, "accept")
    chosen.register(udp, selectors.EVENT_READ, "datagram")
while True:
    for key, _ in chosen.select():
        if key.data == "accept":
            chosen.register(key.fileobj.accept()[0], selectors.EVENT_READ, "stream")
        elif key.data == "datagram":
            data, who = key.fileobj.recvfrom(100)
            key.fileobj.sendto(data, who)
        else:
            try:
                data = key.fileobj.recv(100)
            except OSError:
                data = b""
            if data:
                key.fileobj.send(data)
            else:
                chosen.unregister(key.fileobj)
                key.fileobj.close()
"""
ASK = """
import socket, sys
kind, address, port, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
s.settimeout(seconds)
try:
    s.connect((address, port))
    s.send(b"hello")
    print("yes" if s.recv(5) == b"hello" else "odd")
except TimeoutError:
    print("silence")
except OSError as error:
    print(error.strerror)
"""
TALK = """
import socket, sys, time
s = socket.create_connection((sys.argv[1], 80), timeout=2)
s.settimeout(0.5)
print("up", flush=True)
last = time.monotonic()
while time.monotonic() - last < 1.5:
    try:
        s.send(b"x")
        if s.recv(1) == b"x":
            last = time.monotonic()
    except TimeoutError:
        continue
    except OSError as error:
        print(error.strerror, flush=True)
        sys.exit(3)
    time.sleep(0.02)
print("cut", flush=True)
"""
KNOCK = """
import socket, sys, time
address, until = sys.argv[1], time.monotonic() + float(sys.argv[2])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
print("up", flush=True)
while time.monotonic() < until:
    s = socket.socket(family, socket.SOCK_STREAM)
    s.settimeout(0.05)
    try:
        s.connect((address, 80))
        print("in", flush=True)
    except OSError:
        time.sleep(0.002)
    s.close()
"""
FORGE = """
import socket, struct, sys
source, goal = map(socket.inet_aton, sys.argv[1:3])
body = struct.pack("!HHHH", 1234, 80, 13, 0) + b"hello"
head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 64, 17, 0, source, goal)
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for _ in range(5):
    s.sendto(head + body, (sys.argv[2], 0))
"""
FORGE_FRAME = """
import json, socket, struct, subprocess, sys
mac = bytes.fromhex(sys.argv[1].replace(":", ""))
source, goal = map(socket.inet_aton, sys.argv[2:4])
body = struct.pack("!HHHH", 1234, 80, 13, 0) + b"hello"
head = bytearray(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 64, 17, 0, source, goal))
total = sum(struct.unpack("!10H", head))
head[10:12] = struct.pack("!H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF)
route = json.loads(subprocess.check_output(["ip", "-j", "route", "get", "203.0.113.1"]))[0]["gateway"]
subprocess.run(["ping", "-c1", "-W1", route], stdout=subprocess.DEVNULL)
entries = json.loads(subprocess.check_output(["ip", "-j", "neigh", "show", route]))
node = bytes.fromhex(entries[0]["lladdr"].replace(":", ""))
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
for _ in range(5):
    s.send(node + mac + b"\\x08\\x00" + bytes(head) + body)
"""
LISTEN = """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
print("up", flush=True)
while True:
    data = s.recv(2000)
    if data[9] == 17 and data[12:16] == socket.inet_aton(sys.argv[1]):
        print("forged", flush=True)
"""


@dataclass
class Cluster:
    """A lab of two nodes: a serves on node1 beside b and c; b2 and c2 are on node2."""

    name: str
    model: str
    addresses: dict[str, list[str]]

    def run(self, pod: str, node: str, *command: str, label: str) -> None:
        """Start a pod and learn its addresses."""
        where = ("--node", node, "--name", self.name, "--label", f"app={label}")
        octet("lab", "run", pod, *where, *(("--", *command) if command else ()))
        self.learn()

    def learn(self) -> None:
        pods = json.loads(octet("lab", "get", "pods", "--name", self.name, "--json"))
        self.addresses = {
            pod["metadata"]["name"]: [each["ip"] for each in pod["status"]["podIPs"]] for pod in pods
        }

    def exec(self, place: str, *command: str) -> str:
        """Run a program in a pod or on a node; return what it said."""
        full = [OCTET, "lab", "exec", place, "--name", self.name, "--", *command]
        done = subprocess.run(full, capture_output=True, text=True, timeout=30, check=False)
        return (done.stdout + done.stderr).strip()

    @contextmanager
    def running(self, place: str, *command: str) -> Iterator["subprocess.Popen[str]"]:
        """Have a program run meanwhile, from when it says that it is up."""
        full = [OCTET, "lab", "exec", place, "--name", self.name, "--", *command]
        with subprocess.Popen(full, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            try:
                yield process
            finally:
                process.kill()

    def ask(self, place: str, pod: str, port: int = 80, kind: str = "tcp", seconds: float = 0.7) -> list[str]:
        """Ask a pod by each of its addresses; return what came of it."""
        return [
            self.exec(place, sys.executable, "-c", ASK, kind, address, str(port), str(seconds))
            for address in self.addresses[pod]
        ]

    @contextmanager
    def policy(self, tmp_path: Path, *objects: dict[str, object]) -> Iterator[None]:
        """Have policies meanwhile."""
        path = tmp_path / "policy.json"
        path.write_text(json.dumps(objects))
        octet("lab", "apply", "-f", str(path), "--name", self.name)
        time.sleep(0.3)
        try:
            yield
        finally:
            for each in objects:
                octet("lab", "delete", word(each), name(each), "--name", self.name)
            time.sleep(0.3)

    def counted(self, chain: str) -> int:
        """Return how many packets a chain's counters of node1 have seen."""
        listing = json.loads(self.exec("node1", "nft", "-j", "list", "chain", "inet", "octet", chain))
        rules = [each["rule"] for each in listing["nftables"] if "rule" in each]
        found = [part["counter"]["packets"] for rule in rules for part in rule["expr"] if "counter" in part]
        return sum(found)


def octet(*arguments: str) -> str:
    done = subprocess.run([OCTET, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def word(item: dict[str, object]) -> str:
    known = {"NetworkPolicy": "networkpolicy", "GlobalNetworkPolicy": "globalnetworkpolicy"}
    return known[str(item["kind"])]


def name(item: dict[str, object]) -> str:
    metadata = item["metadata"]
    assert isinstance(metadata, dict)
    return str(metadata["name"])


def only(label: str, *, port: int = 80, subject: str = "a", **annotations: str) -> dict[str, object]:
    """Only pods with a label may reach the subjects' port."""
    peers = [{"podSelector": {"matchLabels": {"app": label}}}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": f"only-{label}",
            "annotations": {f"policy.octet.dev/{key}": value for key, value in annotations.items()},
        },
        "spec": {
            "podSelector": {"matchLabels": {"app": subject}},
            "ingress": [{"from": peers, "ports": [{"port": port}, {"port": port, "protocol": "UDP"}]}],
        },
    }


def egress(label: str, *rules: object) -> dict[str, object]:
    """A pod may only send what the rules say."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"from-{label}"},
        "spec": {
            "podSelector": {"matchLabels": {"app": label}},
            "policyTypes": ["Egress"],
            "egress": list(rules),
        },
    }


def until(true: Callable[[], object], seconds: float = 5.0) -> bool:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if true():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture(scope="module", params=MODELS)
def lab(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    model = request.param
    held = Cluster(f"policy-{model.replace(':', '-')}", model, {})
    octet("lab", "up", "--name", held.name, "--model", model, "--nodes", "2", "--family", "dual")
    try:
        for pod, node in (("b", "node1"), ("c", "node1"), ("b2", "node2"), ("c2", "node2")):
            held.run(pod, node, label=pod[0])
        held.run("a", "node1", sys.executable, "-c", SERVER, label="a")
        assert until(lambda: held.ask("b", "a") == ["yes", "yes"]), (held.addresses, held.ask("b", "a"))
        yield held
    finally:
        octet("lab", "down", held.name)


def test_who_may_and_who_may_not(lab: Cluster, tmp_path: Path) -> None:
    """A policy opens one port to one label, on one node and across nodes, by TCP and UDP, v4 and v6."""
    with lab.policy(tmp_path, only("b")):
        for kind in ("tcp", "udp"):
            assert {place: lab.ask(place, "a", kind=kind) for place in ("b", "b2")} == {
                "b": ["yes", "yes"],
                "b2": ["yes", "yes"],
            }
            assert lab.ask("c", "a", kind=kind) == lab.ask("c2", "a", kind=kind) == ["silence", "silence"]
        assert lab.ask("b", "a", 81) == ["silence", "silence"]
    assert lab.ask("c2", "a") == ["yes", "yes"]


def test_the_pods_own_node_may_and_other_nodes_may_not(lab: Cluster, tmp_path: Path) -> None:
    """What a kubelet asks of its own pods passes; another node is a stranger."""
    with lab.policy(tmp_path, only("b")):
        assert lab.ask("node1", "a") == ["yes", "yes"]
        assert lab.ask("node2", "a") == ["silence", "silence"]


def test_a_denied_packet_may_be_answered(lab: Cluster, tmp_path: Path) -> None:
    """With the annotation a denied connection is refused at once: a TCP reset, an ICMP message."""
    with lab.policy(tmp_path, only("b", denied="reject")):
        assert lab.ask("c", "a", seconds=5) == ["Connection refused", "Connection refused"]
        assert lab.ask("c2", "a", seconds=5) == ["Connection refused", "Connection refused"]
        four, six = lab.ask("c", "a", kind="udp", seconds=5)
        assert (four, six) == ("No route to host", "Permission denied")


@pytest.mark.parametrize("place", ["c", "c2"])
def test_a_running_connection_is_cut(lab: Cluster, tmp_path: Path, place: str) -> None:
    """A connection that a new policy forbids stops, and does not begin anew from its other end."""
    address = lab.addresses["a"][0]
    with lab.running(place, sys.executable, "-c", TALK, address) as talk:
        time.sleep(0.5)
        assert talk.poll() is None
        with lab.policy(tmp_path, only("b")):
            assert talk.wait(timeout=10) == 0
            assert talk.stdout is not None
            assert talk.stdout.read() == "cut\n"


def test_a_running_connection_that_is_allowed_goes_on(lab: Cluster, tmp_path: Path) -> None:
    """Policies come and go without a connection that they allow noticing."""
    with lab.running("b2", sys.executable, "-c", TALK, lab.addresses["a"][0]) as talk:
        with lab.policy(tmp_path, only("b")):
            time.sleep(2)
        assert talk.poll() is None


def test_a_policy_may_keep_running_connections(lab: Cluster, tmp_path: Path) -> None:
    """With the annotation running connections go on, while no new one begins."""
    with (
        lab.running("c2", sys.executable, "-c", TALK, lab.addresses["a"][0]) as talk,
        lab.policy(tmp_path, only("b", established="keep")),
    ):
        time.sleep(2.5)
        assert talk.poll() is None
        assert lab.ask("c2", "a") == ["silence", "silence"]


def test_a_new_pod_is_never_open(lab: Cluster, tmp_path: Path) -> None:
    """A policy that is older than its pod lets nobody in from the first packet on."""
    with lab.policy(tmp_path, only("b", subject="late")):
        following = [f"{part[:-1]}{int(part[-1]) + 1}" for part in (lab.addresses["a"][0],)]
        with lab.running("c2", sys.executable, "-c", KNOCK, following[0], "6") as knock:
            lab.run("late", "node1", sys.executable, "-c", SERVER, label="late")
            assert lab.addresses["late"][0] == following[0]
            assert until(lambda: lab.ask("b", "late") == ["yes", "yes"])
            assert knock.wait(timeout=20) == 0
            assert knock.stdout is not None
            assert knock.stdout.read() == ""
        octet("lab", "delete", "pod", "late", "--name", lab.name)


def test_egress_is_judged_where_the_packet_really_goes(lab: Cluster, tmp_path: Path) -> None:
    """What counts is the pod behind a service address, and the pod's port, not the service's."""
    to_a = {"to": [{"podSelector": {"matchLabels": {"app": "a"}}}], "ports": [{"port": 80}]}
    rules = f"""
table ip test {{
  chain pre {{ type nat hook prerouting priority -101;
    ip daddr 192.0.2.80 tcp dport 8000 dnat to {lab.addresses["a"][0]}:80
    ip daddr 192.0.2.81 tcp dport 80 dnat to {lab.addresses["a"][0]}:81
  }}
}}"""
    for node, pod in (("node1", "c"), ("node2", "c2")):
        assert lab.exec(node, "nft", rules) == ""
        with lab.policy(tmp_path, egress("c", to_a)):
            asked = [
                lab.exec(pod, sys.executable, "-c", ASK, "tcp", address, port, "0.7")
                for address, port in (("192.0.2.80", "8000"), ("192.0.2.81", "80"))
            ]
            assert asked == ["yes", "silence"], pod
        lab.exec(node, "nft", "delete table ip test")


def test_egress_to_the_own_node_is_egress(lab: Cluster, tmp_path: Path) -> None:
    """A pod that may send nothing cannot reach its own node either, which still reaches the pod."""
    with lab.running("node1", sys.executable, "-c", f"print('up', flush=True)\n{SERVER}"):
        ours = json.loads(octet("lab", "get", "nodes", "--name", lab.name, "--json"))
        address = ours[0]["status"]["addresses"][0]["address"]
        ask = (sys.executable, "-c", ASK, "tcp", address, "80", "0.7")
        assert lab.exec("c", *ask) == "yes"
        with lab.policy(tmp_path, egress("c")):
            assert lab.exec("c", *ask) == "silence"
            assert "1 received" in lab.exec("node1", "ping", "-c1", "-W1", lab.addresses["c"][0])


def test_nobody_sends_in_anothers_name(lab: Cluster, tmp_path: Path) -> None:
    """A packet with another pod's or machine's source address goes nowhere, on the same node and beyond."""
    with lab.policy(tmp_path, only("b")):
        for source in (lab.addresses["b"][0], lab.addresses["b2"][0], "203.0.113.9"):
            for goal in ("a", "b2"):
                with lab.running(goal, sys.executable, "-c", LISTEN, source) as seen:
                    lab.exec("c", sys.executable, "-c", FORGE, source, lab.addresses[goal][0])
                    time.sleep(0.3)
                    seen.kill()
                    assert seen.stdout is not None
                    assert seen.stdout.read() == "", (source, goal)


def test_nobody_sends_with_anothers_mac(lab: Cluster, tmp_path: Path) -> None:
    """A frame with another pod's MAC and address is dropped, and the other's packets still reach it."""
    mac = json.loads(lab.exec("b", "ip", "-j", "link", "show", "dev", "eth0"))[0]["address"]
    source, goal = lab.addresses["b"][0], lab.addresses["a"][0]
    with lab.policy(tmp_path, only("b")), lab.running("a", sys.executable, "-c", LISTEN, source) as seen:
        lab.exec("c", sys.executable, "-c", FORGE_FRAME, mac, source, goal)
        assert lab.ask("b", "a") == ["yes", "yes"]
        seen.kill()
        assert seen.stdout is not None
        assert seen.stdout.read() == ""


def test_nobody_sends_tunnels(lab: Cluster) -> None:
    """A pod cannot put packets into another node's VXLAN device: they are dropped and counted."""
    ours = json.loads(octet("lab", "get", "nodes", "--name", lab.name, "--json"))
    address = ours[1]["status"]["addresses"][0]["address"]
    before = lab.counted("policy-guard")
    send = (
        f"import socket;socket.socket(socket.AF_INET,socket.SOCK_DGRAM).sendto(bytes(60),('{address}',8472))"
    )
    lab.exec("c", sys.executable, "-c", send)
    assert lab.counted("policy-guard") == before + 1


def test_pods_are_no_routers(lab: Cluster) -> None:
    """A router advertisement of a pod goes nowhere, while neighbour discovery works without any cache."""
    before = lab.counted("policy-input")
    advertise = """
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex("eth0"))
s.sendto(bytes([134, 0, 0, 0, 64, 0, 0, 30]) + bytes(8), ("ff02::1", 0))
"""
    lab.exec("c", sys.executable, "-c", advertise)
    assert lab.counted("policy-input") == before + 1
    lab.exec("c", "ip", "-6", "neigh", "flush", "dev", "eth0")
    assert lab.ask("c", "a") == ["yes", "yes"]
