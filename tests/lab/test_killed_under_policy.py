"""An agent killed between the steps of an ADD under policy: the pod is never open, nothing of it is left."""

import asyncio
import random
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

import machine as machines
from octet.kernel import namespaces
from octet.store.embedded import EmbeddedStore
from pods import pods

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(300)]

KILLS = 25
TOKEN = b"let me in"
PORT = 9


def pod(name: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "labels": {"app": name.partition("-")[0]}}
    return {"metadata": metadata, "spec": {"nodeName": "node1"}, "status": {}}


SHUT = {
    "metadata": {"name": "shut", "namespace": "default"},
    "spec": {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress", "Egress"]},
}


async def fill(path: Path) -> None:
    """Have the API know the pods before they start, and what is forbidden."""
    async with EmbeddedStore(path) as store:
        await store.create("Pod", pod("peer"))
        for number in range(KILLS):
            await store.create("Pod", pod(f"web-{number}"))
        await store.create("NetworkPolicy", SHUT)


@contextmanager
def knocking(netns: str) -> Iterator[None]:
    """Send datagrams from a pod to every address that another one of the node may get."""
    stop = threading.Event()
    with Path(netns).open() as file, namespaces.inside(file.fileno()):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    goals = [str(address) for address in list(ip_network(machines.CIDRS[4]).hosts())[:40]]

    def send() -> None:
        while not stop.is_set():
            for goal in goals:
                try:
                    sender.sendto(TOKEN, (goal, PORT))
                except OSError:  # nobody has the address now
                    continue
            time.sleep(0.0005)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        sender.close()


def listening(netns: str) -> socket.socket:
    """Hear everything that any link of a namespace brings, from before there is one."""
    with Path(netns).open() as file, namespaces.inside(file.fileno()):
        heard = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
    heard.setblocking(False)
    return heard


def ended(process: "subprocess.Popen[bytes]") -> int:
    """Wait for the plugin; return its exit status."""
    process.communicate(timeout=70)
    return process.returncode


def arrived(heard: socket.socket) -> int:
    """Return how many of the datagrams have come."""
    count = 0
    while True:
        try:
            count += TOKEN in heard.recv(2000)
        except BlockingIOError:
            return count


@pytest.mark.parametrize("model", ["canal", "flannel:policy"])
def test_killed_between_the_steps_of_an_add_under_policy(tmp_path: Path, model: str) -> None:
    """25 kills at random moments of ADDs of pods that nobody may reach: no packet comes, nothing is left."""
    random.seed(5)
    with (
        machines.running(tmp_path, model=model) as here,
        pods(tmp_path, KILLS + 2) as paths,
        ExitStack() as stack,
    ):
        asyncio.run(fill(tmp_path / "store.db"))
        assert ended(here.start_plugin("ADD", "peer", paths[KILLS], pod="peer")) == 0
        rules = here.call("nft", "-s", "list", "table", "inet", "octet").stdout
        links = here.links()
        ears = [stack.enter_context(closing(listening(path))) for path in paths[:KILLS]]
        interrupted = 0
        with knocking(paths[KILLS]):
            for number in range(KILLS):
                adding = here.start_plugin("ADD", f"c{number}", paths[number], pod=f"web-{number}")
                time.sleep(random.uniform(0, 0.02))
                here.kill_agent()
                interrupted += ended(adding) != 0
                time.sleep(0.05)
                here.start_agent()
                here.wait_ready()
                assert [arrived(ear) for ear in ears[: number + 1]] == [0] * (number + 1)
            for number in range(KILLS):
                assert ended(here.start_plugin("DEL", f"c{number}", paths[number])) == 0
            assert sum(map(arrived, ears)) == 0
        assert interrupted > 0
        machines.wait_for(lambda: here.links() == links)
        machines.wait_for(lambda: here.call("nft", "-s", "list", "table", "inet", "octet").stdout == rules)


def test_an_open_pod_is_heard_by_the_same_ears(tmp_path: Path) -> None:
    """Without a policy the same datagrams arrive: the silence above is the policy's."""
    with machines.running(tmp_path, model="canal") as here, pods(tmp_path, 2) as paths:
        assert ended(here.start_plugin("ADD", "peer", paths[0])) == 0
        with closing(listening(paths[1])) as ear, knocking(paths[0]):
            assert ended(here.start_plugin("ADD", "c", paths[1])) == 0
            machines.wait_for(lambda: arrived(ear) > 0)
