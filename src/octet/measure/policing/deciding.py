"""What a change among very many policies, and a policy of great size, cost the agent: side by side by source.

What lives here: the worlds, and the program that makes changes in one of them, run by its file so that the
agent of another checkout can be asked the same. What it must not know: the kernel, labs; it needs no root.
"""

import gc
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from statistics import median
from typing import Any

from octet.agent.desired import Desired
from octet.agent.policing import Policing
from octet.cluster.changes import Underlay
from octet.cluster.endpoint import Attachment, Endpoint
from octet.cluster.view import View
from octet.measure.policing.crowds import FIRST_PORT, PEER, Object, pods, selecting
from octet.policy.gates import Gate

HERE, SUBJECT = 11, {"app": "server"}
FIRST = IPv4Address("10.244.1.2")
ALLOWING, ORDERED, GIANT = "allowing", "ordered", "giant"
WORLDS = {
    ALLOWING: "{0:,} NetworkPolicies for the same 11 pods",
    ORDERED: "{0:,} of Calico's policies, each denies and allows, for the same 11 pods",
    GIANT: "one NetworkPolicy of {0:,} ports for 30 pods",
}
SIZES = {ALLOWING: 10_000, ORDERED: 3_000, GIANT: 30_000}
TIMES = 3
_LIMIT = 600


@dataclass(frozen=True, slots=True)
class Decided:
    """What one change took in one world.

    Attributes:
        source: whose agent.
        milliseconds: of a processor, the median.
        objects: of the kernel that change, in all.
        peak: MiB that the process held at most.
    """

    world: str
    change: str
    source: str
    milliseconds: float
    objects: int
    peak: float


def decided(sources: Sequence[tuple[str, Path]], share: float) -> Iterator[Decided]:
    """Yield what changes take, world by world, with the agents of some source trees (name and ``src``)."""
    for world, size in SIZES.items():
        count = max(100, round(size * share))
        for name, path in sources:
            environment = {**os.environ, "PYTHONPATH": str(path)}
            command = (sys.executable, __file__, world, str(count))
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=_LIMIT, check=True
            )
            for change, milliseconds, objects, peak in json.loads(done.stdout):
                yield Decided(WORLDS[world].format(count), change, name, milliseconds, objects, peak)


def _ordered(number: int) -> Object:
    ports = {"ports": [FIRST_PORT + number]}
    rules = [
        {"action": action, "protocol": "TCP", "source": {"selector": f"app == '{PEER}{number}'"}}
        for action in ("Deny", "Allow")
    ]
    spec = {"order": float(number), "selector": "app == 'server'", "types": ["Ingress"]}
    return {
        "apiVersion": "projectcalico.org/v3",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"ordered-{number:05}", "namespace": "default"},
        "spec": {**spec, "ingress": [{**rule, "destination": ports} for rule in rules]},
    }


def _giant(count: int) -> Object:
    ports = [{"port": 2 * number + 1, "protocol": "TCP"} for number in range(count)]
    spec = {
        "podSelector": {"matchLabels": SUBJECT},
        "ingress": [{"from": [{"podSelector": {}}], "ports": ports}],
    }
    return {"metadata": {"name": "giant", "namespace": "default"}, "spec": spec}


def _server(number: int) -> Object:
    return {
        "metadata": {"name": f"server{number}", "namespace": "default", "labels": SUBJECT},
        "spec": {"nodeName": "node1"},
        "status": {"phase": "Running", "podIPs": [{"ip": str(FIRST + number)}]},
    }


def _endpoint(number: int) -> Endpoint:
    key = Attachment("octet", f"c{number}", "eth0")
    mac, name = f"02:00:00:00:00:{number:02x}", f"server{number}"
    return Endpoint(key, f"cali{number}", mac, 1450, FIRST + number, None, "default", name)


class _Node:
    """A node's policy in one world, without a kernel."""

    def __init__(self, world: str, count: int) -> None:
        self._kind, items, crowd = "NetworkPolicy", list[Object](), 30 - HERE
        if world == ALLOWING:
            items, crowd = selecting(count, "default", SUBJECT, {"app": f"{PEER}0"}), count
        elif world == ORDERED:
            self._kind, items, crowd = "CalicoNetworkPolicy", [_ordered(n) for n in range(count)], count
        self.changes = list(_changes(world, items, count))
        held = [*map(_server, range(HERE)), *pods(crowd, ["default"], count, PEER)]
        view = View("node1", Underlay("eth0", 1500, IPv4Interface("192.0.2.1/24"), None))
        self._view = view.with_listing("Pod", held).view.with_listing(self._kind, items).view
        self._policing = Policing(Desired(), Gate())
        self._policing.see(self._view, ())
        self._policing.begin(self._view, map(_endpoint, range(HERE)))
        gc.freeze()

    def change(self, happened: str, item: Object) -> tuple[float, int]:
        """Return the milliseconds that a change takes, and the objects that are others."""
        self._view, changes = self._view.with_event(self._kind, (happened, item))
        self._policing.see(self._view, changes)
        begun = time.process_time()
        change = self._policing.flush()
        spent = 1000 * (time.process_time() - begun)
        return spent, len(change.add) + len(change.alter) + len(change.remove)


def _changes(world: str, items: Sequence[Object], count: int) -> Iterator[tuple[str, str, Object]]:
    """Yield what happens, one after the other: its name, the store's word, the object."""
    if world == GIANT:
        yield "comes", "ADDED", _giant(count)
        yield "goes", "DELETED", _giant(count)
        return
    item = items[count // 3]
    for number in range(TIMES):
        text = json.dumps(item).replace(f"{PEER}{count // 3}", f"{PEER}{number}")
        yield "one says something else", "MODIFIED", json.loads(text)
    for _ in range(TIMES):
        yield "one goes", "DELETED", item
        yield "one comes", "ADDED", item


def main(arguments: Sequence[str]) -> None:
    """Make a world's changes and print what they took."""
    node, found = _Node(arguments[0], int(arguments[1])), dict[str, list[tuple[float, int]]]()
    for name, happened, item in node.changes:
        found.setdefault(name, []).append(node.change(happened, item))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows: list[Any] = [
        (name, median(each[0] for each in taken), taken[-1][1], peak) for name, taken in found.items()
    ]
    sys.stdout.write(json.dumps(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
