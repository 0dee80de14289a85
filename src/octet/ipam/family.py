"""The addresses of one family of a node's pool, as numbers: free, used, cooling down, reserved.

What lives here: the order in which addresses are handed out. What it must not know: the other family,
and what an attachment is (owners are only compared and named).
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from itertools import chain

from octet.cluster.endpoint import Attachment
from octet.cluster.reading import Address, Network
from octet.errors import BadConfigurationError, ExhaustedError, NotReadyError

AUTOMATIC = 1 << 16
"""Addresses of one range that are handed out unasked: the first 65,536. A node has a thousand pods at most (a
Linux bridge has 1023 ports); without a limit a /64 would never reuse an address and its history never end."""

Span = tuple[int, int]  # first and last address, both included


@dataclass(frozen=True, slots=True)
class Counts:
    """How many addresses of one family there are to hand out, and what became of them.

    Attributes:
        total: addresses of all ranges; the sum of the others.
        cooling: given up, but their link may still be there.
    """

    total: int
    used: int
    reserved: int
    cooling: int
    free: int

    def __str__(self) -> str:
        return (
            f"{self.total} in total: {self.used} used, {self.reserved} reserved, {self.cooling} cooling down,"
            f" {self.free} free"
        )


class TakenError(NotReadyError):
    """The address asked for is another's.

    Attributes:
        by: whose it is.
    """

    def __init__(self, address: Address, by: Attachment, state: str) -> None:
        super().__init__(f"{address} is {state} {by}")
        self.by = by


class Family:
    """One family of a pool.

    Args:
        network: the node CIDR.
        ranges: parts of it to hand out, first and last address; none is all of it.
        reserved: addresses never handed out.

    Raises:
        BadConfigurationError: a range lies outside, is empty or overlaps; nothing is left to hand out.
    """

    def __init__(self, network: Network, ranges: Sequence[Span], reserved: Iterable[int]) -> None:
        self.network = network
        self._address = IPv4Address if network.version == 4 else IPv6Address
        whole = (int(network.network_address), int(network.broadcast_address))
        self._ranges = sorted(ranges) or [whole]
        self._check(whole)
        self._spans = [(low, min(high, low + AUTOMATIC - 1)) for low, high in self._ranges]
        self._reserved = frozenset(reserved)
        self._used: dict[int, Attachment] = {}
        self._cooling: dict[int, Attachment] = {}
        self._freed: OrderedDict[int, None] = OrderedDict()
        self._strays: OrderedDict[int, None] = OrderedDict()
        self._span = self._fresh = 0
        if not self.counts().free:
            raise BadConfigurationError("node CIDR", "ranges", str(network), "holds no address for a pod")

    def counts(self) -> Counts:
        """Return how many addresses are in which state."""
        total = sum(high - low + 1 for low, high in self._spans)
        used, reserved, cooling = (
            sum(map(self._inside, those)) for those in (self._used, self._reserved, self._cooling)
        )
        return Counts(total, used, reserved, cooling, total - used - reserved - cooling)

    def freed(self) -> tuple[Address, ...]:
        """Return the addresses that were used and are free, the longest free first."""
        return tuple(self._address(number) for number in (*self._freed, *self._strays))

    def asked(self, address: Address, spans: Sequence[Span] = ()) -> int:
        """Return the number of an address that is asked for by name, if it is free. Changes nothing.

        Raises:
            BadConfigurationError: it lies outside the ranges or is reserved.
            TakenError: it is used, or cooling down.
        """
        number = int(address)
        if not _within(number, self._ranges) or not _within(number, spans or self._ranges):
            raise _unusable(address, f"lies outside {self._named(spans or self._ranges)}")
        if number in self._reserved:
            raise _unusable(address, "is reserved (network, broadcast or gateway address)")
        if number in self._used:
            raise TakenError(address, self._used[number], "used by")
        if number in self._cooling:
            raise TakenError(address, self._cooling[number], "cooling down after")
        return number

    def best(self, spans: Sequence[Span] = ()) -> int:
        """Return the address to hand out next: one never used, or else the longest free. Changes nothing.

        Constant time on average. With spans, which few callers have, as long as they and the freed are many.

        Raises:
            ExhaustedError: none is free.
            BadConfigurationError: a span lies outside the ranges.
        """
        found = self._best_of(spans) if spans else self._best()
        if found is None:
            where = self._named(spans or self._ranges)
            raise ExhaustedError(
                f"no free address in {where}: {self.counts()}", hint="free some, or widen it"
            )
        return found

    def take(self, number: int, owner: Attachment) -> Address:
        """Mark an address as used and return it."""
        self._freed.pop(number, None)
        self._strays.pop(number, None)
        self._used[number] = owner
        return self._address(number)

    def hold(self, address: Address) -> None:
        """Mark a used address as cooling down."""
        self._cooling[int(address)] = self._used.pop(int(address))

    def cool(self, address: Address, owner: Attachment) -> None:
        """Mark an address as cooling down after an owner."""
        self._cooling[int(address)] = owner

    def settle(self, address: Address) -> None:
        """End the cooling down of an address; it is the last to be used again."""
        if self._cooling.pop(int(address), None) is not None:
            self.forget(address)

    def forget(self, address: Address) -> None:
        """Put a free address behind all others.

        Of those that are never handed out unasked the last AUTOMATIC are remembered; before, they are as new.
        """
        number = int(address)
        if number in self._reserved:
            return
        if self._inside(number):
            self._freed[number] = None
            return
        self._strays[number] = None
        if len(self._strays) > AUTOMATIC:
            self._strays.popitem(last=False)

    def holder(self, address: Address) -> Attachment | None:
        """Return who uses an address, or used it while it cools down; None where it is free."""
        return self._used.get(int(address)) or self._cooling.get(int(address))

    def _best(self) -> int | None:
        """Return the next address. What lies behind ``_fresh`` was handed out once, or is reserved."""
        while self._span < len(self._spans):
            low, high = self._spans[self._span]
            self._fresh = max(self._fresh, low)
            while self._fresh <= high:
                if self._untouched(self._fresh):
                    return self._fresh
                self._fresh += 1
            self._span += 1
        return next(iter(self._freed), None)

    def _best_of(self, spans: Sequence[Span]) -> int | None:
        for low, high in spans:
            if low > high or not any(first <= low and high <= last for first, last in self._ranges):
                raise _unusable(self._named([(low, high)]), f"lies outside {self._named(self._ranges)}")
            last = min(high, low + AUTOMATIC - 1)
            fresh = next((number for number in range(low, last + 1) if self._untouched(number)), None)
            if fresh is not None:
                return fresh
        known = chain(self._freed, self._strays)
        return next((number for number in known if _within(number, spans)), None)

    def _untouched(self, number: int) -> bool:
        return not (
            number in self._used
            or number in self._freed
            or number in self._strays
            or number in self._reserved
            or number in self._cooling
        )

    def _inside(self, number: int) -> bool:
        return _within(number, self._spans)

    def _named(self, spans: Sequence[Span]) -> str:
        return ", ".join(f"{self._address(low)}-{self._address(high)}" for low, high in spans)

    def _check(self, whole: Span) -> None:
        before = whole[0] - 1
        for low, high in self._ranges:
            if not before < low <= high <= whole[1]:
                problem = f"must lie in {self.network}, begin before it ends, and not overlap another"
                raise BadConfigurationError("node CIDR", "ranges", self._named([(low, high)]), problem)
            before = high


def _within(number: int, spans: Sequence[Span]) -> bool:
    return any(low <= number <= high for low, high in spans)


def _unusable(value: object, problem: str) -> BadConfigurationError:
    return BadConfigurationError("node CIDR", "address", str(value), problem)
