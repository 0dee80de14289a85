import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from agent_node import AgentNode, cluster
from block_world import config, pool
from octet.agent import blocks as keeping
from octet.agent.blocks import BlockKeeper
from octet.agent.watch import Watch
from octet.attach.routed import RoutedAttach
from octet.blueprint import Blueprint, Route
from octet.cluster.blocks import Block
from octet.cluster.objects import Node
from octet.cluster.reading import Address
from octet.cluster.view import View
from octet.cni.wire import RawRequest
from octet.ipam.blocks import holdings
from octet.ipam.blocks.selection import Defaults
from octet.ipam.blocks.stock import is_stock
from octet.models.model import Running
from octet.store.memory import MemoryStore


class Straight:
    """A transport that routes what a peer holds to its address: no tunnel, no BGP."""

    def node(self, view: View) -> Blueprint:
        del view
        return Blueprint()

    def peer(self, view: View, peer: Node) -> Blueprint:
        return Blueprint(
            Route(cidr, "up0", peer.internal_ips[0]) for cidr in holdings.holdings(view, peer.name).prefixes
        )

    def obstacles(self, view: View, peer: Node) -> tuple[str, ...]:
        del view, peer
        return ()

    def annotations(self, view: View) -> Mapping[str, str]:
        del view
        return {}

    def mtu(self, view: View) -> int:
        return view.underlay.mtu


class Here:
    """Node1 with its agent over a store of its own; ``restarted`` is the next agent on the same node."""

    def __init__(self, directory: Path) -> None:
        self.store = MemoryStore()
        self.node = AgentNode(directory)
        self.number = 0

    async def put(self, *items: Mapping[str, Any]) -> None:
        for item in items:
            await self.store.create(item["kind"], item)

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[AgentNode]:
        """Let an agent live for a while; it is killed at the end."""
        here = self.node
        here.running = Running(RoutedAttach(), Straight(), blocks=Defaults((4,)))
        here.view = replace(cluster(), nodes={})
        here.start()
        keeper = BlockKeeper(
            self.store, "node1", here.endpoints, here.journal.freed(), Defaults((4,)), self, here.worker
        )
        here.endpoints.take_from(keeper.shelf)
        here.network.on_view, here.requests.wait = keeper.see, keeper.wait
        here.network.others = lambda: keeper.problems
        watch = Watch(self.store, here.network, here.running, register=False)
        watch.on_whole = lambda: (here.repair.begin(), keeper.begin())
        self.keeper = keeper
        tasks = [asyncio.create_task(each) for each in (watch.follow(), keeper.run(), here.repair.run())]
        try:
            yield here
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def in_use(self) -> frozenset[Address]:
        """Say what the kernel leads somewhere: the pods' own routes."""
        routes = self.node.kernel.read(Blueprint()).of(Route)
        return frozenset(each.destination.network_address for each in routes if each.link)

    async def add(self, name: str, **annotations: str) -> Any:
        """Start a pod as Kubernetes does: its object first, then ADD, as a runtime would read the answer."""
        said = {f"cni.projectcalico.org/{key}": value for key, value in annotations.items()}
        metadata = {"name": name, "namespace": "shop", "annotations": said}
        await self.put({"kind": "Pod", "metadata": metadata, "spec": {"nodeName": "node1"}})
        return await self.attach(name)

    async def attach(self, name: str) -> Any:
        arguments = f"IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME={name}"
        number = self.node.world.create()
        environment = {
            "CNI_COMMAND": "ADD",
            "CNI_CONTAINERID": name,
            "CNI_IFNAME": "eth0",
            "CNI_NETNS": f"/ns/{number}",
            "CNI_ARGS": arguments,
        }
        conf = {"cniVersion": "1.1.0", "name": "k8s-pod-network", "type": "octet-cni"}
        reply = await self.node.requests(RawRequest(environment, json.dumps(conf).encode(), number))
        return json.loads(reply.body)

    async def slots(self) -> dict[str, str]:
        """What the store says: handle by address, ``stock`` where there is none."""
        found = {}
        for item in (await self.store.list("IPAMBlock")).objects:
            block = Block.from_object(item)
            for at, slot in enumerate(block.slots):
                if slot is not None:
                    found[str(block.address(at))] = "stock" if is_stock(slot, "node1") else slot.handle
        return found

    async def until(self, what: Any) -> None:
        """Wait until something is so, and fail where it never is."""
        for _ in range(500):
            if await what():
                return
            await asyncio.sleep(0.01)
        pytest.fail(f"{what.__name__} never came true")


def at(answer: Any) -> str:
    """The address that an ADD answered with."""
    return str(ip_address(answer["ips"][0]["address"].split("/")[0]))


NODES = (
    {"kind": "Node", "metadata": {"name": "node1"}, "status": {}},
    {
        "kind": "Node",
        "metadata": {"name": "node2"},
        "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.2"}]},
    },
)
SHOP = {"kind": "Namespace", "metadata": {"name": "shop"}}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Here]:
    """A node, a namespace, a pool of four blocks of eight."""
    made = Here(tmp_path)
    await made.put(*NODES, SHOP, pool(cidr="10.9.0.0/27", block=29))
    yield made
    made.node.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing wait for long."""
    monkeypatch.setattr(keeping, "TICK", 0.02)
    monkeypatch.setattr(keeping, "PAUSE", 0.02)
    monkeypatch.setattr(keeping, "CALM", 0.01)
    monkeypatch.setattr(keeping, "PATIENCE", 0.5)


async def test_a_pod_gets_an_address_of_a_block(here: Here) -> None:
    """The first ADD waits for a claim, later ones for nothing; the store learns whose each address is."""
    async with here.agent() as agent:
        first = await here.add("web-1")
        assert ip_address(at(first)) in ip_network("10.9.0.0/27")
        second = await here.add("web-2")
        wanted = {at(first): "k8s-pod-network.web-1", at(second): "k8s-pod-network.web-2"}

        async def told() -> bool:
            return wanted.items() <= (await here.slots()).items()

        await here.until(told)
        held = {str(each) for each in agent.kernel.read(Blueprint()).of(Route)}
        assert any(each.startswith("route blackhole 10.9.0.") for each in held)
        assert any(each.startswith(f"route {at(first)}/32 dev cali") for each in held)


async def test_nothing_waits_for_the_store(here: Here) -> None:
    """With the store silent, ADD and DEL go on with what the node has, and the store learns of it later."""
    async with here.agent() as agent:
        await here.add("web-1")

        async def stocked() -> bool:
            return len(here.keeper.shelf.stock) >= 4

        await here.until(stocked)
        names = [f"quiet-{number}" for number in range(4)]
        for name in names:
            metadata = {"name": name, "namespace": "shop"}
            await here.put({"kind": "Pod", "metadata": metadata, "spec": {"nodeName": "node1"}})
        await asyncio.sleep(0.05)
        silent = asyncio.Event()
        here.store.update, update = (lambda *_: silent.wait()), here.store.update
        found = [at(await here.attach(name)) for name in names]
        assert len(set(found)) == 4
        assert agent.call("DEL", names[0], name="k8s-pod-network") == {}
        here.store.update = update
        silent.set()


async def test_a_killed_agent_finds_its_addresses(here: Here) -> None:
    """The next agent knows by the journal what pods have, and by the store what is free: nothing is lost."""
    async with here.agent():
        kept = [at(await here.add(f"web-{number}")) for number in range(3)]
    async with here.agent() as agent:
        more = [at(await here.add(f"more-{number}")) for number in range(3)]
        assert not set(kept) & set(more)
        agent.call("DEL", "web-0", name="k8s-pod-network")
        agent.reap()

        async def told() -> bool:
            handles = set((await here.slots()).values())
            return handles >= {f"k8s-pod-network.more-{n}" for n in range(3)} and (
                "k8s-pod-network.web-0" not in handles
            )

        await here.until(told)


async def test_pods_choose_pools_and_addresses(here: Here) -> None:
    """A pod's annotations say which pool, or which address; what cannot be is an error that says why."""
    await here.put(pool("small", "10.8.0.0/29", 30, nodeSelector="none == 'x'"))
    async with here.agent():
        assert ip_address(at(await here.add("p1", ipv4pools='["small"]'))) in ip_network("10.8.0.0/29")
        assert at(await here.add("p2", ipAddrs='["10.9.0.30"]')) == "10.9.0.30"
        taken = await here.add("p3", ipAddrs='["10.9.0.30"]')
        assert "10.9.0.30 is used by k8s-pod-network/p2/eth0" in taken["msg"]
        refused = await here.add("p4", ipv4pools='["nowhere"]')
        assert "nowhere" in refused["msg"]
        refused = await here.add("p5", ipAddrs='["192.0.2.7"]')
        assert "192.0.2.7" in refused["msg"]
        assert "no enabled pool" in refused["msg"]


async def test_a_full_pool_is_told(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """When no pool has an address left, ADD says which and why; a freed address makes the next one work."""
    monkeypatch.setattr(keeping, "PATIENCE", 0.3)
    await here.put(pool("small", "10.8.0.0/31", 31))
    async with here.agent() as agent:
        for name in ("a", "b"):
            assert "ips" in await here.add(name, ipv4pools='["small"]')
        full = await here.add("c", ipv4pools='["small"]')
        full = await here.attach("c") if full["code"] == 11 and "exhaust" not in full["msg"] else full
        assert "no free address in small: no block is left" in full["msg"]
        agent.call("DEL", "a", name="k8s-pod-network")
        agent.reap()
        assert "ips" in await here.attach("c")


async def test_a_pod_that_nobody_knows_waits(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ADD before its Pod is known waits for it a moment: its annotations may say anything."""
    async with here.agent():
        waiting = asyncio.create_task(here.attach("late"))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        metadata = {"name": "late", "namespace": "shop"}
        await here.put({"kind": "Pod", "metadata": metadata, "spec": {"nodeName": "node1"}})
        assert "ips" in await waiting
        monkeypatch.setattr(keeping, "PATIENCE", 0.1)
        never = await here.attach("never")
        assert (never["code"], "pod shop/never is not known yet" in never["msg"]) == (11, True)


async def test_a_del_ends_the_waiting_of_its_add(here: Here) -> None:
    """An ADD that still waits when its DEL comes attaches nothing afterwards."""
    async with here.agent() as agent:
        waiting = asyncio.create_task(here.attach("late"))
        await asyncio.sleep(0.05)
        assert agent.call("DEL", "late", name="k8s-pod-network") == {}
        metadata = {"name": "late", "namespace": "shop"}
        await here.put({"kind": "Pod", "metadata": metadata, "spec": {"nodeName": "node1"}})
        assert (await waiting)["code"] == 11
        assert len(agent.endpoints) == 0


async def test_peers_are_routed_as_their_blocks_come_and_go(here: Here) -> None:
    """A block that another node claims is routed there once confirmed; a borrowed address to who has it."""
    async with here.agent() as agent:
        await here.add("web")
        free = ip_network("10.9.0.0/27").subnets(new_prefix=29)
        theirs = str(next(each for each in free if each not in here.keeper.shelf.own))
        name = theirs.replace(".", "-").replace("/", "-")
        spec = {"cidr": theirs, "affinity": "host:node2", "allocations": [None] * 8}
        named = {"kind": "IPAMBlock", "metadata": {"name": name}}
        await here.put({**named, "spec": {**spec, "unallocated": list(range(8)), "attributes": []}})
        claim = {"cidr": theirs, "node": "node2", "state": "pending"}
        await here.put({"kind": "BlockAffinity", "metadata": {"name": "x"}, "spec": claim})
        await asyncio.sleep(0.1)
        assert ("route", 254, theirs, 0) not in agent.desired.objects
        held = await here.store.get("BlockAffinity", "x")
        await here.store.update("BlockAffinity", {**held, "spec": {**claim, "state": "confirmed"}})

        async def routed() -> bool:
            return ("route", 254, theirs, 0) in {each.key for each in agent.kernel.read(Blueprint())}

        await here.until(routed)
        await here.store.delete("BlockAffinity", "x")

        async def gone() -> bool:
            return not await routed()

        await here.until(gone)


async def test_what_nobody_has_is_freed_after_the_kernel_was_asked(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address that the store says is here is freed only when neither kernel nor any pod has it."""
    monkeypatch.setattr(keeping, "ASKED", 0.05)
    monkeypatch.setattr("octet.ipam.blocks.tending.GRACE", 0.1)
    owner = {"node": "node1", "pod": "x", "namespace": "shop"}
    attributes = [{"handle_id": f"k8s-pod-network.{name}", "secondary": owner} for name in ("lost", "alive")]
    spec = {
        "cidr": "10.9.0.0/29",
        "affinity": "host:node1",
        "allocations": [0, 1, *[None] * 6],
        "unallocated": [2, 3, 4, 5, 6, 7],
        "attributes": attributes,
    }
    await here.put({"kind": "IPAMBlock", "metadata": {"name": "10-9-0-0-29"}, "spec": spec})
    status = {"podIP": "10.9.0.1"}
    await here.put({"kind": "Pod", "metadata": {"name": "x", "namespace": "shop"}, "status": status})
    async with here.agent():

        async def freed() -> bool:
            return "k8s-pod-network.lost" not in (await here.slots()).values()

        await here.until(freed)
        assert (await here.slots())["10.9.0.1"] == "k8s-pod-network.alive"


async def test_an_address_that_is_another_nodes_by_the_store_is_told(here: Here) -> None:
    """Health names an address that a pod here has, and that by its block is somebody else's."""
    async with here.agent() as agent:
        address = at(await here.add("web"))

        async def told() -> bool:
            return (await here.slots())[address].startswith("k8s")

        await here.until(told)
        (item,) = [
            each
            for each in (await here.store.list("IPAMBlock")).objects
            if ip_address(address) in ip_network(each["spec"]["cidr"])
        ]
        for attribute in item["spec"]["attributes"]:
            if "handle_id" in attribute:
                attribute |= {"handle_id": "net.other", "secondary": {"node": "node2"}}
        await here.store.update("IPAMBlock", item)

        async def noticed() -> bool:
            here.keeper._tender.recheck(ip_network(item["spec"]["cidr"]))
            return any(f"{address} is in use here" in each for each in agent.network.failures)

        await here.until(noticed)


async def test_a_configuration_that_changes_counts_at_once(here: Here) -> None:
    """Strict affinity and pools are live: a pool that is disabled gives nothing from then on."""
    async with here.agent():
        await here.add("web")
        held = await here.store.get("IPPool", "pool")
        await here.put(pool("other", "10.8.0.0/28", 30), config(strictAffinity=True))
        await here.store.update("IPPool", {**held, "spec": {**held["spec"], "disabled": True}})

        async def known() -> bool:
            return {each.name for each in here.keeper.shelf.rules.pools if not each.disabled} == {"other"}

        await here.until(known)
        assert ip_address(at(await here.add("next"))) in ip_network("10.8.0.0/28")
