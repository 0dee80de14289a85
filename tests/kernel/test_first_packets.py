"""First packets between namespaces: whole tables at once, told apart from resets and rejects."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

import pytest

from octet.kernel import namespaces
from octet.kernel.first_packets import FirstPackets, arriving
from octet.kernel.probing import ICMP, SCTP, TCP, UDP, Probe

pytestmark = pytest.mark.kernel

A = {4: ip_address("192.0.2.1"), 6: ip_address("2001:db8::1")}
B = {4: ip_address("192.0.2.2"), 6: ip_address("2001:db8::2")}


@dataclass(frozen=True)
class Pair:
    """Two namespaces with a cable between them."""

    a: int
    b: int

    @property
    def places(self) -> dict[str, int]:
        return {"a": self.a, "b": self.b}


def run(namespace: int, *commands: str) -> None:
    with namespaces.inside(namespace):
        for command in commands:
            subprocess.run(command.split(), check=True)


def rules(namespace: int, lines: str, hook: str = "type filter hook input priority 0;") -> None:
    """Give a namespace a chain of these rules."""
    text = f"table inet x {{\nchain c {{\n{hook}\n{lines}}}\n}}\n"
    with namespaces.inside(namespace):
        subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True)


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A fresh pair, v4 and v6."""
    a, b = namespaces.create(), namespaces.create()
    there = f"/proc/{os.getpid()}/fd/{b}"
    run(a, f"ip link add a0 type veth peer name b0 netns {there}")
    for space, link, ends in ((a, "a0", A), (b, "b0", B)):
        run(space, f"ip addr add {ends[4]}/24 dev {link}", f"ip addr add {ends[6]}/64 dev {link} nodad")
        run(space, f"ip link set {link} addrgenmode none up")
        run(space, f"ip addr add fe80::{int(ends[6]) & 0xF}/64 dev {link} nodad")
    yield Pair(a, b)
    os.close(a)
    os.close(b)


def probe(protocol: int, port: int = 80, family: int = 4) -> Probe:
    ported = protocol not in ICMP.values()
    return Probe("a", "b", A[family], B[family], protocol, 40000 if ported else 0, port if ported else 0)


EVERYTHING = [probe(number, 80, family) for family in (4, 6) for number in (TCP, UDP, SCTP, ICMP[family])]


def test_every_protocol_arrives_where_nothing_listens(pair: Pair) -> None:
    """TCP, UDP, SCTP and echo requests of both families are seen, also with no one at the port."""
    assert arriving(pair.places, EVERYTHING) == [True] * len(EVERYTHING)


def test_what_is_dropped_or_answered_on_its_way_has_not_arrived(pair: Pair) -> None:
    """A reset by a firewall looks to the sender like one of the goal's; here it counts as what it is."""
    rules(
        pair.b,
        "tcp dport 80 reject with tcp reset\nudp dport 80 drop\nsctp dport 80 reject\n",
    )
    ports = [probe(number, port) for number in (TCP, UDP, SCTP) for port in (80, 81)]
    assert arriving(pair.places, ports) == [False, True] * 3


def test_translated_packets_are_recognized(pair: Pair) -> None:
    """Whatever becomes of addresses and ports, the packet is the same one."""
    rules(pair.a, "masquerade random\n", "type nat hook postrouting priority 100;")
    assert arriving(pair.places, EVERYTHING) == [True] * len(EVERYTHING)


def test_a_packet_counts_at_its_goal_only(pair: Pair) -> None:
    """What reaches another place than it should has not arrived."""
    astray = Probe("a", "a", A[4], B[4], TCP, 40000, 80)
    assert arriving(pair.places, [astray, probe(TCP)]) == [False, True]


def test_a_place_without_a_route_sends_nothing(pair: Pair) -> None:
    """What the sender's own kernel refuses is an answer like any other, and no error."""
    nowhere = Probe("a", "b", A[4], ip_address("203.0.113.1"), TCP, 40000, 80)
    assert arriving(pair.places, [nowhere]) == [False]


def test_thousands_are_told_apart(pair: Pair) -> None:
    """A table of many flows is asked at once; every second one is dropped, and exactly those are missing."""
    rules(pair.b, "meta l4proto {tcp, udp} th dport & 1 == 1 drop\n")
    probes = [probe(number, port) for port in range(1, 1501) for number in (TCP, UDP)]
    with FirstPackets(pair.places) as sockets:
        assert sockets.arriving(probes) == [each.port % 2 == 0 for each in probes]


def test_sockets_can_ask_again(pair: Pair) -> None:
    """What arrived before is not taken for an answer to what is asked now."""
    with FirstPackets(pair.places) as sockets:
        assert sockets.arriving([probe(UDP)]) == [True]
        rules(pair.b, "udp dport 80 drop\n")
        assert sockets.arriving([probe(UDP)]) == [False]
