"""Netlink's wire format: what is written reads back, and no bytes make the reader fail."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octet.kernel.netlink import wire

KINDS = st.integers(1, 0x3FFF)


@given(st.dictionaries(KINDS, st.binary(max_size=40), max_size=8))
def test_attributes_read_back(held: dict[int, bytes]) -> None:
    """Any set of attributes is read as it was written, whatever their lengths."""
    assert wire.attributes(b"".join(wire.attribute(kind, held[kind]) for kind in held)) == held


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(garbage: bytes) -> None:
    """Truncated or senseless input gives what can be read of it, never an error or an endless loop."""
    wire.attributes(garbage)
    for _kind, _flags, _sequence, body in wire.split(garbage):
        wire.attributes(body)


@given(st.lists(st.binary(max_size=30), max_size=5))
def test_a_datagram_splits_into_its_messages(bodies: list[bytes]) -> None:
    """Several messages in one datagram come out in order with their bodies."""
    datagram = b""
    for number, body in enumerate(bodies):
        padding = b"\0" * (-len(body) & 3)
        datagram += struct.pack("=IHHII", 16 + len(body), 20 + number, 0, number, 0) + body + padding
    assert [body for *_, body in wire.split(datagram)] == bodies


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (wire.u8(1, 7), "05000100 07000000"),
        (wire.u16(2, 0x0102), "06000200 02010000"),
        (wire.be16(3, 0x0102), "06000300 01020000"),
        (wire.u32(4, 1), "08000400 01000000"),
        (wire.text(5, "lo"), "07000500 6c6f0000"),
        (wire.nested(6, wire.u8(1, 1)), "0c000680 05000100 01000000"),
    ],
)
@pytest.mark.skipif(not wire.LITTLE, reason="the bytes below are of a little-endian machine")
def test_attributes_have_the_kernels_layout(written: bytes, expected: str) -> None:
    """Length, kind, payload and padding are those of struct nlattr."""
    assert written == bytes.fromhex(expected)


def test_numbers_and_words_are_read_whatever_their_width() -> None:
    """An attribute of one, two, four or eight bytes is a number; a string ends at its zero."""
    assert [wire.as_int(struct.pack(f"={code}", 7)) for code in "BHIQ"] == [7, 7, 7, 7]
    assert wire.as_int(b"") == 0
    assert wire.as_text(b"eth0\0junk") == "eth0"
    assert wire.as_text(b"\xff\0") == "\udcff"
