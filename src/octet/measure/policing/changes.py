"""From a change in the store to a verdict that packets meet: run inside a pod of the lab, which is the probe.

What lives here: the program ``python -m octet.measure.policing.changes``. What it must not know: the world
around it, statistics.

It writes the store that the agents share, then sends datagrams, each from a port of its own, to a pod that
answers, until the answers begin or end. What the agent says of its own share (its metrics) is read between
two changes. The time of a change is from before its transaction in the store until the first datagram that
met the new verdict was sent.
"""

import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from octet.measure.policing.crowds import PORT
from octet.measure.policing.filling import STORE
from octet.store.embedded import EmbeddedStore

POLICY, LABEL = "policy", "label"

_ANSWER = 0.002
"""Seconds in which a datagram that passes is answered: a hundred times what it takes."""

_PAUSE = 0.0005  # seconds between datagrams: what the probe's own resolution is
_PATIENCE = 30.0
_REST = 0.05  # seconds after a change, in which the agent looks at running connections
_SUMS = ("octet_policy_change_seconds_sum", "octet_kernel_change_seconds_sum")


class Task(msgspec.Struct):
    """What to do.

    Attributes:
        what: POLICY: let the probe in by its label, or only others; LABEL: give the probe that label, or not.
        kind, namespace, name: the object that changes.
        server: the address of the pod that answers.
        health: the agent's health socket.
        agent: its process.
    """

    what: str
    kind: str
    namespace: str
    name: str
    server: str
    health: str
    label: str
    allowed: str
    count: int
    agent: int


class Taken(msgspec.Struct):
    """What one change took, in ms: all of it, and of that what the agent decided and the kernel took.

    Attributes:
        processor: time that the agent was on a processor for it, however many others wanted one.
    """

    whole: float
    processor: float
    decision: float
    transaction: float


def answer(address: str) -> None:
    """Send every datagram back, until killed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as served:
        served.bind((address, PORT))
        while True:
            served.sendto(*served.recvfrom(64))


def passes(server: str) -> bool:
    """Tell whether a datagram from a new port is answered."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(_ANSWER)
        try:
            asking.sendto(b"?", (server, PORT))
            return bool(asking.recv(64))
        except (TimeoutError, PermissionError):
            return False


def until(allowed: bool, server: str) -> float:
    """Return when the first datagram was sent that met this verdict. Raises TimeoutError."""
    end = time.perf_counter() + _PATIENCE
    while (sent := time.perf_counter()) < end:
        # What is not answered may be late: twice more says that it was dropped.
        if passes(server) is allowed and (allowed or not any(passes(server) for _ in range(2))):
            return sent
        time.sleep(_PAUSE)
    raise TimeoutError(f"no datagram met the verdict {'pass' if allowed else 'drop'} in {_PATIENCE:.0f} s")


async def spent(health: str) -> tuple[float, float]:
    """Return what the agent's metrics say so far: seconds of policy with the kernel, of the kernel."""
    reader, writer = await asyncio.open_unix_connection(health, limit=1 << 20)
    writer.write(b"GET /metrics HTTP/1.0\r\nHost: agent\r\n\r\n")
    text = (await reader.read()).decode()
    writer.close()
    found = dict(line.split() for line in text.splitlines() if line.startswith(_SUMS))
    policed, applied = (float(found[name]) for name in _SUMS)
    return policed, applied


def worked(process: int) -> float:
    """Return the seconds that a process's first thread was on a processor (proc(5), schedstat)."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9


def of_policy(task: Task, item: dict[str, Any], allowed: bool) -> None:
    """Let the policy's peer be the probe's label, or another."""
    value = task.allowed if allowed else "nobody"
    item["spec"]["ingress"][0]["from"] = [{"podSelector": {"matchLabels": {task.label: value}}}]


def of_label(task: Task, item: dict[str, Any], allowed: bool) -> None:
    """Let the pod have the label, or another value of it."""
    item["metadata"]["labels"][task.label] = task.allowed if allowed else "nobody"


_CHANGES: Mapping[str, Callable[[Task, dict[str, Any], bool], None]] = {POLICY: of_policy, LABEL: of_label}


async def changes(task: Task) -> AsyncIterator[Taken]:
    """Change the object to and fro; yield what each change took."""
    async with EmbeddedStore(STORE) as store:
        allowed = True
        until(allowed, task.server)
        for _ in range(task.count):
            allowed = not allowed
            held = await store.get(task.kind, task.name, task.namespace)
            item = json.loads(json.dumps(held))
            _CHANGES[task.what](task, item, allowed)
            before = await spent(task.health)
            busy, begun = worked(task.agent), time.perf_counter()
            await store.update(task.kind, item)
            whole = until(allowed, task.server) - begun
            await asyncio.sleep(_REST)
            busy = worked(task.agent) - busy
            after = await spent(task.health)
            policed, applied = (now - then for now, then in zip(after, before, strict=True))
            yield Taken(*(1000 * each for each in (whole, busy, policed - applied, applied)))


async def run(task: Task) -> None:
    """Do it all and print what each change took."""
    sys.stdout.write(msgspec.json.encode([each async for each in changes(task)]).decode())


if __name__ == "__main__":
    if sys.argv[1] == "answer":
        answer(sys.argv[2])
    else:
        asyncio.run(run(msgspec.json.decode(sys.argv[2], type=Task)))
