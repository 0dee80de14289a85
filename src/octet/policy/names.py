"""DNS messages, as far as policies are about names: what is asked, and which addresses an answer has.

What lives here: reading one message (RFC 1035, 3596). Pure; every byte may be hostile.
What it must not know: clocks, where packets come from, policies, what is remembered.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from octet.cluster.objects import Address

_HEADER = struct.Struct("!6H")
_RECORD = struct.Struct("!HHIH")
_QUESTION = struct.Struct("!HH")
_LENGTH = struct.Struct("!H")
_ANSWER, _OPCODE, _TRUNCATED, _FAILED = 0x8000, 0x7800, 0x0200, 0x000F
_A, _CNAME, _AAAA, _IN = 1, 5, 28, 1
_POINTER = 0xC0
_LABEL = re.compile(rb"[A-Za-z0-9_-]+")
"""No dot among them: a label with one in it would read as two, and be another name than it is."""

_LONGEST = 253  # characters of a name without its last dot (RFC 1035, 2.3.4)
_MOST_RECORDS = 256
_MOST_HOPS = 16  # aliases in a row, and pointers in a row
_FOREVER = 1 << 31  # of such a time to live and longer ones nothing is believed (RFC 2181, 8)


@dataclass(frozen=True, slots=True)
class Message:
    """A question, or what a resolver says to it.

    Attributes:
        number: the message's id, which an answer has from its question.
        answer: is it one?
        name: what is asked for, in lower case (so resolvers may answer in any case), without the last dot.
        kind: type of the record that is asked for.
        addresses: of the name, also by aliases; none where it failed or was cut.
        seconds: to live, the least of all records that led to an address.
        truncated: was it cut, so that the asker will ask again by TCP (RFC 1035, 4.1.1)?
    """

    number: int
    answer: bool
    name: str
    kind: int
    addresses: tuple[Address, ...] = ()
    seconds: int = 0
    truncated: bool = False


def read(message: bytes) -> Message | None:
    """Return what a DNS message says; None where it is none, or not about one name."""
    try:
        return _read(message)
    except (struct.error, IndexError, ValueError):
        return None


def in_stream(data: bytes) -> Iterator[bytes]:
    """Yield the messages that a piece of a TCP stream holds whole, from its beginning (RFC 1035, 4.2.2)."""
    at = 0
    while len(data) >= at + _LENGTH.size:
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if not length or len(data) < at + length:
            return
        yield data[at : at + length]
        at += length


def _read(message: bytes) -> Message | None:
    number, flags, questions, count, _, _ = _HEADER.unpack_from(message)
    if flags & _OPCODE or questions != 1 or count > _MOST_RECORDS:
        return None
    known: dict[int, str] = {}
    asked, at = _name(message, _HEADER.size, known)
    kind, class_ = _QUESTION.unpack_from(message, at)
    if class_ != _IN or not asked:
        return None
    answer, truncated = bool(flags & _ANSWER), bool(flags & _TRUNCATED)
    if not answer or truncated or flags & _FAILED:
        return Message(number, answer, asked, kind, truncated=truncated)
    records = list(_records(message, at + _QUESTION.size, count, known))
    return Message(number, answer, asked, kind, *_followed(asked, records))


_Record = tuple[str, int, int, Address | str]
"""Owner, type, time to live, and an address or the name that it is an alias of."""


def _followed(asked: str, records: list[_Record]) -> tuple[tuple[Address, ...], int]:
    """Return a name's addresses, also those of its aliases, and for how long they are."""
    names, seconds = {asked}, [_FOREVER]
    for _ in range(_MOST_HOPS):
        aliases = {data: ttl for owner, kind, ttl, data in records if kind == _CNAME and owner in names}
        fresh = [str(alias) for alias in aliases if alias not in names]
        seconds += aliases.values()
        names.update(fresh)
        if not fresh:
            break
    found = [(data, ttl) for owner, kind, ttl, data in records if kind != _CNAME and owner in names]
    addresses = (data for data, _ in found if not isinstance(data, str) and _is_a_place(data))
    return tuple(dict.fromkeys(addresses)), min([*seconds, *(ttl for _, ttl in found)])


def _is_a_place(address: Address) -> bool:
    """May a name mean it? Not the pod itself, its link (cloud metadata among it), or nobody in particular."""
    mapped = isinstance(address, IPv6Address) and address.ipv4_mapped is not None
    nobody = address.is_unspecified or address.is_multicast or mapped
    return not (nobody or address.is_loopback or address.is_link_local)


def _records(message: bytes, at: int, count: int, known: dict[int, str]) -> Iterator[_Record]:
    """Yield the answers that are addresses or aliases."""
    for _ in range(count):
        owner, at = _name(message, at, known)
        kind, class_, ttl, length = _RECORD.unpack_from(message, at)
        at += _RECORD.size
        data = message[at : at + length]
        seconds = ttl if ttl < _FOREVER else 0
        if class_ == _IN and kind == _A:
            yield owner, kind, seconds, IPv4Address(data)
        elif class_ == _IN and kind == _AAAA:
            yield owner, kind, seconds, IPv6Address(data)
        elif class_ == _IN and kind == _CNAME:
            yield owner, kind, seconds, _name(message, at, known)[0]
        at += length


def _name(message: bytes, at: int, known: dict[int, str], depth: int = 0) -> tuple[str, int]:
    """Return a name in lower case, and where the message goes on; pointers lead back (RFC 1035, 4.1.4).

    What a pointer leads to is read once, so that a message of pointers to one long name costs little.
    """
    start, labels = at, list[str]()
    while length := message[at]:
        if length & _POINTER == _POINTER:
            goal = (length & ~_POINTER) << 8 | message[at + 1]
            if goal >= start or depth > _MOST_HOPS:
                raise ValueError("a pointer forwards, or too many")
            if goal not in known:
                known[goal] = _name(message, goal, known, depth + 1)[0]
            labels.append(known[goal])
            at += 1
            break
        label = message[at + 1 : at + 1 + length]
        if length & _POINTER or len(label) != length or not _LABEL.fullmatch(label):
            raise ValueError("no label of a host's name")
        labels.append(label.decode().lower())
        at += 1 + length
    whole = ".".join(labels)
    if len(whole) > _LONGEST:
        raise ValueError("a name that is too long")
    return whole, at + 1
