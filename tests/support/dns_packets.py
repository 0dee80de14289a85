"""DNS packets as resolvers and pods send them, good and bad.

What lives here: messages, and the UDP, TCP and IP around them. What it must not know: who reads them.
"""

import struct
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address
A, CNAME, AAAA = 1, 5, 28
ASKED = b"\xc0\x0c"
"""A pointer to the name that is asked for."""


def name(text: str) -> bytes:
    """Return a name as labels."""
    return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".")) + b"\0"


def record(owner: bytes, kind: int, ttl: int, data: bytes) -> bytes:
    """Return a record of class IN."""
    return owner + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def question(asked: str, *, number: int = 7, kind: int = A) -> bytes:
    """Return a question."""
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + name(asked) + struct.pack("!HH", kind, 1)


def answer(
    asked: str, *records: bytes, number: int = 7, kind: int = A, flags: int = 0x8180, questions: int = 1
) -> bytes:
    """Return what a resolver says."""
    head = struct.pack("!6H", number, flags, questions, len(records), 0, 0)
    return head + name(asked) + struct.pack("!HH", kind, 1) + b"".join(records)


def addressed(asked: str, *addresses: Address, ttl: int = 60, number: int = 7) -> bytes:
    """Return an answer with addresses."""
    kinds = {4: A, 6: AAAA}
    return answer(asked, *(record(ASKED, kinds[a.version], ttl, a.packed) for a in addresses), number=number)


def udp(source: Address, port: int, goal: Address, goal_port: int, body: bytes) -> bytes:
    """Return a UDP packet from its IP header on, without checksums."""
    return _ip(source, goal, 17, struct.pack("!4H", port, goal_port, 8 + len(body), 0) + body)


def tcp(
    source: Address, port: int, goal: Address, goal_port: int, body: bytes, at: int = 1, flags: int = 0x18
) -> bytes:
    """Return a TCP segment from its IP header on, with its place in the stream, without checksums."""
    head = struct.pack("!HHIIBBHHH", port, goal_port, at, 1, 0x50, flags, 9, 0, 0)
    return _ip(source, goal, 6, head + body)


def accepted(source: Address, port: int, goal: Address, goal_port: int, at: int = 0) -> bytes:
    """Return what accepts a TCP connection."""
    return tcp(source, port, goal, goal_port, b"", at, 0x12)


def stream(*messages: bytes) -> bytes:
    """Return messages as TCP carries them."""
    return b"".join(struct.pack("!H", len(each)) + each for each in messages)


def _ip(source: Address, goal: Address, protocol: int, body: bytes) -> bytes:
    if source.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(body), protocol, 64) + source.packed + goal.packed + body
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, protocol, 0)
    return head + source.packed + goal.packed + body
