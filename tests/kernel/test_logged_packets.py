"""What the kernel logs and counts for us, and what a flood of it may cost."""

import asyncio
import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from octet.agent.denials import Denials
from octet.agent.flows import Flows
from octet.agent.metrics import Metrics
from octet.cluster.changes import Underlay
from octet.cluster.view import View
from octet.kernel import namespaces
from octet.kernel.headers import read
from octet.kernel.nflog import MOST, Listener
from octet.kernel.nft import counters
from octet.policy.rules import Origin
from octet.policy.told import DENIED, Told

pytestmark = pytest.mark.kernel

GROUP = 79
TOGETHER = 32
"""More than fit into one datagram of the kernel's (4096 bytes, with 128 of each packet)."""

RULES = """
table inet octet {
    chain limited {
        limit rate 10/second log prefix "octet limited" group 79
        counter
        drop
    }
    chain open {
        log prefix "octet open" group 79
        counter
        drop
    }
    chain none {
        drop
    }
    chain out {
        type filter hook output priority 0;
        udp dport 9 goto limited
        udp dport 10 goto open
    }
}
"""


@pytest.fixture
def space() -> Iterator[int]:
    """A namespace whose loopback drops two ports."""
    made = namespaces.create()
    with namespaces.inside(made):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["nft", "-f", "-"], input=RULES, text=True, check=True)
    yield made
    os.close(made)


def send(space: int, port: int, count: int) -> None:
    with namespaces.inside(space), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        for _ in range(count):
            try:
                made.sendto(b"x" * 32, ("127.0.0.1", port))
            except PermissionError:
                continue


def test_a_logged_packet_has_prefix_and_headers(space: int) -> None:
    """The rule's words arrive with the beginning of the packet."""
    with Listener(GROUP, space) as listener:
        send(space, 10, 1)
        time.sleep(0.2)
        (logged,) = listener.drain()
    found = read(logged.packet)
    assert logged.prefix == "octet open"
    assert found is not None
    assert (found.protocol, found.port, str(found.destination)) == (17, 10, "127.0.0.1")


def test_a_second_listener_is_refused(space: int) -> None:
    """A group tells one listener; who comes second hears so at once, and may when the first has left."""
    with Listener(GROUP, space), pytest.raises(OSError, match=r".+"):
        Listener(GROUP, space)
    Listener(GROUP, space).close()


def test_the_kernel_limits_what_it_tells_and_counts_all(space: int) -> None:
    """Of a thousand packets a handful is told, and the counter has every one."""
    with Listener(GROUP, space) as listener:
        send(space, 9, 1000)
        time.sleep(0.2)
        assert 1 <= len(list(listener.drain())) <= 30
    with namespaces.inside(space):
        assert counters.packets(["limited", "open", "none", "nowhere"]) == {"limited": 1000, "open": 0}


def test_who_may_not_listen_counts_all_the_same(space: int, caplog: pytest.LogCaptureFixture) -> None:
    """Where somebody else has the group, the agent says so once, and its totals are true."""
    metrics = Metrics()
    told = {"x": Told("x", DENIED, Origin("NetworkPolicy", "a", "b"), "default", "Egress", "limited")}
    view = View("n", Underlay("eth0", 1500))

    async def count() -> None:
        with ThreadPoolExecutor(1) as worker:
            denials = Denials(Flows(time.time), metrics.denied, lambda: told, lambda: view, worker)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(denials.run(), 3)

    send(space, 9, 25)
    with Listener(GROUP, space), namespaces.inside(space):
        asyncio.run(count())
    assert 'policy="NetworkPolicy a/b",tier="default"} 25.0' in metrics.text().decode()
    assert [each.message for each in caplog.records] == ["denied packets are counted, not told"]


def test_a_flood_is_lost_and_not_queued(space: int) -> None:
    """Without any limit in the rules, what is not read in time is lost, and a reading ends by itself."""
    with Listener(GROUP, space) as listener:
        send(space, 10, 60_000)
        begin = time.thread_time()
        told = len(list(listener.drain()))
        spent = time.thread_time() - begin
        assert 0 < told <= MOST * TOGETHER
        assert listener.lost > 0
        assert spent < 0.5
