"""Conntrack entries are deleted by what they were sent to: exactly those, by filter and by listing."""

import socket as sockets
import subprocess
from collections.abc import Callable, Sequence
from ipaddress import ip_address

import pytest

from octet.blueprint import Change
from octet.blueprint.nft import (
    CT_STATE,
    CUT,
    DPORT,
    DROP,
    L4PROTO,
    Chain,
    Compare,
    Element,
    Hook,
    Map,
    NatMap,
    Rule,
)
from octet.kernel import connections, namespaces
from octet.kernel.conntrack import Flow, by_filter, by_listing, forget
from octet.kernel.netlink.wire import NETLINK_NETFILTER, Socket
from octet.kernel.nft import NftFacility

pytestmark = pytest.mark.kernel

UDP = 17
LOOP, OTHER, LOOP6 = ip_address("127.0.0.1"), ip_address("127.0.0.2"), ip_address("::1")
TRAFFIC = [(LOOP, 53), (OTHER, 53), (LOOP, 54), (LOOP6, 53)]
PORTS = Map("ports", ("inet_proto", "inet_service"), ("ipv4_addr", "inet_service"))
TRANSLATE = Rule(NatMap("dnat", 4, L4PROTO, DPORT, into="ports"))
TRACK_V6_TOO = Rule(Compare(CT_STATE, "invalid"), DROP)
OUT = Chain("out", (TRANSLATE, TRACK_V6_TOO), Hook("nat", "output", -100))


def entries() -> set[tuple[str, str]]:
    """Return (destination, port) of every tracked UDP connection, as another program lists them."""
    listed = subprocess.run(
        ["conntrack", "-L", "-p", "udp"], check=True, capture_output=True, text=True
    ).stdout
    listed += subprocess.run(
        ["conntrack", "-L", "-p", "udp", "-f", "ipv6"], check=True, capture_output=True, text=True
    ).stdout
    words = [line.split() for line in listed.splitlines() if line.startswith("udp")]
    return {
        (
            next(word for word in line if word.startswith("dst="))[4:],
            next(word for word in line if word.startswith("dport="))[6:],
        )
        for line in words
    }


def send() -> None:
    """Make one connection to each destination."""
    for address, port in TRAFFIC:
        family = sockets.AF_INET if address.version == 4 else sockets.AF_INET6
        with sockets.socket(family, sockets.SOCK_DGRAM) as client:
            client.sendto(b"?", (str(address), port))


@pytest.fixture
def _tracked(pod_ns: int) -> object:
    """Be in a namespace where conntrack is at work and has seen the traffic."""
    with namespaces.inside(pod_ns):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        facility = NftFacility()
        assert facility.apply(Change(add=(PORTS, OUT))).ok
        send()
        assert len(entries()) == len(TRAFFIC)
        yield None
        facility.close()


def listing(socket: Socket, flows: Sequence[Flow], spared: int = 0) -> bool:
    """Delete by listing, in the form of the other way."""
    by_listing(socket, flows, spared)
    return True


def mark(port: int, value: int) -> None:
    """Give the connections to a port a mark."""
    found = [each for each in connections.listed([4, 6]) if each.asked_port == port]
    assert connections.mark(found, value, 0xFFFF_FFFF)


CASES = [
    (Flow(4, UDP, 53), {("127.0.0.1", "53"), ("127.0.0.2", "53")}),
    (Flow(4, UDP, 53, OTHER), {("127.0.0.2", "53")}),
    (Flow(6, UDP, 53), {("::1", "53")}),
    (Flow(4, UDP, 54, answered_by=LOOP), {("127.0.0.1", "54")}),
    (Flow(4, UDP, 54, answered_by=OTHER), set()),
    (Flow(4, 6, 53), set()),
]


@pytest.mark.usefixtures("_tracked")
@pytest.mark.parametrize(("flow", "gone"), CASES)
@pytest.mark.parametrize("way", [by_filter, listing])
def test_exactly_the_flow_is_forgotten(
    way: Callable[[Socket, Sequence[Flow]], bool], flow: Flow, gone: set[tuple[str, str]]
) -> None:
    """Port, address, family and who answers are all respected, in both ways of deleting."""
    before = entries()
    with Socket(NETLINK_NETFILTER) as socket:
        assert way(socket, [flow])
    assert before - entries() == gone


@pytest.mark.usefixtures("_tracked")
@pytest.mark.parametrize(
    ("flow", "gone"),
    [
        (Flow(6, UDP, 53, LOOP6), {("::1", "53")}),
        (Flow(6, UDP, 53, ip_address("fd00::9")), set()),
        (Flow(6, UDP, 53, answered_by=LOOP6), {("::1", "53")}),
        (Flow(6, UDP, 53, answered_by=ip_address("fd00::9")), set()),
    ],
)
def test_ipv6_addresses_are_respected(flow: Flow, gone: set[tuple[str, str]]) -> None:
    """Exactly the flow is forgotten though kernels' own filter may find what has another IPv6 address."""
    before = entries()
    forget([flow])
    assert before - entries() == gone


@pytest.mark.usefixtures("_tracked")
def test_many_flows_at_once() -> None:
    """More flows than are worth a sweep each are forgotten by one listing."""
    forget(Flow(4, UDP, port) for port in range(40, 60))
    assert entries() == {("::1", "53")}


@pytest.mark.usefixtures("_tracked")
@pytest.mark.parametrize("way", [by_filter, listing])
def test_what_bears_a_mark_is_spared(way: Callable[..., bool]) -> None:
    """Any of the bits spares a connection, with others beside it or not; other bits alone do not."""
    mark(53, 0x80)
    mark(54, CUT | 0x80)
    flows = [Flow(4, UDP, 53, LOOP), Flow(4, UDP, 54), Flow(6, UDP, 53)]
    with Socket(NETLINK_NETFILTER) as socket:
        assert way(socket, flows, CUT)
        assert entries() == {("127.0.0.2", "53"), ("127.0.0.1", "54")}
        assert way(socket, flows, CUT | 0x100)
        assert entries() == {("127.0.0.2", "53"), ("127.0.0.1", "54")}
        assert way(socket, flows)
    assert entries() == {("127.0.0.2", "53")}


@pytest.mark.usefixtures("_tracked")
def test_a_cut_connection_outlives_a_changed_mapping() -> None:
    """What policy has cut is not forgotten when a UDP translation comes or goes: it would begin anew."""
    facility = NftFacility()
    first = next(each for each in connections.listed([4]) if (each.asked, each.asked_port) == (LOOP, 53))
    connections.mark([first], CUT, CUT)
    here = Element("ports", "udp", 53, target=(LOOP, 99))
    assert facility.apply(Change(add=(PORTS, OUT, here))).ok
    assert entries() == {("127.0.0.1", "53"), ("::1", "53"), ("127.0.0.1", "54")}
    facility.apply(Change(remove=(here,)))
    assert ("127.0.0.1", "53") in entries()
    facility.close()


@pytest.mark.usefixtures("_tracked")
def test_a_changed_udp_mapping_forgets_its_connections() -> None:
    """Adding a UDP translation, moving it and taking it away each take effect for clients of before."""
    facility = NftFacility()
    here = Element("ports", "udp", 53, target=(LOOP, 99))
    assert facility.apply(Change(add=(PORTS, OUT, here))).ok
    assert entries() == {("::1", "53"), ("127.0.0.1", "54")}
    send()
    facility.apply(Change(remove=(here,)))
    assert ("127.0.0.2", "53") not in entries()
    facility.close()
