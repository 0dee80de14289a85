"""What one node sees of the cluster: the only input of everything that decides.

What lives here: ``View``; it never changes, an event returns the next version and what changed. An event
costs microseconds, also with 100,000 pods, because versions share what they have in common (``table``).
What it must not know: where events come from, what is done about a change.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, Protocol, Self

from octet.cluster.changes import (
    AffinityChanged,
    BlockChanged,
    NamespaceChanged,
    NodeChanged,
    PodChanged,
    PolicyChanged,
    PolicyPartChanged,
    PoolChanged,
    ServiceChanged,
    SettingChanged,
    SliceChanged,
    Underlay,
    UnderlayChanged,
    ViewChange,
)
from octet.cluster.indexes import Affinities, Blocks, ByNode, Key, Named, Namespaces, Nodes, Pods, Slices
from octet.cluster.objects import (
    CLUSTER_KINDS,
    Address,
    BGPConfiguration,
    BGPFilter,
    BGPPeer,
    BlockAffinity,
    CalicoNetworkPolicy,
    ClusterNetworkPolicy,
    EndpointSlice,
    FelixConfiguration,
    GlobalNetworkPolicy,
    GlobalNetworkSet,
    HostEndpoint,
    IPAMBlock,
    IPAMConfiguration,
    IPPool,
    IPReservation,
    Namespace,
    Network,
    NetworkPolicy,
    NetworkSet,
    Node,
    Pod,
    Service,
    ServiceAccount,
    StagedGlobalNetworkPolicy,
    StagedKubernetesNetworkPolicy,
    StagedNetworkPolicy,
    Tier,
)
from octet.cluster.reading import read
from octet.cluster.resolvers import Resolvers
from octet.errors import BadConfigurationError

Item = Mapping[str, Any]
"""A Kubernetes-shaped object."""

Learned = Mapping[Address, Mapping[str, frozenset[Address]]]
"""What names mean, by the address of who asked."""

Event = tuple[str, Item]
"""(``ADDED``, ``MODIFIED`` or ``DELETED``, the object's new or last state), as a store's watch says it."""


class _Collection(Protocol):
    """What every collection of the View can do, whatever is in it."""

    @classmethod
    def of(cls, items: Iterable[Any], /) -> Self: ...

    def get(self, key: Any, /) -> Any: ...

    def change(self, old: Any, new: Any, /) -> Self: ...


@dataclass(frozen=True, slots=True)
class _Row:
    """How objects of one kind get into the View."""

    field: str
    collection: type[_Collection]
    parse: Callable[[Item], Any]
    changed: Callable[[Any, Any], ViewChange]


_KINDS = {
    "Node": _Row("nodes", Nodes, Node.from_object, NodeChanged),
    "Namespace": _Row("namespaces", Namespaces, Namespace.from_object, NamespaceChanged),
    "Pod": _Row("pods", Pods, Pod.from_object, PodChanged),
    "NetworkPolicy": _Row("policies", Named, NetworkPolicy.from_object, PolicyChanged),
    "Service": _Row("services", Named, Service.from_object, ServiceChanged),
    "EndpointSlice": _Row("slices", Slices, EndpointSlice.from_object, SliceChanged),
    **{
        kind: _Row(field, Named, parse, PolicyPartChanged)
        for kind, field, parse in (
            ("ServiceAccount", "accounts", ServiceAccount.from_object),
            ("ClusterNetworkPolicy", "cluster_policies", ClusterNetworkPolicy.from_object),
            ("Tier", "tiers", Tier.from_object),
            ("CalicoNetworkPolicy", "calico_policies", CalicoNetworkPolicy.from_object),
            ("GlobalNetworkPolicy", "global_policies", GlobalNetworkPolicy.from_object),
            ("StagedNetworkPolicy", "staged_policies", StagedNetworkPolicy.from_object),
            ("StagedGlobalNetworkPolicy", "staged_global_policies", StagedGlobalNetworkPolicy.from_object),
            (
                "StagedKubernetesNetworkPolicy",
                "staged_kubernetes_policies",
                StagedKubernetesNetworkPolicy.from_object,
            ),
            ("NetworkSet", "network_sets", NetworkSet.from_object),
            ("GlobalNetworkSet", "global_network_sets", GlobalNetworkSet.from_object),
            ("HostEndpoint", "host_endpoints", HostEndpoint.from_object),
        )
    },
    "IPPool": _Row("pools", Named, IPPool.from_object, PoolChanged),
    "IPReservation": _Row("reservations", Named, IPReservation.from_object, PoolChanged),
    "IPAMConfiguration": _Row("ipam_config", Named, IPAMConfiguration.from_object, PoolChanged),
    "IPAMBlock": _Row("blocks", ByNode, IPAMBlock.from_object, BlockChanged),
    "BlockAffinity": _Row("affinities", ByNode, BlockAffinity.from_object, AffinityChanged),
    "BGPConfiguration": _Row("bgp_config", Named, BGPConfiguration.from_object, SettingChanged),
    "BGPPeer": _Row("bgp_peers", Named, BGPPeer.from_object, SettingChanged),
    "BGPFilter": _Row("bgp_filters", Named, BGPFilter.from_object, SettingChanged),
    "FelixConfiguration": _Row("felix_config", Named, FelixConfiguration.from_object, SettingChanged),
}


class Relisted(NamedTuple):
    """What a fresh list of one kind made of the View.

    Attributes:
        refused: objects that could not be read; what was known of them before still stands.
    """

    view: "View"
    changes: tuple[ViewChange, ...]
    refused: tuple[BadConfigurationError, ...]


@dataclass(frozen=True)
class View:
    """Everything this node knows. A collection may be given as a plain mapping, which is then indexed.

    Attributes:
        me: this node's name.
        nodes, namespaces: by name.
        pod_cidrs: the cluster's: what all nodes' pod CIDRs lie in.
        service_cidrs: what service addresses lie in.
        pods, policies, services, slices, accounts: by (namespace, name).
        cluster_policies, ... host_endpoints: what else policies are made of, by (namespace, name), the
            namespace empty where the kind has none.
        learned: what domain names mean, to each pod of this node that has asked, by its address.
        resolvers: whose answers about names are believed.
        refused: policies (``KIND NAMESPACE/NAME``) that are too large for this node, and why.
        pools, reservations, ipam_config, blocks, affinities: addresses in blocks, by ("", name).
        bgp_config, bgp_peers, bgp_filters, felix_config: how nodes route, by ("", name).
    """

    me: str
    underlay: Underlay
    nodes: Nodes = field(default_factory=Nodes)
    pod_cidrs: tuple[Network, ...] = ()
    service_cidrs: tuple[Network, ...] = ()
    namespaces: Namespaces = field(default_factory=Namespaces)
    pods: Pods = field(default_factory=Pods)
    policies: Named[NetworkPolicy] = field(default_factory=Named)
    services: Named[Service] = field(default_factory=Named)
    slices: Slices = field(default_factory=Slices)
    accounts: Named[ServiceAccount] = field(default_factory=Named)
    cluster_policies: Named[ClusterNetworkPolicy] = field(default_factory=Named)
    tiers: Named[Tier] = field(default_factory=Named)
    calico_policies: Named[CalicoNetworkPolicy] = field(default_factory=Named)
    global_policies: Named[GlobalNetworkPolicy] = field(default_factory=Named)
    staged_policies: Named[StagedNetworkPolicy] = field(default_factory=Named)
    staged_global_policies: Named[StagedGlobalNetworkPolicy] = field(default_factory=Named)
    staged_kubernetes_policies: Named[StagedKubernetesNetworkPolicy] = field(default_factory=Named)
    network_sets: Named[NetworkSet] = field(default_factory=Named)
    global_network_sets: Named[GlobalNetworkSet] = field(default_factory=Named)
    host_endpoints: Named[HostEndpoint] = field(default_factory=Named)
    learned: Learned = field(default_factory=dict)
    resolvers: Resolvers = field(default_factory=Resolvers)
    refused: Mapping[str, str] = field(default_factory=dict)
    pools: Named[IPPool] = field(default_factory=Named)
    reservations: Named[IPReservation] = field(default_factory=Named)
    ipam_config: Named[IPAMConfiguration] = field(default_factory=Named)
    blocks: Blocks = field(default_factory=ByNode)
    affinities: Affinities = field(default_factory=ByNode)
    bgp_config: Named[BGPConfiguration] = field(default_factory=Named)
    bgp_peers: Named[BGPPeer] = field(default_factory=Named)
    bgp_filters: Named[BGPFilter] = field(default_factory=Named)
    felix_config: Named[FelixConfiguration] = field(default_factory=Named)

    def __post_init__(self) -> None:
        for row in _KINDS.values():
            given = getattr(self, row.field)
            if not hasattr(given, "change"):
                object.__setattr__(self, row.field, row.collection.of(given.values()))

    @property
    def here(self) -> Node | None:
        """This node, or None while the cluster does not know it."""
        return self.nodes.get(self.me)

    @cached_property
    def peers(self) -> tuple[Node, ...]:
        """Every other node, by name."""
        return tuple(node for name, node in sorted(self.nodes.items()) if name != self.me)

    def node_of(self, address: Address) -> Node | None:
        """Return the node whose pod CIDR holds an address, or None."""
        return self.nodes.owner(address)

    def with_event(self, kind: str, event: Event) -> tuple["View", tuple[ViewChange, ...]]:
        """Return the next version and what changed: nothing, where nothing of interest did.

        Raises:
            BadConfigurationError: the object cannot be read; what was known of it still stands.
            KeyError: a kind that is not in ``objects.KINDS``.
        """
        row, (happened, item) = _KINDS[kind], event
        new = None if happened == "DELETED" else row.parse(item)
        held: _Collection = getattr(self, row.field)
        old = held.get(_key(kind, item))
        if old == new:
            return self, ()
        fields: dict[str, Any] = {row.field: held.change(old, new)}
        return replace(self, **fields), (row.changed(old, new),)

    def with_listing(self, kind: str, items: Iterable[Item]) -> Relisted:
        """Return the version in which a kind has these objects only; what is gone comes first.

        Raises:
            KeyError: a kind that is not in ``objects.KINDS``.
        """
        row = _KINDS[kind]
        held: Mapping[Any, Any] = getattr(self, row.field)
        listed, refused = _parsed(kind, items, held)
        gone = [row.changed(old, None) for key, old in held.items() if key not in listed]
        fresh = [row.changed(held.get(key), new) for key, new in listed.items() if held.get(key) != new]
        if not gone and not fresh:
            return Relisted(self, (), refused)
        fields: dict[str, Any] = {row.field: row.collection.of(listed.values())}
        return Relisted(replace(self, **fields), (*gone, *fresh), refused)

    def with_underlay(self, underlay: Underlay) -> tuple["View", tuple[ViewChange, ...]]:
        """Return the next version after this node's own interface changed."""
        if underlay == self.underlay:
            return self, ()
        return replace(self, underlay=underlay), (UnderlayChanged(self.underlay, underlay),)


def _key(kind: str, item: Item) -> str | Key:
    _, metadata = read(kind, item)
    name = metadata.text("name")
    if kind in ("Node", "Namespace"):
        return name
    return ("" if kind in CLUSTER_KINDS else metadata.text("namespace", "default")), name


def _parsed(
    kind: str, items: Iterable[Item], held: Mapping[Any, Any]
) -> tuple[dict[Any, Any], tuple[BadConfigurationError, ...]]:
    listed: dict[Any, Any] = {}
    refused: list[BadConfigurationError] = []
    for item in items:
        try:
            listed[_key(kind, item)] = _KINDS[kind].parse(item)
        except BadConfigurationError as error:
            refused.append(error)
            _keep_known(kind, item, held, listed)
    return listed, tuple(refused)


def _keep_known(kind: str, item: Item, held: Mapping[Any, Any], listed: dict[Any, Any]) -> None:
    with suppress(BadConfigurationError):
        key = _key(kind, item)
        if key in held:
            listed[key] = held[key]


__all__ = ["Event", "Item", "Learned", "Relisted", "Underlay", "View", "ViewChange"]
