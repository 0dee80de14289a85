"""Elements alone, straight over netlink: the change that pods make, in the same time whatever else is there.

What lives here: the bytes of elements (linux/netfilter/nf_tables.h) and one transaction of them.
What it must not know: chains, rules, declarations other than a set's types.

libnftables reads every range set of the table before it adds an element to any set (11 ms with 10,000
ranges), and reads all declarations (1.4 ms with 1,000 sets); the kernel needs neither.
"""

import errno
import os
import struct
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network

from octet.blueprint import Change
from octet.blueprint.nft import Element, Map, NetworkAddress, Range, Set, Value, Verdict
from octet.blueprint.nft.values import PROTOCOLS
from octet.kernel.netlink import wire
from octet.kernel.netlink.wire import ACK, CREATE, NETLINK_NETFILTER, REQUEST, Answer, Message, Socket
from octet.kernel.nft.library import NftError
from octet.kernel.port import NFT_TABLE

Holder = Set | Map

MOST = 1000
"""Elements in one transaction of this kind; more go through libnftables, whose overhead is then small."""

_SUBSYSTEM = 10
_NEW, _DELETE = _SUBSYSTEM << 8 | 12, _SUBSYSTEM << 8 | 14
_BEGIN, _END = 0x10, 0x11
_HEADER = struct.Struct("!BBH")  # struct nfgenmsg: family, version, resource
_WIRE = struct.Struct("=IHHII")  # struct nlmsghdr
_INET = 1
_TABLE, _SET, _ELEMENTS, _ITEM = 1, 2, 3, 1
_KEY, _DATA, _KEY_END = 1, 2, 10
_VALUE, _VERDICT = 1, 2
_CODE, _CHAIN = 1, 2
_CODES = {"drop": 0, "accept": 1, "continue": -1, "jump": -3, "goto": -4, "return": -5}
_PLAIN = {"ipv4_addr", "ipv6_addr", "inet_proto", "inet_service", "ifname", "mark", "ether_addr"}


def eligible(change: Change, holders: Mapping[str, Holder]) -> bool:
    """Is this a change of elements alone, all of them of a kind that is written here?

    Range sets of one field are not: the kernel keeps those as a tree of ends, and libnftables minds them.
    """
    both = [item for pair in change.alter for item in pair]
    items = [*change.add, *both, *change.remove]
    return len(items) <= MOST and all(isinstance(item, Element) and _simple(item, holders) for item in items)


def _simple(element: Element, holders: Mapping[str, Holder]) -> bool:
    holder = holders.get(element.of)
    if holder is None or len(holder.type) != len(element.values) or not _PLAIN.issuperset(holder.type):
        return False
    if isinstance(holder, Map) and not _PLAIN.issuperset(holder.value) and holder.value != ("verdict",):
        return False
    return not holder.interval or len(holder.type) > 1


def messages(change: Change, holders: Mapping[str, Holder]) -> list[Message]:
    """Return the messages that make an eligible change; what goes comes first, as its key may come again."""
    gone = [*change.remove, *(old for old, _ in change.alter)]
    coming = [*change.add, *(new for _, new in change.alter)]
    return [
        *(_message(_DELETE, 0, item, holders) for item in gone if isinstance(item, Element)),
        *(_message(_NEW, CREATE, item, holders) for item in coming if isinstance(item, Element)),
    ]


def _message(kind: int, flags: int, element: Element, holders: Mapping[str, Holder]) -> Message:
    holder = holders[element.of]
    item = _key(element, holder) + (_data(element, holder) if kind == _NEW else b"")
    where = wire.text(_TABLE, NFT_TABLE) + wire.text(_SET, element.of)
    body = _HEADER.pack(_INET, 0, 0) + where + wire.nested(_ELEMENTS, wire.nested(_ITEM, item))
    return Message(kind, flags, body)


def _key(element: Element, holder: Holder) -> bytes:
    """Return the key, and in a range set its last value too."""
    ends = [_ends(value) for value in element.values]
    first = _concatenated([low for low, _ in ends], holder.type)
    key = wire.nested(_KEY, wire.attribute(_VALUE, first))
    if not holder.interval:
        return key
    last = _concatenated([high for _, high in ends], holder.type)
    return key + wire.nested(_KEY_END, wire.attribute(_VALUE, last))


def _data(element: Element, holder: Holder) -> bytes:
    if isinstance(element.target, Verdict):
        code = wire.attribute(_CODE, struct.pack("!i", _CODES[element.target.kind]))
        chain = wire.text(_CHAIN, element.target.chain) if element.target.chain else b""
        return wire.nested(_DATA, wire.nested(_VERDICT, code + chain))
    if element.target is None or isinstance(holder, Set):
        return b""
    return wire.nested(_DATA, wire.attribute(_VALUE, _concatenated(element.target, holder.value)))


def _ends(value: Value) -> tuple[Value, Value]:
    """Return the first and last of the values that this stands for."""
    if isinstance(value, Range):
        return value.first, value.last
    if isinstance(value, IPv4Network | IPv6Network):
        return value.network_address, value.broadcast_address
    return value, value


def _concatenated(values: Sequence[Value], kinds: tuple[str, ...]) -> bytes:
    """Return values as one key: alone as long as it is, with others each filled up to four bytes."""
    parts = [_bytes(value, kind) for value, kind in zip(values, kinds, strict=True)]
    if len(parts) == 1:
        return parts[0]
    return b"".join(part + b"\0" * (-len(part) & 3) for part in parts)


def _bytes(value: Value, kind: str) -> bytes:
    if isinstance(value, NetworkAddress):
        return value.packed
    if isinstance(value, str):
        return _word(value, kind)
    if isinstance(value, int):
        return struct.pack({"inet_service": "!H", "inet_proto": "B"}.get(kind, "=I"), value)
    raise TypeError(f"{value!r} is no single value")


def _word(value: str, kind: str) -> bytes:
    if kind == "inet_proto":
        return bytes([PROTOCOLS[value]])
    if kind == "ether_addr":
        return bytes.fromhex(value.replace(":", ""))
    return value.encode().ljust(16, b"\0")


class Transactions(Socket):
    """A socket that changes elements, all of a transaction or none."""

    def __init__(self) -> None:
        super().__init__(NETLINK_NETFILTER)

    def commit(self, wanted: Sequence[Message]) -> None:
        """Send a transaction and wait for its end.

        Raises:
            NftError: the kernel refused; nothing of it is in force.
        """
        resource = _HEADER.pack(0, 0, _SUBSYSTEM)
        last = Message(wanted[-1].type, wanted[-1].flags | ACK, wanted[-1].body)
        sent = [Message(_BEGIN, 0, resource), *wanted[:-1], last, Message(_END, 0, resource)]
        first = self._sequence + 1
        self._send(sent)
        answers = [Answer() for _ in sent[:-1]]
        while not self._receive(answers, first) and not answers[0].errno:
            pass
        for message, answer in zip(sent, answers, strict=False):
            if answer.errno:
                raise NftError(f"{os.strerror(answer.errno)} ({_named(message)})", answer.errno)

    def _send(self, sent: Sequence[Message]) -> None:
        parts: list[bytes] = []
        for message in sent:
            self._sequence += 1
            flags = message.flags | REQUEST
            parts.append(_WIRE.pack(16 + len(message.body), message.type, flags, self._sequence, 0))
            parts.append(message.body)  # attributes and nfgenmsg end on four bytes
        try:
            self.file.sendall(b"".join(parts))
        except OSError as error:
            raise NftError(str(error), error.errno or errno.EIO) from error


def _named(message: Message) -> str:
    found = wire.attributes(message.body, _HEADER.size)
    return f"an element of {wire.as_text(found[_SET])}" if _SET in found else "the transaction as a whole"
