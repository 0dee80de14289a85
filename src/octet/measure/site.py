"""One candidate's cluster while it is measured: two nodes, pods that come and go, and proof of the path.

What lives here: attaching, detaching, places in pods, the checks that a figure is worth something.
What it must not know: statistics, other candidates.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from octet.errors import OctetError
from octet.kernel import namespaces
from octet.lab import Lab
from octet.lab.api import PodInfo
from octet.lab.provider import Octet
from octet.measure.candidates import Candidate
from octet.measure.places import ProbeFailedError, Stretch, ask, serving
from octet.measure.racked import peer_with_racks

NODES = ("node1", "node2")
NAME_PORT = 7003
_PROGRAM = (sys.executable, "-m", "octet.measure.connect")
_ENTERED = 2.0
"""Seconds within which a started program must be in its pod's namespace."""


@dataclass(frozen=True, slots=True)
class LabPlace:
    """A pod or node of a lab. Programs start there by execution alone: their process id is their own."""

    lab: Lab
    target: str

    def start(self, command: Sequence[str]) -> subprocess.Popen[str]:
        """Start a program in the target's network (and, without root, user) namespace."""
        with self.lab.doors(self.target) as doors:
            inside = namespaces.identity(doors.net)
            head = ["nsenter", f"--net=/proc/self/fd/{doors.net}"]
            if namespaces.identity(doors.user) != _own("user"):
                head += [f"--user=/proc/self/fd/{doors.user}", "--preserve-credentials"]
            pipe = subprocess.PIPE
            process = subprocess.Popen(
                [*head, "--", *command],
                stdout=pipe,
                stderr=pipe,
                text=True,
                pass_fds=(doors.net, doors.user),
            )
        _wait_until_inside(process, inside)
        return process


def _own(kind: str) -> tuple[int, int]:
    status = Path(f"/proc/self/ns/{kind}").stat()
    return status.st_dev, status.st_ino


def _wait_until_inside(process: subprocess.Popen[str], namespace: tuple[int, int]) -> None:
    end = time.monotonic() + _ENTERED
    while process.poll() is None and time.monotonic() < end:
        try:
            status = Path(f"/proc/{process.pid}/ns/net").stat()
        except OSError:
            return
        if (status.st_dev, status.st_ino) == namespace:
            return
        time.sleep(0.0005)


def sent(table: str, device: str) -> tuple[int, int]:
    """Return (bytes, packets) that a device has sent, from /proc/net/dev (proc(5)).

    Raises ProbeFailedError where there is no such device.
    """
    for line in table.splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == device:
            columns = numbers.split()
            return int(columns[8]), int(columns[9])
    raise ProbeFailedError(f"no device {device}")


@dataclass(slots=True)
class Site(AbstractContextManager["Site"]):
    """A candidate's lab of two nodes. Ends with its block."""

    candidate: Candidate
    lab: Lab
    pods: list[PodInfo] = field(default_factory=list)

    @classmethod
    def up(cls, candidate: Candidate, name: str, fabric: str = "l2") -> Self:
        """Start the lab; on racks, have nodes peer with their routers. Raises OctetError."""
        made = cls(candidate, Lab.up(candidate.provider, nodes=len(NODES), name=name, fabric=fabric))
        if fabric == "routed" and isinstance(candidate.provider, Octet):
            try:
                peer_with_racks(made.lab, candidate.provider.model)
            except OctetError:
                made.lab.down()
                raise
        return made

    def __exit__(self, *_: object) -> None:
        self.lab.down()

    def attach(self, per_node: int) -> list[float]:
        """Start this many pods on each node; return the ms that each attachment took. Raises OctetError."""
        times = []
        for index in range(per_node):
            for node in NODES:
                pod = self.lab.run(f"pod{index}-{node}", node)
                self.pods.append(pod)
                times.append(pod.attach_seconds * 1000)
        return times

    def detach(self) -> list[float]:
        """End all pods; return the ms that each detachment took. Raises OctetError."""
        times = []
        while self.pods:
            gone = self.lab.delete("pod", self.pods.pop().name)
            times.append(gone["lab"]["detach_seconds"] * 1000)
        return times

    def clear(self) -> None:
        """End what pods there are after a turn that failed, however that goes."""
        while self.pods:
            with contextlib.suppress(OctetError):
                self.lab.delete("pod", self.pods.pop().name)

    def stretch(self) -> Stretch:
        """Return the path from the first pod of the first node to the first pod of the second."""
        client, server = self.pods[0], self.pods[1]
        return Stretch(LabPlace(self.lab, client.name), LabPlace(self.lab, server.name), server.address())

    def carried(self) -> tuple[int, int]:
        """Return (bytes, packets) that the first node has sent through the candidate's carrier."""
        table = ask(LabPlace(self.lab, NODES[0]), ("cat", "/proc/self/net/dev"), limit=5)
        return sent(table, self.candidate.carrier)

    def check_identity(self) -> None:
        """Prove that the right pod answers and that it sees the client's own address.

        Raises ProbeFailedError.
        """
        client, path = self.pods[0], self.stretch()
        token = f"{self.candidate.name} {os.urandom(8).hex()}"
        server = (*_PROGRAM, "tell", path.address, str(NAME_PORT), token)
        with serving(path.server, server, NAME_PORT):
            answer = ask(path.client, (*_PROGRAM, "hear", path.address, str(NAME_PORT)), limit=10)
        expected = f"{token} {client.address()}"
        if answer != expected:
            raise ProbeFailedError(f"the wrong pod or address answered: {answer!r}, not {expected!r}")
