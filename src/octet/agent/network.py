"""What the view means for this node's kernel: contributions, kept up to date as the view changes.

What lives here: ``Network``: asks the model, keeps what was decided in ``Desired``. All of it synchronous.
What it must not know: the store, tasks, time, how the kernel is read.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from octet.agent.applying import Applier
from octet.agent.care import Care
from octet.agent.desired import Desired, merged
from octet.agent.endpoints import Endpoints, Site
from octet.agent.parting import Parting
from octet.agent.pieces import pieces
from octet.agent.policing import Policing
from octet.blueprint import Blueprint, Change
from octet.cluster.changes import (
    AffinityChanged,
    BlockChanged,
    NodeChanged,
    PoolChanged,
    ServiceChanged,
    SettingChanged,
    SliceChanged,
    UnderlayChanged,
)
from octet.cluster.objects import Address, Node
from octet.cluster.resolvers import Resolvers
from octet.cluster.view import Learned, View, ViewChange
from octet.errors import BadConfigurationError, OctetError
from octet.models.model import Running
from octet.transport.bgp import alone

log = logging.getLogger(__name__)

NODE = ("node",)
BATCH = 64
"""Peers decided about in one go; pods are attached between two goes."""


class Network:
    """This node's share of the pod network, as decided.

    Attributes:
        view: what is known now.
        problem: why there is no network, or not the wanted one; empty is none.
        generation: goes up whenever this node's own part was decided anew, which only a full comparison with
            the kernel makes true.
        settled: the generation that the kernel was made to hold; until then changes wait for the comparison.
        on_work: told that there is something to do.
        on_policed: told that policy may be another one in the kernel.
        on_view: told of each next version of the view, and what changed.
        others: what other parts have to say about what is not as it should be, a sentence each.
        on_site: told this node's share of the pod network whenever it is decided.
        parting: keeps sessions with nodes for a while.
        refuse: asked before anything is wanted of the kernel; raises OctetError where it can't hold that.
    """

    def __init__(
        self,
        view: View,
        running: Running,
        applier: Applier,
        endpoints: Endpoints,
        care: Care,
        desired: Desired,
        policing: Policing,
    ) -> None:
        self.view = view
        self.problem = "the cluster's nodes are not known yet"
        self.generation = 0
        self.settled = -1
        self.on_work: Callable[[], None] = lambda: None
        self.on_policed: Callable[[], None] = lambda: None
        self.on_view: Callable[[View, Iterable[ViewChange]], None] = lambda _view, _changes: None
        self.others: Callable[[], list[str]] = list
        self.on_site: Callable[[Site], None] = lambda _site: None
        self.refuse: Callable[[Blueprint], None] = lambda _wanted: None
        self.parting = Parting(self._again)
        self._running = running
        self._applier = applier
        self._endpoints = endpoints
        self._care = care
        self._desired = desired
        self._policing = policing
        self._changed: dict[str, None] = {}
        self._stale = False
        self._refused: dict[str, str] = {}
        self._unable = False  # what peers add would need what this node can't hold: all stays as it was
        self._obstacles: dict[str, tuple[str, ...]] = {}
        self._pods: list[str] = []
        self._comparing = False
        self._taught: Learned | None = None  # what names ever meant, amid a comparison

    @property
    def trouble(self) -> list[str]:
        """What keeps this node itself from its work, a sentence each; a session with one router does not."""
        mine = self._desired.part(NODE)
        failed = [text for key, text in self._applier.failed.items() if key in mine and not alone(key)]
        return [*([self.problem] if self.problem else []), *failed]

    @property
    def failures(self) -> list[str]:
        """Everything that is not as it should be, a sentence each."""
        problem = [self.problem] if self.problem else []
        kernel = self._applier.failed.values()
        return [
            *problem,
            *kernel,
            *self._pods,
            *self._refused.values(),
            *self._care.unmet,
            *self.others(),
        ]

    @property
    def refused(self) -> Mapping[str, str]:
        """Policies that are too large to be enforced, and why; the pods that they select are isolated."""
        return self._policing.refused

    @property
    def resolvers(self) -> frozenset[Address]:
        """Whose answers about names are believed."""
        return self._policing.naming.resolvers

    @property
    def obstacles(self) -> list[str]:
        """Why some peers' pods or names can't be reached, or services told, though nothing failed here."""
        peers = [text for texts in self._obstacles.values() for text in texts]
        names = self._policing.naming.problem
        said = [*self._running.remarks(self.view), *self.unsure]
        return [*peers, *said, *([names] if names else [])]

    @property
    def unsure(self) -> list[str]:
        """What of this node's part stays as it was, because what is said of it is wrong: a sentence each."""
        held = self._running.unsure(self.view)
        return list(dict.fromkeys(f"{each.files} stays as it was: {each.why}" for each in held))

    def is_settled(self) -> bool:
        """Does the kernel hold what is wanted, as far as it did not refuse?"""
        return self.settled == self.generation

    def see(self, view: View, changes: Iterable[ViewChange]) -> bool:
        """Take the next version of the view; True if this node itself changed, so all is decided anew."""
        self.view, changes = view, tuple(changes)
        self._policing.see(view, changes)
        self.on_view(view, changes)
        own = False
        for each in changes:
            if isinstance(each, NodeChanged) and (name := _name(each)) != view.me:
                self._changed[name] = None
            elif isinstance(each, BlockChanged | AffinityChanged):
                self._changed |= dict.fromkeys(each.nodes & view.nodes.keys() - {view.me})
                own |= view.me in each.nodes
            elif isinstance(each, ServiceChanged | SliceChanged):
                self._stale |= self._running.advertises(view)
            else:
                own |= isinstance(each, NodeChanged | UnderlayChanged | PoolChanged | SettingChanged)
        if own or self._endpoints.site is None:
            self.decide()
        self.on_work()
        return own

    def begin(self) -> None:
        """Take note that everything has been listed: what depends on a whole view can be decided."""
        self._policing.begin(self.view, (entry.endpoint for entry in self._endpoints))

    def police(self) -> None:
        """Make what policy wants so, as far as the view changed, a slice of it."""
        if not self._waits():
            self._enforce(self._policing.step())

    def learn(self, now: Learned, ever: Learned, resolvers: Resolvers) -> None:
        """Take what names mean and whose answers are believed, and have it in force."""
        self.view = replace(self.view, learned=now, resolvers=resolvers)
        if self._waits():
            self._taught = ever
        else:
            self._enforce(self._policing.learn(self.view, ever))

    def _enforce(self, change: Change) -> None:
        """Make a change of policy so; nothing that follows a refused piece is, until all was compared.

        What follows may ask the sets that lack what was refused, or let go what an old rule still needs.
        """
        if not self.is_settled():
            self._policing.behind |= bool(change)
            return
        for piece in pieces(change):
            if not self._applier.apply(piece).ok:
                self.doubt()
                return
        if change:
            self.on_policed()

    def doubt(self) -> None:
        """Have everything compared: the kernel refused something, so nothing builds on what it holds."""
        self.unsettle()
        self.on_work()

    def unsettle(self) -> None:
        """Take note that the kernel does not hold what was decided, and until when nobody knows."""
        self.generation += 1
        self._policing.behind = True

    def _waits(self) -> bool:
        """Must what is decided wait? Amid a comparison that makes it so nobody else would, and it not yet."""
        return self._comparing and not self.is_settled()

    @contextmanager
    def comparing(self) -> Iterator[None]:
        """Have policy stay as it is meanwhile where only a comparison would make it so; it goes on after."""
        self._comparing = True
        try:
            yield
        finally:
            self._comparing = False
            if self._taught is not None:
                ever, self._taught = self._taught, None
                self._enforce(self._policing.learn(self.view, ever))
            if self._policing.waits:
                self._policing.on_news()

    def compared(self, generation: int, *, differed: bool) -> None:
        """Take note that the kernel was made to hold what was wanted at a generation."""
        self.settled = generation
        if self.is_settled():
            self._policing.behind = False
        if differed:
            self._policing.doubt()
        self.on_policed()

    def decide(self) -> None:
        """Decide about this node and its pods, and have every peer decided about again."""
        try:
            site = Site(self._running, self._running.network(self.view))
            node = self._part()
            self._unable = True
            self.refuse(node)
            self._unable = False
            self._replace_node(node)
            self._care.lower_mtu(site)
            self._pods = self._endpoints.settle_in(site)
        except (OctetError, ValueError) as error:
            if str(error) != self.problem:
                log.warning("no pod network", extra={"reason": str(error)})
            self.problem = str(error)
            return
        self._changed |= dict.fromkeys(name for name in self.view.nodes if name != self.view.me)
        self.problem = ""
        self.generation += 1
        self.on_site(site)

    def _part(self) -> Blueprint:
        """Return this node's part; what of it can't be decided is what it was. Raises OctetError."""
        node, unsure = self._running.node(self.view), self._running.unsure(self.view)
        if not unsure:
            return node
        mine = self._desired.part(NODE)
        kept = {item.key: item for item in mine if any(each.covers(item.key) for each in unsure)}
        return Blueprint([*kept.values(), *(item for item in node if item.key not in kept)])

    def _replace_node(self, node: Blueprint) -> None:
        """Give the node's part; peers who have decided for a different object under one of its keys yield."""
        try:
            self._desired.replace(NODE, node)
        except ValueError:
            for owner in self._desired.owners():
                if isinstance(owner, tuple) and owner[0] == "peer":
                    self._desired.replace(owner, Blueprint())
            self._desired.replace(NODE, node)

    def step(self) -> bool:
        """Decide about the next peers that changed, and make it so; True while more wait."""
        self.police()
        if self._endpoints.site is None or self._unable:
            return False
        names = list(self._changed)[:BATCH]
        for name in names:
            del self._changed[name]
        own = [self._renew()] if self._stale else []
        change = merged([*own, *(self._contribute(name, self.view.nodes.get(name)) for name in names)])
        if change and self.is_settled():
            self._applier.apply(change)
        return bool(self._changed)

    def _renew(self) -> Change:
        """Decide about this node's own part alone: it advertises something else, and no peer minds."""
        self._stale = False
        try:
            return self._desired.replace(NODE, self._part())
        except (OctetError, ValueError):
            self.decide()  # which says what is wrong
            return Change()

    def _contribute(self, name: str, peer: Node | None) -> Change:
        self._obstacles.pop(name, None)
        part = Blueprint()
        if peer is not None and (why := self._running.obstacles(self.view, peer)):
            self._obstacles[name] = why
        try:
            if peer is not None:  # the sessions of a node that is gone go with it
                before = self._desired.part(("peer", name))
                part = self.parting.kept(name, before, self._running.peer(self.view, peer))
        except BadConfigurationError as error:  # of what is said of a peer: what was known of it still stands
            self._refused[name] = f"node {name} stays as it was: {error}"
            return Change()
        except (OctetError, ValueError) as error:
            return self._leave_out(name, error)
        try:
            self.refuse(part)
            change = self._desired.replace(("peer", name), part)
        except (OctetError, ValueError) as error:
            return self._leave_out(name, error)
        self._refused.pop(name, None)
        if change.alter or change.remove:
            self._changed |= dict.fromkeys(self._refused)
        return change

    def _again(self, name: str) -> None:
        self._changed[name] = None
        self.on_work()

    def _leave_out(self, name: str, error: Exception) -> Change:
        self._refused[name] = f"node {name} is left out: {error}"
        return self._desired.replace(("peer", name), Blueprint())


def _name(change: NodeChanged) -> str:
    node = change.new or change.old
    return node.name if node is not None else ""
