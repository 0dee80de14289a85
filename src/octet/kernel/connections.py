"""Running connections as connection tracking knows them, marked or forgotten one by one.

What lives here: the dump of conntrack entries as values, and changes of single ones, over ctnetlink
(linux/netfilter/nfnetlink_conntrack.h). What it must not know: policies, pods, why one is marked.
"""

import errno
import os
import struct
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from octet.kernel import namespaces
from octet.kernel.netlink import addresses, interfaces, routes, wire
from octet.kernel.netlink.wire import NETLINK_NETFILTER, NETLINK_ROUTE, Message, Socket

Address = IPv4Address | IPv6Address

FEW = 2
"""Of so many addresses of a family the kernel is asked one by one, which passes over all others' entries;
of more, the whole table is listed once."""

_SUBSYSTEM = 1 << 8
_NEW, _GET, _DELETE = _SUBSYSTEM, _SUBSYSTEM | 1, _SUBSYSTEM | 2
_HEADER = struct.Struct("=BBH")  # struct nfgenmsg: family, version, resource
_FAMILY = {4: 2, 6: 10}
_ORIGINAL, _REPLY, _TIMEOUT, _MARK, _ZONE, _MARK_MASK, _FILTER = 1, 2, 7, 8, 18, 21, 25
_ORIGINAL_FLAGS, _REPLY_FLAGS, _BY_SOURCE = 1, 2, 1
_IP, _PROTOCOL = 1, 2
_SOURCE, _DESTINATION = {4: 1, 6: 3}, {4: 2, 6: 4}
_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3
_ICMP_TYPE, _ICMP_CODE = {4: 5, 6: 8}, {4: 6, 6: 9}
_U32, _WIDTH = struct.Struct("!I"), {4: 4, 6: 16}
_GONE = {0, errno.ENOENT}
_TRIED = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection by its first packet, as it was after translation of its destination.

    Attributes:
        source, source_port: who began it, before translation of the source.
        destination, port: who answers; ports are 0 where the protocol has none.
        protocol: IANA's number.
        icmp: type and code of the first packet, of ICMP.
        asked, asked_port: what the first packet was sent to, before translation.
        mark: the connection's.
    """

    source: Address
    destination: Address
    protocol: int
    source_port: int = 0
    port: int = 0
    icmp: tuple[int, int] | None = None
    asked: Address | None = field(default=None, compare=False)
    asked_port: int = field(default=0, compare=False)
    mark: int = field(default=0, compare=False)
    _which: bytes = field(default=b"", repr=False, compare=False)

    def deletion(self) -> Message:
        """Return the message that has it forgotten."""
        return Message(_DELETE, 0, self._body())

    def marking(self, value: int, mask: int) -> Message:
        """Return the message that gives the bits of its mark under a mask this value; others stay."""
        mark = wire.attribute(_MARK, _U32.pack(value)) + wire.attribute(_MARK_MASK, _U32.pack(mask))
        return Message(_NEW, 0, self._body() + mark)

    def _body(self) -> bytes:
        return _HEADER.pack(_FAMILY[self.source.version], 0, 0) + self._which


@dataclass(frozen=True, slots=True)
class Entry:
    """A made-up connection: a datagram, seen a moment ago, to try things out."""

    source: Address
    destination: Address
    source_port: int
    port: int

    def creation(self) -> Message:
        """Return the message that enters it for ten minutes."""
        ends, ports = (self.source, self.destination), (self.source_port, self.port)
        body = _HEADER.pack(_FAMILY[self.source.version], 0, 0) + wire.attribute(_TIMEOUT, _U32.pack(600))
        body += _tuple(_ORIGINAL, ends, ports) + _tuple(_REPLY, ends[::-1], ports[::-1])
        return Message(_NEW, wire.CREATE | wire.EXCL, body)


def enter(entries: Iterable[Entry], namespace: int) -> int:
    """Enter made-up connections, into a namespace for trials; return how many. Raises OSError."""
    return _tell((each.creation() for each in entries), namespace)


def listed(
    families: Iterable[int], namespace: int | None = None, among: Collection[Address] | None = None
) -> Iterator[Connection]:
    """Yield connections as the kernel tells them, some of them twice.

    Args:
        families: of 4 and 6.
        namespace: descriptor of the network namespace; None is the calling thread's.
        among: only of those that one of these addresses began or answers in; None is all.

    Raises:
        OSError: the kernel would not.
    """
    for family in families:
        mine = None if among is None else [each for each in among if each.version == family]
        if mine is None or mine:
            yield from _listed(family, namespace, mine)


def _listed(family: int, namespace: int | None, among: list[Address] | None) -> Iterator[Connection]:
    header = _HEADER.pack(_FAMILY[family], 0, 0)
    bodies = [header]
    if among is not None and len(among) <= FEW and filters(family):
        bodies = [header + each for address in among for each in _ends(address)]
    wanted = None if among is None else {address.packed for address in among}
    for body in bodies:
        for entry in _stream(namespace, body):
            if wanted is None or _concerns(family, entry, wanted):
                yield from _decoded(family, wire.attributes(entry, _HEADER.size))


def marked(value: int, mask: int, namespace: int | None = None) -> Iterator[Connection]:
    """Yield the connections whose mark has this value under a mask. Raises OSError."""
    bits = wire.attribute(_MARK, _U32.pack(value)) + wire.attribute(_MARK_MASK, _U32.pack(mask))
    for family, number in _FAMILY.items():
        for entry in _stream(namespace, _HEADER.pack(number, 0, 0) + bits):
            found = _decoded(family, wire.attributes(entry, _HEADER.size))
            yield from (each for each in found if each.mark & mask == value)


@cache
def filters(family: int) -> bool:
    """Does the kernel find the connections of an address of a family (CTA_FILTER, Linux 5.8)?

    Tried once, in a namespace that is thrown away, for it is not enough to know filters: of IPv6 addresses
    Linux finds those that are not equal (ctnetlink_filter_match_tuple() in
    net/netfilter/nf_conntrack_netlink.c takes ipv6_addr_cmp() for a truth value; seen in 6.18).
    """
    mine, other = (ip_address(text) for text in _TRIED[family])
    header = _HEADER.pack(_FAMILY[family], 0, 0)
    scratch = namespaces.create()
    try:
        enter([Entry(mine, other, 9, 9)], scratch)
        found = [
            sum(1 for entry in _stream(scratch, header + by_end) if _concerns(family, entry, {mine.packed}))
            for address in (mine, other)
            for by_end in _ends(address)
        ]
    except OSError:
        return False
    finally:
        os.close(scratch)
    return found == [1, 0, 0, 1]


def _stream(namespace: int | None, body: bytes) -> Iterator[bytes]:
    with _socket(namespace) as socket:
        yield from socket.stream(Message(_GET, 0, body))


def _tuple(kind: int, ends: tuple[Address, Address], ports: tuple[int, int]) -> bytes:
    source, destination = ends
    addressed = wire.attribute(_SOURCE[source.version], source.packed)
    addressed += wire.attribute(_DESTINATION[destination.version], destination.packed)
    numbered = (
        wire.u8(_NUMBER, 17) + wire.be16(_SOURCE_PORT, ports[0]) + wire.be16(_DESTINATION_PORT, ports[1])
    )
    return wire.nested(kind, wire.nested(_IP, addressed), wire.nested(_PROTOCOL, numbered))


def own_addresses(namespace: int | None = None) -> frozenset[Address]:
    """Return the addresses of a namespace itself: who is there is not policed. Raises OSError."""
    with _socket(namespace, NETLINK_ROUTE) as socket:
        return frozenset(each.interface.ip for each in addresses.everything(socket))


def ways(towards: Iterable[Address], namespace: int | None = None) -> dict[Address, str]:
    """Return the interface that packets to each address leave by, where there is a way. Raises OSError."""
    with _socket(namespace, NETLINK_ROUTE) as socket:
        known = interfaces.everything(socket)
        found = routes.ways(socket, list(towards))
    return {address: known.name(index) for address, index in found.items()}


def forget(connections: Iterable[Connection], namespace: int | None = None) -> int:
    """Have connections forgotten, so that their next packet is judged anew; return how many there were.

    Raises:
        OSError: the kernel would not; one that is gone already is no error.
    """
    return _tell((each.deletion() for each in connections), namespace)


def mark(connections: Iterable[Connection], value: int, mask: int, namespace: int | None = None) -> int:
    """Give bits of connections' marks a value; return how many there were.

    Raises:
        OSError: the kernel would not; one that is gone already is no error.
    """
    return _tell((each.marking(value, mask) for each in connections), namespace)


def _tell(messages: Iterable[Message], namespace: int | None) -> int:
    wanted = list(messages)
    if not wanted:
        return 0
    with _socket(namespace) as socket:
        for answer in socket.batch(wanted):
            if answer.errno not in _GONE:
                raise OSError(answer.errno, answer.reason or os.strerror(answer.errno))
    return len(wanted)


def _socket(namespace: int | None, protocol: int = NETLINK_NETFILTER) -> Socket:
    if namespace is None:
        return Socket(protocol)
    with namespaces.inside(namespace):
        return Socket(protocol)


def _ends(address: Address) -> Iterator[bytes]:
    """Yield the two filters of a dump: what an address began, and what it answers in."""
    source = wire.nested(_IP, wire.attribute(_SOURCE[address.version], address.packed))
    for tuple_of, flags in ((_ORIGINAL, _ORIGINAL_FLAGS), (_REPLY, _REPLY_FLAGS)):
        yield wire.nested(tuple_of, source) + wire.nested(_FILTER, wire.u32(flags, _BY_SOURCE))


def _concerns(family: int, entry: bytes, wanted: Collection[bytes]) -> bool:
    """Is one of these addresses an end of an entry?

    The kernel writes both tuples first, and an address of the source first in each: to look there costs
    a tenth of taking the whole entry apart, and of a table's entries nearly all are others'.
    """
    second = _HEADER.size + (int.from_bytes(entry[4:6], "little" if wire.LITTLE else "big") + 3 & ~3)
    width = _WIDTH[family]
    return any(entry[start + 12 : start + 12 + width] in wanted for start in (_HEADER.size, second))


def _decoded(family: int, entry: dict[int, bytes]) -> Iterator[Connection]:
    """Yield an entry's connection, if it is one between addresses."""
    if _ORIGINAL not in entry or _REPLY not in entry:
        return
    first, answer = (wire.attributes(entry[each]) for each in (_ORIGINAL, _REPLY))
    asked, told = (wire.attributes(each.get(_IP, b"")) for each in (first, answer))
    ports, back = (wire.attributes(each.get(_PROTOCOL, b"")) for each in (first, answer))
    if _SOURCE[family] not in asked or _SOURCE[family] not in told or _NUMBER not in ports:
        return
    kind = _ICMP_TYPE[family]
    which = wire.attribute(_ORIGINAL | wire.NESTED, entry[_ORIGINAL])
    yield Connection(
        source=ip_address(asked[_SOURCE[family]]),
        destination=ip_address(told[_SOURCE[family]]),
        protocol=ports[_NUMBER][0],
        source_port=_port(ports.get(_SOURCE_PORT)),
        port=_port(back.get(_SOURCE_PORT)),
        icmp=(ports[kind][0], ports[_ICMP_CODE[family]][0]) if kind in ports else None,
        asked=ip_address(asked[_DESTINATION[family]]),
        asked_port=_port(ports.get(_DESTINATION_PORT)),
        mark=int.from_bytes(entry.get(_MARK, b"")),
        _which=which + (wire.attribute(_ZONE, entry[_ZONE]) if _ZONE in entry else b""),
    )


def _port(raw: bytes | None) -> int:
    return int(struct.unpack("!H", raw)[0]) if raw else 0
