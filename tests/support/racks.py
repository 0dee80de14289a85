"""What tests of routed labs ask: is somebody reached, and over which devices.

What lives here: questions to a lab, waiting for their answers, a stream that counts what is lost, agents that
start anew, changes of Node objects. What it must not know: any test.
"""

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import IO

from octet.lab import Lab


def wait_for(true: Callable[[], bool], seconds: float = 30, pause: float = 0.02) -> None:
    """Wait until something is so, with a pause between two looks; fail when it takes longer.

    Sessions that broke several times wait up to their hold time (9 s) before they try again.
    """
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(pause)


def reaches(lab: Lab, target: str, address: str, count: int = 3) -> bool:
    """Do all of a few pings come back?"""
    ping = lab.exec(target, ["ping", "-c", str(count), "-i", "0.05", "-W", "1", address])
    return " 0% packet loss" in ping.stdout


def ways(lab: Lab, target: str, destination: str) -> list[str]:
    """The devices of a route's next hops."""
    held = [each for each in lab.routes(target)[target] if str(each.destination) == destination]
    return sorted(hop.dev for each in held for hop in each.hops)


def resource(kind: str, name: str, **spec: object) -> dict[str, object]:
    """Return one of Calico's resources."""
    return {
        "apiVersion": "projectcalico.org/v3",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }


def mark(
    lab: Lab, node: str, labels: Mapping[str, str] | None = None, annotations: Mapping[str, str] | None = None
) -> None:
    """Give a Node labels and annotations; an empty annotation goes."""
    item = next(each for each in lab.get("nodes") if each["metadata"]["name"] == node)
    metadata = item["metadata"]
    held = {**metadata.get("annotations", {}), **(annotations or {})}
    metadata["annotations"] = {key: text for key, text in held.items() if text}
    metadata["labels"] = {**metadata.get("labels", {}), **(labels or {})}
    lab.put([{key: value for key, value in item.items() if key != "lab"}])


@dataclass
class Streams:
    """Pings that run all the time, and what they have to say at their end."""

    interval: float
    lost: dict[str, int] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)

    def seconds(self) -> float:
        """Return for how long the worst of them heard nothing, by what it lost."""
        return max(self.lost.values()) * self.interval


@contextmanager
def streaming(lab: Lab, pairs: Iterable[tuple[str, str]], interval: float = 0.01) -> Iterator[Streams]:
    """Ping from pods to addresses while the block runs; then count.

    A ping that waits for nobody sends on whatever is answered, so what is lost counts in intervals.
    """
    streams = Streams(interval)
    with ExitStack() as stack:
        heard = {}
        for pod, address in pairs:
            file = stack.enter_context(tempfile.TemporaryFile("w+"))
            heard[f"{pod} to {address}"] = (pinging(lab, pod, address, interval, file), file)
        for _, file in heard.values():
            wait_for(lambda file=file: os.fstat(file.fileno()).st_size > 0)
        try:
            yield streams
        finally:
            time.sleep(0.2)
            counted = {name: ended(ping, file) for name, (ping, file) in heard.items()}
    for name, (sent, lost) in counted.items():
        streams.sent[name], streams.lost[name] = sent, lost


def pinging(lab: Lab, pod: str, address: str, interval: float, file: IO[str]) -> "subprocess.Popen[str]":
    """Start to ping from a pod for ever, and have a file say what came back."""
    command = ["stdbuf", "-oL", "ping", "-n", "-i", str(interval), "-W", "1", address]
    return lab.popen(pod, command, stdout=file, text=True)


UNDER_WAY = 2
"""Packets of a stream that may not be back, or not be read, when it is ended."""


def ended(ping: "subprocess.Popen[str]", file: IO[str]) -> tuple[int, int]:
    """End a ping; return how many packets it sent and how many were lost, but for those still under way."""
    ping.send_signal(signal.SIGINT)
    ping.wait(timeout=10)
    file.seek(0)
    text = file.read()
    found = re.search(r"(\d+) packets transmitted", text)
    assert found, text[-1000:]
    sent = int(found[1])
    came = {int(number) for number in re.findall(r"bytes from .*icmp_seq=(\d+)", text)}
    last = max(came, default=0)
    return sent, last - len(came) + max(sent - last - UNDER_WAY, 0)


def quiet(streams: Streams) -> None:
    """Nothing was lost."""
    assert min(streams.sent.values()) > 50
    assert set(streams.lost.values()) == {0}, streams.lost


def end_agent(lab: Lab, node: str) -> None:
    """End an agent by SIGTERM, as systemd and Kubernetes do, and see that its BIRD has ended with it."""

    def agent() -> dict[str, object]:
        return {each["metadata"]["name"]: each["lab"]["agent"] for each in lab.get("nodes")}[node]

    done = lab.exec(node, ["kill", "-TERM", str(agent()["pid"])])
    assert done.returncode == 0, done.stderr
    wait_for(lambda: agent().get("exit_code") == 0)
    control = f"/run/octet/{node}/daemons/bgp/control.sock"
    assert lab.exec(node, ["test", "-e", control]).returncode == 1
    assert "protocol" not in lab.exec(node, ["birdc", "-s", control, "show", "protocols"]).stdout


def restart_agents(lab: Lab, *nodes: str) -> None:
    """Kill nodes' agents, start them a second later, and give what follows another one."""
    for node in nodes:
        lab.kill_agent(node)
    time.sleep(1)
    for node in nodes:
        lab.start_agent(node)
    time.sleep(1)
