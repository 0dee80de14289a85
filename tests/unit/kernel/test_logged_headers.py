"""Headers of logged packets, which pods may write as they like."""

import struct
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as some

from octet.kernel.headers import Headers, read
from octet.kernel.probing import Probe, packet

A, B = ip_address("fd00::1"), ip_address("fd00::2")


def v6(first: int, rest: bytes) -> bytes:
    return struct.pack(">IHBB", 6 << 28, len(rest), first, 64) + A.packed + B.packed + rest


@given(some.binary(max_size=200))
def test_no_bytes_are_an_error(data: bytes) -> None:
    """Anything is read as far as it goes."""
    read(data)


@given(some.integers(0, 255), some.binary(max_size=90))
def test_no_extension_headers_are_an_error(first: int, rest: bytes) -> None:
    """Chains of extension headers end, however they are chained."""
    found = read(v6(first, rest))
    assert found is not None
    assert (found.source, found.destination) == (A, B)


def test_what_probes_say_is_what_is_read() -> None:
    """Addresses, protocol and ports of both families."""
    for source, destination in (("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")):
        ends = ip_address(source), ip_address(destination)
        assert read(packet(Probe("", "", *ends, 17, 5353, 53), 7)) == Headers(*ends, 17, 5353, 53)


def test_ports_behind_extension_headers_are_found() -> None:
    """Hop-by-hop options and a first fragment stand before UDP."""
    hop, fragment = bytes([44, 0]) + bytes(6), bytes([17, 0, 0, 1]) + bytes(4)
    assert read(v6(0, hop + fragment + struct.pack(">HHHH", 1, 2, 8, 0))) == Headers(A, B, 17, 1, 2)


def test_a_later_fragment_has_no_ports() -> None:
    """What stands where ports would is payload, and is not told as ports."""
    later = bytes([17, 0, 0x05, 0x00]) + bytes(4)
    assert read(v6(44, later + b"\x12\x34\x56\x78")) == Headers(A, B, 17)
    old = bytearray(packet(Probe("", "", ip_address("10.0.0.1"), ip_address("10.0.0.2"), 6, 1, 2), 7))
    old[6:8] = b"\x00\x10"
    found = read(bytes(old))
    assert found is not None
    assert found.port is None


def test_icmp_has_type_and_code() -> None:
    """An echo request is told as type 8, code 0."""
    found = read(packet(Probe("", "", ip_address("10.0.0.1"), ip_address("10.0.0.2"), 1), 7))
    assert found is not None
    assert found.icmp == (8, 0)
