"""A cold start of the agent in a large cluster: how long until it is ready, how much memory it holds then.

What lives here: the lab, and the program ``python -m octet.measure.policing.starting`` that runs inside it.
What it must not know: what the agent does until it is ready.
"""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from octet.errors import OctetError
from octet.lab import Lab
from octet.lab.names import PODS
from octet.measure.policing.crowds import CLUSTER, Object, nodes, pods, spaces, spread
from octet.measure.policing.filling import fill

_NODE = "node1"
_HOME = Path("/run/octet", _NODE)
_LABELS = 10
_LOCAL = 10
_PATIENCE = 120.0
_LOOK = 0.02


@dataclass(frozen=True, slots=True)
class Start:
    """One start.

    Attributes:
        seconds: from the start of the process until it says that it is ready.
        resident: MiB (VmRSS of proc(5)) then.
        peak: MiB, the most it held until then (VmHWM).
        objects: that it then wants in the kernel.
    """

    nodes: int
    pods: int
    policies: int
    seconds: float
    resident: float
    peak: float
    objects: int


def start(node_count: int, pod_count: int, policy_count: int, name: str) -> Start:
    """Return how an agent starts that knows so much. Raises OctetError."""
    names = [f"space{number}" for number in range(max(1, pod_count // 100))]
    with Lab.up("canal", nodes=1, name=name) as lab:
        for number in range(_LOCAL):
            lab.run(f"near{number}", _NODE, namespace=names[number % len(names)], labels={"app": "app0"})
        lab.kill_agent(_NODE)
        fill(lab, _NODE, _world(node_count, pod_count, policy_count, names))
        done = lab.exec(_NODE, [sys.executable, "-m", __name__], timeout=2 * _PATIENCE)
    if done.returncode != 0:
        raise OctetError(f"starting: {(done.stderr.strip().splitlines() or ['says nothing'])[-1]}")
    return Start(node_count, pod_count, policy_count, **json.loads(done.stdout))


def _world(node_count: int, pod_count: int, policy_count: int, names: list[str]) -> Iterator[Object]:
    yield from nodes(node_count)
    yield from spaces(names)
    yield from pods(pod_count, names, _LABELS)
    yield from spread(policy_count, len(names), _LABELS)


def asked(path: str) -> tuple[bool, str]:
    """Return whether the agent's answer to a path is good, and the answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        try:
            asking.connect(str(_HOME / "health.sock"))
            asking.sendall(f"GET {path} HTTP/1.0\r\nHost: agent\r\n\r\n".encode())
            answer = b"".join(iter(lambda: asking.recv(1 << 16), b"")).decode()
        except OSError as error:
            return False, str(error)
    head, _, body = answer.partition("\r\n\r\n")
    return " 200 " in head.split("\r\n")[0], body


def main() -> None:
    """Start the agent, wait until it is ready, print what it took as JSON, end it."""
    text = (_HOME / "agent.toml").read_text()
    (_HOME / "start.toml").write_text(text.replace(str(PODS[4]), CLUSTER))
    begun = time.monotonic()
    command = [sys.executable, "-m", "octet.agent", "--config", str(_HOME / "start.toml")]
    with (_HOME / "start.log").open("wb") as log:
        agent = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait(agent, begun)
        seconds = time.monotonic() - begun
        status = Path(f"/proc/{agent.pid}/status").read_text()
        held = dict(line.split(":", 1) for line in status.splitlines())
        _, text = asked("/metrics")
        wanted = next(line for line in text.splitlines() if line.startswith("octet_wanted_objects "))
        found = {
            "seconds": seconds,
            "resident": int(held["VmRSS"].split()[0]) / 1024,
            "peak": int(held["VmHWM"].split()[0]) / 1024,
            "objects": int(float(wanted.split()[1])),
        }
        sys.stdout.write(json.dumps(found))
    finally:
        agent.terminate()
        agent.wait()


def _wait(agent: "subprocess.Popen[bytes]", begun: float) -> None:
    while not asked("/readyz")[0]:
        if agent.poll() is not None:
            sys.exit(f"the agent ended: {(_HOME / 'start.log').read_text()[-500:]}")
        if time.monotonic() - begun > _PATIENCE:
            sys.exit(f"not ready after {_PATIENCE:.0f} s: {asked('/readyz')[1]}")
        time.sleep(_LOOK)


if __name__ == "__main__":
    main()
