"""What a model is: one choice for each of six decisions, and what follows from them for one node.

What lives here: ``Model`` (a row of the table), ``Running`` (a row with its options read).
What it must not know: any particular model, the kernel, stores.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from octet.attach import Attach, EndpointPlan
from octet.attach.bandwidth import shaping
from octet.blueprint import Blueprint
from octet.blueprint.base import union
from octet.cluster.endpoint import Endpoint, NodeNetwork
from octet.cluster.objects import Address, Network, Node
from octet.cluster.view import View
from octet.errors import BadConfigurationError, NotReadyError
from octet.ipam.blocks.selection import Defaults
from octet.models import pooled
from octet.models.forwarding import forwarding
from octet.policy.gates import Gate
from octet.service import hostport
from octet.transport import Transport
from octet.transport.bgp.unsure import Unsure
from octet.transport.masquerade import masquerade
from octet.transport.reach import OF_THE_CLUSTER, PodNetworks, underlay

SMALLEST_MTU = {4: 576, 6: 1280}
"""Bytes every host must take in one piece (RFC 791, 3.1; RFC 8200, 5); below, Linux turns IPv6 off."""

SMALLEST_CIDR = 4
"""Addresses of a node's CIDR with room for a pod: its own two, the gateway, one pod."""

Options = Mapping[str, object]


def nothing(_view: View) -> bool:
    """Return False: most models advertise no service addresses."""
    return False


def no_services(_view: View, _network: NodeNetwork) -> Blueprint:
    """Return nothing: most models leave services to others."""
    return Blueprint()


def no_remarks(_view: View) -> tuple[str, ...]:
    """Return nothing."""
    return ()


def sure(_view: View) -> tuple[Unsure, ...]:
    """Return nothing: most models speak no BGP."""
    return ()


def silent(_view: View) -> tuple[int, ...]:
    """Return nothing: most models speak no BGP."""
    return ()


def no_files(_network: NodeNetwork) -> Mapping[str, str]:
    """Return nothing: most models leave no files for other programs."""
    return {}


@dataclass(frozen=True, slots=True)
class Running:
    """A model with its options read: a pure value that answers what one node shall hold.

    Attributes:
        networks: the cluster's pod networks, where the options state them.
        masquerade: is traffic that leaves the cluster given the node's address?
        policy: do policies decide who may talk to whom?
        interface: the underlay's, where the options say it; empty is unstated.
        blocks: where addresses come in blocks out of pools, what pods get that ask for nothing; None is a
            CIDR per node.
        spared: stem of the sets of addresses to which pods' own address is kept, too; empty is none.
        served: what this node holds for service addresses that it advertises.
        remarks: what about services could not be done, a sentence each.
        unsure: what of the node's part could not be decided, because what is said of it is wrong.
        advertises: does what this node holds depend on services and their endpoints now?
        speaking: TCP ports of BGP, this node's and its peers': what pods send there keeps their own address.
        files: what the original leaves for other programs to read: texts by file name.
    """

    attach: Attach
    transport: Transport
    networks: PodNetworks = OF_THE_CLUSTER
    masquerade: bool = True
    files: Callable[[NodeNetwork], Mapping[str, str]] = field(default=no_files, compare=False)
    policy: bool = False
    interface: str = ""
    blocks: Defaults | None = None
    spared: str = ""
    served: Callable[[View, NodeNetwork], Blueprint] = field(default=no_services, compare=False)
    remarks: Callable[[View], tuple[str, ...]] = field(default=no_remarks, compare=False)
    unsure: Callable[[View], tuple[Unsure, ...]] = field(default=sure, compare=False)
    advertises: Callable[[View], bool] = field(default=nothing, compare=False)
    speaking: Callable[[View], tuple[int, ...]] = field(default=silent, compare=False)

    @property
    def gate(self) -> Gate | None:
        """Where policy is asked; None where there is none."""
        return Gate(self.attach.shared_link, self.transport.ports) if self.policy else None

    def network(self, view: View) -> NodeNetwork:
        """Return this node's share of the pod network.

        Raises:
            NotReadyError: the node has no pod CIDR, or its underlay no address of that family, yet.
            BadConfigurationError: the CIDR lies outside of the cluster's network or has no room for a pod,
                or the underlay's MTU leaves less than the smallest packet.
        """
        if self.blocks is not None:
            largest = max(pooled.families(view, self.blocks))
            return pooled.network(view, self.blocks, self._mtu(view, largest))
        if not self.networks.cluster(view):
            problem = "is empty: what is inside the cluster must be known, as all else is outside"
            raise BadConfigurationError("cluster", "pod_cidrs", [], problem, hint='such as ["10.244.0.0/16"]')
        cidrs = {family: self._cidr(view, family) for family in self.networks.families(view)}
        if not cidrs:
            hint = "kube-controller-manager gives one with --allocate-node-cidrs"
            raise NotReadyError(f"node {view.me} has no pod CIDR yet", hint=hint)
        v4, v6 = cidrs.get(4), cidrs.get(6)
        return NodeNetwork(
            mtu=self._mtu(view, max(cidrs)),
            v4=v4 if isinstance(v4, IPv4Network) else None,
            v6=v6 if isinstance(v6, IPv6Network) else None,
            gateway_v4=v4[1] if isinstance(v4, IPv4Network) else None,
            gateway_v6=v6[1] if isinstance(v6, IPv6Network) else None,
            cluster=self.networks.cluster(view),
        )

    def node(self, view: View) -> Blueprint:
        """Return what this node holds whatever pods and peers there are. Errors as ``network``."""
        network = self.network(view)
        own = tuple(cidr for cidr in (network.v4, network.v6) if cidr is not None)
        bridge = self.attach.shared_link
        return union(
            [
                self.attach.node(network),
                self.transport.node(view),
                forwarding(view, network),
                hostport.base(own if bridge else (), bridge),
                self._outgoing(view, network.cluster, own),
                self.served(view, network),
                self.gate.base() if self.gate is not None else Blueprint(),
            ]
        )

    def peer(self, view: View, peer: Node) -> Blueprint:
        """Return what one peer adds; nothing where it cannot be reached (``obstacles`` says why)."""
        return self.transport.peer(view, peer)

    def obstacles(self, view: View, peer: Node) -> tuple[str, ...]:
        """Return why pods of a peer can't be reached, a sentence per family; none is all is well."""
        return self.transport.obstacles(view, peer)

    def endpoint(self, network: NodeNetwork, endpoint: Endpoint) -> EndpointPlan:
        """Return what one pod adds: its pair, its limits and its host ports."""
        plan = self.attach.endpoint(network, endpoint)
        ports = hostport.elements(endpoint, own_link=not self.attach.shared_link)
        return EndpointPlan(plan.pod, union([plan.node, shaping(endpoint), ports]))

    def annotations(self, view: View) -> Mapping[str, str]:
        """Return what this node tells its peers through its own Node object."""
        return self.transport.annotations(view)

    def whole(self, view: View) -> tuple[Blueprint, tuple[str, ...]]:
        """Return node and all peers together, and a sentence for each peer that had to be left out."""
        peers = [(peer.name, self.peer(view, peer)) for peer in view.peers]
        return together(self.node(view), peers)

    def _outgoing(
        self, view: View, cluster: tuple[Network, ...], own: tuple[IPv4Network | IPv6Network, ...]
    ) -> Blueprint:
        speaking = self.speaking(view)
        if self.blocks is not None:
            return pooled.contribution(view, speaking, masqueraded=self.masquerade)
        return masquerade(cluster, own, self.spared, speaking) if self.masquerade else Blueprint()

    def _cidr(self, view: View, family: int) -> Network:
        cidr = self.networks.own(view, family)
        if cidr is None or underlay(view, family) is None:
            interface = view.underlay.interface
            raise NotReadyError(
                f"node {view.me} has an IPv{family} pod CIDR, but {interface} no IPv{family} address"
            )
        if cidr.num_addresses < SMALLEST_CIDR:
            problem = "has no room for a pod"
            raise BadConfigurationError(f"Node {view.me}", "spec.podCIDRs", str(cidr), problem)
        return cidr

    def _mtu(self, view: View, family: int) -> int:
        """Return the pods' MTU; ``family`` is the one with the larger smallest packet."""
        mtu = self.transport.mtu(view)
        if mtu < SMALLEST_MTU[family]:
            raise BadConfigurationError(
                f"interface {view.underlay.interface}",
                "mtu",
                view.underlay.mtu,
                f"leaves {mtu} bytes for pods, and IPv{family} needs {SMALLEST_MTU[family]}",
                hint=f"an underlay MTU of {view.underlay.mtu + SMALLEST_MTU[family] - mtu} would do",
            )
        return mtu


def together(node: Blueprint, peers: Iterable[tuple[str, Blueprint]]) -> tuple[Blueprint, tuple[str, ...]]:
    """Return the union of a node's part and its peers', and a sentence for each peer that was left out.

    A peer that claims what another one has (a copied annotation) must not stop everybody else: in the order
    given the first has it, and the later one is left out as a whole.
    """
    held = node
    kept: list[Blueprint] = [node]
    taken = {item.key: item for item in held}
    left_out = []
    for name, part in peers:
        clash = next((item for item in part if taken.get(item.key, item) != item), None)
        if clash is not None:
            left_out.append(f"node {name} claims {clash}, which is {taken[clash.key]}")
            continue
        taken.update((item.key, item) for item in part)
        kept.append(part)
    return union(kept), tuple(left_out)


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that an operator can say of a model, for people.

    Attributes:
        name: with dots where it is inside of another one, as in ``Backend.VNI``.
        meaning: with its default.
        example: options that say it, and what they need beside it.
    """

    name: str
    meaning: str
    example: Options


@dataclass(frozen=True, slots=True)
class Model:
    """One row of the table: a choice, in words, for each of the six decisions.

    Attributes:
        attach: how a pod's interface joins its node.
        ipam: who decides which pod gets which address.
        transport: how a packet gets to another node.
        policy: who may talk to whom.
        service: who turns a service address into a pod.
        store: where the nodes agree.
        about: what it is, and where it departs from the original, in a few sentences.
        build: reads options, all of them, into what runs; told the source of the options for errors.
        variants: names of ways to run it, each with the options it stands for.
        preset: options that this row already has (those of a variant).
        options: what ``build`` reads, in the order in which people should know it.
        reads: objects of the cluster by which an operator says more, by kind: what of them has a meaning.
    """

    name: str
    summary: str
    attach: str
    ipam: str
    transport: str
    policy: str
    service: str
    store: str
    about: str
    build: Callable[[Options, str], Running] = field(repr=False, compare=False)
    variants: Mapping[str, Options] = field(default_factory=dict, compare=False)
    preset: Options = field(default_factory=dict)
    options: tuple[Option, ...] = field(default=(), compare=False)
    reads: Mapping[str, str] = field(default_factory=dict, compare=False)

    def parse(self, options: Options, *, source: str) -> Running:
        """Read options.

        Raises:
            BadConfigurationError: naming the field, and what would do.
        """
        return self.build(merged(self.preset, options, source), source)


def merged(preset: Options, given: Options, source: str, at: str = "") -> dict[str, Any]:
    """Return two sets of options as one; names are compared in any case.

    Raises:
        BadConfigurationError: both say something else about one field.
    """
    names = {name.lower(): name for name in given}
    result: dict[str, Any] = dict(given)
    for name, value in preset.items():
        spelled = names.get(name.lower(), name)
        theirs = result.setdefault(spelled, value)
        if isinstance(value, Mapping) and isinstance(theirs, Mapping):
            result[spelled] = merged(value, theirs, source, f"{at}{spelled}.")
        elif theirs != value:
            raise BadConfigurationError(source, at + spelled, theirs, f"is given twice, also as {value!r}")
    return result


__all__ = ["Address", "Model", "Option", "Options", "Running", "merged", "together"]
