"""How soon a change is in force: the labs in which changes are made, and what they took.

What lives here: two worlds, the usual and the worst. What it must not know: how a change is timed, the page.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import msgspec

from octet.errors import OctetError
from octet.lab import Lab
from octet.measure.policing.changes import LABEL, POLICY, Taken, Task
from octet.measure.policing.crowds import PEER, Object, pods, policy, selecting, spaces, spread
from octet.measure.policing.filling import fill
from octet.measure.site import LabPlace

NODE = "node1"
_CHANGES = (sys.executable, "-m", "octet.measure.policing.changes")
_LIMIT = 240
_SUBJECT, _PEER = {"app": "server"}, {"role": "probe"}
_LABELS = 10
"""Different labels of the pods of a namespace."""

_NEIGHBOURS = 10
"""Other pods on the node: in the usual world in other namespaces, in the worst one beside the server."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What changes took.

    Attributes:
        title: which world, and what changed.
        taken: each change.
    """

    title: str
    taken: Sequence[Taken]


def usual(pod_count: int, policy_count: int, count: int, name: str) -> Iterator[Reaction]:
    """Yield how soon changes are in force where many pods and policies are known. Raises OctetError."""
    world = f"{pod_count:,} pods, {policy_count:,} policies"
    names = [f"space{number}" for number in range(max(1, pod_count // 100))]
    crowd: list[Object] = [
        *spaces(names),
        *pods(pod_count, names, _LABELS),
        *spread(policy_count - 1, len(names), _LABELS),
        policy("gate", "default", _SUBJECT, _PEER),
    ]
    near = [(f"near{number}", names[number % len(names)], {"app": "app0"}) for number in range(_NEIGHBOURS)]
    with ExitStack() as stack:
        lab = _lab(stack, name, near, crowd)
        for what, title in ((POLICY, "a policy changes"), (LABEL, "a pod's label changes")):
            yield Reaction(f"{world}: {title}", _changed(lab, what, "gate", count))


def worst(policy_count: int, count: int, name: str) -> Iterator[Reaction]:
    """Yield how soon one of many policies that all select the same pods is in force. Raises OctetError."""
    policies = selecting(policy_count, "default", _SUBJECT, _PEER)
    gate = policies[policy_count // 2]["metadata"]["name"]
    crowd = [*pods(policy_count, ["default"], policy_count, PEER), *policies]
    near = [(f"near{number}", "default", _SUBJECT) for number in range(_NEIGHBOURS)]
    with ExitStack() as stack:
        lab = _lab(stack, name, near, crowd)
        title = (
            f"{policy_count:,} pods, {policy_count:,} policies for the same {_NEIGHBOURS + 1}: one changes"
        )
        yield Reaction(title, _changed(lab, POLICY, gate, count))


def _lab(
    stack: ExitStack, name: str, near: Sequence[tuple[str, str, dict[str, str]]], crowd: Sequence[Object]
) -> Lab:
    """Return a lab with server, probe and neighbours, whose agent has started in the whole world."""
    lab = stack.enter_context(Lab.up("canal", nodes=1, name=name))
    for pod, namespace, labels in near:
        lab.run(pod, NODE, namespace=namespace, labels=labels)
    server = lab.run("server", NODE, labels=_SUBJECT)
    lab.run("probe", NODE, labels={"app": "probe", **_PEER})
    lab.kill_agent(NODE)
    fill(lab, NODE, crowd)
    lab.start_agent(NODE)
    process = LabPlace(lab, "server").start((*_CHANGES, "answer", server.address()))
    stack.callback(process.communicate)
    stack.callback(process.kill)
    return lab


def _changed(lab: Lab, what: str, gate: str, count: int) -> list[Taken]:
    address = next(pod for pod in lab.get("pods") if pod["metadata"]["name"] == "server")["status"]["podIP"]
    kind, name = ("Pod", "probe") if what == LABEL else ("NetworkPolicy", gate)
    health = f"/run/octet/{NODE}/health.sock"
    ((label, allowed),) = _PEER.items()
    agent = lab.get("nodes")[0]["lab"]["agent"]["pid"]
    task = Task(what, kind, "default", name, address, health, label, allowed, count, agent)
    command = (*_CHANGES, "change", msgspec.json.encode(task).decode())
    done = lab.exec("probe", command, timeout=_LIMIT)
    if done.returncode != 0:
        raise OctetError(f"{what}: {(done.stderr.strip().splitlines() or ['says nothing'])[-1]}")
    return msgspec.json.decode(done.stdout, type=list[Taken])
