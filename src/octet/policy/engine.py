"""Policy of one node, kept up to date: contributions by owner, decided anew only where a change touches them.

What lives here: from changes of the view and of this node's endpoints to contributions. Only policies that
select an endpoint of this node come to anything. Pure. What it must not know: the kernel, timing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from octet.blueprint import Blueprint
from octet.blueprint.base import union
from octet.blueprint.nft import DROP, Element
from octet.cluster.changes import (
    NamespaceChanged,
    NodeChanged,
    PodChanged,
    PolicyChanged,
    PolicyPartChanged,
    SliceChanged,
    UnderlayChanged,
)
from octet.cluster.endpoint import Attachment, Endpoint
from octet.cluster.netpol import EGRESS, INGRESS
from octet.cluster.objects import Address, Pod, ServiceAccount
from octet.cluster.view import Learned, View, ViewChange
from octet.policy.dirty import Dirty
from octet.policy.gates import Gate, verdict
from octet.policy.groups import Candidate, Group
from octet.policy.holders import Entry, has_pods, of_address, of_networks
from octet.policy.hosts import Hosts, hosts
from octet.policy.indexing import Groups, likely
from octet.policy.judge import Packet, judge
from octet.policy.ordering import stages
from octet.policy.programs import Program, program
from octet.policy.rules import Stage
from octet.policy.told import Told

Owner = tuple[object, ...]
"""Who contributes what: ``BASE``, or ("policy", kind, name)."""

BASE: Owner = ("policy", "base")

FEW = 8
"""Groups that are asked one by one for their pods when they come or go."""

_SOURCES = {
    "NetworkSet": "network_sets",
    "GlobalNetworkSet": "global_network_sets",
    "HostEndpoint": "host_endpoints",
}
"""Kinds that groups take addresses from, and the collection of the view."""


class Engine:
    """What policy wants of one node's table. Not thread-safe.

    Attributes:
        affected: addresses of this node's endpoints about which something is decided otherwise than before;
            who looks at running connections takes them away.

    Every method that changes something returns the contributions that are different now, an empty one where
    an owner has none any more; together they are one transaction.
    """

    def __init__(self, view: View, gate: Gate) -> None:
        self.affected: set[Address] = set()
        self._view = view
        self._gate = gate
        self._endpoints: dict[Attachment, Endpoint] = {}
        self._attached: dict[tuple[str, str], dict[Attachment, None]] = {}
        self._local: dict[Address, tuple[str, str]] = {}
        self._chosen: dict[Attachment, tuple[Program | None, Program | None]] = {}
        self._programs: dict[str, Program] = {}
        self._users: dict[str, int] = {}
        self._groups = Groups()
        self._ever: Learned = view.learned
        self._hosts: Hosts | None = None
        self._known: dict[tuple[str, int, str, str], tuple[Stage, ...]] = {}
        self._stems: dict[str, dict[str, None]] = {}
        self._parts: dict[Owner, Blueprint] = {BASE: gate.base()}

    @property
    def parts(self) -> Mapping[Owner, Blueprint]:
        """All contributions."""
        return self._parts

    def blueprint(self) -> Blueprint:
        """Return everything together."""
        return union(self._parts.values())

    def told(self) -> dict[str, Told]:
        """Return what the prefixes of logged packets stand for, as long as there are such rules."""
        return {told.prefix: told for each in self._programs.values() for told in each.told}

    def attach(self, *endpoints: Endpoint) -> dict[Owner, Blueprint]:
        """Take endpoints in, or their next versions; many at once cost much less than one by one."""
        dirty = Dirty()
        for endpoint in endpoints:
            self._forget(endpoint.attachment, dirty)
            self._endpoints[endpoint.attachment] = endpoint
            place = (endpoint.namespace, endpoint.pod)
            self._attached.setdefault(place, {})[endpoint.attachment] = None
            self._local |= dict.fromkeys(endpoint.addresses, place)
            self._note(endpoint, dirty)
        return self._settle(dirty)

    def detach(self, key: Attachment) -> dict[Owner, Blueprint]:
        """Let an endpoint go; nothing where it is not known."""
        dirty = Dirty()
        self._forget(key, dirty)
        return self._settle(dirty)

    def _forget(self, key: Attachment, dirty: Dirty) -> None:
        endpoint = self._endpoints.pop(key, None)
        if endpoint is None:
            return
        place = (endpoint.namespace, endpoint.pod)
        del self._attached[place][key]
        if not self._attached[place]:
            del self._attached[place]
        for address in endpoint.addresses:
            self._local.pop(address, None)
        self._note(endpoint, dirty)

    def _note(self, endpoint: Endpoint, dirty: Dirty) -> None:
        dirty.endpoints[endpoint.attachment] = None
        dirty.addresses |= dict.fromkeys(endpoint.addresses)

    def see(self, view: View, changes: Iterable[ViewChange]) -> dict[Owner, Blueprint]:
        """Take the next version of the view."""
        self._view = view
        dirty = Dirty()
        for change in changes:
            self._touch(change, dirty)
        self._watching(dirty)
        return self._settle(dirty)

    def learn(self, view: View, ever: Learned) -> None:
        """Take a view in which only names mean something else; connections to what they ever meant go on."""
        self._view, self._ever = view, ever

    def outgoing(self) -> Iterator[tuple[Endpoint, tuple[Program, ...]]]:
        """Yield endpoints and the programs that their packets may go through: their own, and the hosts'."""
        others = (self._hosts or Hosts()).programs
        for key, (_, own) in self._chosen.items():
            yield self._endpoints[key], (*([own] if own is not None else ()), *others)

    def _touch(self, change: ViewChange, dirty: Dirty) -> None:
        """Note what a change may have to do with."""
        match change:
            case PodChanged():
                for pod in (change.old, change.new):
                    self._touch_pod(pod, dirty)
            case NamespaceChanged():
                namespace = change.new or change.old
                if namespace is not None:
                    self._touch_namespace(namespace.name, dirty)
            case PolicyChanged():
                policy = change.new or change.old
                if policy is not None:
                    dirty.endpoints |= dict.fromkeys(self._inside(policy.namespace))
            case PolicyPartChanged():
                self._touch_part(change, dirty)
            case NodeChanged():
                dirty.sources.add("nodes")
            case SliceChanged():
                dirty.sources.add("slices")
            case UnderlayChanged():
                dirty.hosts = True
            case _:
                pass

    def _touch_pod(self, pod: Pod | None, dirty: Dirty) -> None:
        if pod is None:
            return
        dirty.endpoints |= self._attached.get(pod.key, {})
        dirty.addresses |= dict.fromkeys(self._addresses(pod))

    def _touch_namespace(self, name: str, dirty: Dirty) -> None:
        for pod in self._view.pods.inside(name).values():
            dirty.addresses |= dict.fromkeys(self._addresses(pod))
        dirty.endpoints |= dict.fromkeys(self._inside(name))
        dirty.sources.add("namespaces")

    def _touch_part(self, change: PolicyPartChanged, dirty: Dirty) -> None:
        item = change.new or change.old
        kind = type(item).__name__
        dirty.hosts |= kind in ("HostEndpoint", "GlobalNetworkPolicy", "Tier")
        if kind in _SOURCES:
            dirty.sources.add(_SOURCES[kind])
        elif isinstance(item, ServiceAccount):
            for pod in self._view.pods.inside(item.namespace).values():
                self._touch_pod(pod, dirty)
        elif not kind.startswith("Staged"):
            dirty.endpoints |= dict.fromkeys(self._endpoints)

    def _inside(self, namespace: str) -> Iterator[Attachment]:
        for (name, _), keys in self._attached.items():
            if name == namespace:
                yield from keys

    def _addresses(self, pod: Pod) -> Iterable[Address]:
        """Return a pod's addresses; of a pod of this node also those that its status does not say yet."""
        mine = (self._endpoints[key].addresses for key in self._attached.get(pod.key, ()))
        return dict.fromkeys((*pod.own_ips, *(address for each in mine for address in each)))

    def _watching(self, dirty: Dirty) -> None:
        """Note the programs with groups that take addresses from what changed."""
        if not dirty.sources:
            return
        for name, each in self._programs.items():
            if each.watches & dirty.sources:
                dirty.programs[name] = None

    def _settle(self, dirty: Dirty) -> dict[Owner, Blueprint]:
        changed: dict[Owner, Blueprint] = {}
        self._known.clear()
        for key in dirty.endpoints:
            endpoint = self._endpoints.get(key)
            before = self._chosen.get(key)
            self._replace(("policy", "endpoint", key), self._endpoint(key, dirty), changed)
            if endpoint is not None and _identities(self._chosen.get(key)) != _identities(before):
                self.affected.update(endpoint.addresses)
        if dirty.hosts or self._hosts is None:
            self._replace(("policy", "hosts"), self._host_endpoints(dirty), changed)
        for name in dirty.programs:
            if self._replace(("policy", "program", name), self._program(name), changed):
                dirty.altered.add(name)
        self._regroup(dirty)
        for address in dirty.addresses:
            owner = ("policy", "address", address)
            held = self._parts.get(owner, Blueprint())
            if self._replace(owner, part := self._address(address), changed):
                dirty.altered |= self._asking(held, part)
        self._affect(dirty)
        return changed

    def _affect(self, dirty: Dirty) -> None:
        """Note the endpoints whose programs ask for sets that have other elements now."""
        for key, chosen in self._chosen.items():
            if any(each is not None and each.entrance in dirty.altered for each in chosen):
                self.affected.update(self._endpoints[key].addresses)

    def judge(self, packet: Packet) -> bool:
        """May a connection go on that begins with this packet, as far as this node's endpoints have a say?

        What a policy that keeps running connections forbids goes on.
        """
        for way, address in ((EGRESS, packet.source), (INGRESS, packet.destination)):
            pod = self._pod_at(address) if address in self._local else None
            if pod is None:
                continue
            lasting = replace(self._view, learned=self._ever)
            found = judge(stages(self._view, pod, way), packet, way, lasting, self._pod_at)
            if not found.allowed and not (found.stage is not None and found.stage.keep):
                return False
        return True

    def affect_all(self) -> None:
        """Note all endpoints, where nobody knows what was decided before."""
        self.affected.update(self._local)

    def _replace(self, owner: Owner, part: Blueprint, changed: dict[Owner, Blueprint]) -> bool:
        """Give an owner's part; False where it is as before."""
        held = self._parts.get(owner, Blueprint())
        if part == held:
            return False
        changed[owner] = part
        if len(part):
            self._parts[owner] = part
        else:
            del self._parts[owner]
        return True

    def _asking(self, before: Blueprint, after: Blueprint) -> set[str]:
        """Return the programs that ask for a set with elements that only one of two parts has."""
        sets = {item.of for item in (*(before - after), *(after - before)) if isinstance(item, Element)}
        stems = {name.rpartition("-")[0] for name in sets}
        return {program for stem in stems for program in self._stems.get(stem, ())}

    def _endpoint(self, key: Attachment, dirty: Dirty) -> Blueprint:
        """Choose an endpoint's programs; return its entries in the dispatch maps."""
        before = self._chosen.pop(key, (None, None))
        endpoint = self._endpoints.get(key)
        pod = self._view.pods.get((endpoint.namespace, endpoint.pod)) if endpoint is not None else None
        now = self._programs_of(endpoint, pod)
        for each in now:
            self._use(each, 1, dirty)
        for each in before:
            self._use(each, -1, dirty)
        if endpoint is None:
            return Blueprint()
        self._chosen[key] = now
        if pod is None and endpoint.pod:
            return self._gate.endpoint(endpoint, DROP, DROP)
        ingress, egress = (each.entrance if each is not None else None for each in now)
        outgoing = verdict(egress, other=ingress is not None)
        incoming = verdict(ingress, other=egress is not None)
        return self._gate.endpoint(endpoint, outgoing, incoming)

    def _host_endpoints(self, dirty: Dirty) -> Blueprint:
        """Find this node's host endpoints anew; return the chains that lead to their programs."""
        before, self._hosts = self._hosts or Hosts(), hosts(self._view, self._gate.ends)
        for each in self._hosts.programs:
            self._use(each, 1, dirty)
        for each in before.programs:
            self._use(each, -1, dirty)
        return Blueprint(self._hosts.objects)

    def _programs_of(
        self, endpoint: Endpoint | None, pod: Pod | None
    ) -> tuple[Program | None, Program | None]:
        if endpoint is None or pod is None:
            return None, None
        families = tuple(address.version for address in endpoint.addresses)
        ingress, egress = (program(self._stages(pod, way), pod, way, families) for way in (INGRESS, EGRESS))
        return ingress, egress

    def _stages(self, pod: Pod, way: str) -> tuple[Stage, ...]:
        """Return the tiers of a pod; those of a Deployment have the same, and are asked about once."""
        key = (pod.namespace, id(pod.labels), pod.service_account, way)
        if key not in self._known:
            self._known[key] = stages(self._view, pod, way)
        return self._known[key]

    def _use(self, each: Program | None, count: int, dirty: Dirty) -> None:
        """Count who has a program; one that comes or goes changes who is asked for which groups."""
        if each is None:
            return
        name = each.entrance
        self._users[name] = self._users.get(name, 0) + count
        held = self._programs.get(name)
        if count > 0 and held is not each:
            self._programs[name] = each
            self._index(name, held, each, dirty)
        elif self._users[name] == 0:
            del self._users[name], self._programs[name]
            self._index(name, held, None, dirty)

    def _index(self, name: str, before: Program | None, after: Program | None, dirty: Dirty) -> None:
        """Ask for what a program asks for now; what both of its versions ask for is left as it is."""
        dirty.programs[name] = None
        old, new = (each.entries if each is not None else () for each in (before, after))
        held, coming = {id(entry) for entry in old}, {id(entry) for entry in new}
        self._ask(name, [entry for entry in new if id(entry) not in held], dirty)
        gone = [entry for entry in old if id(entry) not in coming]
        stems = {entry.stem for entry in gone} - {entry.stem for entry in new} if gone else set()
        for stem in stems:
            del self._stems[stem][name]
            if not self._stems[stem]:
                del self._stems[stem]
        for entry in gone:
            if has_pods(entry.group) and self._groups.count(entry, -1):
                dirty.groups[entry.group] = None

    def _ask(self, name: str, entries: Iterable[Entry], dirty: Dirty) -> None:
        for entry in entries:
            self._stems.setdefault(entry.stem, {})[name] = None
            if has_pods(entry.group) and self._groups.count(entry, 1):
                dirty.groups[entry.group] = None

    def _regroup(self, dirty: Dirty) -> None:
        """Note the addresses of groups that came or went; of many, everybody's, which is less to ask."""
        if len(dirty.groups) > FEW:
            for pod in self._view.pods.values():
                dirty.addresses |= dict.fromkeys(self._addresses(pod))
            return
        for group in dirty.groups:
            dirty.addresses |= dict.fromkeys(self._members(group))

    def _members(self, group: Group) -> Iterator[Address]:
        for pod in likely(group, group.candidates(self._view)):
            if group.has(Candidate(self._view, pod)):
                yield from self._addresses(pod)

    def _program(self, name: str) -> Blueprint:
        each = self._programs.get(name)
        if each is None:
            return Blueprint()
        return Blueprint([*each.objects, *of_networks(self._view, each.entries)])

    def _address(self, address: Address) -> Blueprint:
        """Return what an address is in, by the pod that has it: of this node, or else by the API's word."""
        pod = self._pod_at(address)
        if pod is None or pod.finished:
            return Blueprint()
        candidate = Candidate(self._view, pod)
        entries = (each for each in self._groups.of(candidate) if address.version in each.families)
        return Blueprint(of_address(address, pod, entries))

    def _pod_at(self, address: Address) -> Pod | None:
        pods = self._view.pods
        return pods.get(self._local[address]) if address in self._local else pods.at(address)


def _identities(chosen: tuple[Program | None, Program | None] | None) -> list[str]:
    return [each.identity if each is not None else "" for each in chosen or ()]
