"""Links as the kernel tells them: numbers, names and facts, before anybody decides whose they are.

What lives here: ``Interface`` (one RTM_NEWLINK decoded) and ``Interfaces`` (names to numbers and back).
What it must not know: blueprints, except the marks by which we know our own links.
"""

import errno
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from octet.kernel.netlink import wire
from octet.kernel.netlink.wire import Message, Socket
from octet.kernel.port import ALIAS_PREFIX, RETIRED_GROUP

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
BORN_GROUP = 0x6F62
"""Link group of a link of ours between its creation and its alias: a crash in between leaves it ours."""

IFINFO = struct.Struct("=BxHiII")
IFF_UP = 1

ADDRESS, IFNAME, MTU, LINK, MASTER, PROTINFO, LINKINFO = 1, 3, 4, 5, 10, 12, 18
IFALIAS, AF_SPEC, GROUP, NET_NS_FD, EXT_MASK, LINK_NETNSID, TARGET_NETNSID = 20, 26, 27, 28, 29, 37, 46
INFO_KIND, INFO_DATA, INFO_SLAVE_KIND, INFO_SLAVE_DATA = 1, 2, 4, 5
TX_QUEUES, RX_QUEUES = 31, 32
BRIEFLY = wire.u32(EXT_MASK, 1 << 3)
"""Asks for a link without its counters (RTEXT_FILTER_SKIP_STATS)."""
_AF_INET6, _ADDR_GEN_MODE, ADDR_GEN_NONE = 10, 8, 1


@dataclass(frozen=True, slots=True)
class Interface:
    """One link of a namespace.

    Attributes:
        kind: as in ``ip link add type KIND``; empty for hardware and loopback.
        lower: index of the link below, or of a veth's other end; 0 where there is none.
        peer_namespace: the kernel's number (nsid) for the namespace where ``lower`` lives; None is here.
        autoconf: does IPv6 give it a link-local address by itself; None where it has no IPv6.
        data: IFLA_INFO_DATA of its kind.
        port: IFLA_INFO_SLAVE_DATA, where its master is a bridge.
    """

    index: int
    name: str
    flags: int = 0
    kind: str = ""
    alias: str = ""
    group: int = 0
    mtu: int = 0
    mac: bytes = b""
    master: int = 0
    lower: int = 0
    peer_namespace: int | None = None
    autoconf: bool | None = None
    data: bytes = b""
    port: bytes | None = None

    @property
    def retired(self) -> bool:
        """Is it a pod link that waits to be deleted?"""
        return self.group == RETIRED_GROUP

    @property
    def owned(self) -> bool:
        """Is it ours, and in use?"""
        return (self.alias.startswith(ALIAS_PREFIX) or self.group == BORN_GROUP) and not self.retired


class Interfaces:
    """The links of one namespace at one moment, or those of them that were asked for."""

    def __init__(self, interfaces: Iterable[Interface] = ()) -> None:
        self._by_name: dict[str, Interface] = {}
        self._by_index: dict[int, Interface] = {}
        for each in interfaces:
            self.learn(each)

    def learn(self, interface: Interface) -> None:
        """Take in a link, new or changed."""
        before = self._by_index.get(interface.index)
        if before is not None and before.name != interface.name:
            self._by_name.pop(before.name, None)
        self._by_name[interface.name] = interface
        self._by_index[interface.index] = interface

    def forget(self, name: str) -> None:
        """Let go of a link that is gone."""
        gone = self._by_name.pop(name, None)
        if gone is not None:
            self._by_index.pop(gone.index, None)

    def get(self, name: str) -> Interface | None:
        """Return the link of this name, or None."""
        return self._by_name.get(name)

    def at(self, index: int) -> Interface | None:
        """Return the link of this number, or None."""
        return self._by_index.get(index)

    def name(self, index: int) -> str:
        """Return the name of a link by number; empty where it is not known."""
        found = self._by_index.get(index)
        return found.name if found else ""

    def index(self, name: str) -> int:
        """Return the number of a link by name. Raises OSError (ENODEV)."""
        found = self._by_name.get(name)
        if found is None:
            raise OSError(errno.ENODEV, f"there is no link {name}")
        return found.index

    def all(self) -> tuple[Interface, ...]:
        """Return all of them."""
        return tuple(self._by_index.values())


def decode(body: bytes) -> Interface:
    """Return the link that an RTM_NEWLINK or RTM_DELLINK body describes."""
    _, _, index, flags, _ = IFINFO.unpack_from(body)
    found = wire.attributes(body, IFINFO.size)
    info = wire.attributes(found.get(LINKINFO, b""))
    on_bridge = wire.as_text(info.get(INFO_SLAVE_KIND, b"")) == "bridge"
    return Interface(
        index=index,
        name=wire.as_text(found.get(IFNAME, b"")),
        flags=flags,
        kind=wire.as_text(info.get(INFO_KIND, b"")),
        alias=wire.as_text(found.get(IFALIAS, b"")),
        group=wire.as_int(found.get(GROUP, b"")),
        mtu=wire.as_int(found.get(MTU, b"")),
        mac=found.get(ADDRESS, b""),
        master=wire.as_int(found.get(MASTER, b"")),
        lower=wire.as_int(found.get(LINK, b"")),
        peer_namespace=wire.as_int(found[LINK_NETNSID]) if LINK_NETNSID in found else None,
        autoconf=_autoconf(found.get(AF_SPEC, b"")),
        data=info.get(INFO_DATA, b""),
        port=info.get(INFO_SLAVE_DATA, b"") if on_bridge else None,
    )


def decode_port(body: bytes) -> tuple[int, bytes | None]:
    """Return a port's number and settings from the message of a bridge (AF_BRIDGE), if it tells them."""
    index: int = IFINFO.unpack_from(body)[2]
    return index, wire.attributes(body, IFINFO.size).get(PROTINFO)


def _autoconf(af_spec: bytes) -> bool | None:
    inet6 = wire.attributes(wire.attributes(af_spec).get(_AF_INET6, b""))
    return inet6[_ADDR_GEN_MODE][0] != ADDR_GEN_NONE if _ADDR_GEN_MODE in inet6 else None


def autoconf(wanted: bool) -> bytes:
    """Return the attribute that lets the kernel give the link an IPv6 link-local address, or forbids it."""
    mode = wire.u8(_ADDR_GEN_MODE, 0 if wanted else ADDR_GEN_NONE)
    return wire.nested(AF_SPEC, wire.nested(_AF_INET6, mode))


def request(name: str) -> Message:
    """Return the request for one link by name, without its counters."""
    header = IFINFO.pack(0, 0, 0, 0, 0)
    return Message(RTM_GETLINK, 0, header + wire.text(IFNAME, name) + BRIEFLY)


def lookup(socket: Socket, names: Iterable[str]) -> Interfaces:
    """Return those of the named links that exist, asked for in one batch."""
    answers = socket.batch([request(name) for name in names])
    return Interfaces(decode(body) for answer in answers for _, body in answer.replies)


def everything(socket: Socket) -> Interfaces:
    """Return all links. Costs a dump."""
    header = IFINFO.pack(0, 0, 0, 0, 0)
    found = socket.dump(Message(RTM_GETLINK, 0, header + BRIEFLY))
    return Interfaces(decode(body) for kind, body in found if kind == RTM_NEWLINK)
