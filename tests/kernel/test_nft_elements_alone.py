"""Changes of elements alone: the bytes we write are what libnftables reads, and nothing else is asked."""

import errno
import os
import statistics
import time
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from octet.blueprint import Blueprint, Change
from octet.blueprint.nft import ACCEPT, DROP, RETURN, Chain, Element, Map, Range, Set, Value, goto, jump
from octet.kernel import namespaces
from octet.kernel.nft import Nft, NftFacility
from octet.kernel.nft.raw import MOST, eligible

pytestmark = pytest.mark.kernel

PLAIN = Set("plain", ("ifname",))
PORTS = Set("ports", ("inet_service",))
TUPLES = Set("tuples", ("ifname", "ipv4_addr", "inet_proto", "inet_service", "mark"))
RANGES = Set("ranges", ("ipv6_addr", "inet_service", "ifname", "inet_proto"), interval=True)
VERDICTS = Map("verdicts", ("ipv4_addr",))
GOALS = Map("goals", ("inet_proto", "inet_service"), ("ipv6_addr", "inet_service"))
ADDRESSES = Map("addresses", ("mark",), ("ipv4_addr",))
TREE = Set("tree", ("ipv4_addr",), interval=True)
HOLDERS = (PLAIN, PORTS, TUPLES, RANGES, VERDICTS, GOALS, ADDRESSES, TREE)
TABLE = Blueprint([*HOLDERS, Chain("target")])

v4, v6 = st.ip_addresses(v=4), st.ip_addresses(v=6)
ports, marks = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
links = st.from_regex(r"[a-z][a-z0-9.@-]{0,14}", fullmatch=True)
protocols = st.sampled_from(["tcp", "udp", "sctp", "icmp", "icmpv6", "gre", "esp"])
spans = st.tuples(ports, ports).map(lambda pair: Range(min(pair), max(pair)))
networks = st.tuples(v6, st.integers(1, 128)).map(lambda pair: ip_network(pair, strict=False))
verdicts = st.sampled_from([ACCEPT, DROP, RETURN, jump("target"), goto("target")])
elements = st.one_of(
    st.builds(lambda *key: Element("plain", *key), links),
    st.builds(lambda *key: Element("ports", *key), ports),
    st.builds(lambda *key: Element("tuples", *key), links, v4, protocols, ports, marks),
    st.builds(lambda *key: Element("ranges", *key), networks, spans, links, protocols),
    st.builds(lambda key, to: Element("verdicts", key, target=to), v4, verdicts),
    st.builds(lambda p, n, a, m: Element("goals", p, n, target=(a, m)), protocols, ports, v6, ports),
    st.builds(lambda key, to: Element("addresses", key, target=(to,)), marks, v4),
)


@pytest.fixture(scope="module")
def nodes() -> Iterator[NftFacility]:
    """A facility in a namespace of its own, for the whole module."""
    descriptor = namespaces.create()
    made = NftFacility(descriptor)
    yield made
    made.close()
    os.close(descriptor)


@pytest.fixture
def facility(nodes: NftFacility) -> NftFacility:
    """The facility with empty sets, and no others."""
    held = tuple(nodes.read(Blueprint()))
    assert nodes.apply(Change(remove=held)).ok
    assert nodes.apply(Change(add=tuple(TABLE))).ok
    return nodes


def present(facility: NftFacility) -> set[Element]:
    """Return the elements that libnftables lists."""
    return {item for item in facility.read(TABLE) if isinstance(item, Element)}


@given(wanted=st.lists(elements, min_size=1, max_size=12, unique_by=lambda each: each.key))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_we_write_is_what_is_read(nodes: NftFacility, wanted: list[Element]) -> None:
    """Elements of every type, alone and concatenated, exact and in ranges, read back equal and go again."""
    if ("nft-set", "plain") not in Blueprint(nodes.read(TABLE)):
        assert nodes.apply(Change(add=tuple(TABLE))).ok
    change = Change(add=tuple(disjoint(wanted)))
    assert eligible(change, {holder.name: holder for holder in HOLDERS})
    assert nodes.apply(change).ok
    assert present(nodes) == set(change.add)
    assert nodes.apply(Change(remove=change.add)).ok
    assert present(nodes) == set()


def disjoint(wanted: list[Element]) -> list[Element]:
    """Return them with one range element at most: a set refuses ranges that overlap."""
    spans = [item for item in wanted if item.of == "ranges"]
    return [item for item in wanted if item.of != "ranges"] + spans[:1]


def test_the_library_is_not_asked(facility: NftFacility, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod's change of elements works without libnftables, whose cost grows with the table."""
    monkeypatch.setattr(Nft, "run", lambda *_, **__: pytest.fail("asked libnftables"))
    pod = (Element("plain", "veth1"), Element("verdicts", ip_address("10.0.0.1"), target=jump("target")))
    assert facility.apply(Change(add=pod)).ok
    moved = (pod[1], Element("verdicts", ip_address("10.0.0.1"), target=DROP))
    assert facility.apply(Change(alter=(moved,))).ok
    assert facility.apply(Change(remove=(pod[0], moved[1]))).ok


@pytest.mark.parametrize(
    "change",
    [
        Change(add=(Element("tree", ip_address("10.0.0.1")),)),
        Change(add=(Element("nowhere", "v"),)),
        Change(add=(Element("plain", "v"), Chain("c"))),
        Change(add=tuple(Element("ports", number) for number in range(MOST + 1))),
    ],
)
def test_what_is_not_written_here_is_left_to_the_library(change: Change) -> None:
    """Trees of ranges, unknown sets, other objects and masses of elements go the other way."""
    assert not eligible(change, {holder.name: holder for holder in HOLDERS})


def test_many_elements_of_a_tree_work_too(facility: NftFacility) -> None:
    """The other way gives the same result."""
    wanted = [Element("tree", ip_network(f"10.{n}.0.0/17")) for n in range(200)]
    wanted += [Element("ports", number) for number in range(5 * MOST)]
    assert facility.apply(Change(add=tuple(wanted))).ok
    assert present(facility) == set(wanted)


def test_a_refusal_leaves_all_as_it_was(facility: NftFacility) -> None:
    """One element that the kernel refuses stops the whole transaction."""
    good = Element("plain", "veth1")
    bad = Element("verdicts", ip_address("10.0.0.1"), target=jump("nowhere"))
    outcome = facility.apply(Change(add=(good, bad)))
    assert {failure.item for failure in outcome.failed} == {good, bad}
    assert outcome.failed[0].errno == errno.ENOENT
    assert present(facility) == set()


def test_repeating_is_harmless(facility: NftFacility) -> None:
    """Adding what is there and removing what is not are done; a key that leads elsewhere is corrected."""
    one = Element("verdicts", ip_address("10.0.0.1"), target=ACCEPT)
    other: tuple[Value, ...] = (ip_address("10.0.0.2"),)
    assert facility.apply(Change(add=(one,))).ok
    assert facility.apply(Change(add=(one, Element("plain", "w")))).ok
    assert facility.apply(Change(remove=(Element("verdicts", *other, target=DROP), Element("plain", "w")))).ok
    assert facility.apply(Change(add=(Element("verdicts", *one.values, target=DROP),))).ok
    assert present(facility) == {Element("verdicts", *one.values, target=DROP)}


@pytest.mark.slow
def test_one_pod_costs_the_same_among_ten_thousand(facility: NftFacility) -> None:
    """Adding an element beside 10,000 pods and 10,000 ranges takes no more, within a millisecond."""
    alone = statistics.median(timed(facility, number) for number in range(50))
    pods = [Element("verdicts", ip_address(0x0A000000 + n), target=jump("target")) for n in range(10_000)]
    ranges = [Element("tree", ip_network((0x0B000000 + n * 256, 25))) for n in range(10_000)]
    assert facility.apply(Change(add=(*pods, *ranges))).ok
    among = statistics.median(timed(facility, number) for number in range(50))
    assert among < 2 * alone + 0.001


def timed(facility: NftFacility, number: int) -> float:
    """Return the seconds that adding and removing one element takes."""
    item = Element("plain", f"veth{number}")
    start = time.perf_counter()
    facility.apply(Change(add=(item,)))
    facility.apply(Change(remove=(item,)))
    return time.perf_counter() - start
