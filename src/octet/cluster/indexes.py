"""Collections of nodes, pods and named objects that find their members by more than the name.

What lives here: ``Nodes`` (by CIDR), ``Pods`` (by address, node, namespace), ``Slices`` (by service),
``ByNode`` (by node), ``Named`` (by namespace). All are immutable mappings; a change returns the next
version in microseconds.
What it must not know: events, the View.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from octet.cluster.ownership import BlockAffinity, IPAMBlock
from octet.cluster.reading import Address, Network
from octet.cluster.services import EndpointSlice
from octet.cluster.table import Groups, Table
from octet.cluster.workloads import Namespace, Node, Pod

Key = tuple[str, str]
"""(namespace, name)."""

_Prefix = tuple[int, int]  # (family, length)
_Cidr = tuple[int, int, int]  # (family, length, first address)


class Keyed(Protocol):
    """An object inside a namespace."""

    @property
    def key(self) -> Key:
        """(namespace, name)."""
        ...


N = TypeVar("N", bound=Keyed)


def _cidr(network: Network) -> _Cidr:
    return network.version, network.prefixlen, int(network.network_address)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Nodes(Mapping[str, Node]):
    """Nodes by name; ``owner`` finds the one whose pod CIDR holds an address."""

    _nodes: Table[str, Node] = field(default_factory=Table)
    _cidrs: Groups[_Cidr, str, Node] = field(default_factory=Groups)
    _lengths: Counter[_Prefix] = field(default_factory=Counter)

    @classmethod
    def of(cls, nodes: Iterable[Node]) -> "Nodes":
        """Return a collection of many nodes at once."""
        table = Table.of((each.name, each) for each in nodes)
        cidrs = [(_cidr(cidr), node.name, node) for node in table.values() for cidr in node.pod_cidrs]
        return cls(table, Groups.of(cidrs), Counter(cidr[:2] for cidr, _, _ in cidrs))

    def __getitem__(self, name: str) -> Node:
        return self._nodes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def owner(self, address: Address) -> Node | None:
        """Return the node whose pod CIDR holds an address; the longest CIDR, then the first name, wins."""
        number = int(address)
        for version, length in sorted(self._lengths, reverse=True):
            shift = address.max_prefixlen - length
            if version == address.version and (
                found := self._cidrs[version, length, number >> shift << shift]
            ):
                return found[min(found)]
        return None

    def change(self, old: Node | None, new: Node | None) -> "Nodes":
        """Return the version in which the old node is the new one; None is absence."""
        nodes, cidrs, lengths = self._nodes, self._cidrs, self._lengths.copy()
        if old is not None:
            nodes = nodes.without(old.name)
            for cidr in map(_cidr, old.pod_cidrs):
                cidrs = cidrs.without(cidr, old.name)
                lengths[cidr[:2]] -= 1
        if new is not None:
            nodes = nodes.with_item(new.name, new)
            for cidr in map(_cidr, new.pod_cidrs):
                cidrs = cidrs.with_item(cidr, new.name, new)
                lengths[cidr[:2]] += 1
        return Nodes(nodes, cidrs, +lengths)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Namespaces(Mapping[str, Namespace]):
    """Namespaces by name."""

    _table: Table[str, Namespace] = field(default_factory=Table)

    @classmethod
    def of(cls, namespaces: Iterable[Namespace]) -> "Namespaces":
        """Return a collection of many namespaces at once."""
        return cls(Table.of((each.name, each) for each in namespaces))

    def __getitem__(self, name: str) -> Namespace:
        return self._table[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    def change(self, old: Namespace | None, new: Namespace | None) -> "Namespaces":
        """Return the version in which the old namespace is the new one; None is absence."""
        if new is not None:
            return Namespaces(self._table.with_item(new.name, new))
        return self if old is None else Namespaces(self._table.without(old.name))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Named(Mapping[Key, N], Generic[N]):
    """Objects by (namespace, name); ``inside`` gives those of one namespace."""

    _items: Table[Key, N] = field(default_factory=Table)
    _namespaces: Groups[str, Key, N] = field(default_factory=Groups)

    @classmethod
    def of(cls, items: Iterable[N]) -> "Named[N]":
        """Return a collection of many objects at once."""
        table = Table.of((each.key, each) for each in items)
        return cls(table, Groups.of((key[0], key, item) for key, item in table.items()))

    def __getitem__(self, key: Key) -> N:
        return self._items[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def inside(self, namespace: str) -> Mapping[Key, N]:
        """Return the objects of one namespace, by key."""
        return self._namespaces[namespace]

    def change(self, old: N | None, new: N | None) -> "Named[N]":
        """Return the version in which the old object is the new one; None is absence."""
        items, namespaces = self._items, self._namespaces
        if old is not None and new is None:
            items, namespaces = items.without(old.key), namespaces.without(old.key[0], old.key)
        if new is not None:
            items, namespaces = items.with_item(new.key, new), namespaces.with_item(new.key[0], new.key, new)
        return Named(items, namespaces)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Pods(Mapping[Key, Pod]):
    """Pods by (namespace, name); found by address, node and namespace as well."""

    _named: Named[Pod] = field(default_factory=Named)
    _nodes: Groups[str, Key, Pod] = field(default_factory=Groups)
    _addresses: Table[Address, tuple[Pod, ...]] = field(default_factory=Table)

    @classmethod
    def of(cls, pods: Iterable[Pod]) -> "Pods":
        """Return a collection of many pods at once."""
        named = Named.of(pods)
        addresses: dict[Address, tuple[Pod, ...]] = {}
        for pod in named.values():
            for address in pod.own_ips:
                addresses[address] = (*addresses.get(address, ()), pod)
        nodes = Groups.of((pod.node, key, pod) for key, pod in named.items())
        return cls(named, nodes, Table.of(addresses))

    def __getitem__(self, key: Key) -> Pod:
        return self._named[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)

    def inside(self, namespace: str) -> Mapping[Key, Pod]:
        """Return the pods of one namespace, by key."""
        return self._named.inside(namespace)

    def on(self, node: str) -> Mapping[Key, Pod]:
        """Return the pods of one node, by key; those that wait for a node are on node ``""``."""
        return self._nodes[node]

    def at(self, address: Address) -> Pod | None:
        """Return the pod that has an address for its own; of several, one that is not terminating.

        Several have one for a moment when an address went to a new pod before the old one's last event.
        """
        claims = self._addresses.get(address, ())
        return max(claims, key=lambda pod: not pod.terminating, default=None)

    def change(self, old: Pod | None, new: Pod | None) -> "Pods":
        """Return the version in which the old pod is the new one; None is absence."""
        nodes, addresses = self._nodes, self._addresses
        if old is not None:
            nodes = nodes.without(old.node, old.key)
            for address in old.own_ips:
                addresses = _without_claim(addresses, address, old.key)
        if new is not None:
            nodes = nodes.with_item(new.node, new.key, new)
            for address in new.own_ips:
                addresses = addresses.with_item(address, (new, *addresses.get(address, ())))
        return Pods(self._named.change(old, new), nodes, addresses)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Slices(Mapping[Key, EndpointSlice]):
    """Endpoint slices by (namespace, name); found by service as well."""

    _items: Table[Key, EndpointSlice] = field(default_factory=Table)
    _services: Groups[Key, Key, EndpointSlice] = field(default_factory=Groups)

    @classmethod
    def of(cls, slices: Iterable[EndpointSlice]) -> "Slices":
        """Return a collection of many slices at once."""
        table = Table.of((each.key, each) for each in slices)
        return cls(table, Groups.of((each.service_key, key, each) for key, each in table.items()))

    def __getitem__(self, key: Key) -> EndpointSlice:
        return self._items[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def behind(self, service: Key) -> Mapping[Key, EndpointSlice]:
        """Return the slices of one service, by their own key."""
        return self._services[service]

    def change(self, old: EndpointSlice | None, new: EndpointSlice | None) -> "Slices":
        """Return the version in which the old slice is the new one; None is absence."""
        items, services = self._items, self._services
        if old is not None:
            items, services = items.without(old.key), services.without(old.service_key, old.key)
        if new is not None:
            items = items.with_item(new.key, new)
            services = services.with_item(new.service_key, new.key, new)
        return Slices(items, services)


class OfNodes(Keyed, Protocol):
    """An object that concerns some nodes."""

    @property
    def nodes(self) -> frozenset[str]:
        """Their names."""
        ...


M = TypeVar("M", bound=OfNodes)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ByNode(Mapping[Key, M], Generic[M]):
    """Objects by (namespace, name); ``of_node`` gives those that concern one node."""

    _items: Table[Key, M] = field(default_factory=Table)
    _nodes: Groups[str, Key, M] = field(default_factory=Groups)

    @classmethod
    def of(cls, items: Iterable[M]) -> "ByNode[M]":
        """Return a collection of many objects at once."""
        table = Table.of((each.key, each) for each in items)
        return cls(table, Groups.of((node, key, each) for key, each in table.items() for node in each.nodes))

    def __getitem__(self, key: Key) -> M:
        return self._items[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def of_node(self, node: str) -> Mapping[Key, M]:
        """Return the objects that concern one node, by key."""
        return self._nodes[node]

    def change(self, old: M | None, new: M | None) -> "ByNode[M]":
        """Return the version in which the old object is the new one; None is absence."""
        items, nodes = self._items, self._nodes
        if old is not None:
            items = items.without(old.key)
            for node in old.nodes:
                nodes = nodes.without(node, old.key)
        if new is not None:
            items = items.with_item(new.key, new)
            for node in new.nodes:
                nodes = nodes.with_item(node, new.key, new)
        return ByNode(items, nodes)


Blocks = ByNode[IPAMBlock]
"""Blocks by ("", name); found by every node that packets to them may go to."""

Affinities = ByNode[BlockAffinity]
"""Claims of blocks by ("", name); found by node."""


def _without_claim(
    addresses: Table[Address, tuple[Pod, ...]], address: Address, key: Key
) -> Table[Address, tuple[Pod, ...]]:
    rest = tuple(pod for pod in addresses.get(address, ()) if pod.key != key)
    return addresses.with_item(address, rest) if rest else addresses.without(address)
