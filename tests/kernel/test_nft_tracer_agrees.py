"""Generated rulesets, real packets: the tracer says what the kernel does."""

import os
import select
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hands import listening
from octet.blueprint import Blueprint, KernelObject
from octet.blueprint.nft import (
    ACCEPT,
    CT_DIRECTION,
    CT_DPORT,
    CT_STATE,
    DPORT,
    DROP,
    FIB_DADDR_TYPE,
    FIB_SADDR_TYPE,
    IIFNAME,
    L4PROTO,
    MARK,
    NFPROTO,
    OIFNAME,
    RETURN,
    Chain,
    Compare,
    ConntrackStatus,
    Element,
    Hook,
    InlineVerdicts,
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
    Verdict,
    VerdictMap,
    ct_daddr,
    daddr,
    find_problems,
    goto,
    jump,
    saddr,
)
from octet.kernel import namespaces
from octet.kernel.fake_nft import Machine, Trace, Tracer
from octet.kernel.nft import NftFacility

pytestmark = pytest.mark.kernel

PORTS = (5000, 5001, 5002)
SENDER = {4: ip_address("10.0.1.2"), 6: ip_address("fd00:1::2")}
NEAR = {4: ip_address("10.0.1.1"), 6: ip_address("fd00:1::1")}
NODE = {4: ip_address("10.0.2.1"), 6: ip_address("fd00:2::1")}
FAR = {4: ip_address("10.0.2.2"), 6: ip_address("fd00:2::2")}
SECOND = {4: ip_address("10.0.2.3"), 6: ip_address("fd00:2::3")}
MACHINE = Machine(
    {"left": tuple(NEAR.values()), "right": tuple(NODE.values())},
    {
        ip_network("10.0.1.0/24"): "left",
        ip_network("fd00:1::/64"): "left",
        ip_network("10.0.2.0/24"): "right",
        ip_network("fd00:2::/64"): "right",
    },
)
MAC = {
    "left": "02:00:00:00:01:01",
    "right": "02:00:00:00:02:01",
    "a": "02:00:00:00:01:02",
    "b": "02:00:00:00:02:02",
}
Seen = tuple[str, str, str, int]
"""Where a packet arrived (``b``, ``node`` or nowhere), its source, destination and destination port."""

NOWHERE: Seen = ("", "", "", 0)


@dataclass
class Wire:
    """Sender ``a``, the node, receiver ``b``; sockets that see what arrives."""

    places: dict[str, int]
    sniffer: socket.socket
    listeners: list[socket.socket]
    facility: NftFacility
    held: Blueprint = field(default_factory=Blueprint)
    counter: int = 0

    def load(self, wanted: Blueprint) -> None:
        """Put a ruleset in force instead of the last one."""
        outcome = self.facility.apply(wanted.change_from(self.held))
        assert outcome.ok, outcome.failed[0].reason
        self.held = wanted

    def send(self, packets: list[Packet]) -> dict[int, Seen]:
        """Send packets as new connections and return what arrived where, by the number each one carries."""
        numbers: list[int] = []
        for packet in packets:
            self.counter += 1
            numbers.append(self.counter)
            family = socket.AF_INET if packet.family == 4 else socket.AF_INET6
            with namespaces.inside(self.places["a"]), socket.socket(family, socket.SOCK_DGRAM) as sender:
                sender.bind((str(packet.source), packet.source_port))
                target = (str(packet.destination), packet.destination_port)
                sender.sendto(b"octet" + struct.pack("!I", self.counter), target)
        return {number: seen for number, seen in self.arrivals() if number in numbers}

    def arrivals(self, patience: float = 0.03) -> Iterator[tuple[int, Seen]]:
        """Yield what arrives until nothing has for a while."""
        while ready := select.select([self.sniffer, *self.listeners], [], [], patience)[0]:
            for each in ready:
                found = sniffed(each.recv(2000)) if each is self.sniffer else received(each)
                if found:
                    yield found


def received(listener: socket.socket) -> tuple[int, Seen]:
    """Return what a socket of the node got; the destination's address is not told, only the port."""
    data, source = listener.recvfrom(2000)
    return struct.unpack("!I", data[5:9])[0], ("node", source[0], "", listener.getsockname()[1])


def sniffed(frame: bytes) -> tuple[int, Seen] | None:
    """Return what a frame on the receiver's interface carries, if it is one of ours."""
    kind, body = frame[12:14], frame[14:]
    protocol = body[9:10] if kind == b"\x08\x00" else body[6:7]
    if b"octet" not in body or kind not in {b"\x08\x00", b"\x86\xdd"} or protocol != bytes([17]):
        return None
    header, at, size = (20, 12, 4) if kind == b"\x08\x00" else (40, 8, 16)
    source, destination = ip_address(body[at : at + size]), ip_address(body[at + size : at + 2 * size])
    port, number = struct.unpack("!H", body[header + 2 : header + 4])[0], struct.unpack("!I", body[-4:])[0]
    return number, ("b", str(source), str(destination), port)


def ip(namespace: int, *commands: str) -> None:
    """Run commands of iproute2."""
    with namespaces.inside(namespace):
        for command in commands:
            subprocess.run(["ip", *command.split()], check=True)


def join(node: int, end: int, name: str, far: str, addresses: dict[int, object]) -> None:
    """Join a namespace to the node by a pair with fixed MACs and permanent neighbours."""
    ip(node, f"link add {name} address {MAC[name]} type veth peer name eth0 address {MAC[far]}")
    with namespaces.inside(end), subprocess.Popen(["sleep", "60"]) as there:
        ip(node, f"link set eth0 netns {there.pid}", f"link set {name} up")
        there.kill()
    ip(end, "link set eth0 up", "link set lo up")
    for family, size in ((4, 24), (6, 64)):
        gateway = (NEAR if name == "left" else NODE)[family]
        ip(node, f"address add {gateway}/{size} dev {name}{' nodad' * (family == 6)}")
        ip(
            end,
            f"address add {addresses[family]}/{size} dev eth0{' nodad' * (family == 6)}",
            f"route add default via {gateway}",
        )
        ip(end, f"neighbour replace {gateway} lladdr {MAC[name]} dev eth0 nud permanent")
        ip(node, f"neighbour replace {addresses[family]} lladdr {MAC[far]} dev {name} nud permanent")


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """Three namespaces in a row, for all rulesets of this module."""
    with ExitStack() as stack:
        places = {name: namespaces.create() for name in ("a", "node", "b")}
        for descriptor in places.values():
            stack.callback(os.close, descriptor)
        ip(places["node"], "link set lo up")
        join(places["node"], places["a"], "left", "a", SENDER)
        join(places["node"], places["b"], "right", "b", FAR)
        for address in SECOND.values():
            ip(places["node"], f"neighbour replace {address} lladdr {MAC['b']} dev right nud permanent")
        with namespaces.inside(places["node"]):
            for path in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
                Path("/proc/sys/net", path).write_text("1")
            Path("/proc/sys/net/ipv4/conf/all/rp_filter").write_text("0")
            listeners = [stack.enter_context(listening(family, port)) for port in PORTS for family in (4, 6)]
        with namespaces.inside(places["b"]):
            sniffer = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
            sniffer.bind(("eth0", 0))
        facility = NftFacility(places["node"])
        stack.callback(facility.close)
        time.sleep(0.1)
        yield Wire(places, sniffer, listeners, facility)


families = st.sampled_from([4, 6])
ports = st.sampled_from(PORTS)
links = st.sampled_from(["left", "right", "lo", "le*", "none"])
targets = st.sampled_from(["one", "two"])
verdicts = st.one_of(
    st.sampled_from([ACCEPT, DROP, RETURN]), st.builds(jump, targets), st.builds(goto, targets)
)
UDP = Compare(L4PROTO, "udp")


@st.composite
def addresses(draw: st.DrawFn, family: int) -> object:
    """Draw an address or network that packets may have, or not."""
    networks = {
        4: ["10.0.1.0/24", "10.0.0.0/8", "192.0.2.0/24"],
        6: ["fd00:1::/64", "fd00::/8", "2001:db8::/32"],
    }
    held = [each[family] for each in (SENDER, NEAR, NODE, FAR, SECOND)]
    return draw(st.sampled_from(held + [ip_network(net) for net in networks[family]]))


@st.composite
def matches(draw: st.DrawFn) -> list[Part]:
    """Draw what one rule asks."""
    family, negated = draw(families), draw(st.booleans())
    choice = {
        "nothing": list,
        "iif": lambda: [Compare(IIFNAME, draw(links), negated=negated)],
        "oif": lambda: [Compare(OIFNAME, draw(links), negated=negated)],
        "saddr": lambda: [Compare(saddr(family), draw(addresses(family)), negated=negated)],
        "daddr": lambda: [Compare(daddr(family), draw(addresses(family)), negated=negated)],
        "port": lambda: [UDP, Compare(DPORT, draw(ports), negated=negated)],
        "ports": lambda: [UDP, Compare(DPORT, Range(5001, 5009), negated=negated)],
        "protocol": lambda: [Compare(L4PROTO, "tcp", "sctp", negated=negated)],
        "family": lambda: [Compare(NFPROTO, f"ipv{family}")],
        "mark": lambda: [Marked(draw(st.sampled_from([0, 1, 16])), 17, negated=negated)],
        "whole mark": lambda: [Compare(MARK, draw(st.sampled_from([0, 1])), negated=negated)],
        "state": lambda: [Compare(CT_STATE, draw(st.sampled_from(["new", "established", "invalid"])))],
        "translated": lambda: [ConntrackStatus("dnat")],
        "direction": lambda: [Compare(CT_DIRECTION, draw(st.sampled_from(["original", "reply"])))],
        "asked": lambda: [Compare(ct_daddr(family), draw(addresses(family)), negated=negated)],
        "asked port": lambda: [UDP, Compare(CT_DPORT, draw(ports), negated=negated)],
        "fib": lambda: [Compare(FIB_DADDR_TYPE, "local", negated=negated)],
        "fib source": lambda: [Compare(FIB_SADDR_TYPE, "unicast", negated=negated)],
        "reverse": lambda: [ReversePath(missing=negated)],
        "blocks": lambda: [Lookup(saddr(4), into="blocks", negated=negated)],
        "tuples": lambda: [
            Lookup(IIFNAME, daddr(family), L4PROTO, DPORT, into=f"tuples{family}", negated=negated)
        ],
    }
    return choice[draw(st.sampled_from(sorted(choice)))]()


@st.composite
def filters(draw: st.DrawFn) -> Rule:
    """Draw a rule that a filter chain may have."""
    parts = draw(matches()) + draw(matches())
    endings: list[list[Part]] = [
        [draw(verdicts)],
        [SetMark(draw(st.sampled_from([0, 1, 16])), 17)],
        [VerdictMap(IIFNAME, into="by-link")],
        [VerdictMap(L4PROTO, DPORT, into="by-port")],
        [InlineVerdicts(CT_STATE, (("new", draw(verdicts)), ("established", ACCEPT)))],
        [Reject()],
    ]
    return Rule(*parts, *draw(st.sampled_from(endings)))


@st.composite
def translations(draw: st.DrawFn, how: str) -> Rule:
    """Draw a rule that a nat chain may have."""
    family, parts = draw(families), draw(matches())
    goal = draw(st.sampled_from([NODE, FAR, SECOND] if how == "dnat" else [NODE, NEAR]))[family]
    endings: list[list[Part]] = [
        [Nat(how, goal)],
        [RETURN],
        [ACCEPT],
        [SetMark(1, 1)],
        [UDP, Nat("dnat", goal, 5002)] if how == "dnat" else [Masquerade(fully_random=False)],
        [NatMap(how, family, L4PROTO, DPORT, into=f"goals{family}")] if how == "dnat" else [Masquerade()],
    ]
    return Rule(*parts, *draw(st.sampled_from(endings)))


@st.composite
def chains(draw: st.DrawFn) -> list[KernelObject]:
    """Draw base chains at several hooks, and two chains that they may jump to."""
    made: list[KernelObject] = [Chain("two", tuple(draw(st.lists(leaf_rules(), max_size=2))))]
    made.append(Chain("one", tuple(draw(st.lists(leaf_rules(jumps=True), max_size=2)))))
    for number, at in enumerate(
        draw(st.lists(st.sampled_from(["prerouting", "input", "forward", "postrouting"]), max_size=3))
    ):
        hook = Hook("filter", at, draw(st.sampled_from([-150, 0, 5])) + number, draw(st.booleans()))
        made.append(Chain(f"filter{number}", tuple(draw(st.lists(filters(), max_size=3))), hook))
    for at, how, priority in (("prerouting", "dnat", -100), ("postrouting", "snat", 100)):
        for number in range(draw(st.integers(0, 2))):
            hook = Hook("nat", at, priority + number)
            made.append(Chain(f"{how}{number}", tuple(draw(st.lists(translations(how), max_size=2))), hook))
    return made


@st.composite
def leaf_rules(draw: st.DrawFn, *, jumps: bool = False) -> Rule:
    """Draw a rule of a chain that others jump to; no circles."""
    ends: list[Verdict] = [ACCEPT, DROP, RETURN, *([jump("two"), goto("two")] if jumps else [])]
    return Rule(*draw(matches()), draw(st.sampled_from(ends)))


@st.composite
def rulesets(draw: st.DrawFn) -> Blueprint:
    """Draw a whole table."""
    held: list[KernelObject] = [
        Set("blocks", ("ipv4_addr",), interval=True),
        Element("blocks", ip_network("10.0.1.0/25")),
        Map("by-link", ("ifname",)),
        Element("by-link", draw(st.sampled_from(["left", "right"])), target=draw(verdicts)),
        Map("by-port", ("inet_proto", "inet_service"), interval=True),
        Element("by-port", "udp", draw(st.sampled_from([5000, Range(5001, 5002)])), target=draw(verdicts)),
    ]
    for family in (4, 6):
        kind = f"ipv{family}_addr"
        held += [
            Set(f"tuples{family}", ("ifname", kind, "inet_proto", "inet_service"), interval=True),
            Element(f"tuples{family}", "left", draw(addresses(family)), "udp", Range(5000, 5001)),
            Map(f"goals{family}", ("inet_proto", "inet_service"), (kind, "inet_service")),
            Element(f"goals{family}", "udp", draw(ports), target=(FAR[family], draw(ports))),
        ]
    blueprint = Blueprint([*held, *draw(chains())])
    assume(not list(find_problems(blueprint)))
    return blueprint


def expected(result: Trace) -> Seen:
    """Return what should be seen of a traced packet."""
    packet = result.packet
    port = packet.destination_port or 0
    if not result.accepted:
        return NOWHERE
    if result.hooks[-1] == "input":
        return ("node", str(packet.source), "", port)
    return ("b", str(packet.source), str(packet.destination), port) if packet.oif == "right" else NOWHERE


PACKETS = [
    (family, goal[family], port)
    for family in (4, 6)
    for goal in (FAR, SECOND, NODE, NEAR)
    for port in PORTS[:2]
]


def compare(wire: Wire, ruleset: Blueprint) -> None:
    """Send every kind of packet through a ruleset and compare with the tracer."""
    wire.load(ruleset)
    tracer = Tracer(ruleset, MACHINE)
    first = wire.counter + 1
    packets = [
        Packet(SENDER[family], goal, "udp", 10_000 + (first + n) % 40_000, port, iif="left")
        for n, (family, goal, port) in enumerate(PACKETS)
    ]
    seen = wire.send(packets)
    for number, packet in enumerate(packets, start=first):
        result = tracer.trace(packet)
        assert seen.get(number, NOWHERE) == expected(result), f"{packet}\n{result}\n{ruleset}"


QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much]


@given(ruleset=rulesets())
@settings(max_examples=25, deadline=None, suppress_health_check=QUIET)
def test_the_tracer_agrees_with_the_kernel(wire: Wire, ruleset: Blueprint) -> None:
    """Sixteen packets through a random ruleset arrive where the tracer says, with the addresses it says."""
    compare(wire, ruleset)


@pytest.mark.slow
@given(ruleset=rulesets())
@settings(max_examples=500, deadline=None, suppress_health_check=QUIET)
def test_the_tracer_agrees_often(wire: Wire, ruleset: Blueprint) -> None:
    """The same, many times."""
    compare(wire, ruleset)


@given(ruleset=rulesets())
@settings(max_examples=25, deadline=None, suppress_health_check=QUIET)
def test_random_rulesets_read_back_equal(wire: Wire, ruleset: Blueprint) -> None:
    """Whatever is written reads back as it was, also for a process that has never seen it."""
    wire.load(ruleset)
    other = NftFacility(wire.places["node"])
    found = Blueprint(other.read(ruleset))
    other.close()
    assert found == ruleset
