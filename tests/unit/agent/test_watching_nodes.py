import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from agent_node import AgentNode, node
from octet.agent import watch
from octet.agent.watch import Watch
from octet.cluster.objects import Node
from octet.store.contract import Listing, UnavailableError
from octet.store.memory import MemoryStore

LIMIT = 5.0


def as_object(one: Node) -> dict[str, Any]:
    """A Node as the store has it."""
    addresses = [{"type": "InternalIP", "address": str(each)} for each in one.internal_ips]
    return {
        "metadata": {"name": one.name, "annotations": dict(one.annotations)},
        "spec": {"podCIDRs": [str(each) for each in one.pod_cidrs]},
        "status": {"addresses": addresses},
    }


async def ticks() -> AsyncIterator[None]:
    """Yield again and again; fail when it takes too long."""
    async with asyncio.timeout(LIMIT):
        while True:
            yield
            await asyncio.sleep(0.002)


async def until(true: Callable[[], object]) -> None:
    """Wait until something holds."""
    async for _ in ticks():
        if true():
            return


class Cluster:
    """A node's agent that follows a store."""

    def __init__(self, here: AgentNode, store: Any) -> None:
        self.here = here
        self.store = store
        self.watch = Watch(store, here.network, here.running, register=True)
        self.watch.on_whole = here.repair.begin
        self.tasks = [
            asyncio.ensure_future(each)
            for each in (self.watch.follow(), self.watch.publish(), here.repair.run())
        ]

    def reaches(self, number: int) -> bool:
        return self.here.kernel.holds(("route", 254, f"10.244.{number}.0/24", 0))

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.store.close()
        self.here.close()


class FlakyStore(MemoryStore):
    """A store that cannot be reached for a while."""

    down = False

    async def list(self, kind: str) -> Listing:
        if self.down:
            raise UnavailableError("down")
        return await super().list(kind)


@pytest.fixture
async def joined(fresh: AgentNode, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cluster]:
    """A cluster in which node1 follows the store and waits for its CIDR."""
    monkeypatch.setattr(watch, "PAUSE", 0.01)
    fresh.network.view = fresh.network.view.with_listing("Node", ()).view
    made = Cluster(fresh, FlakyStore())
    yield made
    await made.close()


async def give_cidr(cluster: Cluster) -> None:
    """Do what kube-controller-manager does."""
    async for _ in ticks():
        if (await cluster.store.list("Node")).objects:
            break
    held = await cluster.store.get("Node", "node1")
    await cluster.store.update("Node", {**held, "spec": {"podCIDRs": ["10.244.1.0/24"]}})
    await until(lambda: cluster.here.endpoints.open)


async def test_a_node_joins_and_is_ready(joined: Cluster) -> None:
    """The agent registers its Node, gets a CIDR, makes its network and says what peers must know."""
    assert joined.here.add()["code"] == 11
    await give_cidr(joined)
    assert "code" not in joined.here.add()
    said = (await joined.store.get("Node", "node1"))["metadata"]["annotations"]
    assert said["flannel.alpha.coreos.com/public-ip"] == "192.0.2.1"


async def test_peers_are_followed(joined: Cluster) -> None:
    """A peer in the store is reached; when its Node is deleted it no longer is."""
    await give_cidr(joined)
    await joined.store.create("Node", as_object(node(2)))
    await until(lambda: joined.reaches(2))
    await joined.store.delete("Node", "node2")
    await until(lambda: not joined.reaches(2))


async def test_an_unreadable_object_harms_nobody(joined: Cluster) -> None:
    """A Node that makes no sense is refused with a log line, and others go on being followed."""
    await give_cidr(joined)
    broken = {**as_object(node(3)), "spec": {"podCIDRs": ["nonsense"]}}
    await joined.store.create("Node", broken)
    await joined.store.create("Node", as_object(node(2)))
    await until(lambda: joined.reaches(2))


async def test_a_store_that_is_gone_stops_nothing(joined: Cluster) -> None:
    """While the store cannot be reached pods are attached all the same, and its silence is counted."""
    await give_cidr(joined)
    joined.store.down = True
    joined.store._closed = True
    joined.store._wake()
    await until(lambda: joined.watch.silence > 0)
    assert "code" not in joined.here.add()
    joined.store.down = joined.store._closed = False
    await joined.store.create("Node", as_object(node(2)))
    await until(lambda: joined.reaches(2))
    assert joined.watch.silence == 0


async def test_a_forgetful_store_is_listed_again(joined: Cluster) -> None:
    """When the store forgot the watch's revision, a new list brings what was missed, and what is gone."""
    await give_cidr(joined)
    await joined.store.create("Node", as_object(node(2)))
    await until(lambda: joined.reaches(2))
    joined.store._forgotten, joined.store._log = joined.store._forgotten + len(joined.store._log) + 5, []
    joined.store._wake()
    await joined.store.create("Node", as_object(node(3)))
    await until(lambda: joined.reaches(3))


async def test_our_annotations_come_back(joined: Cluster) -> None:
    """Annotations that somebody took from our Node are written again."""
    await give_cidr(joined)
    await until(lambda: joined.here.network.view.here.annotations)
    held = await joined.store.get("Node", "node1")
    await joined.store.update("Node", {**held, "metadata": {**held["metadata"], "annotations": {}}})
    async for _ in ticks():
        if (await joined.store.get("Node", "node1"))["metadata"]["annotations"]:
            break


async def test_a_deleted_own_node_is_made_again(joined: Cluster) -> None:
    """A registered Node that somebody deletes is made again, and pods keep their network meanwhile."""
    await give_cidr(joined)
    joined.here.add()
    before = joined.here.links()
    await joined.store.delete("Node", "node1")
    await until(lambda: "no pod CIDR" in joined.here.network.problem)
    assert (await joined.store.get("Node", "node1"))["metadata"]["name"] == "node1"
    assert joined.here.links() == before
