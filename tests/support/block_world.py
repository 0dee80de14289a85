"""Several nodes over one store of blocks, moved one request at a time: anything may happen in between.

``World`` is the store and the truth; ``Machine`` is a node: its journal survives the death of its agent, its
kernel knows which addresses its pods have.
"""

from dataclasses import dataclass, field
from ipaddress import ip_network

from octet.cluster.changes import Underlay
from octet.cluster.endpoint import Attachment
from octet.cluster.objects import IPAM_KINDS
from octet.cluster.pools import allocatable
from octet.cluster.view import View
from octet.errors import NotFoundError, NotReadyError, OctetError
from octet.ipam.blocks.candidates import Taken
from octet.ipam.blocks.collecting import Collector
from octet.ipam.blocks.ledger import Ledger
from octet.ipam.blocks.selection import Defaults, Rules, Wish
from octet.ipam.blocks.shelf import Holding, Shelf
from octet.ipam.blocks.steps import Create, Delete, Get, List, RaceError, Update
from octet.ipam.blocks.tending import Tender
from octet.store import documents
from octet.store.contract import ConflictError
from octet.store.documents import Key

START = 1_700_000_000.0


class SilentError(NotReadyError):
    """The store did not answer; what was asked may have happened."""


class World:
    """Objects by kind and name, with the stores' own rules, and the time."""

    def __init__(self, *items):
        self.now = START
        self.objects = {}
        self.revision = 0
        self.writes = 0
        for item in items:
            self.put(item)

    def put(self, item):
        """Make or replace an object as an operator would."""
        key = (item["kind"], item["metadata"]["name"])
        self.revision += 1
        self.objects[key] = documents.first(Key(key[0], "", key[1]), item, self.revision)

    def answer(self, request):
        """Do what a request asks for, and return the answer; raises RaceError, NotFoundError."""
        if isinstance(request, List):
            return [item for (kind, _), item in sorted(self.objects.items()) if kind == request.kind]
        if isinstance(request, Get):
            return self._held(request.kind, request.name)
        self.writes += 1
        if isinstance(request, Create):
            return self._create(request)
        if isinstance(request, Update):
            return self._update(request)
        assert isinstance(request, Delete)
        held = self._held(request.kind, request.name)
        self._same(request, held, request.revision)
        del self.objects[request.kind, request.name]
        self.revision += 1
        return None

    def _create(self, request):
        key = documents.key_of(request.kind, request.item)
        if (key.kind, key.name) in self.objects:
            raise RaceError(f"{key} exists")
        self.revision += 1
        made = documents.decode(documents.encode(key, documents.first(key, request.item, self.revision)))
        self.objects[key.kind, key.name] = made
        return made

    def _update(self, request):
        key = documents.key_of(request.kind, request.item)
        held = self._held(key.kind, key.name)
        assert request.item["metadata"].get("resourceVersion"), "every update is a compare-and-swap"
        try:
            made = documents.following(key, held, request.item, self.revision + 1)
        except ConflictError as error:
            raise RaceError(str(error)) from error
        if made is None:
            return held
        self.revision += 1
        self.objects[key.kind, key.name] = made
        return made

    def _held(self, kind, name):
        if (kind, name) not in self.objects:
            raise NotFoundError(f"no {kind} {name}")
        return self.objects[kind, name]

    @staticmethod
    def _same(request, held, revision):
        if held["metadata"]["resourceVersion"] != revision:
            raise RaceError(f"{request.name} changed")

    def do(self, steps):
        """Do all steps at once; return what came of them."""
        try:
            request = next(steps)
            while True:
                try:
                    answer = self.answer(request)
                except OctetError as error:
                    request = steps.throw(error)
                else:
                    request = steps.send(answer)
        except StopIteration as done:
            return done.value

    def view(self, me="nobody", pods=()):
        """Return what a node sees."""
        view = View(me, Underlay("eth0", 1500))
        for kind in ("Node", "Namespace", *IPAM_KINDS):
            listed = view.with_listing(kind, self.answer(List(kind)))
            assert listed.refused == ()
            view = listed.view
        return view.with_listing("Pod", list(pods)).view


@dataclass
class Machine:
    """A node: what outlives its agent, and its agent while that lives."""

    world: World
    name: str
    journal: dict = field(default_factory=dict)
    cooling: dict = field(default_factory=dict)
    freed: dict = field(default_factory=dict)
    shelf: Shelf | None = None
    defaults: Defaults = field(default_factory=Defaults)
    collecting: bool = False
    pods: list = field(default_factory=list)

    def start(self):
        """Start the agent: it knows its journal and nothing else."""
        holding = [Holding(given, since=START) for given in self.journal.values()]
        leaving = [Holding(given, since=START) for given in self.cooling.values()]
        self.shelf = Shelf(self.name, holding, leaving)
        self.ledger = Ledger(self.shelf, self.freed)
        self.tender = Tender(self.shelf, self.ledger)
        self.collector = Collector(self.name)
        self.steps, self.request = None, None
        self.look()

    def die(self):
        """End the agent wherever it is."""
        self.shelf = self.steps = self.request = None

    @property
    def alive(self):
        return self.shelf is not None

    def look(self):
        """See the cluster as it is now."""
        self.view = self.world.view(self.name)
        self.shelf.now = self.world.now
        self.shelf.obey(Rules.of(self.view))
        meant = Wish(self.defaults.families, tuple(self.defaults.pools.items()))
        self.shelf.wishes = lambda _namespace, _pod: meant
        self.shelf.expect(meant, standing=True)
        taken = Taken(each.cidr for each in self.view.blocks.values())
        self.tender.scarce = lambda pools: 8 * sum(map(taken.left, pools)) < sum(p.capacity for p in pools)
        self.tender.notice(self.view)

    def step(self, *, lose_answer=False, silent=False):
        """Do one request of what the agent is at; return whether there was any."""
        if self.steps is None:
            self.steps = self.tender.next(self.world.now)
            if self.steps is None and self.collecting:
                self.steps = self.collector.next(self.world.view(self.name, self.pods), self.world.now)
            if self.steps is None:
                return False
            self._go(next)
            return True
        try:
            if silent:
                raise SilentError("no answer")
            answer = self.world.answer(self.request)
            if lose_answer:
                raise SilentError("no answer")
        except OctetError as error:
            self._go(lambda steps, error=error: steps.throw(error))
        else:
            self._go(lambda steps: steps.send(answer))
        return True

    def _go(self, move):
        try:
            self.request = move(self.steps)
        except StopIteration:
            self.steps = self.request = None
        except SilentError:
            self.steps = self.request = None
        except OctetError:
            self.tender.stumble(self.world.now)
            self.steps = self.request = None

    def settle(self, limit=3000):
        """Do everything there is to do; returns whether it came to an end."""
        for _ in range(limit):
            self.look() if self.steps is None else None
            if not self.step():
                return True
        return False

    def add(self, number, *requested):
        """Attach a pod, as the agent does: shelf, journal, kernel. Returns its addresses, or raises."""
        owner = Attachment("k8s-pod-network", f"{self.name}-{number}", "eth0")
        given = self.shelf.allocate(owner, requested)
        for address in given.addresses:
            self.freed.pop(address, None)
        self.journal[owner] = given
        return given.addresses

    def delete(self, owner):
        """Detach a pod up to where its link waits to be reaped."""
        if self.alive:
            self.shelf.hold(owner)
        self.cooling[owner] = self.journal.pop(owner)

    def reap(self):
        """Reap all links that wait: their addresses may be others'."""
        for owner, given in tuple(self.cooling.items()):
            del self.cooling[owner]
            self.freed.update(dict.fromkeys(given.addresses))
            self.shelf.settle(given)

    @property
    def addresses(self):
        """Every address that a pod of this node has, or whose link is still there."""
        given = (*self.journal.values(), *self.cooling.values())
        return [address for each in given for address in each.addresses]


def pool(name="pool", cidr="10.0.0.0/24", block=28, **spec):
    return {"kind": "IPPool", "metadata": {"name": name}, "spec": {"cidr": cidr, "blockSize": block, **spec}}


def node(name, labels=None):
    return {
        "kind": "Node",
        "metadata": {"name": name, "labels": labels or {}},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }


def config(**spec):
    return {"kind": "IPAMConfiguration", "metadata": {"name": "default"}, "spec": spec}


def reservation(*cidrs):
    return {"kind": "IPReservation", "metadata": {"name": "r"}, "spec": {"reservedCIDRs": list(cidrs)}}


def usable(world):
    """Return the pools of a world that count."""
    return allocatable(world.view().pools.values())


def cidr(text):
    return ip_network(text)
