"""Compiled policies: the same lookups however many there are, one small change for one small event."""

import json
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet import policy
from octet.blueprint import Blueprint
from octet.blueprint.base import union
from octet.blueprint.nft import Chain, Element, Packet, Set, validate
from octet.cluster.endpoint import Attachment, Endpoint
from octet.cluster.view import Underlay, View
from octet.kernel.fake_nft import Tracer
from octet.policy.engine import Engine
from octet.policy.gates import Gate
from octet.policy.groups import ends
from octet.policy.holders import pieces

EMPTY = View("node1", Underlay("eth0", 1500))
HERE = {"a": "10.244.1.2", "b": "10.244.1.3"}
ELSEWHERE = {"c": "10.244.2.2", "d": "10.244.2.3"}


def pod(name: str, ip: str, node: str, **labels: str) -> dict[str, Any]:
    ports = [{"name": "web", "containerPort": 80}]
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": name, **labels}},
        "spec": {"nodeName": node, "containers": [{"ports": ports}]},
        "status": {"podIPs": [{"ip": ip}]},
    }


def allowing(number: int, peer: str = "c", subject: str = "a", port: object = 80) -> dict[str, Any]:
    rule = {"from": [{"podSelector": {"matchLabels": {"app": peer}}}], "ports": [{"port": port}]}
    spec = {"podSelector": {"matchLabels": {"app": subject}}, "ingress": [rule]}
    return {"metadata": {"name": f"p{number}", "namespace": "shop"}, "spec": spec}


def seen(*policies: dict[str, Any], kind: str = "NetworkPolicy") -> View:
    pods = [pod(name, ip, "node1") for name, ip in HERE.items()]
    pods += [pod(name, ip, "node2") for name, ip in ELSEWHERE.items()]
    view = EMPTY.with_listing("Pod", pods).view
    view = view.with_listing("Namespace", [{"metadata": {"name": "shop", "labels": {"n": "shop"}}}]).view
    return view.with_listing(kind, policies).view


def endpoint(name: str) -> Endpoint:
    address = ip_address(HERE[name])
    return Endpoint(
        Attachment("octet", name, "eth0"),
        f"cali{name}",
        "02:00:00:00:00:01",
        1500,
        address,
        None,
        "shop",
        name,
    )


ENDPOINTS = [endpoint(name) for name in HERE]


def longest(blueprint: Blueprint) -> int:
    return max(len(chain.rules) for chain in blueprint.of(Chain))


def passes(blueprint: Blueprint, source: str, port: int = 80, to: str = "a", **fields: Any) -> bool:
    packet = Packet(
        ip_address({**HERE, **ELSEWHERE}.get(source, source)),
        ip_address(HERE[to]),
        source_port=1234,
        destination_port=port,
        iif=f"cali{source}" if source in HERE else "eth0",
        oif=f"cali{to}",
        **fields,
    )
    return Tracer(blueprint).trace(packet).accepted


@pytest.mark.parametrize("count", [10, 300])
def test_any_number_of_policies_is_the_same_number_of_rules(count: int) -> None:
    """A chain has as many rules for hundreds of policies as for two, and still tells ports apart."""
    few = policy.compile(seen(*(allowing(number, port=80 + number) for number in range(2))), ENDPOINTS)
    many = policy.compile(seen(*(allowing(number, port=80 + number) for number in range(count))), ENDPOINTS)
    validate(many)
    assert longest(many) == longest(few)
    assert [passes(many, "c", port) for port in (80, 80 + count - 1, 80 + count)] == [True, True, False]


def test_policies_of_other_nodes_are_nothing_here() -> None:
    """A policy that selects no pod of this node puts nothing into its table."""
    assert policy.compile(seen(allowing(1, subject="c")), ENDPOINTS) == policy.compile(seen(), ENDPOINTS)


def test_a_label_changes_elements_alone() -> None:
    """When a pod's labels change nothing is built anew: elements come and go."""
    view = seen(allowing(1))
    engine = Engine(view, Gate())
    engine.attach(*ENDPOINTS)
    before = engine.blueprint()
    relabelled = pod("c", ELSEWHERE["c"], "node2") | {"metadata": {"name": "c", "namespace": "shop"}}
    view, changes = view.with_event("Pod", ("MODIFIED", relabelled))
    engine.see(view, changes)
    change = engine.blueprint().change_from(before)
    assert [type(item) for item in (*change.add, *change.remove)] == [Element]
    assert not change.alter


def test_an_unknown_pod_is_shut() -> None:
    """An endpoint whose pod the cluster has not told of sends and receives nothing."""
    stranger = Endpoint(
        Attachment("octet", "x", "eth0"),
        "calia",
        "02:00:00:00:00:01",
        1500,
        ip_address("10.244.1.9"),
        None,
        "shop",
        "stranger",
    )
    blueprint = policy.compile(seen(), [stranger])
    assert not passes(blueprint, "c")
    assert passes(policy.compile(seen(), ENDPOINTS), "c")


def test_an_interface_in_no_map_is_shut() -> None:
    """A pod's link that nobody has entered in the maps passes nothing, whatever policies there are."""
    assert not passes(policy.compile(seen(), [endpoint("b")]), "c")


def test_what_was_cut_does_not_begin_anew_in_the_middle() -> None:
    """A packet amid a forgotten connection is no new one, from whichever end it comes."""
    blueprint = policy.compile(seen(allowing(1)), ENDPOINTS)
    assert passes(blueprint, "c")
    assert not passes(blueprint, "c", opens=False)
    back = Packet(ip_address(HERE["a"]), ip_address(HERE["b"]), iif="calia", oif="calib", opens=False)
    assert not Tracer(blueprint).trace(back).accepted


def test_a_new_address_counts_before_the_pods_status_says_it() -> None:
    """Pods of this node are known by the address they were given, not only by what the API says later."""
    late = pod("b", HERE["b"], "node1") | {"status": {}}
    view, _ = seen(allowing(1, peer="b")).with_event("Pod", ("MODIFIED", late))
    assert passes(policy.compile(view, ENDPOINTS), "b")


def test_an_address_that_went_to_another_pod_is_the_others() -> None:
    """Membership follows the pod that has the address now, so a stale peer lets nobody in."""
    view = seen(allowing(1, peer="c"))
    ended = pod("c", ELSEWHERE["c"], "node2")
    ended["status"]["phase"] = "Succeeded"
    view, _ = view.with_event("Pod", ("MODIFIED", ended))
    view, _ = view.with_event("Pod", ("ADDED", pod("new", ELSEWHERE["c"], "node2")))
    assert not passes(policy.compile(view, ENDPOINTS), "c")


def test_names_of_ports_are_the_pods_own() -> None:
    """A named port is the number that the receiving pod gave the name; a name nobody has opens nothing."""
    assert passes(policy.compile(seen(allowing(1, port="web")), ENDPOINTS), "c", 80)
    assert not passes(policy.compile(seen(allowing(1, port="other")), ENDPOINTS), "c", 80)


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("pod"), st.sampled_from("abcd"), st.sampled_from("abcd")),
        st.tuples(st.just("policy"), st.integers(0, 3), st.sampled_from("abcd")),
        st.tuples(st.just("drop"), st.integers(0, 3), st.just("")),
        st.tuples(st.just("endpoint"), st.sampled_from("ab"), st.just("")),
    ),
    max_size=12,
)


@given(EVENTS)
@settings(max_examples=60, deadline=None)
def test_step_by_step_is_the_same_as_from_scratch(events: list[tuple[str, Any, str]]) -> None:
    """After any events the engine wants exactly what a new one would, and says so change by change."""
    view, engine = seen(), Engine(seen(), Gate())
    parts = dict(engine.parts)
    attached = {name: endpoint(name) for name in HERE}
    parts |= engine.attach(*attached.values())
    for what, which, value in events:
        if what == "endpoint":
            gone = attached.pop(which, None)
            parts |= engine.detach(gone.attachment) if gone else engine.attach(endpoint(which))
            attached |= {} if gone else {which: endpoint(which)}
            continue
        kind, item, verb = "NetworkPolicy", allowing(int(which) if what != "pod" else 0), "DELETED"
        if what == "pod":
            node = "node1" if which in HERE else "node2"
            kind, item, verb = "Pod", pod(which, {**HERE, **ELSEWHERE}[which], node, app=value), "MODIFIED"
        elif what == "policy":
            item, verb = allowing(which, peer=value, subject="ab"[which % 2]), "MODIFIED"
        view, changes = view.with_event(kind, (verb, json.loads(json.dumps(item))))
        parts |= engine.see(view, changes)
    wanted = policy.compile(view, attached.values())
    assert engine.blueprint() == wanted
    assert union(parts.values()) == wanted


@given(
    st.lists(
        st.tuples(
            st.builds(
                lambda number, length: ip_network((number << 24, length), strict=False),
                st.integers(1, 3),
                st.integers(6, 32),
            ),
            st.tuples(st.integers(1, 20), st.integers(0, 10)).map(lambda each: (each[0], sum(each))),
        ),
        max_size=8,
    )
)
@settings(max_examples=150, deadline=None)
def test_rectangles_cover_the_same_and_never_overlap(pairs: list[Any]) -> None:
    """Networks with ports become disjoint pieces that hold exactly the same addresses and ports."""
    found = list(pieces((ends(net), span) for net, span in pairs))
    addresses = {int(each) for net, _ in pairs for each in (net.network_address, net.broadcast_address)}
    for number in {near for each in addresses for near in (each - 1, each, each + 1) if 0 <= near < 1 << 32}:
        for port in range(1, 32):
            wanted = any(
                int(net.network_address) <= number <= int(net.broadcast_address) and low <= port <= high
                for net, (low, high) in pairs
            )
            holding = [
                span for where, span in found if where[0] <= number <= where[1] and span[0] <= port <= span[1]
            ]
            assert len(holding) == wanted


def test_sets_are_declared_for_the_families_that_a_pod_has() -> None:
    """A pod without IPv6 has no IPv6 sets, which would be asked for nothing."""
    sets = policy.compile(seen(allowing(1)), ENDPOINTS).of(Set)
    assert {each.name[-1] for each in sets if each.name.startswith("policy-to")} == {"4"}
