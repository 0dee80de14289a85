"""Which flows a change of policies would alter, before it is made."""

from collections.abc import Iterable

import pytest

from octet.cluster.view import View
from octet.lab.reading import completed, view_of
from octet.policy.telling.difference import Change, compare
from policy_manifests import Object, pod, policy

NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "node1"},
    "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]},
}
PODS = [
    pod("web", app="web"),
    pod("db", app="db"),
    pod("cron", app="cron"),
    pod("x", "other"),
    pod("y", "other"),
]


def views(old: Iterable[Object], new: Iterable[Object]) -> tuple[View, View]:
    """Two versions of a cluster."""
    first, second = completed(list(old), list(new))
    return view_of(first), view_of(second)


def changes(old: Iterable[Object], new: Iterable[Object], around: Iterable[Object] = PODS) -> list[Change]:
    """What changes with policies, pods being the same."""
    return list(compare(*views([*around, *old], [*around, *new])).changes)


def test_the_same_is_no_change() -> None:
    """A policy that allows what was allowed changes nothing, though it is new."""
    everything = policy("all", ingress=[{}])
    assert changes([everything], [everything]) == []
    assert changes([], [everything]) == []


def test_default_deny_is_one_line() -> None:
    """Nobody reaches a namespace any more: one row, whoever they are, however many ports."""
    (row,) = changes([], [policy("deny")], [*PODS, NODE])
    assert row == Change(False, "everybody", "namespace shop", "everything", "NetworkPolicy shop/deny")


def test_a_port_that_opens_is_named() -> None:
    """Of all that stays denied only the opened port is told, with who may use it and by which policy."""
    deny = policy("deny")
    web = {"podSelector": {"matchLabels": {"app": "web"}}}
    db = policy(
        "db", podSelector={"matchLabels": {"app": "db"}}, ingress=[{"from": [web], "ports": [{"port": 5432}]}]
    )
    (row,) = changes([deny], [deny, db])
    assert row == Change(True, "shop/web", "shop/db", "5432/TCP", "NetworkPolicy shop/db")


def test_ranges_are_told_as_ranges() -> None:
    """A range of ports that closes in the middle is told by its edges."""
    span = [{"ports": [{"port": 8000, "endPort": 8100}]}]
    less = [{"ports": [{"port": 8000, "endPort": 8010}]}]
    rows = changes([policy("p", ingress=span)], [policy("p", ingress=less)])
    assert {row.traffic for row in rows} == {"8011-8100/TCP"}
    assert not any(row.allowed for row in rows)


def test_egress_to_networks_is_told_by_network() -> None:
    """The outside is told apart by the networks that either side names."""
    block = {"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.128/25"]}}
    old, new = (
        policy("out", policyTypes=["Egress"]),
        policy("out", policyTypes=["Egress"], egress=[{"to": [block]}]),
    )
    (row,) = changes([old], [new])
    assert (row.allowed, row.sources, row.destinations) == (True, "namespace shop", "203.0.113.0/24")


def test_labels_of_a_pod_may_be_the_change() -> None:
    """A pod that gets other labels is compared with itself: policies select it from now on."""
    old = [pod("web"), pod("x", "other"), policy("p", podSelector={"matchLabels": {"app": "web"}})]
    new = [pod("web", app="web"), *old[1:]]
    found = compare(*views(old, new))
    assert [(row.allowed, row.sources, row.destinations) for row in found.changes] == [
        (False, "other/x, outside", "shop/web")
    ]


def test_pods_of_one_side_only_are_named_and_not_compared() -> None:
    """What nobody can compare is said."""
    found = compare(*views(PODS, [*PODS, pod("new"), policy("deny")]))
    assert found.alone == ("shop/new",)
    assert all("shop/new" not in row.sources + row.destinations for row in found.changes)


@pytest.mark.parametrize("count", [40, 400])
def test_alike_pods_are_asked_about_once(count: int) -> None:
    """The work follows the kinds of pods, not their number, and many pods are counted, not listed."""
    many = [pod(f"web-{number}", app="web") for number in range(count)]
    web = policy("web", podSelector={"matchLabels": {"app": "web"}}, policyTypes=["Egress"])
    found = compare(*views([*PODS, *many], [*PODS, *many, web]))
    assert found.flows < 400
    named = policy("named", podSelector={"matchLabels": {"app": "db"}}, policyTypes=["Ingress", "Egress"])
    (row, *_) = compare(*views([*many, PODS[1]], [*many, PODS[1], named])).changes
    assert f"{count} pods with app=web of namespace shop, outside" in {row.sources, row.destinations}


def test_families_that_say_the_same_are_one_row() -> None:
    """In a dual-stack cluster a change that is the same for both families is told once."""
    dual = [
        {**pod(name, name), "status": {"podIPs": [{"ip": f"10.0.0.{number}"}, {"ip": f"fd00::{number}"}]}}
        for number, name in enumerate("abc", 1)
    ]
    (row,) = changes([], [policy("p", "a")], dual)
    assert row == Change(False, "b/b, c/c, outside", "a/a", "everything", "NetworkPolicy a/p")


def test_families_are_told_apart_where_they_differ() -> None:
    """In a dual-stack cluster a change of one family says which."""
    dual = {**pod("d"), "status": {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}}
    other = {**pod("e", "other"), "status": {"podIPs": [{"ip": "10.0.0.2"}, {"ip": "fd00::2"}]}}
    deny = policy("p", ingress=[{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}])
    rows = changes([], [deny], [dual, other])
    assert [(row.allowed, row.traffic) for row in rows] == [(False, "everything over IPv6")]
