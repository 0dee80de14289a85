"""What an operator says of a node's addresses: which to hand out, and which never.

What lives here: ``Limits`` and reading it. What it must not know: the node's CIDR (the pool refuses what lies
outside of it), where the words come from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self

from octet.cluster.reading import Address
from octet.errors import BadConfigurationError

Range = tuple[Address, Address]
"""First and last address, both included, of one family."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a node's pool; without any it hands out its whole CIDR.

    Attributes:
        ranges: parts of the CIDR to hand out; a family without any has all of its own.
        reserved: never handed out, such as addresses of machines that are not pods.
    """

    ranges: tuple[Range, ...] = ()
    reserved: tuple[Address, ...] = ()

    @classmethod
    def read(cls, ranges: Sequence[str], reserved: Sequence[str], source: str) -> Self:
        """Read ``FIRST-LAST`` and addresses as texts. Raises BadConfigurationError naming field and value."""
        spans = tuple(_range(text, source) for text in ranges)
        return cls(spans, tuple(_address(text, text, source, "ipam.reserved") for text in reserved))


def _range(text: str, source: str) -> Range:
    first, dash, last = text.partition("-")
    low = _address(first.strip(), text, source, "ipam.ranges")
    high = _address(last.strip(), text, source, "ipam.ranges") if dash else low
    if low.version != high.version or int(low) > int(high):
        problem = "must go from a lower to a higher address of one family"
        raise BadConfigurationError(source, "ipam.ranges", text, problem, hint=_SUCH_AS)
    return low, high


def _address(part: str, text: str, source: str, field: str) -> Address:
    try:
        return ip_address(part)
    except ValueError as error:
        hint = _SUCH_AS if field == "ipam.ranges" else "such as 10.244.1.9"
        raise BadConfigurationError(source, field, text, str(error), hint=hint) from error


_SUCH_AS = "such as 10.244.1.16-10.244.1.127"
