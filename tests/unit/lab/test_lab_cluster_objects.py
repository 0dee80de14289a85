"""Objects in a lab's store: applying, patching, node CIDRs, agents' configuration."""

import asyncio
import tomllib
from pathlib import Path

import pytest

from octet.errors import NotFoundError
from octet.lab.agents import config
from octet.lab.controller import Controller
from octet.lab.directory import Directory
from octet.lab.names import Plan
from octet.lab.objects import Object, namespace_object, node_object
from octet.lab.provider import Octet
from octet.store.memory import MemoryStore

PLAN = Plan.of("dual")


async def assigned(directory: Directory) -> list[Object]:
    """Wait until every node has its CIDRs."""
    while True:
        nodes = await directory.list("Node")
        if all("podCIDRs" in node["spec"] for node in nodes):
            return nodes
        await asyncio.sleep(0.001)


async def test_applying_twice_creates_then_configures() -> None:
    """The second time replaces; a status that somebody else wrote stays."""
    directory = Directory(MemoryStore())
    item = {**namespace_object("shop"), "status": {"phase": "Active"}}
    assert (await directory.put("Namespace", item))[0] == "created"
    item = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"a": "b"}}}
    what, held = await directory.put("Namespace", item)
    assert (what, held["metadata"]["labels"], held["status"]) == (
        "configured",
        {"a": "b"},
        {"phase": "Active"},
    )


async def test_parts_of_a_status_are_replaced_alone() -> None:
    """What the change does not name stays as it was."""
    directory = Directory(MemoryStore())
    await directory.create("Node", node_object("node1", ["172.31.0.1"], ready=True))
    held = await directory.update_status("Node", "node1", "", {"phase": "x"})
    assert held["status"]["phase"] == "x"
    assert held["status"]["addresses"] == [{"type": "InternalIP", "address": "172.31.0.1"}]


async def test_removing_what_is_not_there_is_told_or_done() -> None:
    """``remove`` says so, ``discard`` is done."""
    directory = Directory(MemoryStore())
    await directory.discard("Pod", "a", "default")
    with pytest.raises(NotFoundError):
        await directory.remove("Pod", "a", "default")


async def test_a_list_of_a_namespace_has_no_others() -> None:
    """Objects of other namespaces are left out."""
    directory = Directory(MemoryStore())
    for namespace in ("a", "b"):
        await directory.create("Service", {"metadata": {"name": "s", "namespace": namespace}})
    assert [item["metadata"]["namespace"] for item in await directory.list("Service", "b")] == ["b"]
    assert len(await directory.list("Service")) == 2


async def test_every_node_gets_cidrs_of_each_family() -> None:
    """Nodes that were there and nodes that come later get one CIDR per family, no two alike."""
    store = MemoryStore()
    directory = Directory(store)
    await directory.create("Node", node_object("node1", [], ready=False))
    task = asyncio.create_task(Controller(store, PLAN).run())
    await asyncio.sleep(0)
    await directory.create("Node", node_object("node2", [], ready=False))
    held = await assigned(directory)
    task.cancel()
    assert [node["spec"]["podCIDRs"] for node in held] == [
        ["10.244.0.0/24", "fd00:10:244::/64"],
        ["10.244.1.0/24", "fd00:10:244:1::/64"],
    ]
    assert [node["spec"]["podCIDR"] for node in held] == ["10.244.0.0/24", "10.244.1.0/24"]


async def test_a_nodes_own_cidrs_stay() -> None:
    """A node that came with CIDRs keeps them, and nobody else gets them."""
    store = MemoryStore()
    directory = Directory(store)
    first = node_object("node1", [], ready=False)
    await directory.create("Node", {**first, "spec": {"podCIDRs": ["10.244.0.0/24", "fd00:10:244::/64"]}})
    await directory.create("Node", node_object("node2", [], ready=False))
    task = asyncio.create_task(Controller(store, PLAN).run())
    held = await assigned(directory)
    task.cancel()
    assert [node["spec"]["podCIDRs"][0] for node in held] == ["10.244.0.0/24", "10.244.1.0/24"]


def test_an_agents_configuration_is_toml_with_the_models_options() -> None:
    """What a client wrote as options is what the agent reads, at any depth, quotes and all."""
    options = {"Backend": {"Type": "host-gw", "Port": 8472, "On": True}, 'a "b"': ["x", 1.5]}
    text = config("node1", Octet(model="flannel", options=options), PLAN, Path("/s.db"), Path("/run/n"))
    read = tomllib.loads(text)
    assert read["model"] == {"name": "flannel", "options": options}
    assert read["node"] == {"name": "node1", "register": True}
    assert read["cluster"]["pod_cidrs"] == ["10.244.0.0/16", "fd00:10:244::/48"]
    assert read["paths"] == {"run": "/run/n", "secrets": "/run/n/secrets"}
