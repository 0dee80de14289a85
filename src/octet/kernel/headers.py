"""Who sends what to whom, read from the first bytes of a packet. What pods send is hostile.

What lives here: IPv4, IPv6 with its extension headers, ports, ICMP types. Pure.
What it must not know: where the bytes came from.
Sources: RFC 791, 8200 (headers), 9293, 768, 9260 (ports), 792, 4443 (ICMP).
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address

ENOUGH = 128
"""Bytes that hold the headers of any packet worth telling of."""

_PORTED = frozenset({6, 17, 33, 132, 136})  # TCP, UDP, DCCP, SCTP, UDPLite
_ICMP = frozenset({1, 58})
_TCP, _UDP = 6, 17
_EXTENSIONS = frozenset({0, 43, 60})  # hop-by-hop, routing, destination options
_FRAGMENT = 44
_MOST_EXTENSIONS = 8


@dataclass(frozen=True, slots=True)
class Headers:
    """What a packet says of itself.

    Attributes:
        protocol: IANA's number.
        source_port, port: None where there are none, or they are in another fragment.
        icmp: type and code.
    """

    source: Address
    destination: Address
    protocol: int
    source_port: int | None = None
    port: int | None = None
    icmp: tuple[int, int] | None = None


def read(packet: bytes) -> Headers | None:
    """Return the headers of an IP packet, as far as its bytes go; None where it is no IP packet."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20:
        return _read4(packet)
    if version == 6 and len(packet) >= 40:
        return _read6(packet)
    return None


def body(packet: bytes) -> bytes:
    """Return what a UDP or TCP packet carries; nothing where it is another, or has extension headers."""
    protocol, start = _over(packet)
    if protocol == _UDP:
        return packet[start + 8 :]
    if protocol != _TCP or len(packet) < start + 20:
        return b""
    return packet[start + (packet[start + 12] >> 4) * 4 :]


def _over(packet: bytes) -> tuple[int, int]:
    """Return the protocol that stands right after the IP header, and where."""
    four = packet[0] >> 4 == 4
    return (packet[9], (packet[0] & 0xF) * 4) if four else (packet[6], 40)


def segment(packet: bytes) -> tuple[int, int]:
    """Return sequence number and flags of a TCP packet; of another one, or with extension headers, zeros."""
    protocol, start = _over(packet)
    if protocol != _TCP or len(packet) < start + 20:
        return 0, 0
    return int.from_bytes(packet[start + 4 : start + 8], "big"), packet[start + 13]


def _read4(packet: bytes) -> Headers:
    first = not int.from_bytes(packet[6:8], "big") & 0x1FFF
    start = (packet[0] & 0xF) * 4
    ends = IPv4Address(packet[12:16]), IPv4Address(packet[16:20])
    return _inside(ends, packet[9], packet[start:] if first and start >= 20 else b"")


def _read6(packet: bytes) -> Headers:
    ends = IPv6Address(packet[8:24]), IPv6Address(packet[24:40])
    protocol, at = packet[6], 40
    for _ in range(_MOST_EXTENSIONS):
        if protocol not in _EXTENSIONS and protocol != _FRAGMENT:
            return _inside(ends, protocol, packet[at:])
        if len(packet) < at + 8:
            break
        if protocol == _FRAGMENT and int.from_bytes(packet[at + 2 : at + 4], "big") & 0xFFF8:
            return _inside(ends, packet[at], b"")
        length = 8 if protocol == _FRAGMENT else 8 + packet[at + 1] * 8
        protocol, at = packet[at], at + length
    return _inside(ends, protocol, b"")


def _inside(ends: tuple[Address, Address], protocol: int, body: bytes) -> Headers:
    if protocol in _PORTED and len(body) >= 4:
        ports = int.from_bytes(body[:2], "big"), int.from_bytes(body[2:4], "big")
        return Headers(*ends, protocol, *ports)
    if protocol in _ICMP and len(body) >= 2:
        return Headers(*ends, protocol, icmp=(body[0], body[1]))
    return Headers(*ends, protocol)
