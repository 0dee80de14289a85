"""Rules and declarations as an operator reads them, and what is refused before any kernel sees it."""

from collections.abc import Callable
from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octet.blueprint import Blueprint
from octet.blueprint.nft import (
    ACCEPT,
    CT_STATE,
    DADDR4,
    DPORT,
    DROP,
    FIB_DADDR_TYPE,
    IIFNAME,
    L4PROTO,
    MARK,
    RETURN,
    SADDR4,
    Chain,
    Compare,
    ConntrackStatus,
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
    Range,
    Reject,
    ReversePath,
    Rule,
    Set,
    SetMark,
    VerdictMap,
    collapse,
    goto,
    jump,
)
from octet.blueprint.nft.values import canonical

RULES = [
    (Rule(Compare(IIFNAME, "eth0"), ACCEPT), 'iifname "eth0" accept'),
    (Rule(Compare(SADDR4, ip_network("10.0.0.0/8"), negated=True), DROP), "ip saddr != 10.0.0.0/8 drop"),
    (Rule(Compare(L4PROTO, "tcp", "udp"), jump("c")), "meta l4proto { tcp, udp } jump c"),
    (Rule(Compare(CT_STATE, "established", "related"), ACCEPT), "ct state established,related accept"),
    (Rule(Marked(0x4000, 0x4000), RETURN), "meta mark & 0x00004000 == 0x00004000 return"),
    (Rule(Compare(MARK, 1), DROP), "meta mark 0x00000001 drop"),
    (Rule(SetMark(0x10, 0xFF)), "meta mark set meta mark & 0xffffff00 | 0x00000010"),
    (Rule(SetMark(0, 0x4000)), "meta mark set meta mark & 0xffffbfff"),
    (Rule(Lookup(IIFNAME, SADDR4, into="peers", negated=True), DROP), "iifname . ip saddr != @peers drop"),
    (Rule(VerdictMap(IIFNAME, into="pods")), "iifname vmap @pods"),
    (Rule(InlineVerdicts(CT_STATE, (("invalid", DROP),))), "ct state vmap { invalid : drop }"),
    (Rule(ReversePath(), DROP, comment="spoofed"), 'fib saddr . iif oif missing drop comment "spoofed"'),
    (Rule(ConntrackStatus("dnat"), Masquerade()), "ct status dnat masquerade fully-random"),
    (Rule(Nat("dnat", ip_address("fd00::1"), 80)), "dnat ip6 to [fd00::1]:80"),
    (Rule(Nat("snat", ip_address("10.0.0.1"))), "snat ip to 10.0.0.1"),
    (
        Rule(NatMap("dnat", 4, L4PROTO, DPORT, into="ports")),
        "dnat ip to meta l4proto . th dport map @ports",
    ),
    (Rule(Compare(FIB_DADDR_TYPE, "local"), goto("c")), "fib daddr type local goto c"),
    (Rule(Log("no: ", group=5), Reject()), 'log prefix "no: " group 5 reject with icmpx admin-prohibited'),
]

DECLARATIONS = [
    (Set("s", ("ipv4_addr",), interval=True), "set s { type ipv4_addr; flags interval; }"),
    (Map("m", ("ifname",)), "map m { type ifname : verdict; }"),
    (Element("m", "veth0", target=jump("c")), "element m { veth0 : jump c }"),
    (
        Element("p", "udp", 53, target=(ip_address("10.0.0.2"), 5353)),
        "element p { udp . 53 : 10.0.0.2 . 5353 }",
    ),
    (
        Chain("c", (Rule(ACCEPT),), Hook("filter", "forward", 0, drops=True)),
        "chain c {\n\ttype filter hook forward priority 0; policy drop;\n\taccept\n}",
    ),
]


@pytest.mark.parametrize(("rule", "text"), RULES)
def test_a_rule_reads_as_nft(rule: Rule, text: str) -> None:
    """A rule's text is what an operator would type."""
    assert str(rule) == text


@pytest.mark.parametrize(("item", "text"), DECLARATIONS)
def test_a_declaration_reads_as_nft(item: object, text: str) -> None:
    """A declaration's text is the block that nft lists."""
    assert str(item) == text


@pytest.mark.parametrize(
    "make",
    [
        lambda: Compare(IIFNAME, 'eth0" accept'),
        lambda: Compare(IIFNAME, "sixteen-letters!"),
        lambda: Compare(SADDR4, ip_address("fd00::1")),
        lambda: Compare(DPORT, 65536),
        lambda: Compare(DPORT, True),
        lambda: Compare(L4PROTO, "tcp; drop"),
        lambda: Compare(SADDR4),
        lambda: Compare(DPORT, 80, Range(80, 80)),
        lambda: Range(2, 1),
        lambda: Range(1, IPv4Address("0.0.0.2")),
        Rule,
        lambda: Rule(ACCEPT, comment='a" drop'),
        lambda: Rule(ACCEPT, comment="two\nlines"),
        lambda: Log('"'),
        lambda: Chain("a b"),
        lambda: Chain("a; flush ruleset"),
        lambda: Set("", ("mark",)),
        lambda: Element("s }", 1),
        lambda: jump("a b"),
        lambda: Hook("nat", "forward", 0),
        lambda: Hook("filter", "ingress", 0),
        lambda: Marked(2, 1),
        lambda: SetMark(2, 1),
        lambda: Nat("tnat", ip_address("10.0.0.1")),
        lambda: ConntrackStatus("nat"),
        lambda: Lookup(into="s"),
    ],
)
def test_nonsense_is_refused_when_it_is_made(make: Callable[[], object]) -> None:
    """A value that nft would refuse, or read as something else, cannot be made."""
    with pytest.raises(ValueError, match=r".+"):
        make()


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_canonical_values_mean_the_same(one: int, other: int) -> None:
    """A range has one form only: an address, a prefix, or ends that make no prefix."""
    first, last = IPv4Address(min(one, other)), IPv4Address(max(one, other))
    form = canonical(Range(first, last))
    ends = {
        IPv4Address: lambda: (form, form),
        Range: lambda: (form.first, form.last),
    }.get(type(form), lambda: (form.network_address, form.broadcast_address))()
    assert ends == (first, last)
    assert canonical(form) == form


def test_sets_and_maps_share_their_names() -> None:
    """A set and a map of one name are two versions of one thing, so a union of both is refused."""
    with pytest.raises(ValueError, match="two blueprints"):
        Blueprint([Set("s", ("mark",))]) | Blueprint([Map("s", ("mark",))])


def test_an_element_is_known_by_its_key() -> None:
    """Two targets of one key are two versions of one element; a /32 is the address."""
    one = Element("m", ip_network("10.0.0.1/32"), target=DROP)
    other = Element("m", ip_address("10.0.0.1"), target=ACCEPT)
    assert one.key == other.key == ("nft-element", "m", "10.0.0.1")
    assert one != other


def test_collapsed_networks_do_not_overlap() -> None:
    """Networks of one family come without overlap, as a set needs them."""
    networks = [ip_network(text) for text in ("10.0.0.0/8", "10.1.0.0/16", "fd00::/8", "11.0.0.0/8")]
    assert collapse(networks, 4) == [ip_network("10.0.0.0/7")]
    assert collapse(networks, 6) == [ip_network("fd00::/8")]


def test_destination_and_source_are_different_fields() -> None:
    """Fields compare by what they ask, so equal rules are equal wherever they were made."""
    address = ip_address("10.0.0.1")
    assert Rule(Compare(SADDR4, address), DROP) != Rule(Compare(DADDR4, address), DROP)
    assert Rule(Compare(SADDR4, address), DROP) == Rule(Compare(SADDR4, ip_network("10.0.0.1")), DROP)
