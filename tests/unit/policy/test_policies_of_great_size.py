"""Policies of tens of thousands of ports, peers and holes come to no more than is written in them."""

import random
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any

import pytest

from octet import policy
from octet.blueprint import Blueprint
from octet.blueprint.nft import Chain, Element, Packet, validate
from octet.cluster.changes import Underlay
from octet.cluster.endpoint import Attachment, Endpoint
from octet.cluster.view import View
from octet.kernel.fake_nft import Tracer
from octet.policy.groups import Networks
from octet.policy.runs import MANY_PORTS, MOST_TWICE

SERVER = IPv4Address("10.0.0.2")
PODS = 300
HERE = Endpoint(Attachment("o", "c", "eth0"), "calia", "02:00:00:00:00:01", 1500, SERVER, None, "shop", "p0")


def pod(number: int) -> dict[str, Any]:
    return {
        "metadata": {"name": f"p{number}", "namespace": "shop", "labels": {"number": str(number)}},
        "spec": {"nodeName": "node1" if number == 0 else "node2"},
        "status": {"podIPs": [{"ip": str(SERVER + number)}]},
    }


def stated(*rules: dict[str, Any]) -> dict[str, Any]:
    spec = {"podSelector": {"matchLabels": {"number": "0"}}, "ingress": list(rules)}
    return {"metadata": {"name": "large", "namespace": "shop"}, "spec": spec}


def compiled(*rules: dict[str, Any]) -> Blueprint:
    view = View("node1", Underlay("eth0", 1500))
    view = view.with_listing("Pod", [pod(number) for number in range(PODS)]).view
    return policy.compile(view.with_listing("NetworkPolicy", [stated(*rules)]).view, [HERE])


def odd(count: int, first: int = 1) -> list[dict[str, Any]]:
    return [{"port": first + 2 * number, "protocol": "TCP"} for number in range(count)]


def passes(tracer: Tracer, source: object, port: int) -> bool:
    ends = ip_address(str(source)), SERVER
    packet = Packet(*ends, source_port=1234, destination_port=port, iif="eth0", oif="calia")
    return tracer.trace(packet).accepted


EVERYBODY: dict[str, Any] = {"podSelector": {}}
BLOCK = {"ipBlock": {"cidr": "203.0.113.0/24"}}


@pytest.mark.parametrize("peers", [[EVERYBODY], [BLOCK], [EVERYBODY, BLOCK]], ids=["pods", "block", "both"])
def test_many_ports_and_many_peers_are_their_sum(peers: list[dict[str, Any]]) -> None:
    """A rule of 3,000 ports for hundreds of peers holds each port once and each peer once."""
    ports = 3000
    blueprint = compiled({"from": peers, "ports": odd(ports)})
    validate(blueprint)
    assert len(blueprint.of(Element)) < ports + PODS + 10
    assert max(len(str(chain)) for chain in blueprint.of(Chain)) < 1000
    tracer, inside = Tracer(blueprint), SERVER + 7 if EVERYBODY in peers else "203.0.113.9"
    assert [passes(tracer, inside, port) for port in (1, 5999, 2, 6001)] == [True, True, False, False]
    assert not passes(tracer, "198.51.100.1", 1)


def test_ports_for_anybody_are_a_set() -> None:
    """Thousands of ports without peers do not stand in the rule."""
    blueprint = compiled({"ports": odd(2000)})
    assert max(len(str(chain)) for chain in blueprint.of(Chain)) < 1000
    assert [passes(Tracer(blueprint), "198.51.100.1", port) for port in (3999, 4000)] == [True, False]


def test_rules_of_one_end_are_asked_together() -> None:
    """A thousand rules for the same peers with other ports each are one pair of lookups."""
    few = MANY_PORTS + 1
    rules = [{"from": [EVERYBODY], "ports": odd(few, 1 + 2 * few * number)} for number in range(1000)]
    blueprint = compiled(*rules)
    assert max(len(chain.rules) for chain in blueprint.of(Chain) if chain.hook is None) < 10
    tracer = Tracer(blueprint)
    assert [passes(tracer, SERVER + 1, port) for port in (1, 9999, 9998)] == [True, True, False]


def test_a_packet_meets_a_limited_number_of_such_rules() -> None:
    """However many rules of many ports with different peers there are, a chain is not longer for it."""
    count = 2 * MOST_TWICE
    rules = [
        {"from": [{"podSelector": {"matchLabels": {"number": str(number)}}}], "ports": odd(MANY_PORTS + 1)}
        for number in range(count)
    ]
    blueprint = compiled(*rules)
    assert max(len(chain.rules) for chain in blueprint.of(Chain) if chain.hook is None) < MOST_TWICE + 10
    tracer = Tracer(blueprint)
    assert [passes(tracer, SERVER + number, 1) for number in (1, count - 1, count)] == [True, True, False]
    assert [passes(tracer, SERVER + number, 2) for number in (1, count - 1, count)] == [False] * 3


def test_a_block_with_many_holes_is_what_is_left_of_it() -> None:
    """A thousand holes in one block cost a thousand ranges, and each hole is shut."""
    dice = random.Random(1)
    holes = sorted({dice.randrange(1 << 24) for _ in range(1000)})
    block = {"cidr": "20.0.0.0/8", "except": [f"{IPv4Address((20 << 24) + each)}/32" for each in holes]}
    blueprint = compiled({"from": [{"ipBlock": block}]})
    assert len(blueprint.of(Element)) <= len(holes) + 10
    tracer = Tracer(blueprint)
    assert not any(passes(tracer, IPv4Address((20 << 24) + each), 80) for each in holes[:50])
    assert passes(tracer, IPv4Address((20 << 24) + holes[7] + 1), 80) is (holes[7] + 1 not in holes)


def test_holes_are_cut_out_of_networks_wherever_they_lie() -> None:
    """Ranges and ``holds`` agree with asking each network and each hole, at edges and overlaps."""
    dice = random.Random(2)
    for _ in range(100):
        networks = [ip_network((dice.randrange(64), dice.randrange(26, 33)), strict=False) for _ in range(6)]
        group = Networks(tuple(networks[:3]), tuple(networks[3:]))
        spans, left = group.spans(4), list(group.networks(View("n", Underlay("eth0", 1500))))
        for number in range(70):
            address = IPv4Address(number)
            wanted = any(address in each for each in networks[:3])
            wanted &= not any(address in each for each in networks[3:])
            assert group.holds(address) is wanted
            assert any(first <= number <= last for first, last in spans) is wanted
            assert any(address in each for each in left) is wanted
