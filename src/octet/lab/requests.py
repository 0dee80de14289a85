"""What each request to a lab is met by.

What lives here: one method per request. What it must not know: sockets, how objects and processes are kept.
"""

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from octet.errors import BadConfigurationError, NotFoundError, OctetError
from octet.lab import protocol
from octet.lab.admission import admit
from octet.lab.cluster import Cluster
from octet.lab.control import Reply
from octet.lab.faults import Drop
from octet.lab.names import check_labels, check_pod
from octet.lab.objects import KINDS, Object, command_of, kind_of, labelled, spec_of
from octet.lab.spaces import NETNS

_PATH = re.compile(r"/[a-z/]{1,40}(\?[a-z]{1,20}=[a-z0-9]{0,40})?")


class Requests:
    """Answers clients of one lab."""

    def __init__(self, cluster: Cluster, end: Callable[[], None]) -> None:
        self._cluster = cluster
        self._end = end

    async def handle(self, request: protocol.Request) -> Reply:
        """Answer one request. Raises OctetError."""
        match request:
            case protocol.Enter():
                return self._enter(request)
            case protocol.Down():
                self._end()
                return Reply()
            case protocol.Info() | protocol.AskAgent() | protocol.Routers():
                return Reply(await self._about_lab(request))
            case protocol.Run() | protocol.Apply() | protocol.Get() | protocol.Delete():
                return Reply(await self._about_objects(request))
            case _:
                return Reply(await self._fault(request))

    async def _about_lab(
        self, request: protocol.Info | protocol.AskAgent | protocol.Routers
    ) -> Object | list[Object] | str:
        match request:
            case protocol.Info():
                return self.info()
            case protocol.AskAgent(node=node, path=path):
                return await self._cluster.agent(self._node(node)).ask(check_path(path))
            case protocol.Routers():
                return self._cluster.router_states()

    async def _about_objects(
        self, request: protocol.Run | protocol.Apply | protocol.Get | protocol.Delete
    ) -> Object | list[Object]:
        match request:
            case protocol.Run():
                return await self._run(request)
            case protocol.Apply():
                return [await self._apply(item) for item in request.objects]
            case protocol.Get():
                return await self._get(request)
            case protocol.Delete():
                return await self._delete(request)

    def info(self) -> Object:
        """Return what this lab is."""
        spec = self._cluster.spec
        return {
            "name": spec.name,
            "provider": spec.provider.title,
            "nodes": list(self._cluster.nodes),
            "fabric": spec.fabric,
            "family": spec.family,
            "pods": len(self._cluster.pods),
        }

    async def _run(self, request: protocol.Run) -> Object:
        check_pod(request.pod, request.namespace)
        check_labels(request.labels, "pod")
        self._node(request.node)
        if not request.command:
            raise BadConfigurationError("pod", "command", [], "empty")
        return await self._cluster.pods.run(request)

    async def _apply(self, item: Mapping[str, Any]) -> Object:
        """Create or replace one object; a pod that is not there is started."""
        kind = next((kind for kind in KINDS if kind.name == item.get("kind")), None)
        if kind is None:
            raise BadConfigurationError("apply", "kind", item.get("kind"), "not known")
        metadata = item["metadata"]
        if kind.namespaced:
            await self._cluster.directory.ensure_namespace(metadata["namespace"])
        if kind.name == "Pod" and not self._cluster.pods.has(metadata["name"], metadata["namespace"]):
            await self._run(self._as_run(item))
            what = "started"
        elif kind.name == "Pod":
            what = await self._cluster.pods.relabel(item)
        else:
            whole = labelled(item) if kind.name == "Namespace" else item
            await admit(kind.name, whole, self._cluster.directory)
            what, _ = await self._cluster.directory.put(kind.name, whole)
        return {
            "kind": kind.name,
            "name": metadata["name"],
            "namespace": metadata.get("namespace"),
            "result": what,
        }

    def _as_run(self, item: Mapping[str, Any]) -> protocol.Run:
        metadata = item["metadata"]
        node = item.get("spec", {}).get("nodeName") or self._cluster.pods.emptiest(self._cluster.nodes)
        command = command_of(item) or protocol.DEFAULT_COMMAND
        labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
        spec = spec_of(item)
        return protocol.Run(metadata["name"], node, metadata["namespace"], labels, command, annotations, spec)

    async def _get(self, request: protocol.Get) -> list[Object]:
        kind = kind_of(request.kind)
        objects = await self._cluster.directory.list(kind.name, request.namespace if kind.namespaced else "")
        if kind.name != "Node":
            return objects
        return [{**item, "lab": self._cluster.node_state(item["metadata"]["name"])} for item in objects]

    async def _delete(self, request: protocol.Delete) -> Object:
        kind = kind_of(request.kind)
        if kind.name == "Node":
            raise OctetError(
                "a lab's nodes stay as long as the lab", hint="octet lab fault cut takes one away"
            )
        if kind.name == "Pod":
            return await self._cluster.pods.delete(request.name, request.namespace)
        await self._cluster.directory.remove(
            kind.name, request.name, request.namespace if kind.namespaced else ""
        )
        return {}

    def _enter(self, request: protocol.Enter) -> Reply:
        mounts = "/proc/self/ns/mnt"
        if request.target in self._cluster.fabric.spaces:
            path = NETNS / request.target
            if request.target in self._cluster.fabric.routers:
                mounts = f"/proc/self/fd/{self._cluster.router(request.target).room}"
        else:
            pod = self._cluster.pods.find(request.target, request.namespace)
            path = NETNS / pod.handle
        paths = ["/proc/self/ns/user", mounts, "/proc/self/ns/pid", str(path)]
        return Reply({}, [os.open(each, os.O_RDONLY | os.O_CLOEXEC) for each in paths])

    async def _fault(self, request: protocol.Break) -> Object:
        cluster = self._cluster
        match request:
            case protocol.KillAgent(node=node):
                await cluster.agent(self._node(node)).kill()
            case protocol.StartAgent(node=node):
                await cluster.agent(self._node(node)).start()
            case protocol.KillRouter(router=router):
                await cluster.router(router).kill()
            case protocol.StartRouter(router=router):
                await cluster.router(router).start()
            case protocol.Cut(node=node, peer=peer):
                cluster.break_fabric(cluster.faults.cut(*self._ends(node, peer)))
            case protocol.Heal(node=node, peer=peer):
                cluster.break_fabric(cluster.faults.heal(*self._ends(node, peer)))
            case protocol.Lose():
                ends = self._ends(request.node, request.peer)
                drop = Drop(request.percent, *ends, request.protocol, request.port)
                cluster.break_fabric(cluster.faults.drop(drop))
        return {name: list(cluster.faults.at(name)) for name in cluster.fabric.breakable()}

    def _ends(self, node: str, peer: str) -> tuple[str, str]:
        """Return two names of the fabric, each or both of which may be left out. Raises NotFoundError."""
        fabric = self._cluster.fabric
        there = fabric.breakable()
        for name in (node, peer):
            if name and name not in there:
                raise NotFoundError(f"no node or router {name!r}", hint=f"there are: {', '.join(there)}")
        if node and peer and node != peer:
            fabric.check_pair(node, peer)
        return node, peer

    def _node(self, name: str) -> str:
        if name not in self._cluster.nodes:
            raise NotFoundError(f"no node {name!r}", hint=f"nodes: {', '.join(self._cluster.nodes)}")
        return name


def check_path(path: str) -> str:
    """Return what may stand in a request to an agent. Raises BadConfigurationError."""
    if not _PATH.fullmatch(path):
        raise BadConfigurationError("lab", "path", path, "no path of an agent", hint="such as /metrics")
    return path
