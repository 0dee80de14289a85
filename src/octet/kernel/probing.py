"""The bytes of first packets: IPv4 and IPv6 headers, and what begins a connection of each protocol.

What lives here: ``Probe`` to bytes, and the token out of bytes. Pure.
What it must not know: sockets, namespaces.
Sources: RFC 791, 8200 (headers), 9293 (TCP), 768 (UDP), 9260 (SCTP), 792 and 4443 (ICMP).
"""

import struct
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address

TCP, UDP, SCTP = 6, 17, 132
ICMP = {4: 1, 6: 58}
"""Protocol numbers (IANA)."""

LONGEST = 128
"""Bytes of an arrival that are read: more than any header of ours."""

MOST = 1 << 20
"""Probes that tokens tell apart."""

_ECHO = {4: 8, 6: 128}
_TTL = 64
_SYN = 0x02
_MARK = b"octt"
_DONT_FRAGMENT = 0x4000


@dataclass(frozen=True, slots=True)
class Probe:
    """The first packet of one connection.

    Attributes:
        origin, goal: names of the places that it is sent from and should arrive at.
        protocol: TCP, UDP, SCTP, or the family's ICMP (an echo request).
        source_port, port: 0 where the protocol has none.
    """

    origin: str
    goal: str
    source: Address
    destination: Address
    protocol: int
    source_port: int = 0
    port: int = 0


def packet(probe: Probe, token: int) -> bytes:
    """Return a whole IP packet. The kernel fills in IPv4's own checksum (raw(7))."""
    body = _body(probe, token)
    ends = probe.source.packed + probe.destination.packed
    if probe.source.version == 4:
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 0, _DONT_FRAGMENT, _TTL, probe.protocol, 0)
        return head + ends + body
    return struct.pack(">IHBB", 6 << 28, len(body), probe.protocol, _TTL) + ends + body


def _body(probe: Probe, token: int) -> bytes:
    ports = struct.pack(">HH", probe.source_port, probe.port)
    if probe.protocol == TCP:
        rest = struct.pack(">IIBBHHH", token, 0, 5 << 4, _SYN, 65535, 0, 0)
        return _summed(probe, ports + rest, 16)
    if probe.protocol == UDP:
        payload = _MARK + struct.pack(">I", token)
        return _summed(probe, ports + struct.pack(">HH", 8 + len(payload), 0) + payload, 6)
    if probe.protocol == SCTP:
        return _sctp(ports, token)
    echo = struct.pack(
        ">BBHI", _ECHO[probe.source.version], 0, 0, token
    )  # a translation changes the identifier
    return _summed(probe, echo + _MARK + struct.pack(">I", token), 2, pseudo=probe.source.version == 6)


def _sctp(ports: bytes, token: int) -> bytes:
    """Return an INIT chunk (RFC 9260, 3.3.2) whose initiate tag is the token."""
    chunk = struct.pack(">BBHIIHHI", 1, 0, 20, token, 65535, 1, 1, token)
    head = ports + struct.pack(">I", 0)
    return head + struct.pack("<I", crc32c(head + bytes(4) + chunk)) + chunk


def _summed(probe: Probe, body: bytes, at: int, *, pseudo: bool = True) -> bytes:
    """Return a body with the Internet checksum (RFC 1071) of itself and its pseudo header put in."""
    head = probe.source.packed + probe.destination.packed + struct.pack(">II", len(body), probe.protocol)
    total = _checksum((head if pseudo else b"") + body) or 0xFFFF
    return body[:at] + struct.pack(">H", total) + body[at + 2 :]


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total >> 16) + (total & 0xFFFF)
    return ~total & 0xFFFF


def token_of(family: int, protocol: int, data: bytes) -> int:
    """Return the token of what a raw socket read; a number that no probe has where there is none.

    A raw socket of IPv4 reads the IP header too, one of IPv6 does not (raw(7), RFC 3542).
    """
    start = (data[0] & 0xF) * 4 if family == 4 and data else 0
    body = data[start:]
    if protocol == TCP and len(body) >= 20 and body[13] & 0x3F == _SYN:
        return int.from_bytes(body[4:8], "big")
    if protocol == UDP and body[8:12] == _MARK and len(body) >= 16:
        return int.from_bytes(body[12:16], "big")
    if protocol == SCTP and len(body) >= 20 and body[12] == 1:
        return int.from_bytes(body[16:20], "big")
    if protocol == ICMP[family] and body[:1] == bytes([_ECHO[family]]) and body[8:12] == _MARK:
        return int.from_bytes(body[12:16], "big")
    return -1


@cache
def _crc_table() -> tuple[int, ...]:
    table = []
    for first in range(256):
        value = first
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


def crc32c(data: bytes) -> int:
    """Return SCTP's checksum (RFC 9260, appendix A)."""
    total, table = 0xFFFFFFFF, _crc_table()
    for byte in data:
        total = (total >> 8) ^ table[(total ^ byte) & 0xFF]
    return total ^ 0xFFFFFFFF
