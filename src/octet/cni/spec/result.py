"""The result of an ADD, as values.

What lives here: Result and its parts, the same for all versions. What it must not know: JSON of any version.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface that a plugin made.

    Attributes:
        mac: as printed by ``ip link``, or empty.
        mtu: bytes, 0 is unknown; only 1.1.0 carries it.
        sandbox: path of the network namespace it is in; empty is the node's own.
        socket_path, pci_id: for vhost-user and hardware devices; only 1.1.0 carries them.
    """

    name: str
    mac: str = ""
    mtu: int = 0
    sandbox: str = ""
    socket_path: str = ""
    pci_id: str = ""


@dataclass(frozen=True, slots=True)
class Ip:
    """An address of an interface.

    Attributes:
        interface: index into the result's interfaces; None where the plugin (an IPAM plugin) has none.
    """

    address: IPv4Interface | IPv6Interface
    gateway: Address | None = None
    interface: int | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """A route inside the pod; everything after the gateway is carried by 1.1.0 only.

    Attributes:
        mtu, advmss: bytes, 0 is unset.
        priority: metric, 0 is unset.
        table, scope: the kernel's numbers, None is unset.
    """

    destination: Network
    gateway: Address | None = None
    mtu: int = 0
    advmss: int = 0
    priority: int = 0
    table: int | None = None
    scope: int | None = None


@dataclass(frozen=True, slots=True)
class Dns:
    """What a resolver of the pod should use."""

    nameservers: tuple[str, ...] = ()
    domain: str = ""
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What an ADD made (1.1.0, section 5, "ADD Success")."""

    interfaces: tuple[Interface, ...] = ()
    ips: tuple[Ip, ...] = ()
    routes: tuple[Route, ...] = ()
    dns: Dns = Dns()
