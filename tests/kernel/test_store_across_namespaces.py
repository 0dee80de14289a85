"""The embedded store joins agents that live in different network namespaces."""

import asyncio

import pytest

from octet.kernel import namespaces
from octet.store.embedded import EmbeddedStore

pytestmark = pytest.mark.kernel


async def test_a_change_in_one_namespace_rings_in_another(node_ns, pod_ns, tmp_path):
    """A watcher in one network namespace is woken at once by a writer in another."""
    path = tmp_path / "store.db"
    with namespaces.inside(node_ns):
        watcher = EmbeddedStore(path)
        stream = watcher.watch("Node", 0)
        waiting = asyncio.create_task(anext(stream))
        await asyncio.sleep(0.01)
    with namespaces.inside(pod_ns):
        async with EmbeddedStore(path) as writer:
            await writer.create("Node", {"metadata": {"name": "node1"}})
    event = await asyncio.wait_for(waiting, 0.5)  # below the second after which it would look unasked
    assert event.object["metadata"]["name"] == "node1"
    await stream.aclose()
    await watcher.close()
