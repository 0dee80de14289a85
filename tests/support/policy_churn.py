"""Random change: clusters that never rest, and the tables of their nodes as transactions make them.

What lives here: random events, and two nodes' policy fed with them, each transaction applied to what the node
holds as a kernel would. What it must not know: what a policy means.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from octet import policy
from octet.agent.desired import Desired
from octet.agent.policing import Policing
from octet.blueprint import Blueprint, Change, KernelObject, Key
from octet.cluster.view import View
from octet.policy.gates import Gate
from policy_cases import Objects, named
from policy_tracing import Cluster, endpoint_of, kind_of, node_table, view_of
from policy_worlds import Dice, Item

Event = tuple[str, Item]
POLICIES = ("NetworkPolicy", "CalicoNetworkPolicy", "GlobalNetworkPolicy", "ClusterNetworkPolicy")


@dataclass
class Held:
    """What one node's table holds, object by object."""

    objects: dict[Key, KernelObject]

    def take(self, change: Change) -> None:
        """Apply one transaction; it must fit what is there, as nft would insist."""
        for item in change.remove:
            assert self.objects.pop(item.key, None) == item, f"{item} is not there to be removed"
        for old, new in change.alter:
            assert self.objects.get(old.key) == old, f"{old} is not there to be changed"
            self.objects[new.key] = new
        for item in change.add:
            assert item.key not in self.objects, f"{item} is there already"
            self.objects[item.key] = item


class Node:
    """One node's policy, as its agent keeps it."""

    def __init__(self, view: View, bridge: str) -> None:
        self.view = view
        self.held = Held({})
        self._bridge = bridge
        self._desired = Desired()
        self._policing = Policing(self._desired, Gate(bridge))
        self._attached: dict[tuple[str, str], Any] = {}
        self._policing.see(view, ())
        self._policing.begin(view, ())
        self.held.take(Change(add=tuple(self._desired.blueprint())))
        self.attach()

    def see(self, events: list[Event]) -> None:
        """Take events, one transaction; pods of this node are attached and detached around it."""
        changes: list[Any] = []
        for happened, item in events:
            self.view, more = self.view.with_event(kind_of(item), (happened, item))
            changes += more
        self._policing.see(self.view, changes)
        self.held.take(self._policing.flush())
        self.attach()

    def attach(self) -> None:
        """Attach the pods that are here now, detach those that are not."""
        here = {pod.key: pod for pod in self.view.pods.values() if pod.node == self.view.me and pod.own_ips}
        wanted = {key: endpoint_of(pod, bridged=bool(self._bridge)) for key, pod in here.items()}
        for key, endpoint in list(self._attached.items()):
            if wanted.get(key) != endpoint:
                self.held.take(self._policing.detach(endpoint.attachment))
                del self._attached[key]
        for key, endpoint in wanted.items():
            if key not in self._attached:
                self.held.take(self._policing.attach(endpoint))
                self._attached[key] = endpoint

    def fresh(self) -> Blueprint:
        """Return what would be compiled from nothing."""
        return policy.compile(self.view, self._attached.values(), bridge=self._bridge)

    def table(self) -> Any:
        """Return the node with what it holds."""
        return node_table(self.view, list(self._attached.values()), self.held.objects.values())


class Churn:
    """A cluster of two nodes under random change."""

    def __init__(self, seed: int, bridge: str) -> None:
        self.dice = Dice(random.Random(seed), dual=True)
        items = list(self.dice.cluster())
        self.objects: Objects = {named(item): item for item in [*items, *self.dice.policies(items)]}
        self.bridge = bridge
        names = [item["metadata"]["name"] for item in items if item["kind"] == "Node"]
        self.nodes = {name: Node(view_of(self.objects.values(), name), bridge) for name in names}

    def step(self) -> list[Event]:
        """Change something; return what."""
        events: list[Event] = []
        for _ in range(self.dice.pick((1, 1, 2, 3))):
            for happened, item in list(self._change()):
                events.append((happened, item))
                if happened == "DELETED":
                    del self.objects[named(item)]
                else:
                    self.objects[named(item)] = item
        for node in self.nodes.values():
            node.see(events)
        return events

    def cluster(self) -> Cluster:
        """Return the cluster with the tables that the nodes hold now."""
        cluster = Cluster(self.objects.values(), bridge=self.bridge)
        cluster.__dict__["tables"] = {name: node.table() for name, node in self.nodes.items()}
        return cluster

    def _change(self) -> Iterator[Event]:
        return self.dice.pick(
            (self._new, self._replaced, self._gone, self._relabelled, self._moved, self._reused)
        )()

    def _of(self, *kinds: str) -> list[Item]:
        return [item for item in self.objects.values() if kind_of(item) in kinds]

    def _policies(self) -> list[Item]:
        pods = self._of("Pod")
        return [item for item in self.dice.policies(pods) if named(item) not in self.objects]

    def _new(self) -> Iterator[Event]:
        yield from (("ADDED", item) for item in self._policies())

    def _replaced(self) -> Iterator[Event]:
        """Give an old policy the contents of a new one of its kind."""
        for fresh in self._policies():
            old = [item for item in self._of(kind_of(fresh)) if kind_of(item) in POLICIES]
            if old and fresh["spec"].get("tier", "default") == old[0]["spec"].get("tier", "default"):
                yield "MODIFIED", {**old[0], "spec": fresh["spec"]}
                return

    def _gone(self) -> Iterator[Event]:
        held = self._of(*POLICIES, "NetworkSet", "GlobalNetworkSet", "EndpointSlice", "ServiceAccount")
        if held:
            yield "DELETED", self.dice.pick(held)

    def _relabelled(self) -> Iterator[Event]:
        item = self.dice.pick(self._of("Pod", "Namespace"))
        labels = self.dice.labels()
        if item["kind"] == "Namespace":
            labels["kubernetes.io/metadata.name"] = item["metadata"]["name"]
        yield "MODIFIED", {**item, "metadata": {**item["metadata"], "labels": labels}}

    def _moved(self) -> Iterator[Event]:
        """Let a pod go, or come, or end."""
        pods, spaces = self._of("Pod"), self._of("Namespace")
        if len(pods) < 6 and self.dice.often(0.6):
            yield "ADDED", self.dice.pod(self.dice.pick(spaces)["metadata"]["name"])
        elif len(pods) > 1 and self.dice.often(0.7):
            yield "DELETED", self.dice.pick(pods)
        else:
            pod = self.dice.pick(pods)
            yield "MODIFIED", {**pod, "status": {**pod["status"], "phase": "Succeeded"}}

    def _reused(self) -> Iterator[Event]:
        """Let another pod have a pod's addresses at once."""
        pod = self.dice.pick(self._of("Pod"))
        space = self.dice.pick(self._of("Namespace"))["metadata"]["name"]
        fresh = self.dice.pod(space)
        yield "DELETED", pod
        yield "ADDED", {**fresh, "spec": {**fresh["spec"], **_place(pod)}, "status": pod["status"]}


def _place(pod: Item) -> Item:
    return {key: pod["spec"][key] for key in ("nodeName", "hostNetwork") if key in pod["spec"]}
