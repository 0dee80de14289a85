"""Domain names in policies: what resolvers answer, for as long as they say, whatever hostile bytes come."""

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.policy.groups import covers
from octet.policy.names import LONGEST, MOST, SHORTEST, Answer, Book, read

FOUR, SIX = ip_address("192.0.2.7"), ip_address("2001:db8::7")


def name(text: str) -> bytes:
    return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".")) + b"\0"


def record(owner: bytes, kind: int, ttl: int, data: bytes) -> bytes:
    return owner + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def message(asked: str, *records: bytes, flags: int = 0x8180, questions: int = 1) -> bytes:
    head = struct.pack("!6H", 7, flags, questions, len(records), 0, 0)
    return head + name(asked) + struct.pack("!HH", 1, 1) + b"".join(records)


def test_addresses_of_both_families_are_read() -> None:
    """A name's IPv4 and IPv6 addresses are read, with the least of their times; the name in lower case."""
    found = read(message("WWW.Example.com", record(b"\xc0\x0c", 1, 60, FOUR.packed),
                         record(b"\xc0\x0c", 28, 30, SIX.packed)))  # fmt: skip
    assert found == Answer("www.example.com", (FOUR, SIX), 30)


def test_aliases_are_followed_to_their_addresses() -> None:
    """An alias of an alias leads to addresses, and the alias' time counts too; other names' do not."""
    found = read(
        message(
            "a.example.com",
            record(name("c.example.net"), 1, 60, FOUR.packed),
            record(name("b.example.net"), 5, 9, name("c.example.net")),
            record(b"\xc0\x0c", 5, 60, name("b.example.net")),
            record(name("other.example.net"), 28, 1, SIX.packed),
        )
    )
    assert found == Answer("a.example.com", (FOUR,), 9)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        message("a.b", record(b"\xc0\x0c", 1, 60, FOUR.packed), flags=0x0100),
        message("a.b", record(b"\xc0\x0c", 1, 60, FOUR.packed), flags=0x8183),
        message("a.b", record(b"\xc0\x0c", 1, 60, FOUR.packed), flags=0x8380),
        message("a.b", record(b"\xc0\x0c", 1, 60, FOUR.packed), questions=2),
        message("a.b", record(name("c.d"), 1, 60, FOUR.packed)),
        message("a.b", record(b"\xc0\x0c", 1, 60, FOUR.packed[:3])),
        message("a.b", record(b"\xc0\xff", 1, 60, FOUR.packed)),
        message("a.b", record(b"\xc0\x15", 1, 60, FOUR.packed)),
        message("a.b"),
    ],
)
def test_what_is_no_good_answer_means_nothing(bad: bytes) -> None:
    """Questions, failures, cut answers, other names, broken records and circles are not learned."""
    assert read(bad) is None


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_do_no_harm(data: bytes) -> None:
    """Whatever a pod makes a resolver say, reading it ends, with an answer or without."""
    good = message("a.example.com", record(b"\xc0\x0c", 1, 60, FOUR.packed))
    for each in (data, good[: len(data)] + data, good + data):
        found = read(each)
        assert found is None or found.addresses


def test_a_name_means_what_was_answered_until_its_time_is_over() -> None:
    """An answer counts for its time, at least SHORTEST and at most LONGEST; a later one prolongs it."""
    book = Book()
    assert book.learn(Answer("a.b", (FOUR,), 60), 100.0)
    assert not book.learn(Answer("a.b", (FOUR,), 60), 130.0)
    assert book.next() == 190.0
    assert not book.expire(189.0)
    assert book.now() == {"a.b": frozenset({FOUR})}
    assert book.expire(190.0)
    assert (book.now(), book.ever()) == ({}, {"a.b": frozenset({FOUR})})
    book.learn(Answer("a.b", (SIX,), 0), 200.0)
    book.learn(Answer("c.d", (SIX,), 10**9), 200.0)
    book.expire(200.0 + SHORTEST)
    assert book.next() == 200.0 + LONGEST


def test_a_pod_cannot_fill_the_book() -> None:
    """Names beyond the book's size are not learned, and known ones still are."""
    book = Book()
    for number in range(MOST + 10):
        book.learn(Answer(f"n{number}.b", (FOUR,), 60), 0.0)
    assert len(book.now()) == MOST
    assert book.learn(Answer("n0.b", (SIX,), 60), 0.0)


@pytest.mark.parametrize(
    ("domain", "asked", "covered"),
    [
        ("example.com", "example.com", True),
        ("example.com", "www.example.com", False),
        ("*.example.com", "www.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "badexample.com", False),
    ],
)
def test_a_star_is_whole_labels(domain: str, asked: str, covered: bool) -> None:
    """A star stands for one or more whole labels before the rest (network-policy-api, DomainName)."""
    assert covers(domain, asked) is covered
