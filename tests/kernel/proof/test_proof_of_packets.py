"""Packets that are not whole: fragments are judged as the packet that they are of."""

import contextlib
import itertools
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_address

import pytest

import policy_world
from octet.kernel import namespaces
from policy_cases import policy
from policy_net import ATTACH, PolicyNet, policy_net

pytestmark = pytest.mark.kernel

LARGE = 4000  # three fragments of the usual MTU
WAIT = 0.3
PODS = {"x/a": "10.244.1.2", "y/a": "10.244.2.3", "y/b": "10.244.1.20"}
_numbers = itertools.count(1)


@pytest.fixture(scope="module", params=ATTACH)
def net(request: pytest.FixtureRequest) -> Iterator[PolicyNet]:
    """Two nodes; port 80 of x/a is open over UDP, and nothing else."""
    opened = {
        "name": "p",
        "namespace": "x",
        "spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 80, "protocol": "UDP"}]}]},
    }
    with policy_net(request.param) as made:
        made.prober.close()  # what listens here is the test's own
        made.enforce([*policy_world.objects(dual=True).values(), policy(opened, "NetworkPolicy")])
        yield made


def sockets(net: PolicyNet, source: str, port: int, stack: ExitStack) -> tuple[socket.socket, socket.socket]:
    """Return a client at one address and a server on x/a, both of the address's family."""
    version = ip_address(source).version
    target = PODS["x/a"] if version == 4 else policy_world.second(PODS["x/a"])
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    made = []
    for address in (source, target):
        with namespaces.inside(net.slots[ip_address(address)].namespace):
            made.append(stack.enter_context(socket.socket(family, socket.SOCK_DGRAM)))
        made[-1].settimeout(WAIT)
    made[0].bind((source, 0))
    made[1].bind((target, port))
    made[0].connect((target, port))
    return made[0], made[1]


def arrives(client: socket.socket, server: socket.socket, size: int) -> bool:
    """Send one datagram; tell whether it arrives whole."""
    number = next(_numbers)
    data = struct.pack(">I", number) + bytes(size)
    client.send(data)
    try:
        return server.recv(1 << 16) == data
    except TimeoutError:
        return False


@pytest.mark.parametrize("client", ["y/a", "y/b"], ids=["another node", "same node"])
@pytest.mark.parametrize("version", [4, 6])
def test_fragments_are_judged_as_their_packet(net: PolicyNet, client: str, version: int) -> None:
    """A datagram of three fragments arrives at the open port, and none of it at a closed one."""
    source = PODS[client] if version == 4 else policy_world.second(PODS[client])
    with ExitStack() as stack:
        assert arrives(*sockets(net, source, 80, stack), LARGE)
        closed = sockets(net, source, 81, stack)
        assert not arrives(*closed, 10)
        assert not arrives(*closed, LARGE)


def _received(seen: socket.socket) -> Iterator[bytes]:
    """Yield packets until none comes any more."""
    with contextlib.suppress(TimeoutError):
        while True:
            yield seen.recv(2048)


def test_a_fragment_without_its_first_goes_nowhere(net: PolicyNet) -> None:
    """Later fragments that belong to nothing are not let through because nobody can see their port."""
    source, target = net.slots[ip_address(PODS["y/a"])], net.slots[ip_address(PODS["x/a"])]
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + 32, 77, 0x2000 | 185, 64, 17, 0)
    ends = ip_address(PODS["y/a"]).packed + ip_address(PODS["x/a"]).packed
    with namespaces.inside(target.namespace):
        seen = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    with namespaces.inside(source.namespace):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with seen, raw:
        seen.settimeout(WAIT)
        raw.sendto(head + ends + b"lone fragment".ljust(32, b"."), (PODS["x/a"], 0))
        assert not any(b"lone fragment" in data for data in _received(seen))
