"""A packet's way from a pod to a pod on another node, followed through what a model's nodes would hold.

What lives here: hops, the headers a packet wears at each, why it goes there (the blueprint's own objects).
What it must not know: how a way is drawn, any particular model, a real kernel.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from octet import models
from octet.blueprint import (
    Address,
    Blueprint,
    Bridge,
    FdbEntry,
    Ifb,
    InUdp,
    Ip6Tunnel,
    Ipip,
    Link,
    Neighbour,
    Route,
    RouteKind,
    Veth,
    Vxlan,
)
from octet.blueprint.base import union
from octet.blueprint.layer3 import MAIN_TABLE
from octet.cluster import objects
from octet.cluster.endpoint import Endpoint
from octet.cluster.view import View
from octet.models import example
from octet.models.model import Running
from octet.transport import Speaking

ETHERNET = 14
"""Bytes of an Ethernet header without a tag: two addresses and a type (IEEE 802.3, 3.1.1)."""

IP = {4: 20, 6: 40}
"""Bytes of an IP header without options (RFC 791, 3.1; RFC 8200, 3)."""

UDP, VXLAN, GUE = 8, 8, 4
"""Bytes of these headers (RFC 768; RFC 7348, section 5; linux/gue.h, without options)."""

TTL = 64
"""What Linux gives to packets of its own (ip-sysctl.rst, ip_default_ttl; hop_limit for IPv6)."""

SENDER, RECEIVER = 10, 20
"""Numbers of the pods' addresses within their nodes' CIDRs: 10.244.1.10 sends to 10.244.2.20."""


@dataclass(frozen=True, slots=True)
class Header:
    """One header of a packet, or with the protocol ``data`` what all of them are for.

    Attributes:
        size: bytes.
        source, destination: MACs, addresses or ports; of a NIC whose MAC nobody computes, whose NIC it is.
        notes: what else decides where it goes, such as ``VNI 1``; TTL counts the routers it passed.
    """

    protocol: str
    size: int
    source: str = ""
    destination: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hop:
    """One device that the packet passes.

    Attributes:
        machine: ``pod web-10``, ``node1``, ``node2``, ``pod web-20``.
        kind: ``veth``, ``bridge``, ``vxlan``, ``nic``.
        does: what happens here, in a sentence.
        because: the routes, neighbours, addresses and forwarding entries that say so, as
            ``octet models show`` prints them; empty where the device alone says it.
        headers: as the packet leaves this device, outermost first.
    """

    machine: str
    device: str
    kind: str
    does: str
    because: tuple[str, ...]
    headers: tuple[Header, ...]

    @property
    def size(self) -> int:
        """Bytes of the packet here."""
        return sum(header.size for header in self.headers)


@dataclass(frozen=True, slots=True)
class Walk:
    """The whole way of the largest packet that the pod may send.

    Attributes:
        model: a name that ``models.find`` knows.
        family: of the pods' addresses, 4 or 6.
        pod_mtu, underlay_mtu: bytes.
    """

    model: str
    family: int
    pod_mtu: int
    underlay_mtu: int
    hops: tuple[Hop, ...]

    @property
    def wire(self) -> tuple[Header, ...]:
        """The headers between the two nodes."""
        return next(hop.headers for hop in self.hops if hop.kind == "nic")

    @property
    def overhead(self) -> int:
        """Bytes that the model adds to every packet between nodes, beside the Ethernet header all wear."""
        return sum(header.size for header in self.wire) - ETHERNET - self.pod_mtu

    @property
    def tunnelled(self) -> bool:
        """Does the underlay see the nodes' addresses instead of the pods'?"""
        return self.overhead > 0


def walk(name: str, family: int = 4) -> Walk:
    """Return the way between pods of two nodes on one network, on the example cluster of the models.

    Raises:
        BadConfigurationError: there is no such model.
        ValueError: what the model's nodes hold leads nowhere; the text says where it ends.
    """
    running = models.find(name).parse({}, source=name)
    sender, receiver = _machine(running, family, 1, SENDER), _machine(running, family, 2, RECEIVER)
    hops = tuple(_way(sender, receiver))
    return Walk(name, family, sender.endpoint.mtu, sender.view.underlay.mtu, hops)


def every(family: int = 4) -> tuple[Walk, ...]:
    """Return the way of each model and each variant, in the table's order."""
    return tuple(walk(name, family) for name in models.names())


@dataclass(frozen=True, slots=True)
class _Machine:
    """A node with one pod: all that both hold."""

    view: View
    endpoint: Endpoint
    pod: Blueprint
    node: Blueprint

    @property
    def pod_name(self) -> str:
        return f"pod {self.endpoint.pod}"

    @property
    def address(self) -> objects.Address:
        """The pod's."""
        return self.endpoint.addresses[0]

    @property
    def nic(self) -> str:
        return f"{self.view.me}'s NIC"

    def link(self, name: str) -> Link | None:
        """Return a link of ours on the node; None for the underlay's, which is the operator's."""
        found = self.node.get(("link", name))
        return found if isinstance(found, Link) else None


@dataclass(frozen=True, slots=True)
class _Next:
    """Where a routing table sends a packet: the device, whom to ask for there, and what said so."""

    link: str
    asked: objects.Address
    because: str


def _machine(running: Running, family: int, index: int, host: int) -> _Machine:
    view = example.view(running, (family,), nodes=2, me=index)
    network = running.network(view)
    endpoint = example.endpoint(running.attach, network, host, me=index)
    plan = running.endpoint(network, endpoint)
    peers = [running.peer(view, peer) for peer in view.peers]
    if isinstance(running.transport, Speaking):  # its routes are not in the blueprint: BIRD hears of them
        peers += [running.transport.heard(view, peer) for peer in view.peers]
    return _Machine(view, endpoint, plan.pod, union([running.node(view), *peers, plan.node]))


def _way(sender: _Machine, receiver: _Machine) -> Iterator[Hop]:
    inner = _Packet(sender.address, receiver.address, sender.endpoint.mtu)
    yield from _leave_pod(sender, inner)
    step = _route(sender.node, receiver.address, sender.view.me)
    device = sender.link(step.link)
    if device is None:
        wire = (_ethernet(sender.nic, receiver.nic), *inner.routed(1))
        yield Hop(
            sender.view.me, step.link, "nic", "sends it to the other node as it is", (step.because,), wire
        )
        yield Hop(receiver.view.me, _nic(receiver), "nic", "takes it in", (), wire)
    else:
        outer, inside, entries = _wrap(sender, device, step, inner)
        why, does = (step.because, *entries), "puts it into a packet between nodes"
        yield Hop(sender.view.me, step.link, _kind(device), does, why, (*outer, *inside))
        yield from _tunnel(sender, receiver, device, outer, inside)
    yield from _enter_pod(receiver, inner)


def _leave_pod(here: _Machine, inner: "_Packet") -> Iterator[Hop]:
    """Yield the hops up to the node's routing table."""
    end = here.endpoint
    step = _route(here.pod, inner.destination, here.pod_name)
    outer = here.link(end.host_link)
    if outer is None:
        raise ValueError(f"{here.pod_name}: its node has no {end.host_link}")
    bridge = here.link(outer.master) if outer.master else None
    known = here.pod.get(("neighbour", step.link, str(step.asked)))
    gateway = known.mac if isinstance(known, Neighbour) else (bridge or outer).mac
    frame = (_ethernet(end.mac, gateway or ""), *inner.routed(0))
    because = (step.because, *([str(known)] if known else []))
    yield Hop(here.pod_name, step.link, "veth", f"sends it to its gateway, {step.asked}", because, frame)
    if bridge is None:
        yield Hop(here.view.me, end.host_link, "veth", "takes it in; the node routes it", (), frame)
        return
    yield Hop(here.view.me, end.host_link, "veth", f"is a port of {bridge.name}", (), frame)
    held = tuple(str(each) for each in here.node.of(Address) if each.interface.ip == step.asked)
    yield Hop(here.view.me, bridge.name, "bridge", "is the gateway itself: the node routes it", held, frame)


def _enter_pod(here: _Machine, inner: "_Packet") -> Iterator[Hop]:
    """Yield the hops from the receiving node's routing table on."""
    end = here.endpoint
    step = _route(here.node, here.address, here.view.me)
    link = here.link(step.link)
    if link is None:
        raise ValueError(f"{here.view.me}: {here.address} is routed to {step.link}, which is none of ours")
    known = here.node.get(("neighbour", step.link, str(here.address)))
    frame = (_ethernet(link.mac or "", end.mac), *inner.routed(2))
    because = (step.because, *([str(known)] if known else []))
    if isinstance(link.detail, Bridge):
        yield Hop(here.view.me, link.name, "bridge", "is where the node routes it to", because, frame)
        yield Hop(here.view.me, end.host_link, "veth", "is the port with the pod's MAC", (), frame)
    else:
        yield Hop(here.view.me, link.name, "veth", "is where the node routes it to", because, frame)
    yield Hop(here.pod_name, end.attachment.interface, "veth", "takes it in", (), frame)


def _tunnel(
    sender: _Machine, receiver: _Machine, device: Link, outer: tuple[Header, ...], inside: tuple[Header, ...]
) -> Iterator[Hop]:
    """Yield the hops from one tunnel device to the other."""
    wire = (_ethernet(sender.nic, receiver.nic), *outer, *inside)
    yield Hop(sender.view.me, _nic(sender), "nic", "sends it to the other node", (), wire)
    yield Hop(receiver.view.me, _nic(receiver), "nic", "takes it in", (), wire)
    far = next((link for link in receiver.node.of(Link) if _same_tunnel(device, link)), None)
    meant = inside[0].destination if inside[0].protocol == "Ethernet" else None
    if far is None or far.mac != meant:
        raise ValueError(f"{receiver.view.me}: no device takes what {device} sends")
    yield Hop(receiver.view.me, far.name, _kind(far), "takes the inner packet out", (str(far),), inside)


def _wrap(
    here: _Machine, device: Link, step: _Next, inner: "_Packet"
) -> tuple[tuple[Header, ...], tuple[Header, ...], list[str]]:
    """Return the headers that a tunnel device adds, what is in them, and the entries that filled them in."""
    detail = device.detail
    match detail:
        case Vxlan():
            neighbour = here.node.get(("neighbour", device.name, str(step.asked)))
            far = neighbour.mac if isinstance(neighbour, Neighbour) else None
            entry = here.node.get(("fdb", device.name, far or ""))
            if far is None or not isinstance(entry, FdbEntry) or entry.destination is None:
                raise ValueError(f"{here.view.me}: {device.name} does not know where {step.asked} is")
            outer = (
                _ip(detail.local, entry.destination),
                Header("UDP", UDP, "hash of the inner packet", str(detail.port)),
                Header("VXLAN", VXLAN, notes=(f"VNI {detail.vni}",)),
            )
            inside = (_ethernet(device.mac or "", far), *inner.routed(1))
            return outer, inside, [str(neighbour), str(entry)]
        case Ipip() | Ip6Tunnel():
            far_end = _ip(detail.local, detail.remote or step.asked)
            return (far_end, *_in_udp(detail.in_udp)), inner.routed(1), []
        case Bridge() | Veth() | Ifb():
            raise ValueError(f"{here.view.me}: {step.asked} is routed to {device.name}, which is no way out")
    assert_never(detail)


def _in_udp(wrapped: InUdp | None) -> Iterator[Header]:
    if wrapped is None:
        return
    yield Header("UDP", UDP, "hash of the inner packet", str(wrapped.port))
    yield from [Header("GUE", GUE)] if wrapped.gue else []


def _same_tunnel(one: Link, other: Link) -> bool:
    """Tell whether a device takes what another one sends.

    For VXLAN, port, number and outer family decide; for a packet in a packet, which addresses it is between.
    """
    here, there = one.detail, other.detail
    if isinstance(here, Ipip | Ip6Tunnel) and isinstance(there, Ipip | Ip6Tunnel):
        ends = here.remote in (None, there.local) and there.remote in (None, here.local)
        return ends and here.in_udp == there.in_udp
    if not isinstance(here, Vxlan) or not isinstance(there, Vxlan):
        return False
    mine = (here.port, here.vni, here.local.version)
    return mine == (there.port, there.vni, there.local.version)


@dataclass(frozen=True, slots=True)
class _Packet:
    """The pod's own packet, the largest it may send."""

    source: objects.Address
    destination: objects.Address
    mtu: int

    def routed(self, times: int) -> tuple[Header, ...]:
        """Return its headers after this many routers."""
        header = _ip(self.source, self.destination, f"TTL {TTL - times}")
        return (header, Header("data", self.mtu - header.size))


def _route(held: Blueprint, address: objects.Address, who: str) -> _Next:
    """Return what a routing table says of an address: the longest prefix has it (RFC 1812, 5.2.4.3)."""
    ways = [
        (each.destination, _Next(each.link, each.via or address, str(each)))
        for each in held.of(Route)
        if each.link and each.table == MAIN_TABLE and each.kind is RouteKind.UNICAST
    ]
    ways += [
        (each.interface.network, _Next(each.link, address, str(each)))
        for each in held.of(Address)
        if each.prefix_route
    ]
    leading = [(network.prefixlen, found) for network, found in ways if address in network]
    if not leading:
        raise ValueError(f"{who}: no route to {address}")
    return max(leading, key=lambda way: way[0])[1]


def _nic(here: _Machine) -> str:
    return here.view.underlay.interface


def _kind(link: Link) -> str:
    return type(link.detail).__name__.lower()


def _ethernet(source: str, destination: str) -> Header:
    return Header("Ethernet", ETHERNET, source, destination)


def _ip(source: objects.Address, destination: objects.Address, *notes: str) -> Header:
    return Header(f"IPv{source.version}", IP[source.version], str(source), str(destination), notes)
