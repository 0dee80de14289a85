"""A lab's cluster: fabric, store, nodes with their agents or conflists, pods; built in this order.

What lives here: Cluster. What it must not know: requests, clients, processes outside of the lab.
"""

import asyncio
import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from octet.cluster.objects import Node
from octet.cni.runtime import Runtime
from octet.errors import OctetError
from octet.kernel import namespaces
from octet.lab import agents, fabric, wiring
from octet.lab.agents import AgentProcess
from octet.lab.controller import Controller
from octet.lab.directory import SYSTEM_NAMESPACES, Directory
from octet.lab.faults import Faults
from octet.lab.names import SWITCH, Network, Plan, node_names
from octet.lab.objects import node_object
from octet.lab.pods import Pods
from octet.lab.protocol import Spec
from octet.lab.provider import Foreign, Octet, Place, static_routes
from octet.lab.spaces import Spaces
from octet.store.embedded import EmbeddedStore

HOME = Path("/run/octet")
"""Each node's directory is below it; the store is beside them."""

Tell = Callable[[str], None]
_LOOK = 0.005


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
        self.fabric = fabric.build(spec.fabric, self.nodes, self.plan)
        self.spaces = Spaces()
        self.faults = Faults()
        for node in self.nodes:
            (HOME / node / "net.d").mkdir(mode=0o700, parents=True)
        self._store = EmbeddedStore(HOME / "store.db")
        self.directory = Directory(self._store)
        self.pods = Pods(
            self.spaces, self.directory, {node: self._runtime(node) for node in self.nodes}, logs
        )
        self._agents = self._make_agents(logs)
        self._controller: asyncio.Task[None] | None = None

    async def start(self, tell: Tell) -> None:
        """Build all and wait until every node is ready. Raises OctetError."""
        tell(f"fabric {self.fabric.name} with {len(self.nodes)} nodes")
        wiring.build(self.fabric, self.spaces)
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
        await self._start_agents()

    def agent(self, node: str) -> AgentProcess:
        """Return a node's agent. Raises OctetError where the provider has none."""
        if node not in self._agents:
            raise OctetError(f"{self.spec.provider.title} has no agent")
        return self._agents[node]

    def node_state(self, node: str) -> dict[str, Any]:
        """Return what the lab knows of a node: its agent, and what is broken at it."""
        agent = self._agents[node].state() if node in self._agents else {"state": "none"}
        return {"agent": agent, "faults": list(self.faults.at(node))}

    def break_fabric(self, faults: Faults) -> None:
        """Make these the faults of the fabric, and mend all others. Raises OctetError."""
        lines = [
            f"link set {port.link} {'down' if node in faults.isolated else 'up'}"
            for node, port in self.fabric.ports.items()
            if (node in faults.isolated) != (node in self.faults.isolated)
        ]
        with namespaces.inside(self.spaces.descriptor(SWITCH)):
            done = subprocess.run(
                ["nft", "-f", "-"], input=faults.render(), capture_output=True, text=True, check=False
            )
        if done.returncode != 0:
            raise OctetError(f"the switch cannot do that: {done.stderr.strip()}")
        wiring.run(self.spaces, SWITCH, lines)
        self.faults = faults

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
            item = node_object(node, self.plan.node_addresses(node), ready=ready)
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
        addresses = {node: self.plan.node_addresses(node) for node in self.nodes}
        for node in self.nodes if provider.static_routes else ():
            routes = static_routes(node, cidrs, addresses)
            wiring.run(self.spaces, node, [f"route add {cidr} via {via}" for cidr, via in routes])

    async def _start_agents(self) -> None:
        """Start all agents at once. Raises the first failure, and waits for no other."""
        starts = [asyncio.ensure_future(agent.start()) for agent in self._agents.values()]
        try:
            await asyncio.gather(*starts)
        finally:
            for start in starts:
                start.cancel()
