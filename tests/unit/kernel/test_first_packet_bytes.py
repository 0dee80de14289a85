"""The bytes of probes: what a kernel takes for the first packet of a connection."""

import struct
from ipaddress import ip_address

import pytest

from octet.kernel.probing import ICMP, Probe, crc32c, packet, token_of

TOKEN = 0xABC01234
ENDS = {4: ("10.0.0.1", "10.0.0.2"), 6: ("fd00::1", "fd00::2")}
CASES = [(family, protocol) for family in (4, 6) for protocol in (6, 17, 132, ICMP[family])]


def made(family: int, protocol: int) -> bytes:
    """A whole packet."""
    source, destination = map(ip_address, ENDS[family])
    return packet(Probe("a", "b", source, destination, protocol, 40000, 80), TOKEN)


def body_of(family: int, data: bytes) -> bytes:
    return data[20:] if family == 4 else data[40:]


@pytest.mark.parametrize(("family", "protocol"), CASES)
def test_the_token_comes_back(family: int, protocol: int) -> None:
    """A raw socket of either family reads the token that was sent."""
    data = made(family, protocol)
    assert token_of(family, protocol, data if family == 4 else body_of(family, data)) == TOKEN


@pytest.mark.parametrize(("family", "protocol"), [case for case in CASES if case[1] != 132])
def test_checksums_are_right(family: int, protocol: int) -> None:
    """The sum over pseudo header and body is all ones (RFC 1071): no connection tracker minds it."""
    body = body_of(family, made(family, protocol))
    source, destination = map(ip_address, ENDS[family])
    pseudo = source.packed + destination.packed + struct.pack(">II", len(body), protocol)
    data = body if protocol == 1 else pseudo + body
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total >> 16) + (total & 0xFFFF)
    assert total == 0xFFFF


def test_the_sctp_checksum_is_the_published_one() -> None:
    """CRC-32C of the nine digits is its well-known check value, and the packet carries its own sum."""
    assert crc32c(b"123456789") == 0xE3069283
    body = body_of(4, made(4, 132))
    assert struct.unpack("<I", body[8:12])[0] == crc32c(body[:8] + bytes(4) + body[12:])


@pytest.mark.parametrize("data", [b"", b"\x45", b"\x45" + bytes(30), bytes(200), b"\xff" * 64])
@pytest.mark.parametrize(("family", "protocol"), CASES)
def test_other_packets_have_no_token(family: int, protocol: int, data: bytes) -> None:
    """Whatever else arrives is nobody's probe, and never an error."""
    assert token_of(family, protocol, data) != TOKEN
