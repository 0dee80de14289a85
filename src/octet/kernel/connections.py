"""Running connections as connection tracking knows them, and cutting some of them.

What lives here: the dump of conntrack entries as values, and their deletion, over ctnetlink
(linux/netfilter/nfnetlink_conntrack.h). What it must not know: policies, pods, why one is cut.
"""

import errno
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address

from octet.kernel import namespaces
from octet.kernel.netlink import addresses, wire
from octet.kernel.netlink.wire import NETLINK_NETFILTER, NETLINK_ROUTE, Message, Socket

Address = IPv4Address | IPv6Address

_SUBSYSTEM = 1 << 8
_GET, _DELETE = _SUBSYSTEM | 1, _SUBSYSTEM | 2
_HEADER = struct.Struct("=BBH")  # struct nfgenmsg: family, version, resource
_FAMILY = {4: 2, 6: 10}
_ORIGINAL, _REPLY = 1, 2
_IP, _PROTOCOL = 1, 2
_SOURCE = {4: 1, 6: 3}
_NUMBER, _SOURCE_PORT = 1, 2
_ICMP_TYPE, _ICMP_CODE = {4: 5, 6: 8}, {4: 6, 6: 9}


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection by its first packet, as it was after translation of its destination.

    Attributes:
        source, source_port: who began it, before translation of the source.
        destination, port: who answers; ports are 0 where the protocol has none.
        protocol: IANA's number.
        icmp: type and code of the first packet, of ICMP.
    """

    source: Address
    destination: Address
    protocol: int
    source_port: int = 0
    port: int = 0
    icmp: tuple[int, int] | None = None
    _original: bytes = field(default=b"", repr=False, compare=False)

    def deletion(self) -> Message:
        """Return the message that has it forgotten."""
        header = _HEADER.pack(_FAMILY[self.source.version], 0, 0)
        return Message(_DELETE, 0, header + wire.attribute(_ORIGINAL | wire.NESTED, self._original))


def listed(families: Iterable[int], namespace: int | None = None) -> Iterator[Connection]:
    """Yield every connection of these families (4, 6). Costs a dump. Raises OSError."""
    with _socket(namespace) as socket:
        for family in families:
            for _, body in socket.dump(Message(_GET, 0, _HEADER.pack(_FAMILY[family], 0, 0))):
                found = _decoded(family, wire.attributes(body, _HEADER.size))
                if found is not None:
                    yield found


def own_addresses(namespace: int | None = None) -> frozenset[Address]:
    """Return the addresses of a namespace itself: who is there is not policed. Raises OSError."""
    with _socket(namespace, NETLINK_ROUTE) as socket:
        return frozenset(each.interface.ip for each in addresses.everything(socket))


def cut(connections: Iterable[Connection], namespace: int | None = None) -> int:
    """Have connections forgotten, so that their next packet is judged anew; return how many there were.

    Raises:
        OSError: the kernel would not; one that is gone already is no error.
    """
    wanted = [each.deletion() for each in connections]
    if not wanted:
        return 0
    with _socket(namespace) as socket:
        for answer in socket.batch(wanted):
            if answer.errno not in {0, errno.ENOENT}:
                raise OSError(answer.errno, answer.reason or os.strerror(answer.errno))
    return len(wanted)


def _socket(namespace: int | None, protocol: int = NETLINK_NETFILTER) -> Socket:
    if namespace is None:
        return Socket(protocol)
    with namespaces.inside(namespace):
        return Socket(protocol)


def _decoded(family: int, entry: dict[int, bytes]) -> Connection | None:
    if _ORIGINAL not in entry or _REPLY not in entry:
        return None
    first, answer = (wire.attributes(entry[each]) for each in (_ORIGINAL, _REPLY))
    asked, told = (wire.attributes(each.get(_IP, b"")) for each in (first, answer))
    ports, back = (wire.attributes(each.get(_PROTOCOL, b"")) for each in (first, answer))
    if _SOURCE[family] not in asked or _SOURCE[family] not in told or _NUMBER not in ports:
        return None
    kind = _ICMP_TYPE[family]
    return Connection(
        source=ip_address(asked[_SOURCE[family]]),
        destination=ip_address(told[_SOURCE[family]]),
        protocol=ports[_NUMBER][0],
        source_port=_port(ports.get(_SOURCE_PORT)),
        port=_port(back.get(_SOURCE_PORT)),
        icmp=(ports[kind][0], ports[_ICMP_CODE[family]][0]) if kind in ports else None,
        _original=entry[_ORIGINAL],
    )


def _port(raw: bytes | None) -> int:
    return int(struct.unpack("!H", raw)[0]) if raw else 0
