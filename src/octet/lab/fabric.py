"""What connects the machines of a lab, as data: one blueprint per network namespace, and the wires.

What lives here: Fabric, the list of fabrics, the single switch. What it must not know: how a namespace is
made or filled (``wiring``), providers, pods.

A lab's fabric is not Octet's on the nodes: an agent owns what carries its mark and prunes the rest of it, so
the values here are built by ``wiring`` without any mark, as an operator's own network would be.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from octet.blueprint import Address, Blueprint, Bridge, KernelObject, Link, Route, Sysctl, Veth
from octet.errors import BadConfigurationError
from octet.lab.names import OUTSIDE, SWITCH, Plan

UPLINK = "eth0"
"""The interface by which every machine is on the fabric."""


@dataclass(frozen=True, slots=True)
class End:
    """One end of a wire: a link in a namespace."""

    space: str
    link: str


@dataclass(frozen=True, slots=True)
class Wire:
    """A pair of virtual Ethernet devices between two namespaces."""

    near: End
    far: End


@dataclass(frozen=True)
class Fabric:
    """Namespaces, what each holds, and the wires between them.

    Attributes:
        spaces: by name of the network namespace; in the order they are built.
        ports: the switch port (an end of a wire) that carries all traffic of each node, by node.
    """

    name: str
    spaces: Mapping[str, Blueprint]
    wires: tuple[Wire, ...]
    ports: Mapping[str, End]


def l2(nodes: tuple[str, ...], plan: Plan) -> Fabric:
    """Return one switch with all nodes on it, and the host outside as their default gateway."""
    hosts = (*nodes, OUTSIDE)
    wires = tuple(Wire(End(SWITCH, host), End(host, UPLINK)) for host in hosts)
    spaces = {SWITCH: _switch(hosts)}
    spaces |= {node: _node(node, plan) for node in nodes}
    spaces[OUTSIDE] = _outside(plan)
    return Fabric(
        "l2", spaces, wires, {wire.far.space: wire.near for wire in wires if wire.far.space in nodes}
    )


FABRICS: Mapping[str, Callable[[tuple[str, ...], Plan], Fabric]] = {"l2": l2}
"""Every fabric by the word of ``--fabric``."""


def build(name: str, nodes: tuple[str, ...], plan: Plan) -> Fabric:
    """Return the fabric of this name. Raises BadConfigurationError."""
    if name not in FABRICS:
        hint = f"one of {', '.join(FABRICS)}"
        raise BadConfigurationError("lab", "fabric", name, "unknown", hint=hint)
    return FABRICS[name](nodes, plan)


def _switch(hosts: tuple[str, ...]) -> Blueprint:
    # Without snooping, neighbour discovery and BUM traffic do not depend on who queried when.
    bridge = Link(SWITCH, Bridge(multicast_snooping=False), "fabric", ipv6_autoconf=False)
    ports = (Link(host, Veth(UPLINK), f"to {host}", master=SWITCH, ipv6_autoconf=False) for host in hosts)
    return Blueprint([bridge, *ports])


def _uplink(host: str) -> list[KernelObject]:
    # An address must be usable at once: nobody else can have it.
    quiet = Sysctl("net/ipv6/conf/default/accept_dad", "0")
    return [quiet, Link(UPLINK, Veth(host), "uplink")]


def _node(node: str, plan: Plan) -> Blueprint:
    interfaces = plan.node_interfaces(node)
    addresses = [Address(UPLINK, interface) for interface in interfaces]
    routes = [Route(_everywhere(gateway.version), UPLINK, via=gateway) for gateway in plan.gateways]
    return Blueprint([*_uplink(node), *addresses, *routes])


def _outside(plan: Plan) -> Blueprint:
    near = [Address(UPLINK, interface) for interface in plan.gateway_interfaces]
    far = [Address("lo", interface) for interface in plan.beyond]
    return Blueprint([*_uplink(OUTSIDE), *near, *far])


def _everywhere(version: int) -> IPv4Network | IPv6Network:
    return ip_network("0.0.0.0/0" if version == 4 else "::/0")
