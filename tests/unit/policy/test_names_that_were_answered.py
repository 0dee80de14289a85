"""Domain names in policies: what DNS messages say, for as long as they say, whatever hostile bytes come."""

import time
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dns_packets import AAAA, ASKED, CNAME, A, addressed, answer, name, question, record, stream
from octet.policy.book import LONGEST, MOST_ADDRESSES, SHARE, SHORTEST, Book
from octet.policy.groups import covers
from octet.policy.names import Message, in_stream, read
from octet.policy.questions import MOST, PATIENCE, Question, Questions
from octet.policy.streams import LONGEST as LONGEST_MESSAGE
from octet.policy.streams import MOST as MOST_STREAMS
from octet.policy.streams import Streams

FOUR, SIX = ip_address("192.0.2.7"), ip_address("2001:db8::7")
FLOW = (FOUR, 4000, FOUR, 53)
GOOD = addressed("a.example.com", FOUR)


def places(count: int, first: int = 0) -> list[object]:
    return [ip_address((198 << 24) + first + number) for number in range(count)]


def test_addresses_of_both_families_are_read() -> None:
    """A name's IPv4 and IPv6 addresses are read, with the least of their times; the name in lower case."""
    records = record(ASKED, A, 60, FOUR.packed), record(ASKED, AAAA, 30, SIX.packed)
    assert read(answer("WWW.Example.com", *records)) == Message(
        7, True, "www.example.com", A, (FOUR, SIX), 30
    )


def test_a_question_is_read() -> None:
    """What is asked, and under which number."""
    assert read(question("WWW.Example.com", number=9, kind=AAAA)) == Message(
        9, False, "www.example.com", AAAA
    )


def test_aliases_are_followed_to_their_addresses() -> None:
    """An alias of an alias leads to addresses, and the alias' time counts too; other names' do not."""
    found = read(
        answer(
            "a.example.com",
            record(name("c.example.net"), A, 60, FOUR.packed),
            record(name("b.example.net"), CNAME, 9, name("c.example.net")),
            record(ASKED, CNAME, 60, name("b.example.net")),
            record(name("other.example.net"), AAAA, 1, SIX.packed),
        )
    )
    assert found == Message(7, True, "a.example.com", A, (FOUR,), 9)


def test_aliases_end_somewhere() -> None:
    """A circle of aliases means nothing, and a chain counts as far as seventeen names."""
    circle = record(ASKED, CNAME, 60, name("b.c")), record(name("b.c"), CNAME, 60, ASKED)
    assert read(answer("a.b", *circle)) == Message(7, True, "a.b", A, (), 60)
    for length, found in ((16, (FOUR,)), (17, ())):
        chain = [record(name(f"n{at}.b"), CNAME, 60, name(f"n{at + 1}.b")) for at in range(length)]
        said = read(answer("n0.b", *chain, record(name(f"n{length}.b"), A, 60, FOUR.packed)))
        assert said is not None
        assert said.addresses == found, length


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        answer("a.b", record(ASKED, A, 60, FOUR.packed), questions=2),
        answer("a.b", record(ASKED, A, 60, FOUR.packed), flags=0xA980),
        answer("a.b", record(ASKED, A, 60, FOUR.packed[:3])),
        answer("a.b", record(b"\xc0\xff", A, 60, FOUR.packed)),
        answer("a.b", record(b"\xc0\x15", A, 60, FOUR.packed)),
        answer("", record(ASKED, A, 60, FOUR.packed)),
        answer("a.b", record(ASKED, A, 60, FOUR.packed)).replace(b"\1a\1b", b"\3a.b"),
        answer(".".join(["a" * 60] * 5), record(ASKED, A, 60, FOUR.packed)),
        GOOD[:-1],
    ],
)
def test_what_is_no_good_message_means_nothing(bad: bytes) -> None:
    """Broken records, circles, two questions, dots inside labels, names that are too long."""
    assert read(bad) is None


@pytest.mark.parametrize(
    ("said", "truncated"),
    [
        (answer("a.b", record(ASKED, A, 60, FOUR.packed), flags=0x8183), False),
        (answer("a.b", record(ASKED, A, 60, FOUR.packed), flags=0x8380), True),
        (answer("a.b", record(name("c.d"), A, 60, FOUR.packed)), False),
        (addressed("a.b", *map(ip_address, ("127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1"))), False),
        (addressed("a.b", *map(ip_address, ("::1", "fe80::1", "::ffff:10.0.0.1", "ff02::1"))), False),
        (answer("a.b"), False),
    ],
)
def test_some_answers_have_no_addresses(said: bytes, truncated: bool) -> None:
    """Failures, cut answers, other names' addresses, and addresses that are nobody's or the pod's own."""
    found = read(said)
    assert found is not None
    assert (found.name, found.addresses, found.truncated) == ("a.b", (), truncated)


def test_an_endless_time_is_none() -> None:
    """A time to live with its highest bit set is zero (RFC 2181, 8)."""
    assert read(addressed("a.b", FOUR, ttl=0xFFFFFFFF)) == Message(7, True, "a.b", A, (FOUR,), 0)


def test_messages_of_a_stream_are_read_as_far_as_they_are_whole() -> None:
    """One segment may hold several; what it holds in part is none."""
    assert list(in_stream(stream(GOOD, GOOD))) == [GOOD, GOOD]
    assert list(in_stream(stream(GOOD)[:-1])) == []
    assert list(in_stream(stream(GOOD) + b"\0")) == [GOOD]
    assert list(in_stream(b"\0\0" + stream(GOOD))) == []


@pytest.mark.parametrize("size", [1, 3, 50, 1000, 9000])
def test_a_stream_is_its_messages_however_it_is_cut(size: int) -> None:
    """Pieces in order make messages, whatever is sent twice; a message that is too long is passed over."""
    whole = stream(GOOD, bytes(LONGEST_MESSAGE + 1), GOOD)
    streams, found = Streams[str](), list[bytes]()
    streams.begin("me", FLOW, 0xFFFFFFF0)
    for at in range(0, len(whole), size):
        place = (0xFFFFFFF1 + at) & 0xFFFFFFFF
        found += streams.take("me", FLOW, place, whole[at : at + size]) or []
        assert streams.take("me", FLOW, place, whole[at : at + size]) is None
    assert found == [GOOD, GOOD]


def test_what_is_not_known_of_a_stream_is_no_message() -> None:
    """Of streams that were not seen from their start, with a piece lost, or another's, nothing is read."""
    streams = Streams[str]()
    assert streams.take("me", FLOW, 1, stream(GOOD)) is None
    streams.begin("me", FLOW, 0)
    assert streams.take("me", FLOW, 2, stream(GOOD)) is None
    assert streams.take("you", FLOW, 1, stream(GOOD)) is None
    assert streams.take("me", FLOW, 1, stream(GOOD, GOOD)) == [GOOD, GOOD]
    for port in range(MOST_STREAMS):
        streams.begin("me", (FOUR, port, FOUR, 53), 0)
    assert streams.take("me", FLOW, 1 + 2 * len(stream(GOOD)), stream(GOOD)) is None


@given(st.binary(max_size=200), st.integers(0, len(GOOD)))
@settings(max_examples=300, deadline=None)
def test_any_bytes_do_no_harm(data: bytes, at: int) -> None:
    """Whatever a pod makes a resolver say, reading it ends, with a message or without."""
    for each in (data, GOOD[:at] + data, GOOD[:at] + data + GOOD[at + len(data) :]):
        found = read(each)
        assert found is None or found.name == found.name.lower()
        assert all(len(message) <= len(each) for message in in_stream(each))


def test_a_message_of_pointers_costs_little() -> None:
    """Hundreds of records that all point to a name of a hundred labels are read within a few milliseconds."""
    long = ".".join("a" * 120)
    message = answer(long, *[record(ASKED, CNAME, 60, ASKED)] * 250)
    begun = time.perf_counter()
    assert read(message) is not None
    assert time.perf_counter() - begun < 0.1
    deep = name("a") + b"".join(b"\xc0" + bytes([12 + 2 * at]) for at in range(100))
    assert read(answer("a.b")[:12] + deep + bytes(8)) is None


def test_a_name_means_what_was_answered_until_its_time_is_over() -> None:
    """An answer counts for its time, at least SHORTEST and at most LONGEST; a later one prolongs it."""
    book: Book[str] = Book()
    assert book.learn("me", "a.b", [FOUR], 60, 100.0).fresh
    lesson = book.learn("me", "a.b", [FOUR], 60, 130.0)
    assert (lesson.fresh, lesson.kept) == (False, {("a.b", FOUR): 190.0})
    assert not book.expire(160.0)
    assert book.next() == 190.0
    assert not book.expire(189.0)
    assert book.now("me") == {"a.b": frozenset({FOUR})}
    assert book.expire(190.0) == ["me"]
    assert (book.now("me"), book.ever("me")) == ({}, {"a.b": frozenset({FOUR})})
    book.learn("me", "a.b", [SIX], 0, 200.0)
    book.learn("me", "c.d", [SIX], 10**9, 200.0)
    assert book.expire(200.0 + SHORTEST) == ["me"]
    assert book.next() == 200.0 + LONGEST


def test_a_name_means_something_to_who_asked_only() -> None:
    """What one pod was answered means nothing to another, and goes with the pod."""
    book: Book[str] = Book()
    book.learn("one", "a.b", [FOUR], 60, 0.0)
    book.learn("two", "a.b", [SIX], 60, 0.0)
    assert (book.now("one"), book.now("two")) == ({"a.b": frozenset({FOUR})}, {"a.b": frozenset({SIX})})
    book.forget("one")
    assert (book.now("one"), book.askers) == ({}, ("two",))


def test_a_pod_fills_its_own_share_only() -> None:
    """Who asks for too many names loses those of its own that end soonest; nobody else loses any."""
    book: Book[str] = Book()
    book.learn("two", "kept.b", [FOUR], 10, 0.0)
    book.learn("one", "soon.b", [FOUR], 20, 0.0)
    for number in range(SHARE):
        lesson = book.learn("one", f"n{number}.b", [FOUR], 60, 0.0)
    assert lesson.gone == (("soon.b", FOUR),)
    assert len(book.now("one")) == SHARE
    assert book.now("two") == {"kept.b": frozenset({FOUR})}
    assert book.learn("one", "late.b", [FOUR], 61, 0.0).fresh
    assert "late.b" in book.now("one")
    assert len(book.now("one")) == SHARE


def test_one_name_has_not_all_of_a_share() -> None:
    """Of one name the latest addresses are kept."""
    book: Book[str] = Book()
    book.learn("me", "other.b", [FOUR], 600, 0.0)
    for first in range(0, 4 * MOST_ADDRESSES, 16):
        book.learn("me", "many.b", places(16, first), 600, float(first))  # type: ignore[arg-type]
    assert book.now("me")["many.b"] == frozenset(places(MOST_ADDRESSES, 3 * MOST_ADDRESSES))
    assert book.now("me")["other.b"] == frozenset({FOUR})


def test_an_answer_belongs_to_a_question_of_a_moment_ago() -> None:
    """A question is answered once, in time, and by its own number, name and port."""
    questions: Questions[str] = Questions()
    asked = Question(17, FOUR, 4000, SIX, 53, 7, "a.b", A)
    other = Question(17, FOUR, 4001, SIX, 53, 7, "a.b", A)
    questions.ask("me", asked, 0.0)
    assert not questions.answered("me", other, 1.0)
    assert not questions.answered("you", asked, 1.0)
    assert questions.answered("me", asked, 1.0)
    assert not questions.answered("me", asked, 1.0)
    questions.ask("me", asked, 0.0)
    assert not questions.answered("me", asked, PATIENCE)


def test_questions_that_wait_are_few() -> None:
    """Who asks without end has its oldest questions forgotten, and nobody else's."""
    questions: Questions[str] = Questions()
    asked = [Question(17, FOUR, port, SIX, 53, 7, "a.b", A) for port in range(MOST + 1)]
    questions.ask("you", asked[0], 0.0)
    for each in asked:
        questions.ask("me", each, 0.0)
    assert not questions.answered("me", asked[0], 1.0)
    assert questions.answered("me", asked[1], 1.0)
    assert questions.answered("you", asked[0], 1.0)


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
    assert covers(frozenset({domain, "other.org"}), asked) is covered
