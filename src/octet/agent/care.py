"""Running pods: looked at, given a lower MTU, given back a pair that somebody deleted.

What lives here: what the agent does in a pod's namespace after ADD. What it must not know: when to do it.
"""

import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from octet.agent import checking
from octet.agent.endpoints import Endpoints, Site
from octet.agent.records import Entry
from octet.agent.sandboxes import Sandboxes
from octet.blueprint import Blueprint, Change, KernelObject, Link
from octet.cluster.endpoint import Attachment
from octet.cni.request import Request
from octet.cni.spec.failures import CniError, Code
from octet.errors import NotFoundError
from octet.kernel.port import Kernel

log = logging.getLogger(__name__)


class NodeKernel(Kernel, Protocol):
    """The port of a node's own namespace: it also reaches the other end of a pair without a descriptor."""

    def set_peer_mtu(self, host_link: str, mtu: int) -> None:
        """Set the MTU of the other end of a pair. Raises OSError."""
        ...


class Care:
    """Looks after pods that are attached.

    Attributes:
        unmet: what could not be done for a pod, a sentence each.
    """

    def __init__(self, kernel: NodeKernel, endpoints: Endpoints, sandboxes: Sandboxes) -> None:
        self._kernel = kernel
        self._endpoints = endpoints
        self._sandboxes = sandboxes
        self._unmet: dict[Attachment, str] = {}

    @property
    def unmet(self) -> list[str]:
        """What could not be done for pods that are still there, a sentence each."""
        self._unmet = {key: text for key, text in self._unmet.items() if self._endpoints.get(key)}
        return list(self._unmet.values())

    def check(self, request: Request) -> None:
        """Compare kernel and prevResult with what was made. Raises CniError naming every difference."""
        entry = self._endpoints.get(request.attachment)
        if entry is None or request.namespace is None:
            raise CniError(Code.UNKNOWN_CONTAINER, f"{request.attachment} is not attached")
        if self._sandboxes.look(request.namespace, request.netns) != entry.identity:
            raise CniError(Code.CHECK_FAILED, f"CNI_NETNS = {request.netns}: is another namespace than ADD's")
        plan = self._endpoints.plan(entry.endpoint)
        with self._kernel.enter(request.namespace) as pod:
            held = pod.read(plan.pod), self._kernel.read(plan.node)
        found = [*checking.differences(entry.endpoint, plan, held, request.config.previous)]
        if found:
            raise CniError(Code.CHECK_FAILED, "; ".join(found))

    def lower_mtu(self, site: Site) -> None:
        """Give running pods the MTU that the path takes where it is less than they have.

        A larger one only new pods get: a running one may have lowered its own, and nothing is lost with less.
        """
        for entry in self._endpoints:
            if entry.endpoint.mtu > site.network.mtu:
                lowered = replace(entry.endpoint, mtu=site.network.mtu)
                self._lower(entry, site.running.endpoint(site.network, lowered).pod)
                self._endpoints.remember(lowered)

    def _lower(self, entry: Entry, pod: Blueprint) -> None:
        """Alter the pod's end: by its namespace's path, else where the kernel says that the other end is."""
        link = next(item for item in pod.of(Link) if item.name == entry.attachment.interface)
        with suppress(NotFoundError, OSError):
            found = self._sandboxes.reopened(entry.netns, entry.identity)
            with found as namespace, self._kernel.enter(namespace) as inside:
                if inside.apply(Change(add=(link,))).ok:
                    return
        try:
            self._kernel.set_peer_mtu(entry.endpoint.host_link, link.mtu or entry.endpoint.mtu)
        except OSError as error:
            self._fail(entry, f"keeps its MTU, {link.mtu} is what fits: {error}")

    def rebuild(self, missing: Iterable[KernelObject]) -> None:
        """Make the pairs anew whose ends on the node are missing, where the pods' namespaces are found."""
        gone = {item.name for item in missing if isinstance(item, Link)}
        for entry in self._endpoints:
            if entry.endpoint.host_link in gone:
                self._rebuild(entry)

    def _rebuild(self, entry: Entry) -> None:
        try:
            found = self._sandboxes.reopened(entry.netns, entry.identity)
            with found as namespace, self._kernel.enter(namespace) as pod:
                outcome = pod.apply(Change(add=tuple(self._endpoints.plan(entry.endpoint).pod)))
        except (NotFoundError, OSError) as error:
            self._fail(entry, f"lost its pair: {error}")
            return
        if outcome.ok:
            self._unmet.pop(entry.attachment, None)
            log.warning("made a pod's pair anew", extra={"attachment": str(entry.attachment)})
        else:
            self._fail(entry, f"lost its pair: {outcome.failed[0]}")

    def _fail(self, entry: Entry, text: str) -> None:
        sentence = f"{entry.attachment} {text}"
        if self._unmet.get(entry.attachment) != sentence:
            log.error("a pod is not as it should be", extra={"reason": sentence})
        self._unmet[entry.attachment] = sentence
