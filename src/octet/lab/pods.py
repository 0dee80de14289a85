"""Pods of a lab: a network namespace each, attached as a container runtime would, with a program inside.

What lives here: starting and ending pods. What it must not know: which provider's plugins it calls, policies.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from octet.cni.runtime import Result, Runtime
from octet.cni.spec.failures import CniError, Code
from octet.errors import NotFoundError, NotReadyError, OctetError
from octet.kernel import namespaces
from octet.lab import protocol, wiring
from octet.lab.directory import Directory
from octet.lab.names import handle
from octet.lab.objects import Object, pod_object
from octet.lab.processes import Child, ending
from octet.lab.spaces import Spaces

INTERFACE = "eth0"


@dataclass(slots=True)
class Pod:
    """One pod that runs.

    Attributes:
        container: the container id that the plugins are told.
    """

    namespace: str
    name: str
    node: str
    container: str
    child: Child | None = None

    @property
    def handle(self) -> str:
        """Name of its network namespace and of its log."""
        return handle(self.namespace, self.name)


class Pods:
    """All pods of a lab.

    Args:
        runtimes: what drives the plugins of each node.
        logs: where pods' programs write.
    """

    def __init__(
        self, spaces: Spaces, directory: Directory, runtimes: Mapping[str, Runtime], logs: Path
    ) -> None:
        self._spaces = spaces
        self._directory = directory
        self._runtimes = runtimes
        self._logs = logs
        self._pods: dict[tuple[str, str], Pod] = {}
        self._watchers: set[asyncio.Task[None]] = set()

    def find(self, name: str, namespace: str) -> Pod:
        """Return a pod. Raises NotFoundError."""
        pod = self._pods.get((namespace, name))
        if pod is None:
            here = ", ".join(sorted(pod.handle for pod in self._pods.values())) or "none"
            raise NotFoundError(f"no pod {name!r} in namespace {namespace!r}", hint=f"pods: {here}")
        return pod

    def __len__(self) -> int:
        return len(self._pods)

    def has(self, name: str, namespace: str) -> bool:
        """Tell whether a pod is there."""
        return (namespace, name) in self._pods

    def emptiest(self, nodes: Sequence[str]) -> str:
        """Return the node with the fewest pods, the first of several: a scheduler for manifests."""
        counts = Counter(pod.node for pod in self._pods.values())
        return min(nodes, key=lambda node: counts[node])

    async def relabel(self, item: Mapping[str, Any]) -> str:
        """Give a running pod the labels and annotations of a manifest; the rest of a pod can't change."""
        name, namespace = item["metadata"]["name"], item["metadata"]["namespace"]
        words = {word: item["metadata"].get(word) or {} for word in ("labels", "annotations")}
        await self._directory.update_metadata("Pod", name, namespace, words)
        return "configured"

    async def run(self, request: protocol.Run) -> Object:
        """Make a pod's object, attach it, start its program; return the object with its addresses.

        A failure leaves neither object nor namespace. Raises OctetError; NotReadyError where the plugin says
        that trying again later is the answer.
        """
        if (request.namespace, request.pod) in self._pods:
            raise OctetError(
                f"pod {request.pod!r} is there already", hint=f"octet lab delete pod {request.pod}"
            )
        await self._directory.ensure_namespace(request.namespace)
        wanted = pod_object(request.pod, request.namespace, request.node, request.labels, request.command)
        wanted["metadata"]["annotations"] = request.annotations
        wanted["spec"] |= request.spec
        made = await self._directory.create("Pod", wanted)
        pod = Pod(request.namespace, request.pod, request.node, made["metadata"]["uid"].replace("-", ""))
        self._pods[pod.namespace, pod.name] = pod
        try:
            self._spaces.create(pod.handle)
            # As a container runtime does before it calls any network (CRI, the loopback plugin).
            wiring.run(self._spaces, pod.handle, ["link set lo up"])
            result, seconds = await asyncio.to_thread(self._attach, pod, made["metadata"]["uid"])
            self._start(pod, request.command)
        except BaseException:
            with contextlib.suppress(OctetError):
                await self._forget(pod)
            raise
        addresses = [{"ip": str(ip.address.ip)} for ip in result.ips]
        held = await self._directory.update_status("Pod", pod.name, pod.namespace, _running(addresses))
        return {**held, "lab": {"attach_seconds": seconds, "log": str(self._log(pod))}}

    async def delete(self, name: str, namespace: str) -> Object:
        """End a pod's program, detach it, remove its object; return how long the detaching took.

        Raises:
            OctetError: the plugins failed; everything else of the pod is gone all the same.
        """
        pod = self.find(name, namespace)
        return {"lab": {"detach_seconds": await self._forget(pod)}}

    def _attach(self, pod: Pod, uid: str) -> tuple[Result, float]:
        with namespaces.inside(self._spaces.descriptor(pod.node)):
            begin = time.perf_counter()
            path, args = str(self._spaces.path(pod.handle)), _arguments(pod, uid)
            try:
                result = self._runtimes[pod.node].add(pod.container, path, INTERFACE, args=args)
            except CniError as error:
                if error.code == Code.TRY_AGAIN_LATER:
                    raise NotReadyError(error.message, hint=error.details) from error
                raise
            return result, time.perf_counter() - begin

    def _detach(self, pod: Pod) -> float:
        with namespaces.inside(self._spaces.descriptor(pod.node)):
            begin = time.perf_counter()
            self._runtimes[pod.node].delete(pod.container, str(self._spaces.path(pod.handle)), INTERFACE)
            return time.perf_counter() - begin

    def _start(self, pod: Pod, command: tuple[str, ...]) -> None:
        with self._log(pod).open("ab") as log:
            pod.child = Child(self._spaces.start(pod.handle, command, log))
        task = asyncio.create_task(self._watch(pod, pod.child))
        self._watchers.add(task)
        task.add_done_callback(self._watchers.discard)

    async def _watch(self, pod: Pod, child: Child) -> None:
        code = await child.ended()
        if self._pods.get((pod.namespace, pod.name)) is not pod:
            return
        phase = "Failed" if code else "Succeeded"
        status = {"phase": phase, "message": ending(code)}
        try:
            await self._directory.update_status("Pod", pod.name, pod.namespace, status)
        except NotFoundError:
            return

    async def _forget(self, pod: Pod) -> float:
        """Take away whatever of a pod exists; DEL cleans a half-made attachment too (CNI 1.1.0)."""
        del self._pods[pod.namespace, pod.name]
        if pod.child is not None:
            await pod.child.kill()
        try:
            return await asyncio.to_thread(self._detach, pod) if pod.handle in self._spaces else 0.0
        finally:
            self._spaces.remove(pod.handle)
            await self._directory.discard("Pod", pod.name, pod.namespace)

    def _log(self, pod: Pod) -> Path:
        return self._logs / f"{pod.handle}.log"


def _running(addresses: list[dict[str, str]]) -> Object:
    first = {"podIP": addresses[0]["ip"]} if addresses else {}
    return {"phase": "Running", "podIPs": addresses, **first}


def _arguments(pod: Pod, uid: str) -> dict[str, str]:
    """Return CNI_ARGS as the kubelet's runtimes give them."""
    return {
        "IgnoreUnknown": "1",
        "K8S_POD_NAMESPACE": pod.namespace,
        "K8S_POD_NAME": pod.name,
        "K8S_POD_INFRA_CONTAINER_ID": pod.container,
        "K8S_POD_UID": uid,
    }
