"""What the view means for this node's kernel: contributions kept up to date, changes applied, faults kept.

What lives here: ``Network``: decides by asking the model, does by telling the kernel, remembers what failed.
All of it synchronous. What it must not know: the store, tasks, time.
"""

import logging
from collections.abc import Callable

from octet.agent.desired import Desired
from octet.agent.endpoints import Endpoints, Site
from octet.agent.metrics import Metrics
from octet.blueprint import Blueprint, Change, Key, Link
from octet.cluster.changes import NodeChanged, UnderlayChanged
from octet.cluster.endpoint import Endpoint
from octet.cluster.objects import Node
from octet.cluster.view import View, ViewChange
from octet.errors import OctetError
from octet.kernel.port import Kernel, Outcome
from octet.models.model import Running

log = logging.getLogger(__name__)

NODE = ("node",)
PASSES = 3
"""A link made anew takes what was on it away; the next pass puts that back."""


class Network:
    """This node's share of the pod network, in force.

    Attributes:
        view: what is known now.
        whole: has everything been listed once, so that what is not wanted may be removed?
        problem: why there is no network, or not the wanted one; empty is none.
        lower_mtu: sets the MTU inside a running pod: (host link, bytes).
    """

    def __init__(
        self,
        view: View,
        running: Running,
        kernel: Kernel,
        endpoints: Endpoints,
        desired: Desired,
        metrics: Metrics,
    ) -> None:
        self.view = view
        self.whole = False
        self.problem = "the cluster's nodes are not known yet"
        self.lower_mtu: Callable[[str, int], None] = lambda _link, _mtu: None
        self._running = running
        self._kernel = kernel
        self._endpoints = endpoints
        self._desired = desired
        self._metrics = metrics
        self._failed: dict[Key, str] = {}
        self._left_out: dict[str, str] = {}

    @property
    def failures(self) -> list[str]:
        """Everything that is not as it should be, a sentence each."""
        return [*([self.problem] if self.problem else []), *self._failed.values(), *self._left_out.values()]

    def see(self, view: View, changes: tuple[ViewChange, ...]) -> bool:
        """Take the next version of the view; True if this node itself changed, so all was decided anew."""
        self.view = view
        peers = [each for each in changes if isinstance(each, NodeChanged) and not self._is_me(each)]
        own = any(isinstance(each, UnderlayChanged) or self._own_change(each) for each in changes)
        if own or (self._endpoints.site is None and changes):
            self.decide()
            return True
        if self._endpoints.site is not None:
            for each in peers:
                self._peer(_name(each), each.new)
        return False

    def _is_me(self, change: NodeChanged) -> bool:
        return _name(change) == self.view.me

    def _own_change(self, change: ViewChange) -> bool:
        return isinstance(change, NodeChanged) and self._is_me(change)

    def decide(self) -> None:
        """Decide everything anew and make it so: at start, and when this node itself changed."""
        try:
            network = self._running.network(self.view)
            node = self._running.node(self.view)
        except OctetError as error:
            self._say(str(error))
            return
        first = self._endpoints.site is None
        running = [entry.attachment for entry in self._endpoints]
        for owner in self._desired.owners():
            if owner not in running:
                self._desired.replace(owner, Blueprint())
        self._left_out.clear()
        lowered = self._endpoints.lower_mtu(network.mtu)
        self._endpoints.settle_in(Site(self._running, network))
        self._desired.replace(NODE, node)
        for peer in self.view.peers:
            self._contribute(peer.name, peer)
        self.problem = ""
        if first:
            for key in self._endpoints.recover():
                log.info("finished what was half done", extra={"attachment": str(key)})
        self.reconcile()
        for endpoint in lowered:
            self._lower(endpoint, network.mtu)

    def _say(self, problem: str) -> None:
        if problem != self.problem:
            log.warning("no pod network", extra={"reason": problem})
        self.problem = problem

    def _lower(self, endpoint: Endpoint, mtu: int) -> None:
        """Tell a running pod of a smaller MTU: by its namespace's path, else where the kernel says it is."""
        if self._endpoints.rebuild(endpoint.attachment):
            return
        try:
            self.lower_mtu(endpoint.host_link, mtu)
        except OSError as error:
            key = ("pod mtu", endpoint.host_link)
            self._failed[key] = f"{endpoint.attachment} keeps its MTU, {mtu} is what fits: {error}"

    def _contribute(self, name: str, peer: Node | None) -> Change:
        self._left_out.pop(name, None)
        part = Blueprint() if peer is None else self._running.peer(self.view, peer)
        try:
            change = self._desired.replace(("peer", name), part)
        except ValueError as error:
            self._left_out[name] = f"node {name} is left out: {error}"
            return self._desired.replace(("peer", name), Blueprint())
        if peer is not None and (why := self._running.obstacles(self.view, peer)):
            self._left_out[name] = "; ".join(why)
        return change

    def _peer(self, name: str, peer: Node | None) -> None:
        self.took(self._kernel.apply(self._contribute(name, peer)))

    def took(self, outcome: Outcome) -> None:
        """Note what a change came to: what is done is no longer a failure."""
        for item in outcome.done:
            self._failed.pop(item.key, None)
        for failure in outcome.failed:
            self._metrics.refused(str(failure.item.key[0]))
        fresh = [failure for failure in outcome.failed if failure.item.key not in self._failed]
        self._failed.update((failure.item.key, str(failure)) for failure in outcome.failed)
        if fresh:
            log.error("the kernel refused", extra={"objects": len(fresh), "first": str(fresh[0])})

    def reconcile(self, found: Blueprint | None = None, *, repair: bool = False) -> Change:
        """Make kernel and wanted state equal; prune once the view is whole; return the first difference.

        Args:
            found: what the kernel holds, where somebody has read it already.
            repair: are differences drift, to be counted?
        """
        self._failed.clear()
        first = Change()
        for number in range(PASSES):
            held = (
                found if found is not None and number == 0 else self._kernel.read(self._desired.blueprint())
            )
            change = self._desired.blueprint().change_from(held)
            change = change if self.whole else Change(change.add, change.alter)
            if not change:
                break
            first = first or change
            self._rebuild_pods(change)
            self.took(self._kernel.apply(change))
        if repair:
            self._count(first)
        return first

    def _rebuild_pods(self, change: Change) -> None:
        """A pod's pair is made from the pod's end: find pods whose host end is gone, and make it anew."""
        gone = {item.name for item in change.add if isinstance(item, Link)}
        for entry in list(self._endpoints):
            if entry.endpoint.host_link in gone and self._endpoints.rebuild(entry.attachment):
                log.warning("made a pod's pair anew", extra={"attachment": str(entry.attachment)})

    def _count(self, change: Change) -> None:
        touched = (*change.add, *(new for _, new in change.alter), *change.remove)
        for item in touched:
            log.warning("drift repaired", extra={"object": str(item)})
            self._metrics.repaired(str(item.key[0]))


def _name(change: NodeChanged) -> str:
    node = change.new or change.old
    return node.name if node is not None else ""
