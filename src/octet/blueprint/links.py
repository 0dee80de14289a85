"""Links: the devices a namespace should hold, one value per device.

What lives here: ``Link`` and the detail of each kind of device, and where tunnels in UDP end. A new kind is
one more detail class.
What it must not know: ifindexes, netlink attribute numbers, which transport wants the device.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from octet.blueprint.base import Key


@dataclass(frozen=True, slots=True)
class Veth:
    """One end of a pair (veth(4)).

    Attributes:
        peer: name of the other end, in the namespace where it lives.
        peer_mac: MAC of the other end, set at creation so that udev has nothing to rewrite.
    """

    peer: str
    peer_mac: str | None = None


@dataclass(frozen=True, slots=True)
class Bridge:
    """A learning bridge; spanning tree is off, as every bridge-based provider leaves it.

    Attributes:
        multicast_snooping: IGMP/MLD snooping.
    """

    multicast_snooping: bool = True


@dataclass(frozen=True, slots=True)
class Vxlan:
    """A VXLAN device (RFC 7348) whose entries are all programmed, never learned.

    Attributes:
        vni: network identifier, 24 bits.
        port: UDP destination port.
        local: source address of outer packets; its family is the underlay's.
        lower: underlay device the kernel takes MTU and carrier from, or None.
        learning: source learning in the data path.
    """

    vni: int
    port: int
    local: IPv4Address | IPv6Address
    lower: str | None = None
    learning: bool = False


@dataclass(frozen=True, slots=True)
class Ifb:
    """An intermediate functional block: where traffic that leaves a pod is shaped."""


@dataclass(frozen=True, slots=True)
class InUdp:
    """UDP around a tunnel's packets, for networks that pass nothing else (ip-fou(8)).

    Its source port is chosen by flow, so that routers with several ways spread flows over them.

    Attributes:
        port: UDP destination port; a ``FouPort`` takes the packets there.
        gue: four bytes say what is inside (Generic UDP Encapsulation); else the port says it (FOU).
    """

    port: int
    gue: bool = True


@dataclass(frozen=True, slots=True)
class Ipip:
    """IPv4 in IPv4 (RFC 2003, protocol 4), not to be fragmented on its way.

    Attributes:
        local: source address of outer packets.
        remote: their destination; None is the gateway of the route that leads a packet here, so that one
            device serves all peers.
        ttl: of outer packets; 0 is that of the inner one.
        in_udp: what is between the two, None for nothing.
    """

    local: IPv4Address
    remote: IPv4Address | None = None
    ttl: int = 0
    in_udp: InUdp | None = None


@dataclass(frozen=True, slots=True)
class Ip6Tunnel:
    """IPv6 in IPv6 (RFC 2473, protocol 41), without the option that limits nesting, which costs eight bytes.

    Attributes:
        local, remote: as for ``Ipip``, but the kernel's device needs a remote.
        ttl: hop limit of outer packets; 0 is that of the inner one.
        in_udp: as for ``Ipip``.
    """

    local: IPv6Address
    remote: IPv6Address
    ttl: int = 0
    in_udp: InUdp | None = None


LinkDetail = Veth | Bridge | Vxlan | Ifb | Ipip | Ip6Tunnel


@dataclass(frozen=True, slots=True)
class BridgePort:
    """How a link behaves as a port of its bridge.

    Attributes:
        hairpin: may a packet leave through the port it came from (a pod that reaches itself by a service).
        isolated: may it not talk to other isolated ports.
        locked: does it take frames only of MACs that have an entry for it (``FdbEntry``). Linux 5.18.
    """

    hairpin: bool = False
    isolated: bool = False
    locked: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """One network device that we make and own.

    Attributes:
        name: interface name, at most 15 bytes (IFNAMSIZ - 1).
        detail: what kind of device, with what cannot be altered in place.
        purpose: why it exists; kept in the kernel as its alias ``octet:<purpose>``, by which we know our own.
        mtu: bytes; None leaves the kernel's choice.
        mac: lower-case colon form; None leaves the kernel's choice.
        master: the bridge it is a port of.
        port: port settings, where there is a master.
        up: administratively up.
        ipv6_autoconf: may the kernel give it a link-local address by itself (addrgenmode eui64, else none).
    """

    name: str
    detail: LinkDetail
    purpose: str
    mtu: int | None = None
    mac: str | None = None
    master: str | None = None
    port: BridgePort | None = None
    up: bool = True
    ipv6_autoconf: bool = True

    @property
    def key(self) -> Key:
        """Identity: the name."""
        return ("link", self.name)

    def __str__(self) -> str:
        parts = [f"link {self.name} {type(self.detail).__name__.lower()} ({self.purpose})"]
        parts += [f"mtu {self.mtu}"] if self.mtu is not None else []
        parts += [f"mac {self.mac}"] if self.mac is not None else []
        parts += [f"master {self.master}"] if self.master is not None else []
        return " ".join([*parts, *_detail(self.detail), *_manner(self)])


def _detail(detail: LinkDetail) -> Iterator[str]:
    """Yield what only this kind of device has, in the words of ip-link(8)."""
    match detail:
        case Vxlan():
            yield f"vni {detail.vni} port {detail.port} local {detail.local}"
            yield from (f"dev {name}" for name in (detail.lower,) if name is not None)
            yield from ("learning",) * detail.learning
        case Veth():
            yield f"peer {detail.peer}"
            yield from (f"address {mac}" for mac in (detail.peer_mac,) if mac is not None)
        case Bridge():
            yield from ("mcast_snooping 0",) * (not detail.multicast_snooping)
        case Ipip() | Ip6Tunnel():
            yield f"local {detail.local} remote {detail.remote or 'any'}"
            yield from (f"ttl {detail.ttl}",) * bool(detail.ttl)
            yield from (_udp(wrapped) for wrapped in (detail.in_udp,) if wrapped is not None)


def _udp(wrapped: InUdp) -> str:
    return f"encap {'gue' if wrapped.gue else 'fou'} encap-dport {wrapped.port}"


def _manner(link: Link) -> Iterator[str]:
    """Yield what is not as it is for most links; equal texts must mean equal links."""
    if link.port is not None:
        yield f"hairpin {'on' if link.port.hairpin else 'off'}"
        yield from ("isolated on",) * link.port.isolated
    yield from ("addrgenmode eui64",) * link.ipv6_autoconf
    yield from ("down",) * (not link.up)


@dataclass(frozen=True, slots=True)
class FouPort:
    """A UDP port of a whole namespace at which the kernel takes packets out of UDP (ip-fou(8)).

    Attributes:
        family: 4 or 6, of the outer packets.
        protocol: IP protocol of what is inside; None for GUE, where each packet says it.
    """

    port: int
    family: int = 4
    protocol: int | None = None

    @property
    def key(self) -> Key:
        """Identity: family and port."""
        return ("fou", self.family, self.port)

    def __str__(self) -> str:
        inside = "gue" if self.protocol is None else f"ipproto {self.protocol}"
        return f"fou {'-6 ' if self.family == 6 else ''}port {self.port} {inside}"
