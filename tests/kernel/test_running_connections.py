"""Running connections are listed as policy sees them, and cut one by one, in a private namespace."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address

import pytest

from octet.blueprint import Change
from octet.blueprint.nft import (
    ACCEPT,
    CT_STATE,
    CUT,
    DPORT,
    DROP,
    L4PROTO,
    Chain,
    Compare,
    Hook,
    Marked,
    Nat,
    Notrack,
    Packet,
    Rule,
)
from octet.kernel import connections, features, namespaces
from octet.kernel.fake_nft import trace
from octet.kernel.nft import NftFacility

pytestmark = pytest.mark.kernel

HERE = {4: "127.0.0.1", 6: "::1"}


@pytest.fixture
def space() -> Iterator[int]:
    """A namespace with connection tracking on and port 8000 translated to 80."""
    number = namespaces.create()
    with namespaces.inside(number):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    facility = NftFacility(number)
    tracked = Chain("track", (Rule(Compare(CT_STATE, "established"), ACCEPT),), Hook("filter", "output", 0))
    translated = Chain(
        "translate",
        tuple(
            Rule(Compare(L4PROTO, "tcp"), Compare(DPORT, 8000), Nat("dnat", ip_address(address), 80))
            for address in HERE.values()
        ),
        Hook("nat", "output", -100),
    )
    assert facility.apply(Change(add=(tracked, translated))).ok
    yield number
    facility.close()
    os.close(number)


@contextmanager
def connected(space: int, family: int, port: int) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP connection through loopback: who began it, and who answers at port 80."""
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    with namespaces.inside(space):
        server, client = socket.socket(kind), socket.socket(kind)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with server, client:
        server.bind((HERE[family], 80))
        server.listen()
        client.settimeout(5)
        client.connect((HERE[family], port))
        answering, _ = server.accept()
        with answering:
            yield client, answering


@pytest.mark.parametrize("family", [4, 6])
def test_connections_are_as_policy_sees_them(space: int, family: int) -> None:
    """The destination is what it was translated to, the source what it was before."""
    with connected(space, family, 8000) as (client, _):
        found = [each for each in connections.listed([family], space) if each.protocol == 6]
        address = ip_address(HERE[family])
        assert found == [connections.Connection(address, address, 6, client.getsockname()[1], 80)]


@pytest.mark.parametrize("family", [4, 6])
def test_one_is_cut_and_others_go_on(space: int, family: int) -> None:
    """Cutting forgets exactly the connection that is named; cutting it again is no error."""
    with connected(space, family, 80) as (first, _):
        held = list(connections.listed([family], space))
        mine = [each for each in held if each.source_port == first.getsockname()[1]]
        assert len(mine) == 1
        assert connections.forget(mine, space) == 1
        left = list(connections.listed([family], space))
        assert [each for each in held if each not in mine] == left
        assert connections.forget(mine, space) == 1


BEYOND = {4: "127.0.0.9", 6: "fd00::9"}
NOBODY = {4: "127.0.0.8", 6: "fd00::8"}


def send(space: int, family: int) -> None:
    """Send a datagram from each of two addresses to the other, and from the first to itself.

    The first ones after an IPv6 address is new may be lost.
    """
    new = ["ip", "address", "add", BEYOND[family], "dev", "lo", *(["nodad"] if family == 6 else [])]
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    seen = set[int]()
    with namespaces.inside(space):
        subprocess.run(new, check=True)
        while seen != {9, 11, 13}:
            for source, goal, port in ((BEYOND, HERE, 9), (HERE, BEYOND, 11), (HERE, HERE, 13)):
                with socket.socket(kind, socket.SOCK_DGRAM) as client:
                    client.bind((source[family], 7))
                    client.sendto(b"?", (goal[family], port))
            seen = {each.port for each in connections.listed([family]) if each.protocol == 17}


@pytest.mark.parametrize("family", [4, 6])
def test_one_bit_of_a_mark_is_set_and_cleared(space: int, family: int) -> None:
    """Marking changes the bits under its mask, of the connection that is named; those of others stay."""
    send(space, family)
    first, *others = (each for each in connections.listed([family], space) if each.protocol == 17)
    assert connections.mark([first], 0x80, 0xFF, space) == 1
    assert connections.mark([first], 0x1000_0000, 0x1000_0000, space) == 1
    (found,) = connections.marked(0x1000_0000, 0x1000_0000, space)
    assert (found, found.mark) == (first, 0x1000_0080)
    assert connections.mark([found], 0, 0x1000_0000, space) == 1
    marks = {each: each.mark for each in connections.listed([family], space) if each.protocol == 17}
    assert marks == {first: 0x80, **dict.fromkeys(others, 0)}
    assert list(connections.marked(0x1000_0000, 0x1000_0000, space)) == []


@pytest.mark.parametrize("few", [4, 0], ids=["by-the-kernel", "by-us"])
@pytest.mark.parametrize("family", [4, 6])
def test_only_some_addresses_connections_are_listed(
    space: int, family: int, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the kernel looks for them or we do: those that an address began, and those it answers in."""
    monkeypatch.setattr(connections, "FEW", few)
    send(space, family)
    for address, ports in ((HERE, {9, 11, 13}), (BEYOND, {9, 11}), (NOBODY, set[int]())):
        found = connections.listed([4, 6], space, [ip_address(address[family])])
        assert {each.port for each in found if each.protocol == 17} == ports


def test_this_kernel_filters_or_not_but_never_wrongly() -> None:
    """Whether the kernel lists by IPv4 address is found out, and ``octet doctor`` says the same."""
    assert connections.filters(4) is (
        features.probe()["conntrack-list-by-filter"].answer is features.Answer.YES
    )


def test_the_nodes_own_addresses_are_known(space: int) -> None:
    """Whoever begins a connection from an address of the node itself is told from pods."""
    assert {ip_address("127.0.0.1"), ip_address("::1")} <= connections.own_addresses(space)


@pytest.mark.parametrize("asked", [Marked(0, CUT, connection=True), Marked(CUT, CUT, True, connection=True)])
def test_what_is_not_tracked_has_no_mark(asked: Marked) -> None:
    """A datagram that is kept from tracking passes a rule about marks, negated or not; its twin does not."""
    udp, number = Compare(L4PROTO, "udp"), namespaces.create()
    apart = Chain("apart", (Rule(udp, Compare(DPORT, 8001), Notrack()),), Hook("filter", "output", -300))
    judged = Chain("judged", (Rule(udp, asked, DROP),), Hook("filter", "output", 0))
    facility, here = NftFacility(number), ip_address(HERE[4])
    assert facility.apply(Change(add=(apart, judged))).ok
    with namespaces.inside(number):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        for port, passes in ((8000, False), (8001, True)):
            packet = Packet(here, here, "udp", 9, port, oif="lo")
            assert trace([apart, judged], packet).accepted is passes
            assert _arrives(port) is passes
    facility.close()
    os.close(number)


def _arrives(port: int) -> bool:
    with socket.socket(type=socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as client:
        server.bind((HERE[4], port))
        server.settimeout(0.3)
        with suppress(PermissionError):  # the sender is told that its packet was dropped
            client.sendto(b"x", (HERE[4], port))
        try:
            return server.recv(1) == b"x"
        except TimeoutError:
            return False
