"""Objects that do not fit together are refused, each with a sentence that names the place."""

from ipaddress import ip_address, ip_network

import pytest

from octet.blueprint import Ifb, KernelObject, Link
from octet.blueprint.nft import (
    ACCEPT,
    CT_STATE,
    DPORT,
    DROP,
    IIFNAME,
    L4PROTO,
    NFPROTO,
    OIFNAME,
    SADDR4,
    Chain,
    Compare,
    Element,
    Hook,
    InlineVerdicts,
    Lookup,
    Map,
    Masquerade,
    Nat,
    NatMap,
    Range,
    Reject,
    ReversePath,
    Rule,
    Set,
    VerdictMap,
    find_problems,
    goto,
    jump,
    validate,
)

FORWARD = Hook("filter", "forward", 0)
PODS = Map("pods", ("ifname",))
PORTS = Map("ports", ("inet_proto", "inet_service"), ("ipv4_addr", "inet_service"))
BLOCKS = Set("blocks", ("ipv4_addr",), interval=True)


def of_rule(*parts: object, hook: Hook | None = FORWARD) -> list[KernelObject]:
    """Return a table with one rule in one base chain."""
    return [PODS, PORTS, BLOCKS, Chain("c", (Rule(*parts),), hook)]


def deep(levels: int) -> list[KernelObject]:
    """Return chains that jump so many levels deep."""
    chains = [Chain(f"c{n}", (Rule(jump(f"c{n + 1}")),), FORWARD if n == 0 else None) for n in range(levels)]
    return [*chains, Chain(f"c{levels}")]


PROBLEMS = [
    (of_rule(Lookup(SADDR4, into="nowhere"), DROP), "no set nowhere"),
    (of_rule(Lookup(IIFNAME, into="pods"), DROP), "no set pods"),
    (of_rule(Lookup(IIFNAME, into="blocks"), DROP), "blocks holds"),
    (of_rule(VerdictMap(IIFNAME, into="blocks")), "no map blocks"),
    (of_rule(VerdictMap(L4PROTO, DPORT, into="ports")), "leads to"),
    (of_rule(NatMap("dnat", 6, L4PROTO, DPORT, into="ports"), hook=Hook("nat", "output", 0)), "leads to"),
    (of_rule(NatMap("dnat", 4, L4PROTO, DPORT, into="ports")), "not possible in a filter chain"),
    (of_rule(Masquerade(), hook=Hook("nat", "prerouting", 0)), "not possible in a nat chain at prerouting"),
    (of_rule(Compare(OIFNAME, "a"), DROP, hook=Hook("filter", "input", 0)), "not possible"),
    (of_rule(Lookup(IIFNAME, into="links"), DROP, hook=Hook("filter", "output", 0)), "not possible"),
    (of_rule(ReversePath(), DROP, hook=Hook("filter", "output", 0)), "not possible"),
    (of_rule(Reject(), hook=Hook("nat", "output", 0)), "not possible"),
    (of_rule(Compare(DPORT, 80), DROP), "port without the protocol"),
    (
        of_rule(Nat("dnat", ip_address("10.0.0.1"), 80), hook=Hook("nat", "output", 0)),
        "port without the protocol",
    ),
    (
        of_rule(Compare(SADDR4, ip_address("10.0.0.1")), Compare(NFPROTO, "ipv6"), DROP),
        "IPv4 and IPv6 at once",
    ),
    (of_rule(jump("nowhere")), "no chain nowhere"),
    (of_rule(goto("c")), "base chain"),
    (of_rule(InlineVerdicts(CT_STATE, (("new", jump("nowhere")),))), "no chain nowhere"),
    ([Element("pods", "v", target=DROP)], "no set or map pods"),
    ([PODS, Element("pods", "v", target=jump("nowhere"))], "no chain nowhere"),
    ([PODS, Element("pods", "v")], "must lead somewhere"),
    ([PODS, Element("pods", "v", target=(1,))], "1 is no verdict"),
    ([PODS, Element("pods", "v*", target=DROP)], "no ifname"),
    ([PODS, Element("pods", 1, target=DROP)], "1 is no ifname"),
    ([PODS, Element("pods", "v", "w", target=DROP)], "2 values for"),
    ([PORTS, Element("ports", "tcp", 80, target=DROP)], "does not lead to verdicts"),
    ([PORTS, Element("ports", "tcp", Range(1, 2), target=(ip_address("10.0.0.1"), 1))], "without interval"),
    ([BLOCKS, Element("blocks", ip_network("fd00::/8"))], "is no ipv4_addr"),
    ([BLOCKS, Element("blocks", ip_address("10.0.0.1"), target=DROP)], "leads nowhere"),
    ([Chain("a", (Rule(jump("b")),), FORWARD), Chain("b", (Rule(goto("b")),))], "in a circle"),
    (deep(17), "deeper than 16"),
    (
        [
            PODS,
            Chain("a", (Rule(VerdictMap(IIFNAME, into="pods")),), FORWARD),
            Chain("b", (Rule(VerdictMap(IIFNAME, into="pods")),)),
            Element("pods", "v", target=jump("b")),
        ],
        "in a circle",
    ),
    (
        [Chain("a", (Rule(jump("b")),), FORWARD), Chain("b", (Rule(Masquerade()),))],
        "not possible in a filter chain",
    ),
]


@pytest.mark.parametrize(("objects", "problem"), PROBLEMS)
def test_what_does_not_fit_is_named(objects: list[KernelObject], problem: str) -> None:
    """Every kind of misfit is found and says what is wrong."""
    with pytest.raises(ValueError, match=problem):
        validate(objects)


@pytest.mark.parametrize(
    "objects",
    [
        of_rule(Compare(L4PROTO, "tcp"), Compare(DPORT, 80), ACCEPT),
        of_rule(Lookup(SADDR4, into="blocks"), ACCEPT),
        of_rule(VerdictMap(IIFNAME, into="pods")),
        deep(15),
        [Link("ifb0", Ifb(), "not nftables")],
        [],
    ],
)
def test_what_fits_is_taken(objects: list[KernelObject]) -> None:
    """A table that the kernel would take has no problems, and other kernel objects are not looked at."""
    assert list(find_problems(objects)) == []
