"""A lab in which policies meet real packets: pods that serve and ask, policies that come and go.

What lives here: the lab as tests use it, some policies. What it must not know: tests.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

from octet.lab import Lab
from policy_programs import ASK, SERVER

DNS = "10.96.0.10"
"""The cluster's DNS service."""

OCTET = str(Path(sys.executable).with_name("octet"))


@contextmanager
def cluster(name: str, model: str, *more: str) -> Iterator["Cluster"]:
    """A lab of two nodes: a serves on node1 beside b and c; b2 and c2 are on node2."""
    held = Cluster(name, model, {})
    octet("lab", "up", "--name", held.name, "--model", model, "--nodes", "2", *more)
    try:
        for pod, node in (("b", "node1"), ("c", "node1"), ("b2", "node2"), ("c2", "node2")):
            held.run(pod, node, label=pod[0])
        held.run("a", "node1", sys.executable, "-c", SERVER, label="a")
        served = ["yes"] * len(held.addresses["a"])
        assert until(lambda: held.ask("b", "a") == served), (held.addresses, held.ask("b", "a"))
        yield held
    finally:
        octet("lab", "down", held.name)


@dataclass
class Cluster:
    """A lab and the addresses of its pods."""

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

    @contextmanager
    def voice(self, place: str, *command: str) -> Iterator["Voice"]:
        """Have a program run meanwhile, and hear what it says."""
        with self.running(place, *command) as process:
            yield Voice(process)

    def ask(self, place: str, pod: str, port: int = 80, kind: str = "tcp", seconds: float = 1.5) -> list[str]:
        """Ask a pod by each of its addresses; return what came of it.

        A connection's first packet that is lost for another reason than policy comes again after a second.
        """

        def one(address: str) -> str:
            return self.exec(place, sys.executable, "-c", ASK, kind, address, str(port), str(seconds))

        with ThreadPoolExecutor(len(self.addresses[pod])) as threads:
            return list(threads.map(one, self.addresses[pod]))

    @contextmanager
    def policy(self, tmp_path: Path, *objects: dict[str, object]) -> Iterator[None]:
        """Have policies meanwhile."""
        path = tmp_path / "policy.json"
        path.write_text(json.dumps(objects))
        octet("lab", "apply", "-f", str(path), "--name", self.name)
        self.heard()
        try:
            yield
        finally:
            for each in objects:
                octet("lab", "delete", word(each), name(each), "--name", self.name)
            self.heard()

    def heard(self) -> None:
        """Wait until every agent that runs has heard of all that was said so far, and a moment more."""
        lab = Lab.find(self.name)
        mark = {"name": "mark", "annotations": {"at": str(time.monotonic_ns())}}
        lab.put([{"apiVersion": "v1", "kind": "Namespace", "metadata": mark}])
        spaces = {each["metadata"]["name"]: each["metadata"] for each in lab.get("namespaces")}
        now = int(spaces["mark"]["resourceVersion"])
        for each in lab.get("nodes"):
            if each["lab"]["agent"]["state"] == "running":
                node = each["metadata"]["name"]
                told = partial(lab.ask_agent, node, "/state")
                assert until(lambda told=told: json.loads(told())["revision"] >= now), node
        time.sleep(0.3)

    def counted(self, chain: str) -> int:
        """Return how many packets a chain's counters of node1 have seen."""
        listing = json.loads(self.exec("node1", "nft", "-j", "list", "chain", "inet", "octet", chain))
        rules = [each["rule"] for each in listing["nftables"] if "rule" in each]
        found = [part["counter"]["packets"] for rule in rules for part in rule["expr"] if "counter" in part]
        return sum(found)


class Voice:
    """What a running program says, line by line."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.lines: list[str] = []
        assert process.stdout is not None
        self._stream = process.stdout
        Thread(target=self._hear, daemon=True).start()

    def _hear(self) -> None:
        with suppress(ValueError):
            for line in self._stream:
                self.lines.append(line.strip())

    @property
    def last(self) -> str:
        """The last line that it said, empty if none."""
        return self.lines[-1] if self.lines else ""


def octet(*arguments: str) -> str:
    done = subprocess.run([OCTET, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def word(item: dict[str, object]) -> str:
    return str(item["kind"]).lower()


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


def egress(label: str, *rules: object) -> dict[str, Any]:
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


def dns_service(goal: str, port: int = 53) -> list[dict[str, Any]]:
    """The cluster's DNS service, with a pod behind it."""
    labels = {"kubernetes.io/service-name": "kube-dns"}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "kube-dns", "namespace": "kube-system"},
            "spec": {"clusterIP": DNS, "ports": [{"port": 53, "targetPort": port, "protocol": "UDP"}]},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "kube-dns-1", "namespace": "kube-system", "labels": labels},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [goal]}],
            "ports": [{"port": port, "protocol": "UDP"}],
        },
    ]


def until(true: Callable[[], object], seconds: float = 20.0) -> bool:
    """Wait until something is so; tell whether it became so in time."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if true():
            return True
        time.sleep(0.1)
    return False
