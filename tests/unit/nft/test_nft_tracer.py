"""The tracer goes the kernel's way: hooks, priorities, policies, jumps, lookups, translation."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from octet.blueprint import KernelObject
from octet.blueprint.nft import (
    ACCEPT,
    CONTINUE,
    CT_STATE,
    DPORT,
    DROP,
    IIFNAME,
    L4PROTO,
    MARK,
    NFPROTO,
    RETURN,
    SADDR4,
    Chain,
    Compare,
    ConntrackStatus,
    Counter,
    Element,
    Hook,
    InlineVerdicts,
    Log,
    Lookup,
    Map,
    Marked,
    Masquerade,
    Nat,
    NatMap,
    Packet,
    Part,
    Range,
    Reject,
    ReversePath,
    Rule,
    Set,
    SetMark,
    VerdictMap,
    goto,
    jump,
)
from octet.kernel.fake_nft import Machine, Tracer, trace

A, B, HOST, FAR = (ip_address(text) for text in ("10.0.0.2", "10.0.0.3", "192.0.2.1", "198.51.100.9"))
A6 = ip_address("fd00::2")
MACHINE = Machine(
    {"eth0": (HOST,), "cni0": (ip_address("10.0.0.1"),)},
    {ip_network("0.0.0.0/0"): "eth0", ip_network("10.0.0.0/24"): "cni0"},
)
PACKET = Packet(A, FAR, "tcp", 1000, 80, iif="cni0")
FORWARD = Hook("filter", "forward", 0)
CLOSED = replace(FORWARD, drops=True)


def forward(*rules: Rule, drops: bool = False, others: tuple[KernelObject, ...] = ()) -> list[KernelObject]:
    """Return a table with one base chain at forward."""
    return [Chain("base", rules, CLOSED if drops else FORWARD), *others]


def accepts(objects: list[KernelObject], packet: Packet = PACKET) -> bool:
    """Ask whether a packet gets through."""
    return trace(objects, packet, MACHINE).accepted


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        (Rule(Compare(IIFNAME, "cni0"), DROP), True),
        (Rule(Compare(IIFNAME, "cni*"), DROP), True),
        (Rule(Compare(IIFNAME, "eth0"), DROP), False),
        (Rule(Compare(SADDR4, ip_network("10.0.0.0/8"), negated=True), DROP), False),
        (Rule(Compare(SADDR4, B, negated=True), DROP), True),
        (Rule(Compare(L4PROTO, "tcp"), Compare(DPORT, Range(79, 81)), DROP), True),
        (Rule(Compare(L4PROTO, "udp"), Compare(DPORT, 80), DROP), False),
        (Rule(Compare(CT_STATE, "new", "invalid"), Counter(), Log("x"), DROP), True),
        (Rule(InlineVerdicts(CT_STATE, (("established", ACCEPT), ("new", DROP)))), True),
        (Rule(Compare(NFPROTO, "ipv6"), DROP), False),
        (Rule(SetMark(0x10, 0xFF), Marked(0x10, 0xF0), DROP), True),
        (Rule(Marked(0, negated=True), DROP), False),
        (Rule(ReversePath(), DROP), False),
        (Rule(ReversePath(missing=False), DROP), True),
        (Rule(Reject()), True),
        (Rule(Compare(L4PROTO, "tcp"), Reject(tcp_reset=True)), True),
        (Rule(CONTINUE), False),
    ],
)
def test_a_rule_means_what_it_says(rule: Rule, matches: bool) -> None:
    """A dropping rule drops exactly what its matches hold."""
    assert accepts(forward(rule)) != matches


def test_a_negated_match_needs_the_field() -> None:
    """``ip saddr != X`` says nothing about IPv6."""
    v6 = Packet(A6, ip_address("fd01::1"), iif="cni0")
    assert trace(forward(Rule(Compare(SADDR4, B, negated=True), DROP)), v6).accepted


@pytest.mark.parametrize("state", ["invalid", "untracked"])
@pytest.mark.parametrize(
    "asked",
    [
        Marked(0, 0x80, connection=True),
        Marked(0x80, 0x80, negated=True, connection=True),
        ConntrackStatus("dnat"),
    ],
)
def test_without_a_connection_nothing_of_one_matches(state: str, asked: Part) -> None:
    """What connection tracking makes nothing of has neither mark nor status, whatever is asked."""
    going = replace(PACKET, status=frozenset({"dnat"}))
    rules = forward(Rule(asked, DROP))
    assert not accepts(rules, going)
    assert accepts(rules, replace(going, state=state))


def test_a_forged_source_has_no_way_back() -> None:
    """The reverse path check sees that an answer would leave by another interface."""
    assert not accepts(forward(Rule(ReversePath(), DROP)), replace(PACKET, source=FAR))


def test_the_policy_decides_what_no_rule_did() -> None:
    """A closed chain drops what falls through, and return in it is falling through."""
    assert not accepts(forward(drops=True))
    assert not accepts(forward(Rule(RETURN), Rule(ACCEPT), drops=True))
    assert accepts(forward(Rule(ACCEPT), drops=True))


def test_jump_comes_back_and_goto_does_not() -> None:
    """After a jump the next rule is evaluated, after a goto the one after the jump that led there."""
    target = Chain("target", (Rule(SetMark(1)),))
    assert not accepts(forward(Rule(jump("target")), Rule(DROP), others=(target,)))
    assert accepts(forward(Rule(goto("target")), Rule(DROP), others=(target,)))
    middle = Chain("middle", (Rule(goto("target")), Rule(ACCEPT)))
    assert not accepts(forward(Rule(jump("middle")), Rule(DROP), others=(target, middle)))


def test_chains_run_by_priority() -> None:
    """A chain of lower priority marks before a later one looks, and accepting does not skip the later one."""
    early = Chain("early", (Rule(SetMark(7), ACCEPT),), replace(FORWARD, priority=-1))
    late = Chain("late", (Rule(Compare(MARK, 7), DROP),), FORWARD)
    result = trace([late, early], PACKET, MACHINE)
    assert not result.accepted
    assert [line for line in result.path if line.startswith("forward")] == [
        "forward: chain early",
        "forward: chain late",
    ]


def test_sets_and_maps_are_looked_up() -> None:
    """Concatenated keys, ranges in them, and verdict maps that lead to chains."""
    peers = Set("peers", ("ifname", "ipv4_addr"), interval=True)
    pods = Map("pods", ("ifname",))
    objects = forward(
        Rule(VerdictMap(IIFNAME, into="pods")),
        drops=True,
        others=(
            peers,
            pods,
            Element("pods", "cni0", target=jump("of-cni0")),
            Element("peers", "cni0", ip_network("10.0.0.0/30")),
            Chain("of-cni0", (Rule(Lookup(IIFNAME, SADDR4, into="peers"), ACCEPT),)),
        ),
    )
    assert accepts(objects)
    assert not accepts(objects, replace(PACKET, source=ip_address("10.0.0.4")))
    assert not accepts(objects, replace(PACKET, iif="other"))


def test_translation_changes_the_rest_of_the_way() -> None:
    """After destination translation the packet is routed to its new destination and later hooks see that."""
    ports = Map("ports", ("inet_proto", "inet_service"), ("ipv4_addr", "inet_service"))
    to_pod = Chain(
        "in",
        (Rule(NatMap("dnat", 4, L4PROTO, DPORT, into="ports")),),
        Hook("nat", "prerouting", -100),
    )
    objects = [ports, to_pod, Element("ports", "tcp", 8080, target=(B, 80))]
    result = trace(objects, Packet(FAR, HOST, "tcp", 1000, 8080, iif="eth0"), MACHINE)
    assert (result.packet.destination, result.packet.destination_port) == (B, 80)
    assert result.packet.oif == "cni0"
    assert result.hooks == ("prerouting", "forward", "postrouting")
    other = trace(objects, Packet(FAR, HOST, "tcp", 1000, 8081, iif="eth0"), MACHINE)
    assert other.hooks == ("prerouting", "input")


def test_masquerade_takes_the_outgoing_address() -> None:
    """The new source is the address of the interface that the packet leaves by."""
    out = Chain("out", (Rule(Masquerade()),), Hook("nat", "postrouting", 100))
    assert trace([out], PACKET, MACHINE).packet.source == HOST


def test_one_translation_per_connection() -> None:
    """A second nat chain at the same hook is skipped, and established connections see none at all."""
    chains = [
        Chain(f"nat{n}", (Rule(Nat("dnat", ip_address(f"10.0.0.{n}"))),), Hook("nat", "prerouting", n))
        for n in (7, 8)
    ]
    assert trace(chains, PACKET, MACHINE).packet.destination == ip_address("10.0.0.7")
    going = replace(PACKET, state="established")
    assert trace(chains, going, MACHINE).packet.destination == FAR


def test_a_nat_chain_needs_somebody_who_tracks_connections() -> None:
    """Where no rule asks for conntrack a nat chain is never met; one such rule anywhere changes that."""
    marking = Chain("nat", (Rule(SetMark(1, 1)),), Hook("nat", "prerouting", -100))
    asking = Chain("ask", (Rule(Compare(CT_STATE, "new"), RETURN),))
    assert trace([marking], PACKET, MACHINE).packet.mark == 0
    assert trace([marking, asking], PACKET, MACHINE).packet.mark == 1


def test_the_nodes_own_packets_come_in_by_loopback() -> None:
    """A packet from the node to itself passes output, postrouting, and then prerouting and input."""
    result = trace([], Packet(HOST, HOST), MACHINE)
    assert result.hooks == ("output", "postrouting", "prerouting", "input")
    assert result.packet.iif == "lo"


def test_no_route_is_no_way() -> None:
    """A packet that has nowhere to go is dropped, and the trace says why."""
    nowhere = Machine({}, {ip_network("10.0.0.0/24"): "cni0"})
    result = trace([], PACKET, nowhere)
    assert not result.accepted
    assert f"no route to {FAR}" in str(result)


def test_it_refuses_what_does_not_fit() -> None:
    """The fake has the same checks as everybody else."""
    with pytest.raises(ValueError, match="no chain"):
        Tracer(forward(Rule(jump("nowhere"))))
