"""Cutting: when it looks, what it does where the kernel does not answer, that the event loop goes on."""

import asyncio
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

import pytest

from agent_node import AgentNode
from octet.agent.cutting import Cutting
from octet.agent.policing import Affected
from octet.cluster.resolvers import Resolvers
from octet.kernel import connections
from octet.kernel.connections import Connection
from octet.policy.gates import CUT

FRIEND, FOE = ip_address("10.244.2.9"), ip_address("10.244.2.10")


class Tracker:
    """Connection tracking of a test: what it lists, and what it was told."""

    def __init__(self) -> None:
        self.held: list[Connection] = []
        self.broken = False
        self.marks: dict[Connection, int] = {}
        self.forgotten: list[Connection] = []
        self.asked: list[object] = []

    def listed(self, _families: object, *, among: object) -> Iterator[Connection]:
        self.asked.append(among)
        if self.broken:
            raise OSError(105, "no buffer space")
        yield from (self.held if among != set() else ())

    def marked(self, value: int, mask: int) -> Iterator[Connection]:
        return (each for each in self.held if each.mark & mask == value)

    def mark(self, found: Iterable[Connection], value: int, mask: int) -> None:
        assert mask == CUT
        self.marks |= dict.fromkeys(found, value)

    def forget(self, found: Iterable[Connection]) -> None:
        self.forgotten += found


@pytest.fixture
def tracker(monkeypatch: pytest.MonkeyPatch) -> Tracker:
    held = Tracker()
    for name in ("listed", "marked", "mark", "forget"):
        monkeypatch.setattr(connections, name, getattr(held, name))
    monkeypatch.setattr(connections, "own_addresses", frozenset)
    return held


@pytest.fixture
async def here(tmp_path: Path) -> Any:
    """A node with a pod that only one friend may talk to."""
    node = AgentNode(tmp_path, model="canal")
    await node.sync()
    yield node
    node.close()


def pod(name: str, ip: str = "") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": name}},
        "spec": {"nodeName": "node1"},
        "status": {"podIPs": [{"ip": ip}]} if ip else {},
    }


ONLY = {
    "metadata": {"name": "only", "namespace": "shop"},
    "spec": {
        "podSelector": {"matchLabels": {"app": "web"}},
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "friend"}}}]}],
    },
}


def tell(here: AgentNode, kind: str, verb: str, item: dict[str, Any]) -> None:
    view, changes = here.network.view.with_event(kind, (verb, item))
    here.network.see(view, changes)
    here.network.police()


def start(here: AgentNode) -> IPv4Address:
    """Attach the pod under its policy; return its address."""
    tell(here, "Pod", "ADDED", pod("web"))
    tell(here, "Pod", "ADDED", pod("friend", str(FRIEND)))
    answer = here.add("c1", CNI_ARGS="K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web")
    tell(here, "NetworkPolicy", "ADDED", ONLY)
    return IPv4Address(answer["ips"][0]["address"].split("/")[0])


@pytest.fixture
def cutting(here: AgentNode) -> Iterator[Cutting]:
    with ThreadPoolExecutor(1) as worker:
        yield Cutting(here.policing, worker, here.network.is_settled)


async def test_what_is_forbidden_is_marked_and_what_is_allowed_is_not(
    here: AgentNode, cutting: Cutting, tracker: Tracker
) -> None:
    """Forbidden connections get the mark, allowed ones lose it, and what is right already is left alone."""
    mine = start(here)
    dead, healed, going, still = (
        Connection(source, mine, 17, port, 53, mark=mark)
        for source, port, mark in ((FOE, 1, 0), (FRIEND, 2, CUT | 1), (FRIEND, 3, 0x80), (FOE, 4, CUT))
    )
    tracker.held = [dead, healed, going, still]
    assert await cutting.once() == 1
    assert tracker.marks == {dead: CUT, healed: 0}
    assert await cutting.once() == 0
    assert len(tracker.asked) == 1


async def test_nothing_is_lost_where_the_kernel_does_not_answer(
    here: AgentNode, cutting: Cutting, tracker: Tracker
) -> None:
    """Addresses whose connections could not be listed are looked at next time, also those of a full queue."""
    mine = start(here)
    tracker.held, tracker.broken = [dead := Connection(FOE, mine, 17, 1, 53)], True
    with pytest.raises(OSError, match="buffer"):
        await cutting.once()
    tracker.broken = False
    assert await cutting.once() == 1
    assert tracker.marks == {dead: CUT}


async def test_it_tries_again_by_itself(
    here: AgentNode, cutting: Cutting, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failure it looks again without any news."""
    monkeypatch.setattr("octet.agent.cutting.RETRY", 0.01)
    mine = start(here)
    tracker.held, tracker.broken = [Connection(FOE, mine, 17, 1, 53)], True
    running = asyncio.ensure_future(cutting.run())
    cutting.notice()
    await asyncio.sleep(0.05)
    assert tracker.asked
    assert not tracker.marks
    tracker.broken = False
    await asyncio.sleep(0.1)
    running.cancel()
    assert list(tracker.marks.values()) == [CUT]


async def test_it_waits_until_the_rules_are_in_force(
    here: AgentNode, cutting: Cutting, tracker: Tracker
) -> None:
    """While the kernel does not hold what was decided nothing is cut."""
    mine = start(here)
    tracker.held = [Connection(FOE, mine, 17, 1, 53)]
    here.network.generation += 1
    assert await cutting.once() == 0
    here.network.settled = here.network.generation
    assert await cutting.once() == 1


async def test_a_change_that_only_says_cut_is_noticed(here: AgentNode) -> None:
    """An annotation that changes no rule has connections looked at all the same."""
    start(here)
    here.policing.affected()
    told: list[None] = []
    here.policing.on_affected = lambda: told.append(None)
    kept = {**ONLY, "metadata": {**ONLY["metadata"], "annotations": {"policy.octet.dev/established": "keep"}}}
    tell(here, "NetworkPolicy", "MODIFIED", kept)
    assert told
    assert here.policing.affected()


async def test_connections_of_a_pod_that_is_gone_are_forgotten(
    here: AgentNode, cutting: Cutting, tracker: Tracker
) -> None:
    """What a detached pod had open is nobody's: the pod that gets its address begins anew."""
    mine = start(here)
    await cutting.once()
    here.call("DEL", "c1")
    tracker.held = [old := Connection(FRIEND, mine, 17, 1, 53)]
    assert await cutting.once() == 0
    assert tracker.forgotten == [old]
    assert tracker.asked[-1] == {mine}


async def test_what_a_host_endpoint_cut_goes_on_without_one(
    here: AgentNode, cutting: Cutting, tracker: Tracker
) -> None:
    """A mark that nothing explains any more is cleared at the first look, whosever connection it is."""
    start(here)
    tracker.held = [old := Connection(FOE, FRIEND, 6, 1, 22, mark=CUT)]
    assert await cutting.once() == 0
    assert tracker.marks == {old: 0}


async def test_what_was_cut_goes_on_when_its_name_is_known(
    here: AgentNode, cutting: Cutting, tracker: Tracker
) -> None:
    """A name that a pod learns heals what it began and was cut, and nobody looks at any other connection."""
    mine = start(here)
    named = {
        **ONLY,
        "metadata": {**ONLY["metadata"], "annotations": {"policy.octet.dev/domains": "api.example"}},
    }
    named["spec"] = {**ONLY["spec"], "policyTypes": ["Ingress", "Egress"]}
    tell(here, "NetworkPolicy", "MODIFIED", named)
    await cutting.once()
    far, other = ip_address("198.51.100.9"), ip_address("198.51.100.10")
    dead, open_, elsewhere, foreign = (
        Connection(source, goal, 17, port, 53, mark=mark)
        for source, goal, port, mark in (
            (mine, far, 1, CUT),
            (mine, other, 2, 0),
            (mine, other, 3, CUT),
            (FOE, far, 4, CUT),
        )
    )
    tracker.held, tracker.marks = [dead, open_, elsewhere, foreign], {}
    told: list[None] = []
    here.policing.on_affected = lambda: told.append(None)
    learned = {mine: {"api.example": frozenset({far})}}
    here.network.learn(learned, learned, Resolvers())
    assert told
    assert await cutting.once() == 0
    assert tracker.marks == {dead: 0}
    assert tracker.asked[-1] == set()


async def test_names_that_are_learned_fast_heal_now_and_then(
    here: AgentNode, cutting: Cutting, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many looks for what names opened there is one, and another a moment later, by itself."""
    mine = start(here)
    await cutting.once()
    asked = len(tracker.asked)
    monkeypatch.setattr("octet.agent.cutting.HEAL", 3600.0)
    for _ in range(10):
        here.policing.affect(Affected(named=frozenset({mine})))
        assert await cutting.once() == 0
    assert len(tracker.asked) == asked + 1
    tracker.held = [Connection(mine, FRIEND, 17, 1, 53, mark=CUT)]
    monkeypatch.setattr("octet.agent.cutting.HEAL", 0.2)
    running = asyncio.ensure_future(cutting.run())
    cutting.notice()
    async with asyncio.timeout(10):
        for _ in iter(lambda: bool(tracker.marks), True):
            await asyncio.sleep(0.01)
    running.cancel()
    assert list(tracker.marks.values()) == [0]


async def test_the_event_loop_goes_on_meanwhile(here: AgentNode, cutting: Cutting, tracker: Tracker) -> None:
    """Twenty thousand connections are judged in slices, between which other work is done."""
    mine = start(here)
    tracker.held = [Connection(FOE, mine, 6, port % 60_000, port // 60_000) for port in range(20_000)]
    longest, working = 0.0, True

    async def tick() -> None:
        nonlocal longest
        while working:
            begun = time.thread_time()  # what the loop's own thread works: others' load is no slice of ours
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - begun)

    ticking = asyncio.ensure_future(tick())
    assert await cutting.once() == 20_000
    working = False
    await ticking
    assert longest < 0.25
