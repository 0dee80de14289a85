"""The endpoints of this node: attach, detach, check, collect; each a few steps that survive a kill between.

What lives here: the order of steps (journal, kernel, journal) and their undoing. All of it is synchronous:
one step of the event loop, so no two requests ever interleave. What it must not know: CNI's JSON, models.
"""

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from octet.agent import answers
from octet.agent.desired import Desired
from octet.agent.journal import Journal
from octet.agent.records import Entry, State
from octet.attach import EndpointPlan
from octet.attach.names import pod_mac, purpose
from octet.blueprint import Blueprint, Change, Link, Veth
from octet.cluster.endpoint import Attachment, Endpoint, HostPort, NodeNetwork
from octet.cni.request import Request
from octet.cni.spec.failures import CniError, Code
from octet.cni.spec.result import Result
from octet.errors import NotReadyError
from octet.ipam.node_cidr import Allocation, Pool, Range
from octet.ipam.node_cidr import State as PoolState
from octet.kernel import namespaces
from octet.kernel.port import Kernel, Outcome
from octet.models.model import Running


@dataclass(frozen=True, slots=True)
class Site:
    """What every attachment on this node needs, once the view is whole."""

    running: Running
    network: NodeNetwork


class Endpoints:
    """Every endpoint of this node. Not thread-safe: the event loop calls it.

    Attributes:
        site: None until this node knows its share of the pod network; ADD answers "later" until then.
        on_retired: told that links wait for ``reap``.
    """

    def __init__(self, kernel: Kernel, journal: Journal, desired: Desired) -> None:
        self.site: Site | None = None
        self.on_retired: Callable[[], None] = lambda: None
        self._kernel = kernel
        self._journal = journal
        self._desired = desired
        self._own = namespaces.own_identity()
        self._entries: dict[Attachment, Entry] = {entry.attachment: entry for entry in journal.entries()}
        self._pool: Pool | None = None
        self._retired: list[Entry] = []

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def pool(self) -> Pool | None:
        """The node's addresses; None until the node's CIDR is known."""
        return self._pool

    def settle_in(self, site: Site) -> None:
        """Take a (new) share of the pod network: build the pool from what is remembered, replan all pods."""
        networks = [cidr for cidr in (site.network.v4, site.network.v6) if cidr is not None]
        changed = self.site is None or (self.site.network.v4, self.site.network.v6) != (
            site.network.v4,
            site.network.v6,
        )
        if changed:
            self._pool = Pool(networks, gateway=bool(site.running.attach.shared_link), state=self._state())
        self.site = site
        for entry in list(self._entries.values()):
            self._desired.replace(entry.attachment, self._plan(entry.endpoint).node)

    def _state(self) -> PoolState:
        held = self._entries.values()
        return PoolState(
            allocations=tuple(entry.allocation for entry in held if entry.state is not State.DELETING),
            cooling=tuple(entry.allocation for entry in (*self._retired, *held) if _given_up(entry)),
            freed=self._journal.freed(),
        )

    def recover(self) -> list[Attachment]:
        """Finish what a killed agent left half done: roll back ADDs, complete DELs; return whose."""
        broken = [entry for entry in self._entries.values() if entry.state is not State.READY]
        for entry in broken:
            self._drop(entry)
        return [entry.attachment for entry in broken]

    def add(self, request: Request) -> Result:
        """Attach one interface; when this raises, nothing of it is left.

        Raises:
            CniError, OctetError: as the specification's codes say; NotReadyError while there is no network.
        """
        key, namespace = request.attachment, request.namespace
        if key is None or namespace is None:
            raise CniError(Code.INVALID_ENVIRONMENT, "ADD needs a container, an interface and a namespace")
        site, pool = self._ready()
        self._refuse_namespace(namespace, request.netns)
        self._refuse_known(key)
        self._refuse_host_ports(key, request.config.host_ports)
        held = pool.allocate(key, request.config.ips, _ranges(request))
        try:
            endpoint = self._endpoint(request, key, held, site)
            plan = self._plan(endpoint)
            entry = Entry(endpoint, State.ADDING, request.netns, namespaces.identity(namespace))
            self._journal.write(entry)
        except BaseException:
            pool.release(key)
            raise
        self._entries[key] = entry
        try:
            self._make(plan, key, namespace)
        except BaseException:
            self._drop(entry)
            raise
        self._entries[key] = entry.now(State.READY)
        self._journal.mark(key, State.READY)
        gateways = site.running.attach.gateways(site.network, endpoint)
        config = request.config
        return answers.result(
            endpoint, plan.pod, gateways, request.netns, before=config.previous, dns=config.dns
        )

    def delete(self, key: Attachment) -> bool:
        """Detach: when this returns, the pod sends and receives nothing; False if it was not known."""
        entry = self._entries.get(key)
        if entry is None:
            return False
        self._journal.mark(key, State.DELETING)
        self._drop(entry)
        return True

    def collect(self, network: str, valid: Iterable[Attachment]) -> list[Attachment]:
        """Detach everything of a network that is not listed; return what."""
        keep = frozenset(valid)
        gone = [key for key in self._entries if key.network == network and key not in keep]
        for key in gone:
            self.delete(key)
        return gone

    def check(self, request: Request) -> None:
        """Compare kernel and prevResult with what was made. Raises CniError naming every difference."""
        key, namespace = request.attachment, request.namespace
        entry = self._entries.get(key) if key is not None else None
        if key is None or namespace is None or entry is None or entry.state is not State.READY:
            raise CniError(Code.UNKNOWN_CONTAINER, f"{key} is not attached")
        self._ready()
        plan = self._plan(entry.endpoint)
        wrong = (
            []
            if request.config.previous is None
            else [*answers.disagreements(entry.endpoint, request.config.previous)]
        )
        with self._kernel.enter(namespace) as pod:
            wrong += _missing("the pod", plan.pod, pod.read(plan.pod))
        wrong += _missing("the node", plan.node, self._kernel.read(plan.node))
        if wrong:
            raise CniError(Code.CHECK_FAILED, "; ".join(wrong))

    def take_retired(self) -> list[Entry]:
        """Return detached endpoints whose links have yet to be reaped; the caller settles them after."""
        taken, self._retired = self._retired, []
        return taken

    def settle(self, retired: list[Entry]) -> None:
        """Free the addresses of endpoints whose links are gone, and forget them."""
        self._journal.forget(retired)
        for entry in retired:
            if self._pool is not None:
                self._pool.settle(entry.allocation)

    def lower_mtu(self, mtu: int) -> list[Endpoint]:
        """Plan running pods again that would send more than the path takes; return them as they were."""
        lowered = []
        for key, entry in list(self._entries.items()):
            endpoint = answers.with_mtu(entry.endpoint, mtu)
            if endpoint is not entry.endpoint:
                lowered.append(entry.endpoint)
                changed = Entry(endpoint, entry.state, entry.netns, entry.identity)
                self._entries[key] = changed
                self._journal.write(changed)
        return lowered

    def rebuild(self, key: Attachment) -> bool:
        """Make the pod's end as it should be, if its namespace still opens by its path; False if not."""
        entry = self._entries.get(key)
        if entry is None or not entry.netns:
            return False
        try:
            namespace = os.open(entry.netns, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            if namespaces.identity(namespace) != entry.identity:
                return False
            with self._kernel.enter(namespace) as pod:
                outcome = pod.apply(Change(add=tuple(self._plan(entry.endpoint).pod)))
            return outcome.ok
        finally:
            os.close(namespace)

    def _ready(self) -> tuple[Site, Pool]:
        if self.site is None or self._pool is None:
            raise NotReadyError("this node has no pod network yet")
        return self.site, self._pool

    def _plan(self, endpoint: Endpoint) -> EndpointPlan:
        site, _ = self._ready()
        return site.running.endpoint(site.network, endpoint)

    def _refuse_namespace(self, namespace: int, path: str) -> None:
        if not namespaces.is_network_namespace(namespace):
            raise CniError(Code.INVALID_NETNS, f"CNI_NETNS = {path}: is not a network namespace")
        if namespaces.identity(namespace) == self._own:
            raise CniError(Code.INVALID_NETNS, f"CNI_NETNS = {path}: is the node's own network namespace")

    def _refuse_known(self, key: Attachment) -> None:
        if key in self._entries:
            raise CniError(Code.INTERFACE_EXISTS, f"{key} is attached already", details="DEL it first")

    def _refuse_host_ports(self, key: Attachment, wanted: tuple[HostPort, ...]) -> None:
        for port in wanted:
            for entry in self._entries.values():
                if any(_collide(port, held) for held in entry.endpoint.host_ports):
                    where = f"{port.protocol} {port.host_port}"
                    raise CniError(Code.IN_USE, f"host port {where} belongs to {entry.attachment}, not {key}")

    def _endpoint(self, request: Request, key: Attachment, held: Allocation, site: Site) -> Endpoint:
        pod, config = request.pod, request.config
        return Endpoint(
            attachment=key,
            host_link=site.running.attach.host_link(key, pod.namespace, pod.name),
            mac=pod_mac(held.v4, held.v6, config.mac),
            mtu=site.network.mtu,
            v4=held.v4,
            v6=held.v6,
            namespace=pod.namespace,
            pod=pod.name,
            host_ports=config.host_ports,
            bandwidth=config.bandwidth,
            default_route=not answers.has_default_route(config.previous) and not self._has_default(key),
        )

    def _has_default(self, key: Attachment) -> bool:
        """Has the container a default route already, through another interface of ours?"""
        return any(
            other.container == key.container and entry.endpoint.default_route
            for other, entry in self._entries.items()
        )

    def _make(self, plan: EndpointPlan, key: Attachment, namespace: int) -> None:
        change = self._desired.replace(key, plan.node)
        with self._kernel.enter(namespace) as pod:
            _insist(pod.apply(Change(add=tuple(plan.pod))))
        _insist(self._kernel.apply(change))

    def _drop(self, entry: Entry) -> None:
        """Take an endpoint out of the kernel and out of every table; its address waits for the reaper."""
        key = entry.attachment
        plan = self._desired.part(key)
        if not len(plan):
            plan = _least(entry.endpoint)
        self._desired.replace(key, Blueprint())
        self._kernel.apply(Change(remove=tuple(plan)))
        del self._entries[key]
        if self._pool is not None:
            self._pool.hold(key)
        self._retired.append(entry.now(State.DELETING))
        self.on_retired()


def _given_up(entry: Entry) -> bool:
    return entry.state is State.DELETING


def _least(endpoint: Endpoint) -> Blueprint:
    """Return the one object that cuts a pod off, for when the model cannot be asked yet.

    What else there was is pruned as soon as it can.
    """
    key = endpoint.attachment
    return Blueprint([Link(endpoint.host_link, Veth(key.interface), purpose(key))])


def _insist(outcome: Outcome) -> None:
    """Raise for the first thing the kernel refused."""
    if outcome.ok:
        return
    worst = outcome.failed[0]
    code = Code.INTERFACE_EXISTS if worst.errno == errno.EEXIST else Code.REFUSED_BY_KERNEL
    raise CniError(code, f"the kernel refused {worst}", details=f"{len(outcome.failed)} refused")


def _collide(one: HostPort, other: HostPort) -> bool:
    same = (one.host_port, one.protocol) == (other.host_port, other.protocol)
    return same and (one.address == other.address)


def _missing(where: str, wanted: Blueprint, found: Blueprint) -> list[str]:
    change = wanted.change_from(found)
    lacking = [f"{where} lacks {item}" for item in change.add]
    return lacking + [f"{where} has {old}, not {new}" for old, new in change.alter]


def _ranges(request: Request) -> tuple[Range, ...]:
    """Return the first and last address of every range that the runtime wants chosen from."""
    return tuple(
        (each.start or each.subnet[0], each.end or each.subnet[-1])
        for one_set in request.config.ip_ranges
        for each in one_set
    )
