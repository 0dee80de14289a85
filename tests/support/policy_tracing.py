"""What compiled rules do to a flow, without a kernel: every node's table, and a packet's way through them.

What lives here: from Kubernetes-shaped objects to a tracer a node, from a flow to packets.
What it must not know: what a policy means.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

from octet import policy
from octet.blueprint import KernelObject, mac
from octet.blueprint.nft import Packet
from octet.blueprint.nft.values import NetworkAddress
from octet.cluster.changes import Underlay
from octet.cluster.endpoint import BRIDGED_PREFIX, ROUTED_PREFIX, Attachment, Endpoint
from octet.cluster.objects import KINDS, Pod
from octet.cluster.view import View
from octet.kernel.fake_nft import Machine, Trace, Tracer
from octet.oracle import Flow
from policy_worlds import Names

WORDS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp", 136: "udplite", 47: "gre", 50: "esp"}
TYPES = {
    (1, 0): "echo-reply",
    (1, 3): "destination-unreachable",
    (1, 8): "echo-request",
    (58, 1): "destination-unreachable",
    (58, 128): "echo-request",
    (58, 129): "echo-reply",
    (58, 130): "mld-listener-query",
    (58, 131): "mld-listener-report",
    (58, 132): "mld-listener-done",
    (58, 133): "nd-router-solicit",
    (58, 134): "nd-router-advert",
    (58, 135): "nd-neighbor-solicit",
    (58, 136): "nd-neighbor-advert",
}
UPLINK = "eth0"
LINK_LOCAL = ip_address("fe80::1")
"""What every node has on its pods' links."""

NODE = Underlay(UPLINK, 1500)


def kind_of(item: Mapping[str, Any]) -> str:
    """Return an object's kind as the View has it."""
    calico = "projectcalico.org" in (item.get("apiVersion") or "") and item["kind"] == "NetworkPolicy"
    return "CalicoNetworkPolicy" if calico else str(item["kind"])


def view_of(objects: Iterable[Mapping[str, Any]], me: str) -> View:
    """Return the View that a node has of objects; raises what the first refused one was refused for."""
    held: dict[str, list[Mapping[str, Any]]] = {}
    for item in objects:
        held.setdefault(kind_of(item), []).append(item)
    view = View(me, NODE)
    for kind in (kind for kind in KINDS if kind in held):
        relisted = view.with_listing(kind, held[kind])
        for error in relisted.refused:
            raise error
        view = relisted.view
    return view


def endpoint_of(pod: Pod, *, bridged: bool = False) -> Endpoint:
    """Return a pod as its node's agent has attached it."""
    key = f"{pod.namespace}-{pod.name}"
    families = {address.version: address for address in pod.ips}
    attachment = Attachment("octet", key, "eth0")
    link = f"{BRIDGED_PREFIX if bridged else ROUTED_PREFIX}{attachment.digest()[:11]}"
    own = mac.of_text(key)
    return Endpoint(attachment, link, own, 1450, families.get(4), families.get(6), pod.namespace, pod.name)


@dataclass(frozen=True, slots=True)
class NodeTable:
    """One node: its table, and where its pods are."""

    name: str
    tracer: Tracer
    endpoints: Mapping[NetworkAddress, Endpoint]


class Cluster:
    """All nodes of a cluster, each with the table that its agent would have.

    Args:
        objects: Kubernetes-shaped.
        bridge: the link that the pods of a node are behind, or empty where each has its own.
        names: what domain names mean, as far as pods have asked.
    """

    def __init__(
        self, objects: Iterable[Mapping[str, Any]], *, bridge: str = "", names: Names | None = None
    ) -> None:
        self._objects = list(objects)
        self._bridge = bridge
        nodes = [item["metadata"]["name"] for item in self._objects if item["kind"] == "Node"]
        first = replace(view_of(self._objects, nodes[0]), learned=names or {})
        self.views = {name: replace(first, me=name, underlay=underlay_of(first, name)) for name in nodes}

    @cached_property
    def tables(self) -> Mapping[str, NodeTable]:
        """Every node's table."""
        return {name: self._table(view) for name, view in self.views.items()}

    @cached_property
    def _addresses(self) -> Mapping[NetworkAddress, str]:
        """Which node has an address of its own, or through a pod."""
        view = next(iter(self.views.values()))
        own = {ip: pod.node for pod in view.pods.values() for ip in pod.own_ips}
        return own | {ip: node.name for node in view.nodes.values() for ip in node.internal_ips}

    def endpoints(self, name: str) -> list[Endpoint]:
        """Return a node's pods as they are attached."""
        pods = self.views[name].pods.values()
        here = [pod for pod in pods if pod.node == name and pod.own_ips]
        return [endpoint_of(pod, bridged=bool(self._bridge)) for pod in here]

    def _table(self, view: View) -> NodeTable:
        held = self.endpoints(view.me)
        blueprint = policy.compile(view, held, bridge=self._bridge)
        return node_table(view, held, blueprint)

    def allows(self, flow: Flow) -> bool:
        """Tell whether a flow's first packet gets through every table on its way."""
        return all(trace.accepted for trace in self.traces(flow))

    def traces(self, flow: Flow) -> Iterator[Trace]:
        """Yield what becomes of the packet at each node on its way, until it is dropped."""
        source, target = self._node(flow.source), self._node(flow.destination)
        if flow.source == flow.destination and not flow.hairpin:
            return
        if source:
            trace = self._leaving(self.tables[source], flow)
            yield trace
            if not trace.accepted or source == target:
                return
        if target:
            yield self.tables[target].tracer.trace(replace(packet_of(flow), iif=UPLINK))

    def _node(self, address: NetworkAddress) -> str:
        return self._addresses.get(address, "")

    def _leaving(self, table: NodeTable, flow: Flow) -> Trace:
        """Send a packet from where it begins: a pod, or the node itself."""
        endpoint, packet = table.endpoints.get(flow.source), packet_of(flow)
        if endpoint is not None:
            packet = replace(packet, iif=self._bridge or endpoint.host_link, source_mac=endpoint.mac)
        return table.tracer.trace(packet)


def underlay_of(view: View, name: str) -> Underlay:
    """Return a node's own interface, with the addresses that its object has."""
    node = view.nodes.get(name)
    held = {
        each.version: ip_interface(f"{each}/24") for each in (node.internal_ips if node is not None else ())
    }
    return Underlay(UPLINK, 1500, held.get(4))


def node_table(view: View, held: list[Endpoint], rules: Iterable[KernelObject]) -> NodeTable:
    """Return a node with these rules and pods around them."""
    by_address = {address: endpoint for endpoint in held for address in endpoint.addresses}
    routes = {ip_network(address): each.host_link for address, each in by_address.items()}
    outside = {ip_network(whole): UPLINK for whole in ("0.0.0.0/0", "::/0")}
    node = view.here
    own = {UPLINK: (*(node.internal_ips if node is not None else ()), LINK_LOCAL)}
    machine = Machine(own, {**outside, **routes})
    return NodeTable(view.me, Tracer(rules, machine), by_address)


def packet_of(flow: Flow) -> Packet:
    """Return a flow's first packet."""
    number = flow.number
    kind, code = flow.icmp or (0, 0)
    word: str | int = TYPES.get((number, kind), kind) if flow.icmp is not None else ""
    port = flow.source_port if flow.source_port is not None else (40000 if flow.port is not None else None)
    return Packet(
        flow.source,
        flow.destination,
        WORDS.get(number, number),
        port,
        flow.port,
        icmp_type=word,
        icmp_code=code,
    )
