"""A lab's cluster: fabric, store, nodes with their agents or conflists, pods; built in this order.

What lives here: Cluster. What it must not know: requests, clients, processes outside of the lab.
"""

import asyncio
import json
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from octet.blueprint import Address
from octet.cluster.objects import Node
from octet.cni.runtime import Runtime
from octet.errors import NotFoundError, NotReadyError, OctetError
from octet.kernel import namespaces
from octet.lab import agents, breaking, by_hand, fabrics, routes, wiring
from octet.lab.agents import AgentProcess
from octet.lab.controller import Controller
from octet.lab.directory import SYSTEM_NAMESPACES, Directory
from octet.lab.faults import Faults
from octet.lab.names import Network, Plan, node_names
from octet.lab.objects import node_object
from octet.lab.pods import Pods
from octet.lab.processes import tail
from octet.lab.protocol import Spec
from octet.lab.provider import Foreign, Octet, Place
from octet.lab.routers.process import RouterProcess
from octet.lab.spaces import Spaces
from octet.store.embedded import EmbeddedStore

HOME = Path("/run/octet")
"""Each node's directory is below it; the store is beside them."""

Tell = Callable[[str], None]
_LOOK = 0.005
_CONVERGING = 0.03

CONVERGED_LIMIT = 60.0
"""Seconds from the routers' start until each has a route to every rack, also on an emulated machine."""


class Cluster:
    """Everything that a lab holds.

    Args:
        spec: what was asked for.
        logs: where agents and pods write.
    """

    def __init__(self, spec: Spec, logs: Path) -> None:
        self.spec = spec
        self.plan = Plan.of(spec.family)
        self.nodes = node_names(spec.nodes)
        self.fabric = fabrics.build(spec.fabric, self.nodes, self.plan, spec.shape)
        self.spaces = Spaces()
        self.faults = Faults()
        for node in self.nodes:
            (HOME / node / "net.d").mkdir(mode=0o700, parents=True)
        self._store = EmbeddedStore(HOME / "store.db")
        self.directory = Directory(self._store)
        self.pods = Pods(
            self.spaces, self.directory, {node: self._runtime(node) for node in self.nodes}, logs
        )
        self._logs = logs
        self._agents = self._make_agents(logs)
        self._routers = {
            name: RouterProcess(router, self.spaces, HOME / name, logs / f"{name}.log")
            for name, router in self.fabric.routers.items()
        }
        self._controller: asyncio.Task[None] | None = None

    async def start(self, tell: Tell) -> None:
        """Build all and wait until every node is ready. Raises OctetError."""
        tell(f"fabric {self.fabric.name} with {len(self.nodes)} nodes")
        wiring.build(self.fabric, self.spaces)
        for router in self._routers.values():
            router.settle()
        routing = asyncio.create_task(self._start_routers())
        tell("node CIDRs")
        for name in SYSTEM_NAMESPACES:
            await self.directory.ensure_namespace(name)
        self._controller = asyncio.create_task(Controller(self._store, self.plan).run())
        await self._join()
        cidrs = await self._assigned()
        self._install(cidrs)
        tell(f"{self.spec.provider.title} on {', '.join(self.nodes)}")
        if isinstance(self.spec.provider, Foreign):
            self._route(self.spec.provider, cidrs)
        await together(self._start_agents(), routing)

    def agent(self, node: str) -> AgentProcess:
        """Return a node's agent. Raises OctetError where the provider has none."""
        if node not in self._agents:
            raise OctetError(f"{self.spec.provider.title} has no agent")
        return self._agents[node]

    def router(self, name: str) -> RouterProcess:
        """Return a router. Raises NotFoundError."""
        if name not in self._routers:
            there = ", ".join(self._routers)
            hint = f"routers: {there}" if there else "octet lab up --fabric routed"
            raise NotFoundError(f"no router {name!r}", hint=hint)
        return self._routers[name]

    def router_states(self) -> list[dict[str, Any]]:
        """Return what the lab knows of its routers."""
        return [
            {
                "name": name,
                "software": each.router.software,
                "asn": each.router.asn,
                "id": str(each.router.id),
                **each.state(),
                "faults": list(self.faults.at(name)),
            }
            for name, each in self._routers.items()
        ]

    def node_state(self, node: str) -> dict[str, Any]:
        """Return what the lab knows of a node: its agent, and what is broken at it."""
        agent = self._agents[node].state() if node in self._agents else {"state": "none"}
        return {"agent": agent, "faults": list(self.faults.at(node))}

    def break_fabric(self, faults: Faults) -> None:
        """Make these the faults of the fabric, and mend all others. Raises OctetError."""
        was, now = (breaking.tables(each, self.fabric) for each in (self.faults, faults))
        for space in [space for space, text in now.items() if text != was[space]]:
            self._filter(space, now[space])
        before, after = (breaking.down(each, self.fabric) for each in (self.faults, faults))
        for end in sorted(before ^ after, key=str):
            wiring.run(self.spaces, end.space, [f"link set {end.link} {'down' if end in after else 'up'}"])
        self.faults = faults

    def _filter(self, space: str, text: str) -> None:
        with namespaces.inside(self.spaces.descriptor(space)):
            done = subprocess.run(["nft", "-f", "-"], input=text, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise OctetError(f"{space} cannot do that: {done.stderr.strip()}")

    def _runtime(self, node: str) -> Runtime:
        home = HOME / node
        return Runtime(home / "net.d", [*self.spec.provider.cni_path], cache=home / "cni")

    def _make_agents(self, logs: Path) -> Mapping[str, AgentProcess]:
        if not isinstance(self.spec.provider, Octet):
            return {}
        return {
            node: AgentProcess(node, self.spaces, HOME / node, logs / f"{node}.log") for node in self.nodes
        }

    async def _join(self) -> None:
        """Let the nodes join in the order of their numbers, so that names tell their pod CIDRs too."""
        ready = not isinstance(self.spec.provider, Octet)
        for node in self.nodes:
            item = node_object(node, self.fabric.addresses(node), ready=ready)
            await self.directory.create("Node", item)

    async def _assigned(self) -> dict[str, tuple[Network, ...]]:
        """Wait until every node has its pod CIDRs; return them by node."""
        while True:
            nodes = [Node.from_object(item) for item in await self.directory.list("Node")]
            if all(node.pod_cidrs for node in nodes):
                return {node.name: node.pod_cidrs for node in nodes}
            if self._controller is not None and self._controller.done():
                self._controller.result()
            await asyncio.sleep(_LOOK)

    def _install(self, cidrs: Mapping[str, tuple[Network, ...]]) -> None:
        """Put every node's conflist, and its agent's configuration, where they are looked for."""
        for node in self.nodes:
            home = HOME / node
            conflist = self.spec.provider.conflist(Place(node, str(home), cidrs[node]))
            (home / "net.d" / "10-lab.conflist").write_text(json.dumps(conflist, indent=2))
            if isinstance(self.spec.provider, Octet):
                text = agents.config(node, self.spec.provider, self.plan, HOME / "store.db", home)
                (home / "agent.toml").write_text(text)

    def _route(self, provider: Foreign, cidrs: Mapping[str, tuple[Network, ...]]) -> None:
        ways = by_hand.static_routes(self.fabric, cidrs) if provider.static_routes else {}
        for space, hops in ways.items():
            lines = [f"route add {cidr} via {via} proto static" for cidr, via in hops]
            wiring.run(self.spaces, space, lines)

    async def _start_routers(self) -> None:
        """Start all routers at once, and wait until each knows the way to every rack. Raises OctetError."""
        await together(*(router.start() for router in self._routers.values()))
        end = time.monotonic() + CONVERGED_LIMIT
        for router in self._routers.values():
            while lacks := self._lacks(router.router.name):
                for each in self._routers.values():
                    each.check()
                if time.monotonic() > end:
                    log = tail(self._logs / f"{router.router.name}.log")
                    raise NotReadyError(f"{router.router.name} has no route to {lacks[0]}:\n{log}")
                await asyncio.sleep(_CONVERGING)

    def _lacks(self, name: str) -> list[Network]:
        """Return the racks, and what is behind the outside, that a router has no route to, nor is in."""
        own = {each.interface.network for each in self.fabric.spaces[name].of(Address)}
        wanted = [network for network in self.fabric.announced if network not in own]
        found: list[routes.Route] = []
        for version in self.plan.versions:
            with namespaces.inside(self.spaces.descriptor(name)):
                done = subprocess.run(routes.command(version), capture_output=True, text=True, check=True)
            found += routes.read(done.stdout, version)
        return routes.missing(found, wanted)

    async def _start_agents(self) -> None:
        """Start all agents at once. Raises OctetError."""
        await together(*(agent.start() for agent in self._agents.values()))


async def together(*works: Awaitable[None]) -> None:
    """Do all at once. Raises the first failure, and waits for no other."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
