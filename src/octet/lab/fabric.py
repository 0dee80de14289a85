"""What connects the machines of a lab, as data: one blueprint per network namespace, the wires, the routers.

What lives here: Fabric and its parts. What it must not know: which fabrics there are (``fabrics``), how a
namespace is made or filled (``wiring``), how a router is told (``routers``), providers, pods.

A lab's fabric is not Octet's on the nodes: an agent owns what carries its mark and prunes the rest of it, so
the values here are built by ``wiring`` without any mark, as an operator's own network would be.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from octet.blueprint import Address, Blueprint, KernelObject, Link, Route, Sysctl, Veth
from octet.errors import NotFoundError
from octet.lab.names import Address as IpAddress
from octet.lab.names import Interface, Network, everywhere
from octet.lab.routers import Router

UPLINK = "eth0"
"""The interface by which every machine is on the fabric."""


@dataclass(frozen=True, slots=True)
class End:
    """One end of a wire: a link in a namespace."""

    space: str
    link: str

    def __str__(self) -> str:
        return f"{self.space}/{self.link}"


@dataclass(frozen=True, slots=True)
class Wire:
    """A pair of virtual Ethernet devices between two namespaces.

    Attributes:
        near: the fabric's own end; unplugging takes this one down, and a node's stays as it is.
    """

    near: End
    far: End

    def touches(self, name: str) -> bool:
        """Tell whether a namespace, or a link as ``tor1/up1``, is at one of its ends."""
        return name in {self.near.space, self.far.space, str(self.near), str(self.far)}

    def joins(self, one: str, other: str) -> bool:
        """Tell whether it is between two namespaces."""
        return {self.near.space, self.far.space} == {one, other}


@dataclass(frozen=True)
class Fabric:
    """Namespaces, what each holds, and the wires between them.

    Attributes:
        spaces: by name of the network namespace; in the order they are built.
        ports: the port (an end of a wire) that carries all traffic of each node, by node.
        interfaces: each node's underlay addresses with their prefix lengths, by node.
        routers: what namespaces are beside their links, by name; a switch is none.
        announced: networks that every router has a route to when all is well.
    """

    name: str
    spaces: Mapping[str, Blueprint]
    wires: tuple[Wire, ...]
    ports: Mapping[str, End]
    interfaces: Mapping[str, tuple[Interface, ...]] = field(default_factory=dict)
    routers: Mapping[str, Router] = field(default_factory=dict)
    announced: tuple[Network, ...] = ()

    def addresses(self, node: str) -> tuple[IpAddress, ...]:
        """Return a node's underlay addresses, IPv4 first."""
        return tuple(interface.ip for interface in self.interfaces[node])

    def bridged(self, end: End) -> bool:
        """Tell whether an end of a wire is a port of a bridge."""
        link = self.spaces[end.space].get(("link", end.link))
        return isinstance(link, Link) and link.master is not None

    def breakable(self) -> tuple[str, ...]:
        """Return everything that can be cut off: nodes, routers, and routers' links to each other."""
        between = (
            str(end)
            for wire in self.wires
            if {wire.near.space, wire.far.space} <= set(self.routers)
            for end in (wire.near, wire.far)
        )
        return (*self.ports, *self.routers, *between)

    def check_pair(self, one: str, other: str) -> None:
        """Refuse a pair that has nothing of its own to break. Raises NotFoundError saying what there is."""
        if any(wire.joins(one, other) for wire in self.wires):
            return
        if {one, other} <= set(self.ports) and self.ports[one].space == self.ports[other].space:
            return
        neighbours = ", ".join(sorted(set(self._neighbours(one))))
        hint = f"{one} is joined to {neighbours}" if neighbours else ""
        raise NotFoundError(f"there is no wire between {one} and {other}", hint=hint)

    def _neighbours(self, name: str) -> Iterator[str]:
        for wire in self.wires:
            if wire.near.space == name:
                yield wire.far.space
            elif wire.far.space == name and wire.near.space in self.routers:
                yield wire.near.space


def uplink(peer: str, name: str = UPLINK) -> list[KernelObject]:
    """Return a host's device on the fabric."""
    # An address must be usable at once: nobody else can have it.
    quiet = Sysctl("net/ipv6/conf/default/accept_dad", "0")
    return [quiet, Link(name, Veth(peer), "uplink")]


def host(peer: str, interfaces: tuple[Interface, ...], gateways: tuple[IpAddress, ...]) -> Blueprint:
    """Return a machine with one uplink: its addresses, and default routes."""
    addresses = [Address(UPLINK, interface) for interface in interfaces]
    routes = [Route(everywhere(gateway.version), UPLINK, via=gateway) for gateway in gateways]
    return Blueprint([*uplink(peer), *addresses, *routes])
