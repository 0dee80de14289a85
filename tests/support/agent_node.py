"""One node's agent without a machine: all its parts over a kernel in memory, a journal, and no sockets.

What lives here: the wiring and a runtime's requests. What it must not know: which test uses it.
"""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_network
from pathlib import Path
from typing import Any

from octet import models
from octet.agent.applying import Applier
from octet.agent.care import Care
from octet.agent.desired import Desired
from octet.agent.endpoints import Endpoints
from octet.agent.journal import Journal
from octet.agent.learning import Learning
from octet.agent.metrics import Metrics
from octet.agent.network import Network
from octet.agent.policing import Policing
from octet.agent.repair import Repair
from octet.agent.requests import Requests
from octet.blueprint import Address, Bridge, Link
from octet.cluster.changes import NodeChanged
from octet.cluster.objects import Node
from octet.cluster.resolvers import Resolvers
from octet.cluster.view import Underlay, View, ViewChange
from octet.cni.spec.failures import CniError, Code
from octet.cni.wire import RawRequest
from octet.errors import NotFoundError
from octet.kernel.fake import FakeKernel, World
from octet.models.model import Running

CIDRS = {4: "10.244.{0}.0/24", 6: "fd00:10:244:{0}::/64"}
CLUSTER = {4: "10.244.0.0/16", 6: "fd00:10:244::/48"}
_ADDRESSES = (IPv4Interface("192.0.2.1/24"), IPv6Interface("2001:db8::1/64"))
UNDERLAY = Underlay("up0", 1500, *_ADDRESSES)


class PretendedSandboxes:
    """Namespaces of a world, by number; a path is ``/ns/NUMBER``."""

    def __init__(self, world: World, own: int) -> None:
        self._world = world
        self._own = own

    def look(self, namespace: int, path: str) -> tuple[int, int, int]:
        try:
            self._world.namespace(namespace)
        except OSError as error:
            raise CniError(Code.INVALID_NETNS, f"CNI_NETNS = {path}: is not a network namespace") from error
        if namespace == self._own:
            raise CniError(Code.INVALID_NETNS, f"CNI_NETNS = {path}: is the node's own network namespace")
        return 0, namespace, 0

    @contextmanager
    def reopened(self, path: str, identity: tuple[int, int, int]) -> Iterator[int]:
        number = int(path.removeprefix("/ns/"))
        try:
            self._world.namespace(number)
        except OSError as error:
            raise NotFoundError(f"the pod's namespace {path} is gone") from error
        if identity != (0, number, 0):
            raise NotFoundError(f"{path} is not the pod's namespace any more")
        yield number


def node(number: int, families: tuple[int, ...] = (4,), **fields: Any) -> Node:
    """Node1, node2 and so on; peers say what flannel's annotations say."""
    data = f'{{"VNI":1,"VtepMAC":"02:00:00:00:00:{number % 256:02x}"}}'
    said = {
        "flannel.alpha.coreos.com/kube-subnet-manager": "true",
        "flannel.alpha.coreos.com/backend-type": "vxlan",
        "flannel.alpha.coreos.com/backend-data": data,
        "flannel.alpha.coreos.com/public-ip": f"192.0.2.{number}",
    }
    cidrs = tuple(ip_network(CIDRS[family].format(number)) for family in families)
    ips = (ip_address(f"192.0.2.{number}"),)
    return Node(
        **{"name": f"node{number}", "annotations": said, "pod_cidrs": cidrs, "internal_ips": ips, **fields}
    )


def cluster(*nodes: Node, families: tuple[int, ...] = (4,), underlay: Underlay = UNDERLAY) -> View:
    """What node1 sees."""
    cidrs = tuple(ip_network(CLUSTER[family]) for family in families)
    return View("node1", underlay, {each.name: each for each in nodes}, pod_cidrs=cidrs)


class AgentNode:
    """Node1 with its agent; ``start`` again is what a restarted agent is.

    Attributes:
        places: namespaces that a test wants to find again, by container.
        resolvers: whose answers about names are believed.
    """

    def __init__(self, directory: Path, families: tuple[int, ...] = (4,), model: str = "flannel") -> None:
        self.directory = directory
        self.places: dict[str, int] = {}
        self.world = World()
        self.number = self.world.create()
        self.kernel = FakeKernel(self.world, self.number)
        self.kernel.plant(Link("up0", Bridge(), ""), *(Address("up0", each) for each in _ADDRESSES))
        self.running: Running = models.find(model).parse({}, source="test")
        self.view = cluster(node(1, families), families=families)
        self.worker = ThreadPoolExecutor(1)
        self.resolvers = Resolvers()
        self.journal = Journal(directory / "journal.db")
        self.start()

    def start(self) -> None:
        """Begin as a new process would: nothing is remembered but journal and kernel."""
        self.journal.close()
        self.wire(self.kernel, Journal(self.directory / "journal.db"))

    def wire(self, kernel: Any, journal: Any) -> None:
        """Make every part anew, around this kernel and this journal."""
        self.journal = journal
        self.metrics, self.desired = Metrics(), Desired()
        sandboxes = PretendedSandboxes(self.world, self.number)
        self.applier = Applier(kernel, self.metrics)
        self.policing = Policing(self.desired, self.running.gate)
        self.endpoints = Endpoints(kernel, self.applier, journal, self.desired, sandboxes, self.policing)
        self.care = Care(kernel, self.endpoints, sandboxes)
        self.network = Network(
            self.view,
            self.running,
            self.applier,
            self.endpoints,
            self.care,
            self.desired,
            self.policing,
        )
        self.repair = Repair(
            self.network,
            self.endpoints,
            self.care,
            self.desired,
            self.applier,
            FakeKernel(self.world, self.number),
            self.worker,
            self.metrics,
        )
        waiting = self.directory / "pending"
        self.requests = Requests(self.endpoints, self.care, self._trouble, self.metrics, waiting)
        self.endpoints.recover()
        naming, counted = self.policing.naming, self.metrics.names
        self.learning = Learning(
            self.network, naming, self.endpoints, journal, counted, lambda: self.resolvers
        )
        self.policing.on_detach = self.learning.forget
        self.learning.recall(time.monotonic())

    def _trouble(self) -> str:
        return "; ".join(self.network.trouble)

    async def sync(self) -> None:
        """Have the whole view, and make the kernel so."""
        self.repair.begin()
        self.network.see(self.view, ())
        await self.repair.turn()

    async def see(self, view: View) -> None:
        """Take another view of the nodes, with what changed, and do what follows."""
        before, self.view = self.view, view
        changes: list[ViewChange] = [*before.with_underlay(view.underlay)[1]]
        for name in sorted({*before.nodes, *view.nodes}):
            old, new = before.nodes.get(name), view.nodes.get(name)
            changes += [NodeChanged(old, new)] if old != new else []
        self.network.see(view, changes)
        await self.repair.turn()

    def call(self, command: str, container: str = "c1", namespace: int | None = None, **keys: Any) -> Any:
        """Send one request as the plugin would; return what the runtime reads, ``{}`` for nothing."""
        ifname = keys.pop("ifname", "eth0")
        environment = {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": container,
            "CNI_IFNAME": ifname,
            "CNI_NETNS": f"/ns/{namespace}" if namespace is not None else "",
        }
        environment.update({key: keys.pop(key) for key in tuple(keys) if key.startswith("CNI_")})
        config = {"cniVersion": "1.1.0", "name": "octet", "type": "octet-cni", **keys}
        reply = self.requests.answer(RawRequest(environment, json.dumps(config).encode(), namespace))
        answer = json.loads(reply.body) if reply.body else {}
        assert (reply.status != 0) is ("code" in answer)
        return answer

    def add(self, container: str = "c1", namespace: int | None = None, **keys: Any) -> Any:
        """ADD, into a new namespace where none is given."""
        number = self.world.create() if namespace is None else namespace
        return self.call("ADD", container, number, **keys)

    def reap(self) -> None:
        """Do what the reaper does when it is quiet."""
        taken = self.endpoints.retired()
        self.kernel.reap()
        self.endpoints.settle(taken)

    def links(self) -> set[str]:
        """Names of the pods' links that are in use on the node."""
        held = self.world.namespace(self.number).devices.items()
        return {name for name, device in held if name.startswith("veth") and not device.retired}

    def close(self) -> None:
        """End the worker."""
        self.worker.shutdown()
        self.journal.close()
