"""Kinds of devices: how each is created, altered and read, one small coder per kind.

What lives here: ``CODERS``, the table of kinds; a new kind of device is a coder and one line in it.
What it must not know: what all links share (``links``), sockets, order.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Generic, TypeVar

from octet.blueprint import Bridge, Ifb, InUdp, Ip6Tunnel, Ipip, Link, LinkDetail, Veth, Vxlan
from octet.kernel.netlink import interfaces, wire
from octet.kernel.netlink.interfaces import BORN_GROUP, IFINFO, Interface, Interfaces
from octet.kernel.netlink.kind import AF_UNSPEC, mac_bytes

ONE_QUEUE = wire.u32(interfaces.TX_QUEUES, 1) + wire.u32(interfaces.RX_QUEUES, 1)
"""One queue each way: the kernel would make one per CPU, each with its files in /sys, a third of the time
that a pair takes on 2 CPUs. Without XDP, veth hands packets over without looking at queues."""

D = TypeVar("D", bound=LinkDetail)

_VETH_INFO_PEER = 1
_BR_MCAST_SNOOPING = 23
_VXLAN_ID, _VXLAN_LINK, _VXLAN_LOCAL, _VXLAN_LEARNING, _VXLAN_PORT, _VXLAN_LOCAL6 = 1, 3, 4, 7, 15, 17
_TUN_LOCAL, _TUN_REMOTE, _TUN_TTL, _TUN_FLAGS, _TUN_PROTO, _TUN_PMTUDISC = 2, 3, 4, 8, 9, 10
_TUN_ENCAP_TYPE, _TUN_ENCAP_DPORT = 15, 18
IPPROTO_IPV6 = 41
_FOU, _GUE = 1, 2  # linux/if_tunnel.h, enum tunnel_encap_types
_IGNORE_ENCAP_LIMIT = 1  # linux/ip6_tunnel.h, IP6_TNL_F_IGN_ENCAP_LIMIT
_BE16 = struct.Struct("!H")


@dataclass(frozen=True, slots=True)
class Coder(Generic[D]):
    """How one kind of device is spoken of.

    Attributes:
        kind: the kernel's word for it.
        data: IFLA_INFO_DATA that creates it; the descriptor is of the namespace a veth's peer goes to.
        fixed: what can't be changed once it is there; details with equal values are altered in place.
        changes: IFLA_INFO_DATA that alters the rest; empty where nothing can be.
        read: IFLA_INFO_DATA back to a detail; the wanted one supplies what this namespace can't see.
    """

    kind: str
    data: Callable[[D, Link, Interfaces, int | None], bytes]
    fixed: Callable[[D], object]
    changes: Callable[[D, Interfaces], bytes]
    read: Callable[[Interface, Interfaces, D | None], D]


def _veth_data(detail: Veth, link: Link, _known: Interfaces, home: int | None) -> bytes:
    """Describe the other end: it bears our mark from birth, until its own namespace gives it its alias."""
    peer = IFINFO.pack(AF_UNSPEC, 0, 0, 0, 0)
    peer += wire.text(interfaces.IFNAME, detail.peer) + wire.u32(interfaces.GROUP, BORN_GROUP)
    peer += wire.u32(interfaces.MTU, link.mtu) if link.mtu else b""
    peer += wire.attribute(interfaces.ADDRESS, mac_bytes(detail.peer_mac)) if detail.peer_mac else b""
    peer += ONE_QUEUE
    peer += wire.u32(interfaces.NET_NS_FD, home) if home is not None else b""
    return wire.nested(_VETH_INFO_PEER, peer)


def _veth_read(found: Interface, known: Interfaces, wanted: Veth | None) -> Veth:
    """The other end's name and MAC are visible from its own namespace only: take them as wanted."""
    here = known.name(found.lower) if found.peer_namespace is None else ""
    return wanted or Veth(peer=here)


def _bridge_data(detail: Bridge, *_: object) -> bytes:
    return wire.u8(_BR_MCAST_SNOOPING, int(detail.multicast_snooping))


def _bridge_read(found: Interface, *_: object) -> Bridge:
    data = wire.attributes(found.data)
    return Bridge(multicast_snooping=wire.as_int(data.get(_BR_MCAST_SNOOPING, b"")) == 1)


def _local(address: IPv4Address | IPv6Address) -> bytes:
    return wire.attribute(_VXLAN_LOCAL if address.version == 4 else _VXLAN_LOCAL6, address.packed)


def _vxlan_changes(detail: Vxlan, known: Interfaces) -> bytes:
    lower = wire.u32(_VXLAN_LINK, known.index(detail.lower)) if detail.lower else b""
    return _local(detail.local) + lower + wire.u8(_VXLAN_LEARNING, int(detail.learning))


def _vxlan_data(detail: Vxlan, _link: Link, known: Interfaces, _home: int | None) -> bytes:
    identity = wire.u32(_VXLAN_ID, detail.vni) + wire.be16(_VXLAN_PORT, detail.port)
    return identity + _vxlan_changes(detail, known)


def _vxlan_read(found: Interface, known: Interfaces, _wanted: Vxlan | None) -> Vxlan:
    data = wire.attributes(found.data)
    local = data.get(_VXLAN_LOCAL) or data.get(_VXLAN_LOCAL6)
    return Vxlan(
        vni=wire.as_int(data.get(_VXLAN_ID, b"")),
        port=_BE16.unpack(data.get(_VXLAN_PORT, b"\0\0"))[0],
        local=(IPv6Address if local and len(local) == 16 else IPv4Address)(local or bytes(4)),
        lower=known.name(wire.as_int(data.get(_VXLAN_LINK, b""))) or None,
        learning=wire.as_int(data.get(_VXLAN_LEARNING, b"")) == 1,
    )


def _in_udp(wrapped: InUdp | None) -> bytes:
    """The kernel chooses the source port by flow where none is given."""
    if wrapped is None:
        return wire.u16(_TUN_ENCAP_TYPE, 0)
    kind = _GUE if wrapped.gue else _FOU
    return wire.u16(_TUN_ENCAP_TYPE, kind) + wire.be16(_TUN_ENCAP_DPORT, wrapped.port)


def _in_udp_read(data: dict[int, bytes]) -> InUdp | None:
    kind = wire.as_int(data.get(_TUN_ENCAP_TYPE, b""))
    port = _BE16.unpack(data.get(_TUN_ENCAP_DPORT, b"\0\0"))[0]
    return InUdp(port, gue=kind == _GUE) if kind in {_FOU, _GUE} else None


def _tunnel_changes(detail: Ipip | Ip6Tunnel, _known: Interfaces) -> bytes:
    """Everything each time: what a message does not name goes back to the kernel's default."""
    ends = wire.attribute(_TUN_LOCAL, detail.local.packed)
    ends += wire.attribute(_TUN_REMOTE, detail.remote.packed) if detail.remote is not None else b""
    return ends + wire.u8(_TUN_TTL, detail.ttl) + _in_udp(detail.in_udp) + _tunnel_manner(detail)


def _tunnel_manner(detail: Ipip | Ip6Tunnel) -> bytes:
    if isinstance(detail, Ipip):
        return wire.u8(_TUN_PMTUDISC, 1)
    return wire.u8(_TUN_PROTO, IPPROTO_IPV6) + wire.u32(_TUN_FLAGS, _IGNORE_ENCAP_LIMIT)


def _tunnel_data(detail: Ipip | Ip6Tunnel, _link: Link, known: Interfaces, _home: int | None) -> bytes:
    return _tunnel_changes(detail, known)


def _ipip_read(found: Interface, *_: object) -> Ipip:
    data = wire.attributes(found.data)
    remote = IPv4Address(data.get(_TUN_REMOTE, bytes(4)))
    return Ipip(
        local=IPv4Address(data.get(_TUN_LOCAL, bytes(4))),
        remote=None if remote.is_unspecified else remote,
        ttl=wire.as_int(data.get(_TUN_TTL, b"")),
        in_udp=_in_udp_read(data),
    )


def _ip6_tunnel_read(found: Interface, *_: object) -> Ip6Tunnel:
    data = wire.attributes(found.data)
    return Ip6Tunnel(
        local=IPv6Address(data.get(_TUN_LOCAL, bytes(16))),
        remote=IPv6Address(data.get(_TUN_REMOTE, bytes(16))),
        ttl=wire.as_int(data.get(_TUN_TTL, b"")),
        in_udp=_in_udp_read(data),
    )


CODERS: dict[type[LinkDetail], Coder[Any]] = {
    Veth: Coder("veth", _veth_data, lambda _: (), lambda *_: b"", _veth_read),
    Bridge: Coder("bridge", _bridge_data, lambda _: (), _bridge_data, _bridge_read),
    Vxlan: Coder(
        "vxlan",
        _vxlan_data,
        lambda detail: (detail.vni, detail.port, detail.local.version, detail.lower is None),
        _vxlan_changes,
        _vxlan_read,
    ),
    Ipip: Coder("ipip", _tunnel_data, lambda detail: detail.remote is None, _tunnel_changes, _ipip_read),
    Ip6Tunnel: Coder("ip6tnl", _tunnel_data, lambda _: (), _tunnel_changes, _ip6_tunnel_read),
    Ifb: Coder("ifb", lambda *_: b"", lambda _: (), lambda *_: b"", lambda *_: Ifb()),
}


def birth_mtu(link: Link) -> int | None:
    """Return the MTU that a link is created with.

    A bridge takes its ports' MTU, and 1500 when the last one leaves, unless its own has been changed since
    it was made (net/bridge, BROPT_MTU_SET_BY_USER): so it is born with another one than it shall have.
    """
    return link.mtu ^ 1 if link.mtu and isinstance(link.detail, Bridge) else link.mtu


def of_kind(kind: str) -> Coder[Any] | None:
    """Return the coder of a device by the kernel's word; None for kinds that we never make."""
    return next((coder for coder in CODERS.values() if coder.kind == kind), None)
