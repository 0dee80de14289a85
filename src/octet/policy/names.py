"""What names mean: answers of resolvers read, and remembered for as long as they say.

What lives here: DNS answers (RFC 1035, 3596), and the book of names. Pure; what pods send is hostile.
What it must not know: clocks, where packets come from, policies.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from octet.cluster.objects import Address

_HEADER = struct.Struct("!6H")
_RECORD = struct.Struct("!HHIH")
_ANSWER, _FAILED, _TRUNCATED = 0x8000, 0x000F, 0x0200
_A, _CNAME, _AAAA, _IN = 1, 5, 28, 1
_POINTER = 0xC0
_LONGEST = 255  # bytes of a name (RFC 1035, 2.3.4)
_MOST_RECORDS = 256
_MOST_HOPS = 16  # aliases in a row, and pointers inside one name

SHORTEST = 5.0
"""Seconds that an answer counts at least: the pod must be able to connect with a TTL of 0."""

LONGEST = 86400.0
"""Seconds that it counts at most, whatever it says."""

MOST = 4096
"""Names in the book; what would not fit is not learned, so a hostile pod cannot fill the agent's memory."""

MOST_ADDRESSES = 64
"""Addresses of one name in the book."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a resolver said: the name that was asked for, in lower case, its addresses and seconds to live."""

    name: str
    addresses: tuple[Address, ...]
    seconds: int


def read(message: bytes) -> Answer | None:
    """Return what a DNS message answers; None where it is no good answer with addresses."""
    try:
        return _read(message)
    except (struct.error, IndexError, ValueError):
        return None


def _read(message: bytes) -> Answer | None:
    _, flags, questions, count, _, _ = _HEADER.unpack_from(message)
    if not flags & _ANSWER or flags & (_FAILED | _TRUNCATED) or questions != 1 or count > _MOST_RECORDS:
        return None
    asked, at = _name(message, _HEADER.size)
    records = list(_records(message, at + 4, count))
    names, seconds = {asked}, [int(LONGEST)]
    for _ in range(_MOST_HOPS):
        aliases = {data: ttl for owner, kind, ttl, data in records if kind == _CNAME and owner in names}
        fresh = [str(alias) for alias in aliases if alias not in names]
        seconds += aliases.values()
        names.update(fresh)
        if not fresh:
            break
    found = [(data, ttl) for owner, kind, ttl, data in records if kind != _CNAME and owner in names]
    addresses = tuple(dict.fromkeys(data for data, _ in found if not isinstance(data, str)))
    if not addresses:
        return None
    return Answer(asked, addresses, min([*seconds, *(ttl for _, ttl in found)]))


def _records(message: bytes, at: int, count: int) -> Iterator[tuple[str, int, int, Address | str]]:
    """Yield owner, type, TTL and data of the answers that are addresses or aliases."""
    for _ in range(count):
        owner, at = _name(message, at)
        kind, class_, ttl, length = _RECORD.unpack_from(message, at)
        at += _RECORD.size
        data = message[at : at + length]
        if class_ == _IN and kind == _A:
            yield owner, kind, ttl, IPv4Address(data)
        elif class_ == _IN and kind == _AAAA:
            yield owner, kind, ttl, IPv6Address(data)
        elif class_ == _IN and kind == _CNAME:
            yield owner, kind, ttl, _name(message, at)[0]
        at += length


def _name(message: bytes, at: int) -> tuple[str, int]:
    """Return a name in lower case, and where the message goes on; pointers lead back (RFC 1035, 4.1.4)."""
    labels: list[str] = []
    after, limit = 0, len(message)
    for _ in range(_LONGEST):
        length = message[at]
        if length & _POINTER == _POINTER:
            after = after or at + 2
            goal = (length & ~_POINTER) << 8 | message[at + 1]
            if goal >= min(at, limit):
                raise ValueError("a pointer forwards")
            at = limit = goal
            continue
        if length & _POINTER:
            raise ValueError("a label of an unknown kind")
        if not length:
            return ".".join(labels), after or at + 1
        labels.append(message[at + 1 : at + 1 + length].decode("ascii").lower())
        at += 1 + length
    raise ValueError("a name without an end")


class Book:
    """What names mean now, and what they meant: running connections go on when a TTL has run out."""

    def __init__(self) -> None:
        self._until: dict[str, dict[Address, float]] = {}
        self._past: dict[str, set[Address]] = {}

    def learn(self, answer: Answer, now: float) -> bool:
        """Take an answer in; True if a name means something that it did not before."""
        if answer.name not in self._until and len(self._until) >= MOST:
            return False
        held = self._until.setdefault(answer.name, {})
        until = now + min(max(answer.seconds, SHORTEST), LONGEST)
        fresh = False
        for address in answer.addresses:
            fresh |= address not in held
            if address in held or len(held) < MOST_ADDRESSES:
                held[address] = max(until, held.get(address, 0.0))
        return fresh

    def expire(self, now: float) -> bool:
        """Let go of what has run out; True if there was any."""
        gone = False
        for name, held in list(self._until.items()):
            for address in [each for each, until in held.items() if until <= now]:
                del held[address]
                past = self._past.setdefault(name, set())
                if len(past) < MOST_ADDRESSES and len(self._past) <= MOST:
                    past.add(address)
                gone = True
            if not held:
                del self._until[name]
        return gone

    def next(self) -> float | None:
        """Return when something runs out next, or None."""
        return min((until for held in self._until.values() for until in held.values()), default=None)

    def now(self) -> dict[str, frozenset[Address]]:
        """Return what names mean."""
        return {name: frozenset(held) for name, held in self._until.items()}

    def ever(self) -> dict[str, frozenset[Address]]:
        """Return what names mean or meant."""
        names = {*self._until, *self._past}
        return {name: frozenset({*self._until.get(name, ()), *self._past.get(name, ())}) for name in names}
