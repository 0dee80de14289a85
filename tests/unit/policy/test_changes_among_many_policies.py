"""One policy of many changes: what the kernel is told, and whose connections are looked at."""

from ipaddress import IPv4Address, IPv4Interface
from typing import Any

import pytest

from octet import policy
from octet.blueprint import Blueprint
from octet.blueprint.nft import Chain, Element, Set, validate
from octet.cluster.changes import Underlay
from octet.cluster.conduct import ESTABLISHED
from octet.cluster.endpoint import Attachment, Endpoint
from octet.cluster.view import View
from octet.measure.policing.crowds import PEER, pods, selecting
from octet.policy.engine import Engine
from octet.policy.gates import Gate
from octet.policy.judge import Packet
from octet.policy.lasting import Way

MANY = 300
SERVER = {"app": "server"}
ADDRESS = IPv4Address("10.244.1.2")
ENDPOINT = Endpoint(
    Attachment("octet", "c1", "eth0"), "veth1", "02:00:00:00:00:01", 1450, ADDRESS, None, "default", "server"
)


def pod(name: str, labels: dict[str, str], address: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {"nodeName": "node1"},
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]},
    }


class Node:
    """A node with one pod that many policies select, each for another peer."""

    def __init__(self, **annotations: str) -> None:
        found = selecting(MANY, "default", SERVER, {"app": f"{PEER}0"})
        self.items = [
            {**item, "metadata": {**item["metadata"], "annotations": annotations}} for item in found
        ]
        crowd = [pod("server", SERVER, str(ADDRESS)), *pods(MANY, ["default"], MANY, PEER)]
        view = View("node1", Underlay("eth0", 1500, IPv4Interface("192.0.2.1/24"), None))
        view = view.with_listing("Pod", crowd).view
        self.view = view.with_listing("NetworkPolicy", self.items).view
        self.engine = Engine(self.view, Gate())
        self.engine.attach(ENDPOINT)
        self.engine.affected.clear()

    def change(self, happened: str, item: dict[str, Any]) -> tuple[Blueprint, Blueprint]:
        """Return what there was, and what there is."""
        before = self.engine.blueprint()
        self.view, changes = self.view.with_event("NetworkPolicy", (happened, item))
        self.engine.see(self.view, changes)
        after = self.engine.blueprint()
        assert after == policy.compile(self.view, [ENDPOINT])
        return before, after


def for_others(item: dict[str, Any]) -> dict[str, Any]:
    """The policy with another peer."""
    rule = {**item["spec"]["ingress"][0], "from": [{"podSelector": {"matchLabels": {"app": f"{PEER}7"}}}]}
    return {**item, "spec": {**item["spec"], "ingress": [rule]}}


def test_another_peer_is_two_elements_among_hundreds() -> None:
    """A policy that says something else changes the addresses that it names, and no set, map or chain."""
    node = Node()
    before, after = node.change("MODIFIED", for_others(node.items[3]))
    change = after.change_from(before)
    assert [type(item) for item in (*change.add, *change.remove)] == [Element, Element]
    assert change.alter == ()
    assert len(after.of(Element)) > MANY


def test_who_is_behind_a_changed_policy_is_looked_at() -> None:
    """The pod's connections are looked at, though neither its chains nor its sets have other names."""
    node = Node()
    node.change("MODIFIED", for_others(node.items[3]))
    assert node.engine.affected == {ADDRESS}


def test_connections_that_were_kept_are_cut_when_the_policy_says_so() -> None:
    """A policy that stops keeping what it forbids changes no rule; still the pod's connections are judged."""
    node = Node(**{ESTABLISHED: "keep"})
    stranger = Packet(IPv4Address("203.0.113.1"), ADDRESS, 6, 40000, 80)
    assert node.engine.lasting().allows(Way(stranger))
    item = node.items[3]
    node.change("MODIFIED", {**item, "metadata": {**item["metadata"], "annotations": {}}})
    assert not node.engine.lasting().allows(Way(stranger))
    assert node.engine.affected == {ADDRESS}


def test_one_policy_more_is_what_it_names() -> None:
    """A policy that comes or goes among hundreds is its elements and a comment, no other set and no map."""
    node = Node()
    gone = node.items[5]
    before, without = node.change("DELETED", gone)
    _, after = node.change("ADDED", gone)
    change = without.change_from(before)
    assert [type(item) for item in (*change.add, *change.remove)] == [Element]
    assert {type(new) for _, new in change.alter} == {Chain}
    assert after == before


@pytest.mark.parametrize("deny", [False, True], ids=["allowing", "ordered"])
def test_one_ordered_policy_more_is_what_it_names(deny: bool) -> None:
    """Where policies deny, too, one that comes writes a chain or two anew, and few sets."""
    node = Node()
    many = [ordered(number, deny=deny) for number in range(MANY)]
    node.view = node.view.with_listing("CalicoNetworkPolicy", many).view
    node.engine = Engine(node.view, Gate())
    node.engine.attach(ENDPOINT)
    before = node.engine.blueprint()
    node.view, changes = node.view.with_event("CalicoNetworkPolicy", ("ADDED", ordered(MANY, deny=deny)))
    node.engine.see(node.view, changes)
    after = node.engine.blueprint()
    assert after == policy.compile(node.view, [ENDPOINT])
    change = after.change_from(before)
    assert len(change.add) + len(change.remove) < MANY // 4
    assert len(change.alter) <= 2


def denying(label: str) -> dict[str, Any]:
    """A policy of Calico's that denies one label and allows the others."""
    rules = [{"action": "Deny", "source": {"selector": f"app == '{label}'"}}, {"action": "Allow"}]
    spec = {"selector": "app == 'server'", "types": ["Ingress"], "ingress": rules}
    metadata = {"name": "some", "namespace": "default"}
    return {"apiVersion": "projectcalico.org/v3", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def ordered(number: int, *, deny: bool) -> dict[str, Any]:
    """One of many policies of Calico's, each with rules for a peer of its own."""
    rules = [
        {"action": action, "source": {"selector": f"app == '{PEER}{number}'"}}
        for action in (["Deny", "Allow"] if deny else ["Allow"])
    ]
    spec = {"order": number, "selector": "app == 'server'", "types": ["Ingress"], "ingress": rules}
    metadata = {"name": f"ordered-{number:05}", "namespace": "default"}
    return {"apiVersion": "projectcalico.org/v3", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def test_where_policies_deny_sets_are_used_again_for_the_same_alone() -> None:
    """Where some deny, a set that rules of both versions ask holds the same: a packet meets old or new."""
    node = Node()
    held: list[dict[str, set[str]]] = []
    for number in (1, 2):
        item = denying(f"{PEER}{number}")
        node.view, changes = node.view.with_event("CalicoNetworkPolicy", ("MODIFIED", item))
        node.engine.see(node.view, changes)
        found: dict[str, set[str]] = {each.name: set() for each in node.engine.blueprint().of(Set)}
        for element in node.engine.blueprint().of(Element):
            found.setdefault(element.of, set()).add(str(element))
        held.append(found)
    shared = {name for name in held[0].keys() & held[1].keys() if not name.startswith("policy-names")}
    assert any(name.startswith("policy-r-") for name in shared)
    assert all(held[0][name] == held[1][name] for name in shared)
    assert held[0].keys() != held[1].keys()


def test_what_is_written_already_asks_sets_that_are_there() -> None:
    """Where some deny, a policy of many ports for anybody keeps their set when another one changes."""
    node = Node()
    ports = [{"port": 2 * number + 1, "protocol": "TCP"} for number in range(100)]
    item = {**node.items[0], "metadata": {"name": "anybody", "namespace": "default"}}
    item["spec"] = {**item["spec"], "ingress": [{"ports": ports}]}
    node.view, changes = node.view.with_event("NetworkPolicy", ("ADDED", item))
    node.engine.see(node.view, changes)
    for number in (1, 2):
        changed = ordered(number, deny=True)
        changed["metadata"]["name"] = "one"
        node.view, changes = node.view.with_event("CalicoNetworkPolicy", ("MODIFIED", changed))
        node.engine.see(node.view, changes)
        validate(node.engine.blueprint())
    assert node.engine.blueprint() == policy.compile(node.view, [ENDPOINT])
