"""The values that rules compare and sets hold: addresses, networks, ranges, ports, names, marks.

What lives here: one canonical form for each, its nft text, its data type, and "does this hold that".
What it must not know: fields, rules, the kernel's encoding of any of it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    summarize_address_range,
)

NetworkAddress = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Range:
    """All values from ``first`` to ``last``, both included: ports or addresses of one family."""

    first: int | NetworkAddress
    last: int | NetworkAddress

    def __post_init__(self) -> None:
        if type(self.first) is not type(self.last) or int(self.first) > int(self.last):
            raise ValueError(f"{self} is no range")

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


Value = NetworkAddress | Network | Range | str | int

PROTOCOLS = {
    "icmp": 1,
    "tcp": 6,
    "udp": 17,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "icmpv6": 58,
    "sctp": 132,
    "udplite": 136,
}
"""Names of IP protocols that nft knows without /etc/protocols (its own grammar), and IANA's numbers."""

WORDS = {
    "inet_proto": frozenset(PROTOCOLS),
    "nf_proto": frozenset({"ipv4", "ipv6"}),
    "fib_addrtype": frozenset({"unicast", "local", "broadcast", "multicast", "blackhole", "unreachable"}),
    "ct_dir": frozenset({"original", "reply"}),
    "ct_state": frozenset({"invalid", "established", "related", "new", "untracked"}),
    "ct_status": frozenset({"expected", "seen-reply", "assured", "confirmed", "snat", "dnat", "dying"}),
    "icmp_type": frozenset(
        {"echo-reply", "destination-unreachable", "redirect", "echo-request", "time-exceeded"}
    ),
    "icmpv6_type": frozenset(
        {
            "destination-unreachable",
            "packet-too-big",
            "time-exceeded",
            "echo-request",
            "echo-reply",
            "mld-listener-query",
            "mld-listener-report",
            "mld-listener-done",
            "nd-router-solicit",
            "nd-router-advert",
            "nd-neighbor-solicit",
            "nd-neighbor-advert",
            "nd-redirect",
            "mld2-listener-report",
        }
    ),
}
"""Data types whose values are words (nft(8), data types)."""

BITMASKS = frozenset({"ct_state", "ct_status"})
"""Data types where several words are one value and a comparison asks for any of them."""

_INTERFACE = re.compile(r'[^\s"/\\*]{1,15}\*?')
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")
_TEXT = re.compile(r'[^"\\\x00-\x1f\x7f]{0,100}')
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_LIMITS = {"inet_service": 0xFFFF, "mark": 0xFFFFFFFF, "integer": 0xFFFFFFFF}
_NUMBERED = {"inet_proto", "icmp_type", "icmpv6_type", "icmp_code", "icmpv6_code"}  # one byte, word or number
_SHAPES = {"ifname": _INTERFACE, "ether_addr": _MAC}
_FAMILIES = {
    "ipv4_addr": (IPv4Address, IPv4Network),
    "ipv6_addr": (IPv6Address, IPv6Network),
}


def check_name(name: str) -> None:
    """Refuse what nft would not read as the name of a chain, set or map. Raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no nftables name")


def check_text(text: str) -> None:
    """Refuse what would end a quoted string early, or is too long for a comment. Raises ValueError."""
    if not _TEXT.fullmatch(text):
        raise ValueError(f"{text!r} cannot stand in a quoted string of nftables")


def canonical(value: Value) -> Value:
    """Return the form in which the kernel holds a value: no one-element ranges, prefixes where they fit."""
    if isinstance(value, IPv4Network | IPv6Network):
        return value.network_address if value.prefixlen == value.max_prefixlen else value
    if not isinstance(value, Range):
        return value
    if value.first == value.last:
        return value.first
    return _as_prefix(value)


def _as_prefix(span: Range) -> Value:
    if isinstance(span.first, int) or isinstance(span.last, int):
        return span
    networks: list[Network] = []
    for network in summarize_address_range(span.first, span.last):
        networks.append(network)
        if len(networks) > 1:
            return span
    return networks[0]


def text(value: Value, kind: str) -> str:
    """Return a value as nft(8) reads and prints it."""
    if kind == "ifname":
        return f'"{value}"'
    if kind == "mark":
        return f"0x{int(value):08x}" if isinstance(value, int) else str(value)
    return str(value)


def fits(value: Value, kind: str) -> bool:
    """Tell whether a value, or the ends of a range, belong to a data type of nft(8)."""
    if isinstance(value, Range):
        return kind in {*_FAMILIES, *_LIMITS} and fits(value.first, kind) and fits(value.last, kind)
    if kind in _FAMILIES:
        return isinstance(value, _FAMILIES[kind])
    if kind in _LIMITS:
        return type(value) is int and 0 <= value <= _LIMITS[kind]
    if kind in _NUMBERED and type(value) is int:
        return 0 <= value <= 255
    if kind in _SHAPES:
        return isinstance(value, str) and _SHAPES[kind].fullmatch(value) is not None
    return value in WORDS.get(kind, ())


def collapse(networks: Iterable[Network], family: int) -> list[Network]:
    """Return the networks of a family (4 or 6), in order and without the overlap that a set would refuse."""
    held = list(networks)
    if family == 4:
        return [*collapse_addresses(each for each in held if isinstance(each, IPv4Network))]
    return [*collapse_addresses(each for each in held if isinstance(each, IPv6Network))]


def is_span(value: Value) -> bool:
    """Does this stand for several values, so that a set needs ``interval`` to hold it?"""
    return isinstance(value, Range | IPv4Network | IPv6Network) or (
        isinstance(value, str) and value.endswith("*")
    )


def holds(held: Value, value: Value) -> bool:
    """Tell whether a value of a packet is the held one, or within it."""
    if isinstance(held, IPv4Network | IPv6Network):
        return isinstance(value, IPv4Address | IPv6Address) and value in held
    if isinstance(held, Range):
        return type(value) is type(held.first) and int(held.first) <= _number(value) <= int(held.last)
    if isinstance(held, str) and held.endswith("*"):
        return isinstance(value, str) and value.startswith(held[:-1])
    return held == value


def _number(value: Value) -> int:
    return int(value) if isinstance(value, int | IPv4Address | IPv6Address) else -1
