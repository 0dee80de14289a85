"""Pods come and go, and labels change, while a large policy is half in force: what waits stays right."""

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from octet.agent.desired import Desired
from octet.agent.policing import Policing
from octet.blueprint import Blueprint, Change
from octet.blueprint.nft import Packet, Table, validate
from octet.cluster.changes import Underlay
from octet.cluster.endpoint import Attachment, Endpoint
from octet.cluster.view import View
from octet.kernel.fake.kernel import FakeKernel
from octet.kernel.fake_nft import Tracer
from octet.policy import turns
from octet.policy.gates import Gate

FIRST, CROWD = IPv4Address("10.0.0.2"), 60
BLOCKS = [f"203.0.{number}.0/25" for number in range(100)]


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every policy here be made in many slices."""
    monkeypatch.setattr(turns, "SLICE", 8)


def pod(number: int, app: str, node: str = "node2") -> dict[str, Any]:
    return {
        "metadata": {"name": f"p{number}", "namespace": "x", "labels": {"app": app, "all": "yes"}},
        "spec": {"nodeName": node},
        "status": {"podIPs": [{"ip": str(FIRST + number)}]},
    }


def endpoint(number: int) -> Endpoint:
    key, mac = Attachment("o", f"c{number}", "eth0"), f"02:00:00:00:00:{number:02x}"
    return Endpoint(key, f"cali{number}", mac, 1500, FIRST + number, None, "x", f"p{number}")


def policy(name: str, app: str, *sources: dict[str, Any]) -> dict[str, Any]:
    spec = {"podSelector": {"matchLabels": {"app": app}}, "ingress": [{"from": sources}] if sources else []}
    return {"metadata": {"name": name, "namespace": "x"}, "spec": {**spec, "policyTypes": ["Ingress"]}}


def labelled(**labels: str) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": labels}}


def denying(name: str, app: str, *sources: dict[str, Any]) -> dict[str, Any]:
    rules = [*({"action": "Deny", "source": source} for source in sources), {"action": "Allow"}]
    spec = {"selector": f"app == '{app}'", "types": ["Ingress"], "ingress": rules}
    return {
        "apiVersion": "projectcalico.org/v3",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": "x"},
        "spec": spec,
    }


class Node:
    """A node's policy, and a kernel that takes what it says; pods one, two, third; a crowd elsewhere."""

    def __init__(self, *policies: dict[str, Any], attached: tuple[int, ...] = (0, 1)) -> None:
        apps = ("one", "two", "third")
        items = [pod(number, app, "node1") for number, app in enumerate(apps)]
        items += [pod(100 + number, "crowd") for number in range(CROWD)]
        view = View("node1", Underlay("eth0", 1500)).with_listing("Pod", items).view
        self.view = view.with_listing("NetworkPolicy", policies).view
        self.desired = Desired()
        self.policing = Policing(self.desired, Gate())
        self.policing.begin(self.view, [endpoint(number) for number in attached])
        self.desired.replace(("node",), Blueprint([Table()]))
        self.kernel = FakeKernel()
        assert self.kernel.apply(Change(add=tuple(self.desired.blueprint()))).ok

    def note(self, item: dict[str, Any], kind: str = "NetworkPolicy", happened: str = "ADDED") -> None:
        self.view, changes = self.view.with_event(kind, (happened, item))
        self.policing.see(self.view, changes)

    def step(self, count: int = 1) -> None:
        for _ in range(count):
            assert self.policing.waits
            self.apply(self.policing.step())

    def apply(self, change: Change) -> None:
        outcome = self.kernel.apply(change)
        assert outcome.ok, outcome.failed[:2]
        validate(self.desired.blueprint())

    def settle(self) -> None:
        while self.policing.waits:
            self.step()
        assert not self.desired.blueprint().change_from(self.kernel.read(self.desired.blueprint()))

    def lets(self, source: int, goal: int) -> bool:
        """Does the kernel let a pod elsewhere reach one of this node?"""
        ends = (FIRST + source, FIRST + goal)
        packet = Packet(*ends, source_port=9, destination_port=80, iif="eth0", oif=f"cali{goal}")
        return Tracer(self.kernel.read(self.desired.blueprint())).trace(packet).accepted


def test_a_pod_attached_amid_slices_leaves_denials_whole() -> None:
    """Two policies that deny are half made when a third's pod comes: the ADD succeeds, and all is denied."""
    node = Node(policy("third", "third", labelled(app="crowd")))
    nets = {"nets": BLOCKS}
    node.note(denying("a", "one", nets), "CalicoNetworkPolicy")
    node.note(denying("b", "two", {"selector": "app == 'crowd'"}, nets), "CalicoNetworkPolicy")
    node.step(3)
    node.apply(node.policing.attach(endpoint(2)))
    node.settle()
    assert [number for number in range(CROWD) if node.lets(100 + number, 1)] == []


def test_a_pod_detached_amid_its_own_policy_leaves_nothing() -> None:
    """The only pod of a policy goes while that is made: nothing of it stays, and other policies are made."""
    node = Node()
    blocks = [{"ipBlock": {"cidr": block}} for block in BLOCKS]
    node.note(policy("large", "one", labelled(app="crowd"), *blocks))
    node.note(policy("shut", "two"))
    node.step(3)
    node.apply(node.policing.detach(endpoint(0).attachment))
    node.settle()
    assert not node.lets(100, 1)


def test_a_name_learned_amid_slices_holds_nothing_up() -> None:
    """What a name means is a change of its own while a large policy is half made, which goes on after."""
    named = policy("named", "one")
    named["metadata"]["annotations"] = {"policy.octet.dev/domains": "api.example.com"}
    named["spec"]["policyTypes"] = ["Egress"]
    node = Node(named)
    node.note(policy("large", "two", labelled(app="crowd")))
    node.step(2)
    far = IPv4Address("198.51.100.9")
    learned = {FIRST: {"api.example.com": frozenset({far})}}
    node.view = replace(node.view, learned=learned)
    change = node.policing.learn(node.view, learned)
    assert [getattr(each, "values", ()) for each in change.add] == [(FIRST, far)]
    assert (change.alter, change.remove) == ((), ())
    assert node.policing.waits
    node.apply(change)
    node.settle()
    assert node.lets(100, 1)


def test_labels_that_change_amid_slices_open_nothing() -> None:
    """A label that an old policy let in, and its newer version does not, never gets anybody in."""
    node = Node(policy("q", "two", labelled(app="x")))
    node.note(policy("large", "one", labelled(all="yes")))
    node.step(2)
    node.note(policy("q", "two", labelled(app="nobody")), happened="MODIFIED")
    node.note(pod(100 + CROWD - 1, "x"), "Pod", "MODIFIED")
    while node.policing.waits:
        assert not node.lets(100 + CROWD - 1, 1)
        node.step()
    assert not node.lets(100 + CROWD - 1, 1)


def test_a_program_that_goes_amid_slices_leaves_nobody_in_its_sets() -> None:
    """A pod elsewhere is not yet what it will be when the last who asked for what it was is detached."""
    node = Node(policy("q", "two", labelled(app="crowd")))
    node.note(pod(100, "x"), "Pod", "MODIFIED")
    node.note(policy("large", "one", labelled(all="yes")))
    node.step()
    node.apply(node.policing.detach(endpoint(1).attachment))
    node.settle()
    assert node.lets(100, 0)


def test_a_program_that_goes_leaves_nobody_who_was_attached_amid_slices() -> None:
    """A pod attached amid slices is more than was known at their start; who asked for that is detached."""
    node = Node(policy("q", "two", labelled(app="x")))
    node.note(policy("large", "one", labelled(all="yes")))
    node.step()
    node.note(pod(2, "x", "node1"), "Pod", "MODIFIED")
    node.apply(node.policing.attach(endpoint(2)))
    assert node.policing.waits
    node.apply(node.policing.detach(endpoint(1).attachment))
    node.settle()
    assert node.lets(2, 0)
