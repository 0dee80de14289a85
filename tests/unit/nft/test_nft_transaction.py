"""A change becomes the commands of one transaction, in an order that works; listings come apart again."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from octet.blueprint import Change, KernelObject
from octet.blueprint.nft import (
    ACCEPT,
    DROP,
    IIFNAME,
    SADDR4,
    Chain,
    Compare,
    Element,
    Foreign,
    Hook,
    Lookup,
    Map,
    Range,
    Rule,
    Set,
    VerdictMap,
    jump,
)
from octet.kernel.conntrack import Flow
from octet.kernel.nft.elements import command, decode
from octet.kernel.nft.flows import outdated
from octet.kernel.nft.listing import blocks, declaration, foreign_chain
from octet.kernel.nft.transaction import Declared, render, sequence

PODS = Map("pods", ("ifname",))
BLOCKS = Set("blocks", ("ipv4_addr",), interval=True)
TARGET = Chain("target", (Rule(ACCEPT),))
BASE = Chain("base", (Rule(VerdictMap(IIFNAME, into="pods")),), Hook("filter", "forward", 0))
ASKS = Chain("asks", (Rule(Lookup(SADDR4, into="blocks"), DROP),))
POD = Element("pods", "v1", target=jump("target"))
POD_ADDRESS, OTHER = ip_address("10.0.0.2"), ip_address("10.0.0.3")


def declared(*items: KernelObject) -> Declared:
    """Return the memory of a table that holds these."""
    return Declared().after(Change(add=items))


def test_additions_make_names_before_using_them() -> None:
    """Chains and sets are declared before elements and rules mention them, in whatever order they come."""
    lines = render(Change(add=(POD, BASE, TARGET, PODS)), Declared())
    assert lines.index("add map inet octet pods { type ifname : verdict; }") < lines.index(
        'add element inet octet pods { "v1" : jump target }'
    )
    assert lines.index("add chain inet octet target") < lines.index(
        'add element inet octet pods { "v1" : jump target }'
    )
    assert lines[-2:] == ["add rule inet octet base iifname vmap @pods", "add rule inet octet target accept"]


def test_an_altered_chain_is_emptied_and_filled() -> None:
    """The rules of a chain are replaced as a whole; nothing else is touched."""
    changed = replace(TARGET, rules=(Rule(DROP),))
    assert render(Change(alter=((TARGET, changed),)), declared(TARGET, BASE, PODS)) == [
        "add table inet octet",
        "flush chain inet octet target",
        "add chain inet octet target",
        "add rule inet octet target drop",
    ]


def test_removal_frees_before_it_deletes() -> None:
    """Rules go before the sets they ask, elements before the chains they lead to."""
    assert render(Change(remove=(TARGET, PODS, POD, BASE)), declared(TARGET, PODS, BASE, ASKS, BLOCKS)) == [
        "add table inet octet",
        "flush chain inet octet base",
        "flush chain inet octet target",
        "delete map inet octet pods",
        "delete chain inet octet target",
        "delete chain inet octet base",
    ]


def test_the_last_removal_takes_the_table() -> None:
    """When nothing is left the table goes, with whatever else is in it."""
    assert render(Change(remove=(TARGET,)), declared(TARGET))[-1] == "delete table inet octet"


def test_a_new_declaration_keeps_elements_and_users() -> None:
    """A set that changes its type is made anew: chains that ask it are refilled, elements put back."""
    before = declared(replace(BLOCKS, interval=False), ASKS)
    held = [Element("blocks", POD_ADDRESS), Element("blocks", OTHER)]
    change = Change(alter=((replace(BLOCKS, interval=False), BLOCKS),), remove=(held[1],))
    assert render(change, before, held) == [
        "add table inet octet",
        "flush chain inet octet asks",
        "delete set inet octet blocks",
        "add set inet octet blocks { type ipv4_addr; flags interval; }",
        "add chain inet octet asks",
        "add element inet octet blocks { 10.0.0.2 }",
        "add rule inet octet asks ip saddr @blocks drop",
    ]


def test_a_moved_base_chain_is_made_anew() -> None:
    """A base chain cannot change its hook or priority in place, its policy can."""
    moved = replace(BASE, hook=Hook("filter", "forward", 5))
    closed = replace(BASE, hook=Hook("filter", "forward", 0, drops=True))
    held = declared(BASE, PODS)
    assert "delete chain inet octet base" in render(Change(alter=((BASE, moved),)), held)
    assert "delete chain inet octet base" not in render(Change(alter=((BASE, closed),)), held)


def test_what_comes_is_committed_before_what_goes() -> None:
    """A change that also takes something away is two: so nothing passes that old and new both stop."""
    both = Change((POD,), (), (ASKS,))
    assert sequence(both) == (Change(add=(POD,)), Change(remove=(ASKS,)))
    for alone in (Change(add=(POD,)), Change(remove=(ASKS,)), Change()):
        assert sequence(alone) == (alone, Change())


def test_an_element_without_a_set_is_refused() -> None:
    """An element of an unknown set cannot be written at all."""
    with pytest.raises(ValueError, match="no set or map pods"):
        render(Change(add=(POD,)), declared(TARGET))


LISTING = """table inet octet {
\tset blocks {
\t\ttype ipv4_addr
\t\tflags interval
\t}

\tmap goals {
\t\ttype inet_proto . inet_service : ipv4_addr . inet_service
\t}

\tset odd {
\t\ttype ipv4_addr
\t\tflags timeout
\t\ttimeout 5s
\t}

\tchain base {
\t\ttype filter hook forward priority filter; policy accept;
\t\tiifname "a" accept
\t}
}
"""


def test_a_listing_comes_apart() -> None:
    """Declarations read back as values; what we would never write is unlike any value of ours."""
    blocks_, goals, odd, base = blocks(LISTING)
    assert declaration(blocks_) == BLOCKS
    assert declaration(goals) == Map("goals", ("inet_proto", "inet_service"), ("ipv4_addr", "inet_service"))
    assert declaration(odd) != Set("odd", ("ipv4_addr",))
    assert foreign_chain(base).rules == (Foreign('iifname "a" accept'),)
    assert not foreign_chain(base).ours


def test_elements_come_out_of_json() -> None:
    """Addresses, prefixes, ranges, concatenations and verdicts read back from nft's JSON."""
    json = """{"nftables": [{"metainfo": {}}, {"set": {"name": "blocks", "elem": [
        "10.0.0.1", {"prefix": {"addr": "10.1.0.0", "len": 16}}, {"range": ["10.2.0.1", "10.2.0.9"]}]}},
        {"map": {"name": "pods", "elem": [["v1", {"jump": {"target": "target"}}], ["v2", {"drop": null}]]}},
        {"map": {"name": "unknown", "elem": [[1, 2]]}}]}"""
    assert list(decode(json, {"blocks": BLOCKS, "pods": PODS})) == [
        Element("blocks", ip_address("10.0.0.1")),
        Element("blocks", ip_network("10.1.0.0/16")),
        Element("blocks", Range(ip_address("10.2.0.1"), ip_address("10.2.0.9"))),
        POD,
        Element("pods", "v2", target=DROP),
    ]


def test_an_element_is_deleted_by_its_key() -> None:
    """A deletion names the key alone."""
    assert command("delete", POD, PODS) == 'delete element inet octet pods { "v1" }'


def mapping(target: object, *key: object) -> Element:
    """Return an element of a map that translates."""
    return Element("ports", *key, target=(target, 53))


def test_udp_connections_follow_their_mapping() -> None:
    """What goes is forgotten by who answered, what comes by its port, an alteration by both."""
    old, new = mapping(POD_ADDRESS, "udp", 5353), mapping(OTHER, "udp", 5353)
    goes, comes = Flow(4, 17, 5353, None, POD_ADDRESS), Flow(4, 17, 5353)
    assert list(outdated(Change(remove=(old,)))) == [goes]
    assert list(outdated(Change(add=(new,)))) == [comes]
    assert list(outdated(Change(alter=((old, new),)))) == [goes, comes]


def test_a_mapping_of_one_address_is_forgotten_there_only() -> None:
    """The destination narrows what is forgotten; IPv6 is IPv6."""
    six = ip_address("fd00::1")
    at = mapping(six, ip_address("2001:db8::1"), "udp", 5353)
    assert list(outdated(Change(add=(at,)))) == [Flow(6, 17, 5353, ip_address("2001:db8::1"))]


@pytest.mark.parametrize(
    "item",
    [mapping(POD_ADDRESS, "tcp", 80), POD, TARGET, Element("targets", POD_ADDRESS, "udp", 53)],
)
def test_nothing_else_is_forgotten(item: KernelObject) -> None:
    """TCP notices by itself; sets, verdict maps and chains translate nothing."""
    assert list(outdated(Change(add=(item,), remove=(item,)))) == []


def test_comparisons_of_one_chain_are_one_object() -> None:
    """Chains made from equal parts are equal, so nothing is rewritten that has not changed."""
    assert replace(ASKS) == ASKS
    assert Chain("c", (Rule(Compare(SADDR4, POD_ADDRESS), DROP),)) != Chain("c", (Rule(DROP),))
