"""A lab whose pods are those of the published policy cases, and the cases played on it.

What lives here: pods, policies and labels by the lab's own verbs, real packets between its pods.
What it must not know: what a policy means.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from typing import Any

import policy_world
from octet.lab import Lab
from octet.oracle import Flow
from policy_cases import Case, Objects, Probe, Step, after, expected, named, namespace, pod, probes
from policy_prober import Prober, Question
from policy_tracing import kind_of

NODES = ("node1", "node2")
PATIENCE, GLANCE = 5.0, 0.25
"""Seconds within which a change must be in force, and that one look at a table may take."""

MADE = ("Namespace", "Pod")


class TableLab:
    """A lab of two nodes with pods a, b, c in namespaces x, y, z. Use ``table_lab``."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.addresses: dict[str, str] = {}
        self.places: dict[str, int] = {}
        self._prober: Prober | None = None
        self.apply(namespace(name, {"ns": name}) for name in ("x", "y", "z"))
        for index, key in enumerate(sorted(policy_world.ADDRESSES)):
            self.start(key, {"pod": key.rpartition("/")[2]}, NODES[index % 2])
        self.objects: Objects = {
            f"Namespace {name}": namespace(name, {"ns": name}) for name in ("x", "y", "z")
        }
        for key, address in self.addresses.items():
            self.objects[f"Pod {key}"] = pod(key, {"pod": key.rpartition("/")[2]}, address)

    # the lab's verbs

    def apply(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Apply objects, one after the other."""
        for item in items:
            self.lab.apply(json.dumps(item), "case")

    def delete(self, item: Mapping[str, Any]) -> None:
        """Delete an object that is no pod."""
        metadata = item["metadata"]
        self.lab.delete(kind_of(item).lower(), metadata["name"], namespace=metadata.get("namespace", ""))

    def start(self, key: str, labels: Mapping[str, str], node: str) -> None:
        """Start a pod and learn its address."""
        self._forget_prober()
        space, name = key.split("/")
        self.apply([{**pod(key, labels, "0.0.0.0", node), "status": {}}])
        held = next(item for item in self.lab.get("pod", namespace=space) if item["metadata"]["name"] == name)
        self.addresses[key] = held["status"]["podIPs"][0]["ip"]
        with self.lab.doors(name, namespace=space) as doors:
            self.places[key] = os.dup(doors.net)

    def stop(self, key: str) -> None:
        """Delete a pod."""
        self._forget_prober()
        os.close(self.places.pop(key))
        del self.addresses[key]
        space, name = key.split("/")
        self.lab.delete("pod", name, namespace=space)

    def close(self) -> None:
        """Let go of the pods' namespaces."""
        self._forget_prober()
        for descriptor in self.places.values():
            os.close(descriptor)

    def _forget_prober(self) -> None:
        if self._prober is not None:
            self._prober.close()
            self._prober = None

    @property
    def prober(self) -> Prober:
        """Return what stands in all pods that are there now."""
        if self._prober is None:
            self._prober = Prober(self.places)
        return self._prober

    # cases

    def play(self, case: Case) -> Iterator[str]:
        """Play a case; yield every flow that does not do within PATIENCE what its table says."""
        held = dict(self.objects)
        try:
            for number, step in enumerate(case.steps):
                held = self._step(held, step, case.kind)
                for text in self.differences(step.table):
                    yield f"{case}, step {number + 1}: {text}"
        finally:
            self.reset(held)

    def _step(self, held: Objects, step: Step, kind: str) -> Objects:
        """Do what a step says; pods first, because their addresses are theirs to get."""
        for what, labels in step.create:
            if what.startswith("Pod "):
                self.start(what.removeprefix("Pod "), labels, NODES[len(self.addresses) % 2])
            else:
                self.apply([namespace(what.removeprefix("Namespace "), labels)])
        for what in step.remove:
            if what.startswith("Pod "):
                self.stop(what.removeprefix("Pod "))
        now = after(held, step, kind, self.addresses)
        changed = [item for key, item in now.items() if held.get(key) != item]
        self.apply(item for item in changed if item["kind"] != "Pod" or named(item) in held)
        for key in held.keys() - now.keys():
            if held[key]["kind"] not in MADE:
                self.delete(held[key])
        return now

    def reset(self, held: Objects) -> None:
        """Make everything as it was before a case."""
        for key in sorted(self.addresses.keys() - policy_world.ADDRESSES.keys()):
            self.stop(key)
        for key, item in held.items():
            if item["kind"] not in MADE:
                self.delete(item)
            elif key in self.objects and item != self.objects[key]:
                self.apply([self.objects[key]])

    def differences(self, table: Iterable[str]) -> list[str]:
        """Return the flows that still do not do what a table says when patience is at its end."""
        wanted = expected(table, probes(self.addresses), self.addresses)
        asked = [probe for probe in wanted if probe.source != probe.destination]
        said = [wanted[probe] for probe in asked]
        end, wrong = time.monotonic() + PATIENCE, asked
        while wrong and time.monotonic() < end:
            got = self.prober.ask([self._question(probe) for probe in asked], said, GLANCE)
            wrong = [probe for probe, arrived in zip(asked, got, strict=True) if arrived is not wanted[probe]]
        return [f"{probe} should be {'allowed' if wanted[probe] else 'denied'}" for probe in wrong]

    def _question(self, probe: Probe) -> Question:
        ends = (ip_address(self.addresses[name]) for name in (probe.source, probe.destination))
        return Question(probe.source, probe.destination, Flow(*ends, probe.protocol, probe.port))


@contextmanager
def table_lab(model: str) -> Iterator[TableLab]:
    """Yield a lab of a model with the pods of the cases; it ends with the block."""
    with ExitStack() as ends:
        lab = ends.enter_context(Lab.up(model, nodes=2, name=f"tables-{model.replace(':', '-')}"))
        made = TableLab(lab)
        ends.callback(made.close)
        yield made
