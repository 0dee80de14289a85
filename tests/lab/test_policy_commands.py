"""Policy as people see it in a lab: verified, explained, compared, and its denied flows."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from octet.lab import Lab
from ordinary_user import as_ordinary_user
from policy_lab import dns_service, until

pytestmark = pytest.mark.lab

OCTET = str(Path(sys.executable).with_name("octet"))
EXAMPLES = str(Path(__file__).parents[2] / "examples/policy")
NAME = "seeing"
FLOOD = """
import socket, sys
made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(int(sys.argv[2])):
    try:
        made.sendto(b"x" * 64, (sys.argv[1], 1 + number % 60000))
    except OSError:
        pass
"""
RESOLVER = """
import socket
made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
made.bind(("", 53))
while True:
    asked, who = made.recvfrom(512)
    end = asked.find(0, 12) + 5
    if len(asked) < 17 or end < 17:
        continue
    head = asked[:2] + bytes([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0])
    answer = bytes([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 198, 51, 100, 1])
    made.sendto(head + asked[12:end] + answer, who)
"""
ASK = """
import socket, sys
labels = b"".join(bytes([len(part)]) + part.encode() for part in sys.argv[2].split("."))
question = bytes([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]) + labels + bytes([0, 0, 1, 0, 1])
made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
made.settimeout(2)
for _ in range(5):
    try:
        made.sendto(question, (sys.argv[1], 53))
        print(".".join(map(str, made.recv(512)[-4:])))
        break
    except TimeoutError:
        continue
"""


def octet(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the command line."""
    return subprocess.run([OCTET, *words], capture_output=True, text=True, timeout=120, check=False)


def said(*words: str) -> str:
    """What a command prints that must succeed."""
    done = octet(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Canal with the examples applied, as the examples themselves say."""
    said("lab", "up", "--name", NAME, "--model", "canal")
    applied = json.loads(said("lab", "apply", "-f", EXAMPLES, "--name", NAME, "--json"))
    assert {each["result"] for each in applied} == {"created", "started"}
    yield Lab.find(NAME)
    said("lab", "down", NAME)


def address(lab: Lab, namespace: str, pod: str) -> str:
    items = lab.get("pods", namespace=namespace)
    return next(str(item["status"]["podIP"]) for item in items if item["metadata"]["name"] == pod)


def counted(lab: Lab, node: str, policy: str) -> int:
    """Packets that a node's agent has counted for a policy."""
    pattern = rf'octet_policy_denied_packets_total{{.*policy="{re.escape(policy)}".*}} (\d+)'
    return sum(int(float(each)) for each in re.findall(pattern, lab.ask_agent(node, "/metrics")))


def resting(lab: Lab, node: str, policy: str) -> int:
    """The same once it has not changed for three seconds: the agent asks the kernel now and then."""
    found = -1
    while found != (now := counted(lab, node, policy)):
        found = now
        time.sleep(3)
    return found


def cpu(lab: Lab, node: str) -> float:
    """Seconds of processor time that a node's agent has used."""
    pid = next(item for item in lab.get("nodes") if item["metadata"]["name"] == node)["lab"]["agent"]["pid"]
    fields = lab.exec(node, ["cat", f"/proc/{pid}/stat"]).stdout.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def send(lab: Lab, pod: str, namespace: str, to: str, count: int) -> None:
    done = lab.exec(pod, ["python3", "-c", FLOOD, to, str(count)], namespace=namespace)
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("lab")
def test_the_examples_are_in_force_as_specified() -> None:
    """After lab up and lab apply, verify finds no difference, in thousands of flows and a few seconds."""
    done = octet("policy", "verify", "--name", NAME)
    assert (done.returncode, done.stdout) == (0, "0 differences\n"), done.stdout + done.stderr
    found = json.loads(said("policy", "verify", "--name", NAME, "--json"))
    assert found["differences"] == []
    assert found["pods"] == 7
    assert found["undecided"] == 0
    assert 500 < found["passed"] < found["flows"]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "family"), [("canal", "dual"), ("flannel:policy", "v4"), ("canal", "v6")])
def test_every_model_with_policy_verifies(model: str, family: str) -> None:
    """Routed or behind a bridge, of either family or both, the kernel does what is said."""
    name = "verify"
    said("lab", "up", "--name", name, "--model", model, "--family", family)
    try:
        said("lab", "apply", "-f", EXAMPLES, "--name", name)
        assert said("policy", "verify", "--name", name) == "0 differences\n"
    finally:
        said("lab", "down", name)


def test_an_ordinary_user_verifies_too() -> None:
    """Without root: policies in force, verified with real packets, and denied flows told of."""
    prefix = as_ordinary_user()
    place = Path(f"/tmp/octet-policy-test-{os.getpid()}")
    environment = {**os.environ, "OCTET_LAB_DIR": str(place), "HOME": "/nonexistent"}

    def run(*words: str) -> str:
        done = subprocess.run(
            [*prefix, OCTET, *words],
            capture_output=True,
            text=True,
            env=environment,
            cwd="/",
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("lab", "up", "--model", "canal")
    try:
        run("lab", "apply", "-f", EXAMPLES)
        assert run("policy", "verify") == "0 differences\n"
        assert until(lambda: json.loads(run("flows", "--denied", "--json")))
    finally:
        run("lab", "down")
    assert not place.exists()


def test_a_kernel_that_does_something_else_is_found_out(lab: Lab) -> None:
    """With a node's rules gone, flows that must not pass do; each is shown with both answers and why."""
    lab.kill_agent("node2")
    try:
        lab.exec("node2", ["nft", "flush", "chain", "inet", "octet", "policy-forward"])
        done = octet("policy", "verify", "--name", NAME)
        assert done.returncode == 1
        row = next(line for line in done.stdout.splitlines() if line.startswith("monitoring/grafana"))
        assert "passes" in row
        assert "denied" in row
        assert re.match(r"[1-9]\d* differences\n", done.stdout)
    finally:
        lab.start_agent("node2")
    assert said("policy", "verify", "--name", NAME) == "0 differences\n"


@pytest.mark.usefixtures("lab")
def test_explain_knows_the_lab() -> None:
    """What a lab's pods may do is explained from its own objects, addresses and nodes too."""
    found = said("policy", "explain", "guest/visitor", "web", "--port", "80", "--name", NAME)
    assert found.startswith("guest/visitor -> shop/web, 80/TCP: allowed")
    assert "a node always reaches its own pods" in said("policy", "explain", "node1", "web", "--name", NAME)
    other = said("policy", "explain", "node2", "web", "--port", "81", "--name", NAME)
    assert other.startswith("node2 -> shop/web, 81/TCP: denied")


def test_names_that_a_pod_has_asked_for_are_known(lab: Lab, tmp_path: Path) -> None:
    """Once a pod's resolver has answered, what the name means is explained and verified as allowed."""
    resolver = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "dns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}},
        "spec": {"containers": [{"name": "dns", "command": ["python3", "-c", RESOLVER]}]},
    }
    (tmp_path / "dns.json").write_text(json.dumps(resolver))
    said("lab", "apply", "-f", str(tmp_path), "--name", NAME)
    where = address(lab, "kube-system", "dns")
    (tmp_path / "dns.json").write_text(json.dumps(dns_service(where)))
    said("lab", "apply", "-f", str(tmp_path), "--name", NAME)
    ask = ("policy", "explain", "payment", "198.51.100.1", "--port", "9999", "--name", NAME)
    try:
        assert "198.51.100.1, 9999/TCP: denied" in said(*ask)
        asked = lab.exec("payment", ["python3", "-c", ASK, where, "api.payments.example"], namespace="shop")
        assert asked.stdout == "198.51.100.1\n", asked.stderr
        assert until(lambda: "198.51.100.1, 9999/TCP: allowed" in said(*ask))
        found = json.loads(said("policy", "verify", "--name", NAME, "--json"))
        assert (found["differences"], found["undecided"]) == ([], 0)
    finally:
        lab.delete("pod", "dns", namespace="kube-system")
        for item in dns_service(where):
            lab.delete(item["kind"], item["metadata"]["name"], namespace="kube-system")


@pytest.mark.usefixtures("lab")
def test_diff_says_what_applying_would_do(tmp_path: Path) -> None:
    """What the lab has is no change; what it has not is told before it is applied."""
    assert said("policy", "diff", EXAMPLES, "--name", NAME) == "no flow would change\n"
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
    metadata = {"name": "open", "namespace": "shop"}
    spec = {"podSelector": {"matchLabels": {"app": "payment"}}, "ingress": [{"ports": [{"port": 8443}]}]}
    (tmp_path / "open.json").write_text(json.dumps({**policy, "metadata": metadata, "spec": spec}))
    done = octet("policy", "diff", str(tmp_path), "--name", NAME, "--exit-code", "--json")
    assert done.returncode == 1
    changes = json.loads(done.stdout)["changes"]
    assert {(row["now"], row["to"], row["traffic"]) for row in changes} == {
        ("allowed", "shop/payment", "8443/TCP")
    }


def test_denied_flows_have_names_and_are_all_counted(lab: Lab) -> None:
    """A pod that may not is told with both pods, direction, port, policy and tier, and each packet counts."""
    policy = "ClusterNetworkPolicy guests-at-the-door"
    before = resting(lab, "node1", policy)
    send(lab, "visitor", "guest", address(lab, "shop", "db"), 100)
    assert until(lambda: counted(lab, "node1", policy) - before >= 100)
    assert resting(lab, "node1", policy) - before == 100
    told: list[dict] = []

    def is_told() -> bool:
        lines = json.loads(said("flows", "--denied", "--pod", "guest/visitor", "--name", NAME, "--json"))
        assert all("guest/visitor" in (each["source"], each["destination"]) for each in lines)
        told[:] = [each for each in lines if (each["protocol"], each["destination"]) == ("UDP", "shop/db")]
        return bool(told)

    assert until(is_told)
    line = told[0]
    assert (line["node"], line["verdict"], line["direction"], line["policy"], line["tier"]) == (
        "node1",
        "denied",
        "Egress",
        policy,
        "Admin",
    )


def test_an_agents_own_socket_tells_of_its_node(lab: Lab) -> None:
    """On the node itself, with the agent's configuration and no lab, flows are those of this node."""
    send(lab, "visitor", "guest", address(lab, "shop", "db"), 1)
    config = "/run/octet/node1/agent.toml"

    def is_told() -> bool:
        done = lab.exec("node1", [OCTET, "flows", "--denied", "--config", config, "--json"])
        assert done.returncode == 0, done.stderr
        lines = json.loads(done.stdout)
        assert {line["node"] for line in lines} <= {"node1"}
        return any(line["source"] == "guest/visitor" for line in lines)

    assert until(is_told)


def test_following_shows_flows_as_they_are_denied(lab: Lab) -> None:
    """Following prints a line within a second or two of the packet, and goes on until it is told to stop."""
    command = [OCTET, "flows", "--denied", "-f", "--pod", "monitoring/grafana", "--name", NAME, "--json"]
    to = address(lab, "shop", "payment")
    lines: list[dict] = []

    def is_told() -> bool:
        """Send to who is not sent to otherwise: it may not be followed yet, and then it is sent again."""
        send(lab, "grafana", "monitoring", to, 3)
        return until(lambda: any(line["destination"] == "shop/payment" for line in lines), 3)

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        reading = threading.Thread(target=lambda: lines.extend(map(json.loads, following.stdout)))
        reading.start()
        try:
            assert until(is_told, 60)
            assert following.poll() is None
        finally:
            following.terminate()
            reading.join()
    line = next(line for line in lines if line["destination"] == "shop/payment")
    found = (line["node"], line["direction"], line["policy"])
    assert found == ("node2", "Ingress", "NetworkPolicy shop/default-deny")
    assert line["source"] == "monitoring/grafana"


def test_a_flood_of_denied_packets_costs_the_agent_little(lab: Lab) -> None:
    """Who sends what it may not, as fast as it can, to ever new ports, gets a few lines and little time."""
    to = address(lab, "shop", "db")

    def spared() -> bool:
        """Send, count the lines, and tell whether the agent took less than a tenth of a processor."""
        before, begin = cpu(lab, "node1"), time.monotonic()
        last = json.loads(lab.ask_agent("node1", "/flows"))["last"]
        send(lab, "visitor", "guest", to, 300_000)
        time.sleep(2)
        seconds = time.monotonic() - begin
        spent = cpu(lab, "node1") - before
        told = json.loads(lab.ask_agent("node1", "/flows"))["last"] - last
        assert 0 < told <= 20 * (seconds + 2)
        return spent < 0.1 * seconds + 0.3

    assert any(spared() for _ in range(3))
    assert lab.ask_agent("node1", "/readyz") == "ok"


def test_a_change_on_its_way_is_no_difference(lab: Lab) -> None:
    """Verify right after a policy came and right after it went finds nothing, again and again."""
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
    item = {**policy, "metadata": {"name": "shut", "namespace": "guest"}, "spec": {"podSelector": {}}}
    for _ in range(2):
        lab.put([item])
        assert said("policy", "verify", "--name", NAME) == "0 differences\n"
        lab.delete("networkpolicy", "shut", namespace="guest")
        assert said("policy", "verify", "--name", NAME) == "0 differences\n"
