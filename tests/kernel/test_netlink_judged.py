"""Our netlink codec against one that we did not write: pyroute2 reads the same from the same kernel."""

import errno
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pyroute2 import IPRoute

from hands import run
from node_state import NODE_STATE
from octet.blueprint import Blueprint, Change, FdbEntry, Neighbour, Route
from octet.kernel import namespaces
from octet.kernel.host import HostKernel
from octet.kernel.netlink import interfaces
from octet.kernel.netlink.wire import Message, Socket
from octet.kernel.port import ROUTE_PROTOCOL
from octet.kernel.reconcile import prune

OPEN = Path("/proc/self/fd")

pytestmark = pytest.mark.kernel


@pytest.fixture
def kernel(node_ns: int) -> Iterator[HostKernel]:
    """A node in its wanted state."""
    with HostKernel(node_ns) as kernel:
        assert prune(kernel, NODE_STATE).ok
        yield kernel
        kernel.apply(Change(remove=tuple(NODE_STATE)))
        prune(kernel, Blueprint())
        kernel.reap()


@pytest.fixture
def judge(kernel: HostKernel, node_ns: int) -> Iterator[IPRoute]:
    """The other codec, in the same namespace."""
    assert kernel.read(NODE_STATE) == NODE_STATE
    with namespaces.inside(node_ns), IPRoute() as judge:
        yield judge


@pytest.fixture
def own(node_ns: int) -> Iterator[Socket]:
    """Our socket in the same namespace."""
    with namespaces.inside(node_ns), Socket() as own:
        yield own


def test_links_read_alike(judge: IPRoute, own: Socket) -> None:
    """Number, name, MTU, MAC, alias and kind of every link are what pyroute2 reads."""
    ours = {
        (each.index, each.name, each.mtu, each.mac.hex(":"), each.alias or None, each.kind or None)
        for each in interfaces.everything(own).all()
    }
    theirs = set()
    for link in judge.get_links():
        info = link.get_attr("IFLA_LINKINFO")
        words = [link.get_attr(f"IFLA_{word}") for word in ("IFNAME", "MTU", "ADDRESS", "IFALIAS")]
        theirs.add((link["index"], *words, info.get_attr("IFLA_INFO_KIND") if info else None))
    assert ours == theirs


def test_routes_read_alike(judge: IPRoute) -> None:
    """Every route that pyroute2 finds with our protocol number is one of the blueprint, and the reverse."""
    found = {
        f"{route.get_attr('RTA_DST')}/{route['dst_len']}"
        for family in (socket.AF_INET, socket.AF_INET6)
        for route in judge.get_routes(family=family)
        if route["proto"] == ROUTE_PROTOCOL
    }
    assert found == {str(route.destination) for route in NODE_STATE.of(Route)}


def test_neighbours_read_alike(judge: IPRoute) -> None:
    """pyroute2 finds our permanent neighbours and forwarding entries with their MACs."""
    permanent = {
        (each.get_attr("NDA_DST"), each.get_attr("NDA_LLADDR"))
        for family in (socket.AF_INET, socket.AF_INET6)
        for each in judge.get_neighbours(family=family)
        if each["state"] == 0x80
    }
    wanted = {(str(each.address), each.mac) for each in NODE_STATE.of(Neighbour) if not each.proxy}
    assert permanent == wanted
    entries = {
        (each.get_attr("NDA_LLADDR"), each.get_attr("NDA_DST"))
        for each in judge.get_neighbours(family=socket.AF_BRIDGE)
        if each.get_attr("NDA_DST")
    }
    assert entries == {(each.mac, str(each.destination)) for each in NODE_STATE.of(FdbEntry)}


def test_a_batch_is_answered_in_order(own: Socket) -> None:
    """Each message of a batch has its own answer, whatever became of the ones before."""
    batch = [interfaces.request(name) for name in ("lo", "none0", "br0", "none1")]
    answers = own.batch(batch)
    assert [answer.errno for answer in answers] == [0, errno.ENODEV, errno.ENODEV, errno.ENODEV]
    assert [len(answer.replies) for answer in answers] == [1, 0, 0, 0]


def test_a_batch_beyond_the_buffers_is_split(own: Socket) -> None:
    """Ten thousand questions in one batch have ten thousand answers."""
    answers = own.batch([interfaces.request("lo")] * 10_000)
    assert sum(len(answer.replies) for answer in answers) == 10_000


def test_a_dump_that_is_refused_raises(own: Socket) -> None:
    """A listing that the kernel refuses is an error with its reason, not an empty list."""
    header = struct.pack("=BBBBI", socket.AF_INET, 24, 0, 0, 0)
    with pytest.raises(OSError, match="Invalid values in header"):
        own.dump(Message(22, 0, header))


def test_a_table_that_changes_while_it_is_read_is_read_again(
    kernel: HostKernel, node_ns: int, own: Socket
) -> None:
    """Listing links while others come and go ends, and lists each link once."""
    stop = threading.Event()

    def disturb() -> None:
        namespaces.setns(node_ns)
        while not stop.is_set():
            run(node_ns, "ip link add come0 type bridge")
            run(node_ns, "ip link del come0")

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for _ in range(50):
            names = [each.name for each in interfaces.everything(own).all()]
            assert len(names) == len(set(names)) >= 4
            assert kernel.read(NODE_STATE) == NODE_STATE
    finally:
        stop.set()
        thread.join()


def test_closing_leaves_no_descriptor(node_ns: int, pod_ns: int) -> None:
    """A kernel and those entered from it leave nothing open, however often they are closed."""
    before = len([*OPEN.iterdir()])
    for _ in range(3):
        with HostKernel(node_ns) as kernel, kernel.enter(pod_ns) as pod, closing(pod):
            kernel.close()
    assert len([*OPEN.iterdir()]) == before
