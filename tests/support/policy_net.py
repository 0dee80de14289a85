"""Two real nodes with room for pods, and the world behind them: one set of namespaces for many policies.

What lives here: the namespaces, what a model puts into them, swapping the policy of both nodes in one
transaction each. What it must not know: what a policy means.
"""

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_network
from typing import Any

import policy_world
from octet import policy
from octet.attach import Attach
from octet.attach.bridge import BridgeAttach
from octet.attach.names import pod_mac
from octet.attach.routed import RoutedAttach
from octet.blueprint import Blueprint
from octet.blueprint.nft.values import NetworkAddress
from octet.cluster.changes import Underlay
from octet.cluster.endpoint import Attachment, Endpoint, NodeNetwork
from octet.cluster.objects import Node, Pod
from octet.cluster.view import View
from octet.kernel import namespaces
from octet.kernel.host import HostKernel
from octet.kernel.netlink.wire import NETLINK_NETFILTER, Message, Socket
from octet.models.model import Running
from octet.oracle import Flow, World
from octet.transport.host_gateway import HostGateway
from policy_prober import ECHO, Prober, Question
from policy_tracing import underlay_of, view_of
from policy_worlds import OUTSIDE, Names

SLOTS = (*range(1, 10), 19, 20)
"""The pods of a node that there is room for, by the number of their address."""

NODES = (1, 2)
WORLD = "world"
ELSEWHERE = tuple(text for text in OUTSIDE if not text.startswith("10."))
"""Addresses that the world behind the nodes has."""

ATTACH: Mapping[str, Attach] = {"routed": RoutedAttach(), "bridge": BridgeAttach("cni0", isolated=True)}


@dataclass(frozen=True)
class Slot:
    """A namespace that has the addresses of some pod."""

    namespace: int
    endpoint: Endpoint


def sh(namespace: int, *commands: str) -> None:
    """Run ``ip`` in a namespace."""
    with namespaces.inside(namespace):
        text = "\n".join(commands)
        subprocess.run(["ip", "-batch", "-"], input=text, text=True, check=True, capture_output=True)


def addresses(node: int, slot: int) -> tuple[str, str]:
    """Return a slot's addresses: those that random worlds give their pods."""
    return f"10.244.{node}.{slot + 1}", f"fd00:244:{node}::{slot + 1:x}"


class PolicyNet:
    """The namespaces, and what they hold. Use ``policy_net``."""

    def __init__(self, attach: Attach, ends: ExitStack) -> None:
        self.attach = attach
        self._ends = ends
        self._running = Running(attach, HostGateway(), masquerade=False, policy=True)
        self.world = self._namespace()
        self.nodes = {f"node-{number}": self._namespace() for number in NODES}
        self.kernels: dict[str, HostKernel] = {}
        self.slots: dict[NetworkAddress, Slot] = {}
        self.rules = {name: Blueprint() for name in self.nodes}
        self._wire()
        for number in NODES:
            self._build(number)
        places = {str(slot.endpoint.v4): slot.namespace for slot in self.slots.values()}
        self.prober = Prober({**places, **self.nodes, WORLD: self.world})
        ends.callback(self.prober.close)

    def _namespace(self) -> int:
        made = namespaces.create()
        self._ends.callback(os.close, made)
        with namespaces.inside(made):
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return made

    def _wire(self) -> None:
        """Join the nodes on one switch, behind which the world's addresses are."""
        sh(self.world, "link add sw0 type bridge", "link set sw0 up addrgenmode none")
        for number, namespace in zip(NODES, self.nodes.values(), strict=True):
            there = f"/proc/{os.getpid()}/fd/{namespace}"
            sh(self.world, f"link add w{number} type veth peer name eth0 netns {there}")
            sh(self.world, f"link set w{number} master sw0 up addrgenmode none")
            sh(
                namespace,
                f"addr add 192.168.0.{number}/24 dev eth0",
                f"addr add 2001:db8:1::{number}/64 dev eth0 nodad",
                "link set eth0 addrgenmode none up",
                f"addr add fe80::{number}/64 dev eth0 nodad",
                "route add default via 192.168.0.254",
                "route add default via 2001:db8:1::fe",
            )
        own = ("192.168.0.254/24", "2001:db8:1::fe/64", "fe80::fe/64")
        sh(self.world, *(f"addr add {text} dev sw0" + (" nodad" if ":" in text else "") for text in own))
        for text in ELSEWHERE:
            sh(self.world, f"addr add {text} dev lo" + (" nodad" if ":" in text else ""))
        for number in NODES:
            sh(
                self.world,
                f"route add 10.244.{number}.0/24 via 192.168.0.{number}",
                f"route add fd00:244:{number}::/64 via 2001:db8:1::{number}",
            )

    def _build(self, number: int) -> None:
        name = f"node-{number}"
        kernel = HostKernel(self.nodes[name])
        self._ends.callback(kernel.close)
        self.kernels[name] = kernel
        view = _view(number)
        held, left_out = self._running.whole(view)
        assert left_out == ()
        _apply(kernel, held)
        network = self._running.network(view)
        for slot in SLOTS:
            self._slot(kernel, network, number, slot)

    def _slot(self, kernel: HostKernel, network: NodeNetwork, node: int, slot: int) -> None:
        v4, v6 = (ip_address(text) for text in addresses(node, slot))
        attachment = Attachment("octet", f"slot-{node}-{slot}", "eth0")
        link = self.attach.host_link(attachment, "slots", f"{node}-{slot}")
        endpoint = Endpoint(attachment, link, pod_mac(v4, v6), network.mtu, v4, v6)  # type: ignore[arg-type]
        held = Slot(self._namespace(), endpoint)
        plan = self._running.endpoint(network, endpoint)
        with kernel.enter(held.namespace) as inside:
            _apply(inside, plan.pod)
        _apply(kernel, plan.node)
        self.slots[v4] = self.slots[v6] = held

    # policies

    def endpoint_of(self, pod: Pod) -> Endpoint:
        """Return the slot that has a pod's addresses, as this pod's."""
        held = self.slots[pod.ips[0]].endpoint
        families = {address.version: address for address in pod.ips}
        return replace(held, v4=families.get(4), v6=families.get(6), namespace=pod.namespace, pod=pod.name)

    def compiled(
        self, objects: Sequence[Mapping[str, Any]], names: Names | None = None
    ) -> dict[str, Blueprint]:
        """Return what each node's table should hold for a cluster, with names that mean this."""
        first = replace(view_of(objects, "node-1"), learned=names or {})
        found = {}
        for name in self.nodes:
            view = replace(first, me=name, underlay=underlay_of(first, name))
            here = [pod for pod in view.pods.values() if pod.node == name and pod.own_ips]
            endpoints = [self.endpoint_of(pod) for pod in here]
            found[name] = policy.compile(view, endpoints, bridge=self.attach.shared_link)
        return found

    def enforce(self, objects: Sequence[Mapping[str, Any]], names: Names | None = None) -> None:
        """Make a cluster's policy true on both nodes; connections of before are forgotten."""
        for name, wanted in self.compiled(objects, names).items():
            self.put(name, wanted)
            forget_connections(self.nodes[name])

    def put(self, name: str, wanted: Blueprint) -> None:
        """Make a node's rules so, in one transaction."""
        outcome = self.kernels[name].apply(wanted.change_from(self.rules[name]))
        assert outcome.ok, "\n".join(map(str, outcome.failed[:5]))
        self.rules[name] = wanted

    # packets

    def place_of(self, address: NetworkAddress) -> str | None:
        """Return where an address is: a slot, a node, the world, or nowhere."""
        if address in self.slots:
            return str(self.slots[address].endpoint.v4)
        nodes = {text: name for name, text in policy_world.NODES.items()}
        return nodes.get(str(address)) or (WORLD if str(address) in ELSEWHERE else None)

    def askable(self, flows: Iterable[Flow], world: World) -> list[Flow]:
        """Return the flows that real packets can ask: between places that are there, each connection once.

        Connection tracking knows protocols without ports by their addresses alone, so that two flows the
        opposite way would be one connection; of ICMP only requests begin one.
        """
        living = {address for pod in world.pods() for address in pod.addresses}
        found: dict[tuple[Any, ...], Flow] = {}
        for flow in flows:
            ends = (flow.source, flow.destination)
            there = all(self.place_of(each) and (each not in self.slots or each in living) for each in ends)
            request = flow.icmp is None or flow.icmp[0] in ECHO.values()
            plain = flow.port is None and flow.icmp is None
            key = (
                (frozenset(ends), flow.number) if plain else (*ends, flow.number, flow.port, flow.source_port)
            )
            if there and request:
                found.setdefault(key, flow)
        return list(found.values())

    def passes(self, flows: Sequence[Flow], expected: Sequence[bool]) -> list[bool]:
        """Send first packets; return which arrived."""
        places = ((self.place_of(flow.source), self.place_of(flow.destination), flow) for flow in flows)
        return self.prober.ask(
            [Question(origin or "", goal or "", flow) for origin, goal, flow in places], expected
        )


@contextmanager
def policy_net(attach: str) -> Iterator[PolicyNet]:
    """Yield the namespaces with pods attached in a way of ATTACH; they end with the block."""
    with ExitStack() as ends:
        yield PolicyNet(ATTACH[attach], ends)


def forget_connections(namespace: int) -> None:
    """Forget every connection of a namespace (ctnetlink: a deletion that names none)."""
    with namespaces.inside(namespace):
        netlink = Socket(NETLINK_NETFILTER)
    with netlink:
        for answer in netlink.batch([Message(1 << 8 | 2, 0, bytes(4))]):
            assert answer.errno == 0


def _view(me: int) -> View:
    nodes = {
        f"node-{number}": Node(
            f"node-{number}",
            pod_cidrs=(ip_network(f"10.244.{number}.0/24"), ip_network(f"fd00:244:{number}::/64")),
            internal_ips=(ip_address(f"192.168.0.{number}"), ip_address(f"2001:db8:1::{number}")),
        )
        for number in NODES
    }
    here = Underlay("eth0", 1500, IPv4Interface(f"192.168.0.{me}/24"), IPv6Interface(f"2001:db8:1::{me}/64"))
    cluster = (ip_network("10.244.0.0/16"), ip_network("fd00:244::/32"))
    return View(f"node-{me}", here, nodes, pod_cidrs=cluster)  # type: ignore[arg-type]


def _apply(kernel: HostKernel, wanted: Blueprint) -> None:
    outcome = kernel.apply(wanted.change_from(Blueprint()))
    assert outcome.ok, "\n".join(map(str, outcome.failed))


__all__ = ["ATTACH", "PolicyNet", "forget_connections", "policy_net"]
