"""Forget connections: what connection tracking decided once outlives the rule that decided it.

What lives here: deletion of conntrack entries by what they were sent to, over ctnetlink
(linux/netfilter/nfnetlink_conntrack.h). What it must not know: rules, pods, host ports.

A UDP client that keeps sending keeps its entry for ever: without this it goes on being sent to a pod that is
gone, or past a host port that is new (kubernetes/kubernetes#59033, containernetworking/plugins#123).
"""

import errno
import os
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from octet.kernel import connections, namespaces
from octet.kernel.netlink import wire
from octet.kernel.netlink.wire import NETLINK_NETFILTER, Message, Socket

Address = IPv4Address | IPv6Address

_SUBSYSTEM = 1 << 8
_GET, _DELETE = _SUBSYSTEM | 1, _SUBSYSTEM | 2
_HEADER = struct.Struct("=BBH")  # struct nfgenmsg: family, version, resource
_FAMILY = {4: 2, 6: 10}
_ORIGINAL, _REPLY, _MARK, _MARK_MASK, _FILTER = 1, 2, 8, 21, 25
_U32 = struct.Struct("!I")
_IP, _PROTOCOL = 1, 2
_SOURCE = {4: 1, 6: 3}
_DESTINATION = {4: 2, 6: 4}
_NUMBER, _DESTINATION_PORT = 1, 3
_ORIGINAL_FLAGS, _REPLY_FLAGS = 1, 2
_BY_SOURCE, _BY_DESTINATION, _BY_PROTOCOL, _BY_DESTINATION_PORT = 1 << 0, 1 << 1, 1 << 3, 1 << 5
_NO_FILTER = {errno.EOPNOTSUPP, errno.EINVAL}
_MANY = 8  # beyond so many flows one dump is cheaper than a sweep of the table for each


@dataclass(frozen=True, slots=True)
class Flow:
    """Connections by what their first packet was sent to, and who answers.

    Attributes:
        family: 4 or 6.
        protocol: IANA number.
        port: destination port of the first packet.
        destination: its destination address; None is any.
        answered_by: the address that answers, after translation; None is any.
    """

    family: int
    protocol: int
    port: int
    destination: Address | None = None
    answered_by: Address | None = None


def forget(flows: Iterable[Flow], namespace: int | None = None, *, spared: int = 0) -> None:
    """Delete every conntrack entry that one of the flows describes; the next packet is a new connection.

    Args:
        flows: what to forget.
        namespace: descriptor of the network namespace; None is the calling thread's.
        spared: bits of the connections' marks; what has any of them stays as it is.

    Raises:
        OSError: the kernel would not; an absent entry is no error.
    """
    wanted = list(dict.fromkeys(flows))
    if not wanted:
        return
    if namespace is None:
        socket = Socket(NETLINK_NETFILTER)
    else:
        with namespaces.inside(namespace):
            socket = Socket(NETLINK_NETFILTER)
    with socket:
        few = len(wanted) <= _MANY and all(map(_findable, wanted))
        if not few or not by_filter(socket, wanted, spared):
            by_listing(socket, wanted, spared)


def _findable(flow: Flow) -> bool:
    """Does the kernel's filter find what a flow describes? By IPv6 addresses it may find all others."""
    addressed = flow.destination is not None or flow.answered_by is not None
    return not addressed or connections.filters(flow.family)


def by_filter(socket: Socket, flows: Sequence[Flow], spared: int = 0) -> bool:
    """Have the kernel delete by filter (Linux 6.9); False where it can't. Raises OSError."""
    unmarked = wire.attribute(_MARK, bytes(4)) + wire.attribute(_MARK_MASK, _U32.pack(spared))
    for answer in socket.batch([Message(_DELETE, 0, _filter(flow) + unmarked) for flow in flows]):
        if answer.errno in _NO_FILTER:
            return False
        if answer.errno not in {0, errno.ENOENT}:
            raise OSError(answer.errno, answer.reason or os.strerror(answer.errno))
    return True


def by_listing(socket: Socket, flows: Sequence[Flow], spared: int = 0) -> None:
    """List the table once and delete what fits, entry by entry: what every kernel can. Raises OSError."""
    going: list[Message] = []
    for family in sorted({flow.family for flow in flows}):
        of_family = [flow for flow in flows if flow.family == family]
        for _, body in socket.dump(Message(_GET, 0, _HEADER.pack(_FAMILY[family], 0, 0))):
            found = wire.attributes(body, _HEADER.size)
            mark = int.from_bytes(found.get(_MARK, b""))
            if not mark & spared and any(_fits(flow, found) for flow in of_family):
                original = wire.attribute(_ORIGINAL | wire.NESTED, found[_ORIGINAL])
                going.append(Message(_DELETE, 0, _HEADER.pack(_FAMILY[family], 0, 0) + original))
    for answer in socket.batch(going):
        if answer.errno not in {0, errno.ENOENT}:
            raise OSError(answer.errno, answer.reason or os.strerror(answer.errno))


def _filter(flow: Flow) -> bytes:
    """Return the body of a deletion by filter.

    The header's version is 1, which makes the kernel look at the family. A kernel without filters takes the
    original tuple for a whole one, finds it incomplete and refuses: it never deletes more.
    """
    flags = _BY_PROTOCOL | _BY_DESTINATION_PORT
    address = b""
    if flow.destination is not None:
        flags |= _BY_DESTINATION
        address = wire.attribute(_DESTINATION[flow.family], flow.destination.packed)
    protocol = wire.u8(_NUMBER, flow.protocol) + wire.be16(_DESTINATION_PORT, flow.port)
    body = _HEADER.pack(_FAMILY[flow.family], 1, 0)
    body += wire.nested(_ORIGINAL, wire.nested(_IP, address), wire.nested(_PROTOCOL, protocol))
    filters = wire.u32(_ORIGINAL_FLAGS, flags)
    if flow.answered_by is not None:
        source = wire.attribute(_SOURCE[flow.family], flow.answered_by.packed)
        body += wire.nested(_REPLY, wire.nested(_IP, source))
        filters += wire.u32(_REPLY_FLAGS, _BY_SOURCE)
    return body + wire.nested(_FILTER, filters)


def _fits(flow: Flow, entry: dict[int, bytes]) -> bool:
    original = wire.attributes(entry.get(_ORIGINAL, b""))
    protocol = wire.attributes(original.get(_PROTOCOL, b""))
    if protocol.get(_NUMBER) != bytes([flow.protocol]):
        return False
    if protocol.get(_DESTINATION_PORT) != struct.pack("!H", flow.port):
        return False
    answer = wire.attributes(entry.get(_REPLY, b""))
    return _is(flow.destination, original, _DESTINATION) and _is(flow.answered_by, answer, _SOURCE)


def _is(address: Address | None, entry: dict[int, bytes], place: dict[int, int]) -> bool:
    if address is None:
        return True
    raw = wire.attributes(entry.get(_IP, b"")).get(place[address.version])
    return raw is not None and ip_address(raw) == address
