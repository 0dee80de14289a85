"""What names mean to whom: answers remembered, each for who asked, for as long as they say.

What lives here: the book and its limits. Pure. What it must not know: DNS' format, clocks, policies, files.

Everybody has a share of the book. Who fills it with names loses those of its own that end soonest.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import nsmallest
from typing import Generic, TypeVar

from octet.cluster.objects import Address

K = TypeVar("K")

SHORTEST = 5.0
"""Seconds that an answer counts at least: the pod must be able to connect with a TTL of 0."""

LONGEST = 86400.0
"""Seconds that it counts at most, whatever it says."""

SHARE = 512
"""Addresses by name that the book has of one asker, those among them whose time is over."""

MOST_ADDRESSES = 64
"""Addresses of one name among them."""

Pair = tuple[str, Address]
"""A name, and one of its addresses."""

Meaning = Mapping[str, frozenset[Address]]
"""Names, and what they mean."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What an answer changed in the book.

    Attributes:
        fresh: does a name mean something that it did not before, or no more?
        kept: what has another end now.
        gone: what had to go.
    """

    fresh: bool
    kept: Mapping[Pair, float]
    gone: tuple[Pair, ...] = ()


class _Share:
    """One asker's part: by name until when each address counts, and what that means now and ever meant."""

    def __init__(self) -> None:
        self.until: dict[str, dict[Address, float]] = {}
        self.now: dict[str, frozenset[Address]] = {}
        self.ever: dict[str, frozenset[Address]] = {}
        self.next: float | None = None
        self._size = 0

    def add(self, name: str, until: Mapping[Address, float]) -> list[Pair]:
        """Take addresses in; return what had to go."""
        held = self.until.setdefault(name, {})
        self._size -= len(held)
        held |= until
        self._size += len(held)
        gone = [(name, each) for each in nsmallest(len(held) - MOST_ADDRESSES, held, key=held.__getitem__)]
        self._drop(gone)
        if self._size > SHARE:
            every = ((end, name, each) for name, ends in self.until.items() for each, end in ends.items())
            first = nsmallest(self._size - SHARE, every, key=lambda each: each[0])
            more = [(name, each) for _, name, each in first]
            self._drop(more)
            gone += more
        return gone

    def _drop(self, pairs: Iterable[Pair]) -> None:
        for name, address in pairs:
            del self.until[name][address]
            self._size -= 1

    def look(self, names: Iterable[str], now: float) -> bool:
        """See what some names mean; True if it is different from before."""
        different = False
        for name in names:
            ends = self.until.get(name, {})
            held = frozenset(address for address, end in ends.items() if end > now)
            different |= held != self.now.get(name, frozenset())
            _put(self.now, name, held)
            _put(self.ever, name, frozenset(ends))
            if not ends:
                self.until.pop(name, None)
            coming = min((end for end in ends.values() if end > now), default=None)
            if coming is not None and (self.next is None or coming < self.next):
                self.next = coming
        return different

    def expire(self, now: float) -> bool:
        """Let go of what has run out; True if something means less."""
        self.next = None
        return self.look(tuple(self.until), now)


def _put(meaning: dict[str, frozenset[Address]], name: str, addresses: frozenset[Address]) -> None:
    if not addresses:
        meaning.pop(name, None)
    elif meaning.get(name) != addresses:  # what is equal stays the same object, and is seen to be at once
        meaning[name] = addresses


class Book(Generic[K]):
    """What names mean now, and what they meant: running connections go on when a TTL has run out."""

    def __init__(self) -> None:
        self._shares: dict[K, _Share] = {}

    def learn(self, asker: K, name: str, addresses: Iterable[Address], seconds: float, now: float) -> Lesson:
        """Take an answer in; what it says again counts until the later end."""
        share = self._shares.setdefault(asker, _Share())
        until = now + min(max(seconds, SHORTEST), LONGEST)
        held = share.until.get(name, {})
        kept = {each: until for each in addresses if held.get(each, 0.0) < until}
        gone = share.add(name, kept)
        fresh = share.look({name, *(other for other, _ in gone)}, now)
        left = {(name, each): end for each, end in kept.items() if (name, each) not in gone}
        return Lesson(fresh, left, tuple(gone))

    def recall(self, asker: K, until: Mapping[Pair, float], now: float) -> None:
        """Take back in what the book had."""
        share = self._shares.setdefault(asker, _Share())
        for (name, address), end in until.items():
            share.add(name, {address: end})
        share.expire(now)

    def expire(self, now: float) -> list[K]:
        """Let go of what has run out; return to whom something means less."""
        due = [asker for asker, share in self._shares.items() if share.next is not None and share.next <= now]
        return [asker for asker in due if self._shares[asker].expire(now)]

    def next(self) -> float | None:
        """Return when to look next for what has run out, or None; it may have been prolonged meanwhile."""
        return min((share.next for share in self._shares.values() if share.next is not None), default=None)

    @property
    def askers(self) -> tuple[K, ...]:
        """Who has a share."""
        return tuple(self._shares)

    def forget(self, asker: K) -> None:
        """Drop a share; nothing where there is none."""
        self._shares.pop(asker, None)

    def pages(self, asker: K) -> Mapping[Pair, float]:
        """Return all of a share: until when each address counts, or counted."""
        share = self._shares.get(asker, _Share())
        return {(name, each): end for name, ends in share.until.items() for each, end in ends.items()}

    def now(self, asker: K) -> Meaning:
        """Return what names mean to somebody, and will not change."""
        return dict(self._shares.get(asker, _Share()).now)

    def ever(self, asker: K) -> Meaning:
        """Return what names mean or meant to somebody, as long as nothing changes."""
        return self._shares.get(asker, _Share()).ever
