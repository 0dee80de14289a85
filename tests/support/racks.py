"""What tests of routed labs ask: is somebody reached, and over which devices.

What lives here: questions to a lab, waiting for their answers, a stream that counts what is lost, agents that
start anew, changes of Node objects. What it must not know: any test.
"""

import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from octet.lab import Lab


def wait_for(true: Callable[[], bool], seconds: float = 10, pause: float = 0.02) -> None:
    """Wait until something is so, with a pause between two looks; fail when it takes longer."""
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
    command = ["stdbuf", "-oL", "ping", "-n", "-q", "-i", str(interval), "-W", "1"]
    running = {
        f"{pod} to {address}": lab.popen(pod, [*command, address], stdout=subprocess.PIPE, text=True)
        for pod, address in pairs
    }
    for ping in running.values():
        ping.stdout.readline()  # it says whom it pings before it does
    try:
        yield streams
    finally:
        time.sleep(0.2)
        for ping in running.values():
            ping.send_signal(signal.SIGINT)
        said = {name: ping.communicate(timeout=10)[0] for name, ping in running.items()}
    for name, text in said.items():
        found = re.search(r"(\d+) packets transmitted, (\d+) received", text)
        assert found, text
        streams.sent[name], received = map(int, found.groups())
        streams.lost[name] = streams.sent[name] - received


def quiet(streams: Streams) -> None:
    """Nothing was lost."""
    assert min(streams.sent.values()) > 50
    assert set(streams.lost.values()) == {0}, streams.lost


def restart_agents(lab: Lab, *nodes: str) -> None:
    """Kill nodes' agents, start them a second later, and give what follows another one."""
    for node in nodes:
        lab.kill_agent(node)
    time.sleep(1)
    for node in nodes:
        lab.start_agent(node)
    time.sleep(1)
