"""Node CIDRs out of the cluster's CIDRs, as kube-controller-manager's nodeipam (RangeAllocator) assigns them.

What lives here: ``Assigner``, which the lab's controller drives; a real cluster has its own.
What it must not know: the store, how nodes are watched.
Behaviour from kubernetes/pkg/controller/nodeipam/ipam (range_allocator.go, cidrset/cidr_set.go): the next
free CIDR after the last one assigned, so a freed one is the last to be used again; one per family, in the
cluster CIDRs' order; what nodes have already stays theirs; service CIDRs are left out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from octet.cluster.objects import Node
from octet.cluster.reading import Network
from octet.errors import BadConfigurationError, ExhaustedError

V4_MASK, V6_MASK = 24, 64  # defaults of --node-cidr-mask-size-ipv4 and -ipv6
WIDEST = 16  # bits between cluster CIDR and node CIDR (cidr_set.go, clusterSubnetMaxDiff)


@dataclass(frozen=True, slots=True)
class NodeCounts:
    """How many node CIDRs a cluster CIDR holds.

    Attributes:
        reserved: those that share addresses with a service CIDR.
    """

    total: int
    used: int
    reserved: int

    def __str__(self) -> str:
        free = self.total - self.used - self.reserved
        return f"{self.total} in total: {self.used} used, {self.reserved} reserved, {free} free"


class _Set:
    """The node CIDRs of one cluster CIDR, by their position in it."""

    def __init__(self, cluster: Network, mask: int, reserved: Iterable[Network]) -> None:
        if not cluster.prefixlen <= mask <= min(cluster.max_prefixlen, cluster.prefixlen + WIDEST):
            problem = f"must be from {cluster.prefixlen} to {WIDEST} bits longer, for {cluster}"
            raise BadConfigurationError("cluster", "node CIDR mask", mask, problem)
        self.cluster = cluster
        self._mask = mask
        self._shift = cluster.max_prefixlen - mask
        self._total = 1 << (mask - cluster.prefixlen)
        self._holders: dict[int, set[str]] = {}
        self._reserved = {position for each in reserved for position in self._positions(each)}
        self._next = 0

    def counts(self) -> NodeCounts:
        used = len(self._holders.keys() - self._reserved)
        return NodeCounts(self._total, used, len(self._reserved))

    def occupy(self, node: str, cidr: Network) -> None:
        for position in self._positions(cidr):
            self._holders.setdefault(position, set()).add(node)

    def free(self, node: str, cidr: Network) -> None:
        for position in self._positions(cidr):
            holders = self._holders.get(position, set())
            holders.discard(node)
            if not holders:
                self._holders.pop(position, None)

    def candidate(self) -> Network:
        """Return the CIDR to assign next; changes nothing but where the next search begins."""
        for step in range(self._total):
            position = (self._next + step) % self._total
            if position not in self._holders and position not in self._reserved:
                self._next = position
                return self._network(position)
        raise ExhaustedError(
            f"no free node CIDR in {self.cluster}: {self.counts()}", hint="widen the cluster CIDR"
        )

    def advance(self) -> None:
        """Begin the next search after the CIDR that was assigned."""
        self._next = (self._next + 1) % self._total

    def _network(self, position: int) -> Network:
        first = int(self.cluster.network_address) + (position << self._shift)
        kind = IPv4Network if self.cluster.version == 4 else IPv6Network
        return kind((first, self._mask))

    def _positions(self, cidr: Network) -> range:
        """Return the positions that share addresses with a CIDR, which may be of any size."""
        if cidr.version != self.cluster.version or not cidr.overlaps(self.cluster):
            return range(0)
        base = int(self.cluster.network_address)
        low = max(int(cidr.network_address) - base, 0) >> self._shift
        high = min((int(cidr.broadcast_address) - base) >> self._shift, self._total - 1)
        return range(low, high + 1)


class Assigner:
    """Gives each node one CIDR of every cluster CIDR, which is at most one per family.

    Args:
        cluster: the cluster CIDRs; ``podCIDRs`` have their order.
        v4_mask, v6_mask: prefix lengths of node CIDRs.
        reserved: service CIDRs, and whatever else no pod may be in.
        nodes: what exists; their CIDRs stay theirs, also those outside the cluster CIDRs.

    Raises:
        BadConfigurationError: two CIDRs of one family, a mask out of bounds.
    """

    def __init__(
        self,
        cluster: Sequence[Network],
        *,
        v4_mask: int = V4_MASK,
        v6_mask: int = V6_MASK,
        reserved: Iterable[Network] = (),
        nodes: Iterable[Node] = (),
    ) -> None:
        if not cluster or len({each.version for each in cluster}) < len(cluster):
            named = ", ".join(map(str, cluster))
            raise BadConfigurationError("cluster", "pod_cidrs", named, "must be one CIDR, or one per family")
        masks, kept = {4: v4_mask, 6: v6_mask}, tuple(reserved)
        self._sets = tuple(_Set(each, masks[each.version], kept) for each in cluster)
        self._assigned: dict[str, tuple[Network, ...]] = {}
        for node in nodes:
            self.know(node)

    def counts(self) -> dict[Network, NodeCounts]:
        """Return how many node CIDRs of each cluster CIDR are in which state."""
        return {each.cluster: each.counts() for each in self._sets}

    def know(self, node: Node) -> None:
        """Respect the CIDRs that a node has; one without any has none assigned yet."""
        if node.pod_cidrs and self._assigned.get(node.name) != node.pod_cidrs:
            self.release(node.name)
            self._keep(node.name, node.pod_cidrs)

    def assign(self, node: str) -> tuple[Network, ...]:
        """Return a node's CIDRs, new ones if it has none, one of each cluster CIDR, all or none.

        Raises:
            ExhaustedError: a cluster CIDR has none left; the message has the counts.
        """
        if node not in self._assigned:
            chosen = tuple(each.candidate() for each in self._sets)
            for each in self._sets:
                each.advance()
            self._keep(node, chosen)
        return self._assigned[node]

    def release(self, node: str) -> tuple[Network, ...]:
        """Take a node's CIDRs back; return what it had, nothing if it had none."""
        cidrs = self._assigned.pop(node, ())
        for each in self._sets:
            for cidr in cidrs:
                each.free(node, cidr)
        return cidrs

    def _keep(self, node: str, cidrs: tuple[Network, ...]) -> None:
        self._assigned[node] = cidrs
        for each in self._sets:
            for cidr in cidrs:
                each.occupy(node, cidr)
