from ipaddress import IPv4Interface

import pytest

from octet.agent.registration import publish
from octet.cluster.view import Underlay
from octet.errors import NotFoundError
from octet.store.memory import MemoryStore

UNDERLAY = Underlay("eth0", 1500, IPv4Interface("172.31.0.1/24"), None)


async def test_a_node_registers_itself() -> None:
    """Where no kubelet does, the agent makes its own Node, with its address and annotations, and ready."""
    store = MemoryStore()
    await publish(store, "n1", UNDERLAY, {"a": "b"}, register=True)
    node = await store.get("Node", "n1")
    assert node["metadata"]["annotations"] == {"a": "b"}
    assert node["status"]["addresses"] == [{"type": "InternalIP", "address": "172.31.0.1"}]


async def test_a_node_of_a_kubelet_is_not_made() -> None:
    """Without ``register`` a missing Node is somebody else's to make."""
    with pytest.raises(NotFoundError):
        await publish(MemoryStore(), "n1", UNDERLAY, {}, register=False)


async def test_what_others_wrote_is_kept() -> None:
    """Labels, other annotations and other addresses of the Node stay."""
    store = MemoryStore()
    status = {"addresses": [{"type": "Hostname", "address": "n1"}]}
    await store.create("Node", {"metadata": {"name": "n1", "annotations": {"x": "y"}}, "status": status})
    await publish(store, "n1", UNDERLAY, {"a": "b"}, register=True)
    node = await store.get("Node", "n1")
    assert node["metadata"]["annotations"] == {"a": "b", "x": "y"}
    assert {each["type"] for each in node["status"]["addresses"]} == {"InternalIP", "Hostname"}


async def test_nothing_is_written_twice() -> None:
    """Publishing the same again leaves the object's version as it is."""
    store = MemoryStore()
    await publish(store, "n1", UNDERLAY, {"a": "b"}, register=True)
    before = await store.get("Node", "n1")
    await publish(store, "n1", UNDERLAY, {"a": "b"}, register=True)
    assert await store.get("Node", "n1") == before
