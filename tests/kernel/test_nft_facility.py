"""Our nftables table in a real kernel: what we write reads back equal, what others touch does not."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from octet.blueprint import Blueprint, Change
from octet.blueprint.nft import (
    ACCEPT,
    CT_DIRECTION,
    CT_DPORT,
    CT_STATE,
    DADDR4,
    DADDR6,
    DPORT,
    DROP,
    FIB_DADDR_TYPE,
    FIB_SADDR_TYPE,
    ICMP_TYPE,
    ICMPV6_TYPE,
    IIFNAME,
    L4PROTO,
    MARK,
    NFPROTO,
    OIFNAME,
    RETURN,
    SADDR4,
    SADDR6,
    SPORT,
    Chain,
    Compare,
    ConntrackStatus,
    Counter,
    Element,
    Hook,
    InlineVerdicts,
    Limit,
    Log,
    Lookup,
    Map,
    Marked,
    Masquerade,
    Nat,
    NatMap,
    Range,
    Reject,
    ReversePath,
    Rule,
    Set,
    SetMark,
    Table,
    Verdict,
    VerdictMap,
    ct_daddr,
    goto,
    jump,
    validate,
)
from octet.kernel import namespaces
from octet.kernel.nft import NftFacility

pytestmark = pytest.mark.kernel

FORWARD = Hook("filter", "forward", 0)
DNAT = Hook("nat", "prerouting", -100)
SNAT = Hook("nat", "postrouting", 100)

PEERS = Set("peers", ("ifname", "ipv4_addr", "inet_proto", "inet_service"), interval=True)
PODS = Map("pods", ("ifname",))
PORTS = Map("ports", ("inet_proto", "inet_service"), ("ipv4_addr", "inet_service"))
PORTS6 = Map("ports6", ("ipv6_addr", "inet_proto", "inet_service"), ("ipv6_addr", "inet_service"))
MARKS = Set("marks", ("mark",))
BLOCKS = Set("blocks", ("ipv4_addr",), interval=True)
BLOCKS6 = Set("blocks6", ("ipv6_addr",), interval=True)

EVERY_PART = [
    Rule(Compare(IIFNAME, "eth0"), Compare(OIFNAME, "veth*", negated=True), ACCEPT, comment="why: it's so"),
    Rule(Compare(IIFNAME, "a", "b"), DROP),
    Rule(Compare(SADDR4, ip_network("10.0.0.0/8")), Compare(DADDR4, ip_address("10.1.2.3")), RETURN),
    Rule(Compare(SADDR4, ip_network("10.0.0.0/8"), ip_network("224.0.0.0/4"), negated=True), DROP),
    Rule(Compare(SADDR6, ip_network("fd00::/8")), Compare(DADDR6, ip_address("fd00::1"), negated=True), DROP),
    Rule(Lookup(IIFNAME, SADDR4, L4PROTO, DPORT, into="peers"), ACCEPT),
    Rule(Lookup(SADDR4, into="blocks", negated=True), DROP),
    Rule(Lookup(SADDR6, into="blocks6"), ACCEPT),
    Rule(Lookup(MARK, into="marks"), ACCEPT),
    Rule(Compare(L4PROTO, "tcp"), Compare(SPORT, Range(1024, 65535)), Compare(DPORT, 80, 443), ACCEPT),
    Rule(Compare(L4PROTO, "sctp", "udp", "icmp", "icmpv6", "gre", "esp", "ah", "udplite"), ACCEPT),
    Rule(Marked(0x4000, 0x4000), RETURN),
    Rule(Marked(1, negated=True), SetMark(0x10, 0xF0), SetMark(0, 1), SetMark(7), ACCEPT),
    Rule(InlineVerdicts(CT_STATE, (("established", ACCEPT), ("related", ACCEPT), ("invalid", DROP)))),
    Rule(Compare(CT_STATE, "new", "established"), ConntrackStatus("dnat", "snat"), Counter(), ACCEPT),
    Rule(Compare(FIB_DADDR_TYPE, "local"), Compare(FIB_SADDR_TYPE, "unicast"), ACCEPT),
    Rule(ReversePath(), DROP),
    Rule(ReversePath(missing=False), ACCEPT),
    Rule(Compare(NFPROTO, "ipv6"), jump("second")),
    Rule(Compare(ICMP_TYPE, "echo-request"), ACCEPT),
    Rule(Compare(ICMPV6_TYPE, "nd-neighbor-solicit", "nd-router-advert"), goto("second")),
    Rule(VerdictMap(IIFNAME, into="pods")),
    Rule(Log("octet drop ", group=5), Log("x"), DROP),
    Rule(Limit(7), Limit(100, 200), Log("x")),
    Rule(Compare(L4PROTO, "udp"), Compare(CT_DPORT, 53), Lookup(ct_daddr(4), into="blocks"), ACCEPT),
    Rule(Compare(CT_DIRECTION, "reply"), Lookup(ct_daddr(6), into="blocks6"), ACCEPT),
    Rule(Compare(CT_DIRECTION, "original"), Compare(CT_STATE, "untracked"), ACCEPT),
    Rule(Compare(L4PROTO, "tcp"), Reject(tcp_reset=True)),
    Rule(Reject()),
]

EVERYTHING = Blueprint(
    [
        *(PEERS, PODS, PORTS, PORTS6, MARKS, BLOCKS, BLOCKS6),
        Chain("second", (Rule(Counter(), ACCEPT),)),
        Chain("all_parts", tuple(EVERY_PART), FORWARD),
        Chain("closed", (), Hook("filter", "input", -5, drops=True)),
        Chain(
            "into",
            (
                Rule(NatMap("dnat", 4, L4PROTO, DPORT, into="ports")),
                Rule(NatMap("dnat", 6, DADDR6, L4PROTO, DPORT, into="ports6")),
                Rule(Compare(L4PROTO, "tcp"), Nat("dnat", ip_address("10.0.0.9"), 80)),
                Rule(Compare(L4PROTO, "udp"), Nat("dnat", ip_address("fd00::9"), 80)),
            ),
            DNAT,
        ),
        Chain(
            "out_of",
            (
                Rule(Compare(SADDR4, ip_network("10.0.0.0/8")), Masquerade()),
                Rule(Compare(OIFNAME, "y"), Masquerade(fully_random=False)),
                Rule(Nat("snat", ip_address("10.0.0.9"))),
            ),
            SNAT,
        ),
        Element("peers", "eth0", ip_network("10.0.0.0/24"), "tcp", Range(80, 90)),
        Element("peers", "eth1", ip_address("10.0.0.7"), "sctp", 53),
        Element("peers", "eth1", Range(ip_address("10.0.0.8"), ip_address("10.0.0.10")), "icmpv6", 0),
        Element("pods", "tcp", target=jump("second")),
        Element("pods", "veth0", target=DROP),
        Element("ports", "udp", 53, target=(ip_address("10.0.0.2"), 5353)),
        Element("ports6", ip_address("fd00::5"), "sctp", 5, target=(ip_address("fd00::2"), 53)),
        Element("marks", 0x4000),
        Element("blocks", ip_network("10.0.0.0/24")),
        Element("blocks", ip_address("10.0.1.0")),
        Element("blocks", Range(ip_address("10.0.1.2"), ip_address("10.0.1.9"))),
        Element("blocks", ip_network("192.0.0.0/2")),
        Element("blocks6", ip_network("fd00::/8")),
        Element("blocks6", ip_address("fe80::1")),
    ]
)
SMALL = Blueprint([PODS, Chain("second", (Rule(ACCEPT),)), Element("pods", "v", target=jump("second"))])


@pytest.fixture
def facility(node_ns: int) -> Iterator[NftFacility]:
    """A facility in a namespace of its own; whatever a test leaves is removed, which must end the table."""
    made = NftFacility(node_ns)
    yield made
    made.apply(Change(remove=tuple(made.read(Blueprint()))))
    made.close()


def nft(namespace: int, *command: str) -> str:
    """Be the other program that touches nftables."""
    with namespaces.inside(namespace):
        return subprocess.run(["nft", *command], check=True, capture_output=True, text=True).stdout


def into(facility: NftFacility, wanted: Blueprint) -> Change:
    """Do one round of reconciling and return what it found to do."""
    change = wanted.change_from(Blueprint(facility.read(wanted)))
    outcome = facility.apply(change)
    assert outcome.ok, outcome.failed[0].reason
    return change


def test_everything_reads_back_as_written(facility: NftFacility) -> None:
    """Every kind of object, match and statement goes into the kernel and reads back equal."""
    validate(EVERYTHING)
    into(facility, EVERYTHING)
    assert Blueprint(facility.read(EVERYTHING)) == EVERYTHING


def test_a_new_process_recognises_all_of_it(facility: NftFacility, node_ns: int) -> None:
    """After a restart, which forgets everything, there is nothing to do."""
    into(facility, EVERYTHING)
    again = NftFacility(node_ns)
    assert not EVERYTHING.change_from(Blueprint(again.read(EVERYTHING)))
    again.close()


@pytest.mark.parametrize(
    "damage",
    [
        "insert rule inet octet all_parts counter accept",
        "add rule inet octet second drop",
        "flush chain inet octet into",
        "delete element inet octet ports { 17 . 53 }",
        "add element inet octet marks { 9 }",
        "add chain inet octet closed { policy accept ; }",
        "add chain inet octet stranger { type filter hook input priority 7 ; }",
        "add set inet octet stranger { type ipv4_addr ; flags timeout ; timeout 5s ; }",
        "delete table inet octet",
        "flush ruleset",
    ],
)
@pytest.mark.parametrize("restarted", [False, True])
def test_damage_by_hand_is_found_and_repaired(
    facility: NftFacility, node_ns: int, damage: str, restarted: bool
) -> None:
    """Whatever another program adds, deletes or changes in our table is noticed and put right, once."""
    into(facility, EVERYTHING)
    nft(node_ns, damage)
    newcomer = NftFacility(node_ns)
    mender = newcomer if restarted else facility
    assert into(mender, EVERYTHING)
    assert not into(mender, EVERYTHING)
    newcomer.close()


def test_the_table_goes_with_its_last_object(facility: NftFacility, node_ns: int) -> None:
    """Removing everything, element by element, leaves no table."""
    into(facility, SMALL)
    facility.apply(Change(remove=SMALL.of(Element)[:1] and tuple(SMALL.of(Element))))
    assert "table inet octet" in nft(node_ns, "list", "tables")
    facility.apply(Change(remove=tuple(item for item in SMALL if not isinstance(item, Element))))
    assert nft(node_ns, "list", "ruleset") == ""


def test_a_wanted_table_stays_empty(facility: NftFacility) -> None:
    """A table that is asked for is there without anything in it."""
    into(facility, Blueprint([Table()]))
    assert Blueprint(facility.read(Blueprint([Table()]))) == Blueprint([Table()])


def test_other_tables_are_left_alone(facility: NftFacility, node_ns: int) -> None:
    """A table of somebody else, even of our name in another family, is neither read nor changed."""
    nft(node_ns, "add table ip octet ; add table inet other")
    into(facility, EVERYTHING)
    into(facility, Blueprint())
    assert nft(node_ns, "list", "tables") == "table ip octet\ntable inet other\n"
    nft(node_ns, "delete table ip octet ; delete table inet other")


def test_a_refusal_names_the_whole_transaction(facility: NftFacility) -> None:
    """One impossible object fails its whole transaction with nft's words, and nothing of it is in force."""
    bad = Chain("bad", (Rule(jump("nowhere")),))
    outcome = facility.apply(Change(add=(Chain("good"), bad)))
    assert {failure.item for failure in outcome.failed} == {Chain("good"), bad}
    assert "whole transaction" in outcome.failed[0].reason
    assert "nowhere" in outcome.failed[0].reason
    assert not list(facility.read(Blueprint()))


def test_adding_what_is_there_is_done(facility: NftFacility) -> None:
    """Adding the same again changes nothing, and rules are not doubled."""
    into(facility, EVERYTHING)
    assert facility.apply(Change(add=tuple(EVERYTHING))).ok
    assert Blueprint(facility.read(EVERYTHING)) == EVERYTHING


def test_removing_what_is_absent_is_done(facility: NftFacility) -> None:
    """Removing something that somebody else removed already succeeds, with the rest of the change."""
    into(facility, SMALL)
    change = Change(
        add=(Chain("third"),),
        remove=(Chain("never"), Set("none", ("mark",)), Element("pods", "w", target=DROP)),
    )
    assert facility.apply(change).ok
    assert ("nft-chain", "third") in Blueprint(facility.read(SMALL))


def test_an_old_memory_is_corrected(facility: NftFacility, node_ns: int) -> None:
    """A change succeeds although another program has emptied the table since we last looked."""
    into(facility, SMALL)
    nft(node_ns, "flush ruleset")
    outcome = facility.apply(Change(remove=tuple(SMALL.of(Element)), add=(Chain("third"),)))
    assert outcome.ok, outcome.failed
    assert ("nft-chain", "third") in Blueprint(facility.read(SMALL))


def test_an_element_changes_its_target(facility: NftFacility) -> None:
    """A map's element leads somewhere else after one change of one element."""
    into(facility, SMALL)
    moved = Blueprint([*SMALL.of(Map), *SMALL.of(Chain), Element("pods", "v", target=DROP)])
    assert len(into(facility, moved).alter) == 1
    assert Blueprint(facility.read(moved)) == moved


@pytest.mark.parametrize(
    "hook", [replace(FORWARD, drops=True), replace(FORWARD, priority=9), Hook("filter", "input", 0), None]
)
def test_a_base_chain_changes_its_hook(facility: NftFacility, hook: Hook | None) -> None:
    """Policy, priority, hook, and being a base chain at all can change in one transaction."""
    into(facility, Blueprint([Chain("c", (Rule(ACCEPT),), FORWARD)]))
    changed = Blueprint([Chain("c", (Rule(ACCEPT),), hook)])
    into(facility, changed)
    assert Blueprint(facility.read(changed)) == changed


def test_a_set_changes_its_declaration(facility: NftFacility) -> None:
    """A set in use becomes an interval set, its elements and the rules that ask it unharmed."""
    rule = Chain("c", (Rule(Lookup(SADDR4, into="blocks"), ACCEPT),))
    element = Element("blocks", ip_address("10.0.0.1"))
    into(facility, Blueprint([replace(BLOCKS, interval=False), rule, element]))
    wanted = Blueprint([BLOCKS, rule, element, Element("blocks", ip_network("10.1.0.0/16"))])
    into(facility, wanted)
    assert Blueprint(facility.read(wanted)) == wanted


@pytest.mark.parametrize(("old", "new"), [("10.0.0.0/8", "10.1.0.0/16"), ("10.1.0.0/16", "10.0.0.0/8")])
def test_an_interval_gives_way_to_one_that_overlaps_it(facility: NftFacility, old: str, new: str) -> None:
    """Where the kernel takes no new interval beside the old one, both change in one transaction."""
    held = [Blueprint([BLOCKS, Element("blocks", ip_network(each))]) for each in (old, new)]
    into(facility, held[0])
    assert facility.apply(held[1].change_from(held[0])).ok
    assert Blueprint(facility.read(held[1])) == held[1]


def test_a_chain_and_the_map_that_leads_to_it_go_together(facility: NftFacility) -> None:
    """Removal finds an order in which nothing that goes is still in use."""
    rule = Chain("base", (Rule(VerdictMap(IIFNAME, into="pods")), Rule(jump("second"))), FORWARD)
    into(facility, SMALL | Blueprint([rule]))
    into(facility, Blueprint([Chain("base", (), FORWARD)]))
    assert Blueprint(facility.read(Blueprint())).of(Chain)[0].name == "base"


def test_a_dry_run_changes_nothing(facility: NftFacility) -> None:
    """Checking a change tells what nft thinks of it and leaves the kernel as it was."""
    assert facility.check(Change(add=tuple(EVERYTHING))).ok
    assert not facility.check(Change(add=(Chain("c", (Rule(VerdictMap(IIFNAME, into="no")),)),))).ok
    assert not list(facility.read(Blueprint()))


def test_it_stays_in_its_namespace(facility: NftFacility, pod_ns: int) -> None:
    """A facility works in the namespace it was made for, wherever the thread is when it is used."""
    with namespaces.inside(pod_ns):
        into(facility, SMALL)
    assert nft(pod_ns, "list", "tables") == ""


def test_verdicts_are_values() -> None:
    """A verdict that needs a chain has one, and only such a verdict."""
    with pytest.raises(ValueError, match="jump"):
        Verdict("jump")


def test_a_table_that_vanished_unseen_is_made_again(node_ns: int) -> None:
    """A change of what is remembered but no longer there is made from what is really there."""
    chain = Chain("one", (Rule(Compare(IIFNAME, "a"), DROP),))
    other = Chain("one", (Rule(Compare(IIFNAME, "b"), DROP),))
    facility = NftFacility(node_ns)
    assert facility.apply(Change(add=(chain,))).ok
    with namespaces.inside(node_ns):
        subprocess.run(["nft", "delete", "table", "inet", "octet"], check=True)
    outcome = facility.apply(Change(add=(chain,)))
    assert outcome.ok, [str(failure) for failure in outcome.failed]
    with namespaces.inside(node_ns):
        subprocess.run(["nft", "delete", "table", "inet", "octet"], check=True)
    assert facility.apply(Change(alter=((chain, other),))).ok
    assert facility.apply(Change(remove=(other,))).ok
    facility.close()
