"""The endpoints of this node: attach, detach, collect; each a few steps that survive a kill between.

What lives here: the order of steps (journal, kernel, journal) and their undoing. All of it is synchronous:
one step of the event loop, so no two requests ever interleave. What it must not know: CNI's JSON, models.
"""

import errno
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from octet.agent import answers
from octet.agent.applying import Applier
from octet.agent.claims import Claims
from octet.agent.desired import Desired
from octet.agent.journal import Journal
from octet.agent.policing import Policing
from octet.agent.records import Entry, State
from octet.agent.sandboxes import Identity, Sandboxes
from octet.attach import EndpointPlan
from octet.attach.names import is_of_a_pod, pod_mac, purpose
from octet.blueprint import Blueprint, Change, Link, Veth
from octet.cluster.endpoint import Attachment, Endpoint, NodeNetwork
from octet.cni.request import Request
from octet.cni.spec.failures import CniError, Code
from octet.cni.spec.result import Result
from octet.errors import NotReadyError, OctetError, RefusedByKernelError
from octet.ipam import Addresses, Allocation, Pool
from octet.ipam.limits import Limits
from octet.ipam.node_cidr import State as PoolState
from octet.kernel.port import Kernel, Outcome
from octet.models.model import Running

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Site:
    """What every attachment on this node needs, once the view is whole."""

    running: Running
    network: NodeNetwork


class Endpoints:
    """Every endpoint of this node. Not thread-safe: the event loop calls it.

    Attributes:
        limits: which of the node's addresses pods get.
        site: None until this node knows its share of the pod network.
        open: does the kernel hold what pods need? ADD answers "later" until then.
        on_retired: told that one more link waits for ``reap``.
        on_trouble: told that something of an endpoint may have stayed in the kernel.
    """

    def __init__(
        self,
        kernel: Kernel,
        applier: Applier,
        journal: Journal,
        desired: Desired,
        sandboxes: Sandboxes,
        policing: Policing,
    ) -> None:
        self.limits = Limits()
        self.site: Site | None = None
        self.open = False
        self.on_retired: Callable[[], None] = lambda: None
        self.on_trouble: Callable[[], None] = lambda: None
        self._kernel = kernel
        self._applier = applier
        self._journal = journal
        self._desired = desired
        self._sandboxes = sandboxes
        self._policing = policing
        self._pool: Addresses | None = None
        self._shared = False
        self._retired: list[Entry] = []
        self._leaving: Counter[tuple[Identity, str]] = Counter()
        self._claims = Claims()
        self._unmarked: set[Attachment] = set()
        self._entries: dict[Attachment, Entry] = {}
        for entry in journal.entries():
            self._keep(entry)

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries.values()))

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def pool(self) -> Addresses | None:
        """The node's addresses; None until the node's CIDR is known."""
        return self._pool

    @property
    def trouble(self) -> list[str]:
        """Why endpoints cannot be remembered, a sentence; none is all well."""
        return [self._journal.problem] if self._journal.problem else []

    def strangers(self) -> list[str]:
        """Return our links of pods on this node that the journal knows nothing of: ``NAME (PURPOSE)``.

        Every pair is journalled before it is made, so there are some only where the journal was lost. To
        remove what is not known would then cut off every running pod.
        """
        links = self._kernel.read(Blueprint()).of(Link)
        pairs = (link for link in links if isinstance(link.detail, Veth) and is_of_a_pod(link.purpose))
        return [f"{link.name} ({link.purpose})" for link in pairs if not self._claims.has_link(link.name)]

    def take_from(self, pool: Addresses) -> None:
        """Have addresses come from elsewhere than the node's CIDRs; it knows what there is already."""
        self._pool, self._shared = pool, True

    def get(self, key: Attachment | None) -> Entry | None:
        """Return an endpoint that is attached wholly, or None."""
        entry = self._entries.get(key) if key is not None else None
        return entry if entry is not None and entry.state is State.READY else None

    def plan(self, endpoint: Endpoint) -> EndpointPlan:
        """Return what the model wants for an endpoint. Raises NotReadyError before there is a network."""
        if self.site is None:
            raise NotReadyError("this node has no pod network yet")
        return self.site.running.endpoint(self.site.network, endpoint)

    def recover(self) -> list[Attachment]:
        """Finish what a killed agent left half done: roll back ADDs, complete DELs; return whose."""
        done = []
        for entry in self:
            if entry.state is State.READY:
                continue
            try:
                self._drop(entry)
            except OctetError as error:
                log.warning("cannot finish", extra={"endpoint": str(entry.attachment), "error": str(error)})
            else:
                done.append(entry.attachment)
        return done

    def settle_in(self, site: Site) -> list[str]:
        """Take a (new) share of the pod network: build the pool from what is remembered, replan all pods.

        Returns:
            Why pods could not be planned, a sentence each.

        Raises:
            BadConfigurationError: the limits lie outside of the node's CIDR; nothing has changed.
        """
        before = self.site
        if not self._shared and (before is None or _cidrs(before) != _cidrs(site)):
            self._pool = self._build(site)
        self.site = site
        problems = []
        for entry in self:
            try:
                self._desired.replace(entry.attachment, self.plan(entry.endpoint).node)
            except ValueError as error:
                problems.append(f"{entry.attachment}: {error}")
        return problems

    def _build(self, site: Site) -> Pool:
        """Return the pool of a share of the pod network, with what is remembered."""
        return Pool(
            [cidr for cidr in (site.network.v4, site.network.v6) if cidr is not None],
            ranges=self.limits.ranges,
            reserved=self.limits.reserved,
            gateway=bool(site.running.attach.shared_link),
            state=self._state(),
        )

    def _state(self) -> PoolState:
        return PoolState(
            allocations=tuple(entry.allocation for entry in self),
            cooling=tuple(entry.allocation for entry in self._retired),
            freed=self._journal.freed(),
        )

    def add(self, request: Request) -> Result:
        """Attach one interface; when this raises, nothing of it is left.

        Raises:
            CniError, OctetError: as the specification's codes say; NotReadyError while there is no network.
        """
        key, namespace = request.attachment, request.namespace
        if key is None or namespace is None:
            raise CniError(Code.INVALID_ENVIRONMENT, "ADD needs a container, an interface and a namespace")
        site, pool = self._ready()
        identity = self._sandboxes.look(namespace, request.netns)
        self._refuse_known(key, identity)
        self._claims.refuse_ports(request.config.host_ports)
        self._make_room(identity, key.interface)
        pod = request.pod.namespace, request.pod.name
        held = pool.allocate(key, request.config.ips, answers.ranges(request.config), pod)
        try:
            endpoint = self._endpoint(request, held, site)
            plan = self.plan(endpoint)
            entry = Entry(endpoint, State.ADDING, request.netns, identity)
            self._journal.write(entry)
        except BaseException:
            pool.release(key)
            raise
        self._keep(entry)
        try:
            self._make(plan, endpoint, namespace)
            self._journal.mark(key, State.READY)
        except BaseException:
            self._drop(entry)
            raise
        self._entries[key] = entry.now(State.READY)
        gateways = site.running.attach.gateways(site.network, endpoint)
        return answers.result(endpoint, plan, gateways, request.netns, request.config)

    def delete(self, key: Attachment) -> bool:
        """Detach: when this returns, the pod sends and receives nothing; False if it was not known.

        Raises:
            RefusedByKernelError: the pod's link could not be cut off; the endpoint is still known.
        """
        entry = self._entries.get(key)
        if entry is None:
            return False
        try:
            self._journal.mark(key, State.DELETING)
        except OSError as error:  # a full disk must not keep a pod from ending: ``settle`` marks it later
            log.warning("cannot note a DEL yet", extra={"endpoint": str(key), "error": str(error)})
            self._unmarked.add(key)
        self._entries[key] = entry.now(State.DELETING)
        self._drop(self._entries[key])
        return True

    def collect(self, network: str, valid: Iterable[Attachment]) -> list[Attachment]:
        """Detach everything of a network that is not listed; return what."""
        keep = frozenset(valid)
        gone = [key for key in self._entries if key.network == network and key not in keep]
        for key in gone:
            self.delete(key)
        return gone

    def retired(self) -> tuple[Entry, ...]:
        """Return detached endpoints whose links have yet to be reaped; the caller settles them after."""
        return tuple(self._retired)

    def settle(self, reaped: Iterable[Entry]) -> None:
        """Free the addresses of endpoints whose links are gone, and forget them."""
        gone = tuple(reaped)
        for key in self._unmarked & {entry.attachment for entry in gone}:
            if key not in self._entries:
                self._journal.mark(key, State.DELETING)
            self._unmarked.discard(key)
        self._journal.forget(gone)
        identities = {id(entry) for entry in gone}
        self._retired = [entry for entry in self._retired if id(entry) not in identities]
        self._leaving -= Counter(_place(entry) for entry in gone)
        for entry in gone:
            if self._pool is not None:
                self._pool.settle(entry.allocation)

    def remember(self, endpoint: Endpoint) -> None:
        """Take an endpoint that goes on with other values, such as a lower MTU."""
        entry = replace(self._entries[endpoint.attachment], endpoint=endpoint)
        self._journal.write(entry)
        self._entries[endpoint.attachment] = entry

    def _ready(self) -> tuple[Site, Addresses]:
        if self.site is None or self._pool is None or not self.open:
            raise NotReadyError("this node has no pod network yet")
        return self.site, self._pool

    def _refuse_known(self, key: Attachment, identity: Identity) -> None:
        if key in self._entries:
            raise CniError(Code.INTERFACE_EXISTS, f"{key} is attached already", details="DEL it first")
        self._claims.refuse_place(identity, key.interface)

    def _make_room(self, identity: Identity, interface: str) -> None:
        """Delete retired links now where one of them still has the interface's place in this namespace."""
        if self._leaving[identity, interface]:
            self._kernel.reap()

    def _endpoint(self, request: Request, held: Allocation, site: Site) -> Endpoint:
        key, pod, config = held.owner, request.pod, request.config
        taken = answers.has_default_route(config.previous) or self._claims.has_default_route(key.container)
        return Endpoint(
            attachment=key,
            host_link=self._host_link(key, pod.namespace, pod.name, site),
            mac=pod_mac(held.v4, held.v6, config.mac),
            mtu=site.network.mtu,
            v4=held.v4,
            v6=held.v6,
            namespace=pod.namespace,
            pod=pod.name,
            host_ports=config.host_ports,
            bandwidth=config.bandwidth,
            default_route=not taken,
        )

    def _host_link(self, key: Attachment, namespace: str, pod: str, site: Site) -> str:
        """Return the name of the node's end; a pod's second sandbox cannot have the first one's."""
        name = site.running.attach.host_link(key, namespace, pod)
        if self._claims.has_link(name):
            name = site.running.attach.host_link(key)
        if self._claims.has_link(name):
            raise CniError(Code.IN_USE, f"{name}, the name of the node's end of {key}, is another's")
        return name

    def _make(self, plan: EndpointPlan, endpoint: Endpoint, namespace: int) -> None:
        """Make what its policies say, then the pair: before the first packet there is nobody to send it."""
        try:
            change = self._desired.replace(endpoint.attachment, plan.node)
        except ValueError as error:
            raise CniError(Code.IN_USE, str(error)) from error
        policed = self._kernel.apply(self._policing.attach(endpoint))
        if not policed.ok:
            self.on_trouble()  # parts of what others are decided about may have been refused with it
        _insist(policed)
        with self._kernel.enter(namespace) as pod:
            _insist(pod.apply(Change(add=tuple(plan.pod))))
        _insist(self._kernel.apply(change))

    def _keep(self, entry: Entry) -> None:
        self._entries[entry.attachment] = entry
        self._claims.take(entry)

    def _drop(self, entry: Entry) -> None:
        """Take an endpoint out of the kernel and out of every table; its address waits for the reaper."""
        key, link = entry.attachment, entry.endpoint.host_link
        leaving = self._desired.replace(key, Blueprint()).remove or _least(entry.endpoint)
        outcome = self._applier.apply(Change(remove=leaving))
        stuck = next((each for each in outcome.failed if each.item.key == ("link", link)), None)
        if stuck is not None:
            raise RefusedByKernelError(stuck.item, stuck.errno, hint="the pod may still be connected")
        policed = self._applier.apply(self._policing.detach(key))
        if outcome.failed or policed.failed:
            self.on_trouble()
        del self._entries[key]
        self._claims.give_back(entry)
        if self._pool is not None:
            self._pool.hold(key)
        self._retired.append(entry.now(State.DELETING))
        self._leaving[_place(entry)] += 1
        self.on_retired()


def _place(entry: Entry) -> tuple[Identity, str]:
    return entry.identity, entry.attachment.interface


def _cidrs(site: Site) -> tuple[object, object]:
    return site.network.v4, site.network.v6


def _least(endpoint: Endpoint) -> tuple[Link]:
    """Return the one object that cuts a pod off, for when the model cannot be asked yet.

    What else there was is pruned as soon as it can.
    """
    key = endpoint.attachment
    return (Link(endpoint.host_link, Veth(key.interface), purpose(key)),)


def _insist(outcome: Outcome) -> None:
    """Raise for the first thing the kernel refused."""
    if outcome.ok:
        return
    worst = outcome.failed[0]
    code = Code.INTERFACE_EXISTS if worst.errno == errno.EEXIST else Code.REFUSED_BY_KERNEL
    raise CniError(code, f"the kernel refused {worst}", details=f"{len(outcome.failed)} refused")
