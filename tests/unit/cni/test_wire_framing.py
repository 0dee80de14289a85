"""The bytes between plugin and agent: both directions from one list of cases, and every way to break them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.cni import wire
from octet.cni.request import STDIN_LIMIT
from octet.cni.spec import CniError
from octet.cni.wire import FramingError, RawRequest, Reply

REQUEST = wire.encode_request({"CNI_COMMAND": "ADD", "PATH": "/bin", "CNI_X": "a=\udcff"}, b"{}")

REQUESTS = [
    ({}, b""),
    ({"CNI_COMMAND": "ADD"}, b'{"a":1}'),
    ({"CNI_ARGS": "A=1;B=2", "CNI_NETNS": ""}, b"\0\xff" * 100),
    ({"CNI_PATH": "\udcff"}, b"x" * STDIN_LIMIT),
]


@pytest.mark.parametrize(("environment", "stdin"), REQUESTS)
def test_a_request_comes_out_as_it_went_in(environment: dict[str, str], stdin: bytes) -> None:
    """Any environment and any input survive, also bytes that are no text."""
    data = wire.encode_request(environment, stdin)
    assert wire.decode_request(data) == RawRequest(environment, stdin)
    assert wire.request_sizes(data[: wire.HEADER]).total == len(data)


def test_only_cni_variables_travel() -> None:
    """The agent learns nothing else of the runtime's environment."""
    assert wire.decode_request(REQUEST).environment == {"CNI_COMMAND": "ADD", "CNI_X": "a=\udcff"}


@pytest.mark.parametrize("reply", [Reply(0), Reply(1, b"{}"), Reply(255, b"\0" * wire.REPLY_LIMIT)])
def test_a_reply_comes_out_as_it_went_in(reply: Reply) -> None:
    """Status and body survive up to the limit."""
    assert wire.decode_reply(wire.encode_reply(reply)) == reply


@pytest.mark.parametrize(
    "data",
    [
        b"",
        REQUEST[:11],
        REQUEST[:-1],
        REQUEST + b"x",
        b"X" + REQUEST[1:],
        REQUEST[:4] + b"\2" + REQUEST[5:],
        REQUEST[:5] + b"\4" + REQUEST[6:],
        REQUEST[:8] + b"\xff\xff\xff\xff" + REQUEST[12:],
        wire.encode_request({}, b"")[:6] + b"\0\3\0\0\0\0A=\0",
        wire.encode_request({}, b"")[:6] + b"\0\6\0\0\0\0CNI_A\0",
        wire.encode_request({}, b"")[:6] + b"\0\7\0\0\0\0CNI_A=x",
    ],
)
def test_a_broken_request_is_refused(data: bytes) -> None:
    """Too short, too long, another protocol, another version, or an environment that is none."""
    with pytest.raises(FramingError):
        wire.decode_request(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"OCNR\1",
        b"OCNR\1\0\0\0\0\0\0\2x",
        b"OCNR\2\0\0\0\0\0\0\0",
        b"OCNI\1\0\0\0\0\0\0\0",
        b"OCNR\1\0\0\0\xff\0\0\0",
    ],
)
def test_a_broken_reply_is_refused(data: bytes) -> None:
    """A plugin never prints half an answer or something else's."""
    with pytest.raises(FramingError):
        wire.decode_reply(data)


def test_what_does_not_fit_is_not_sent() -> None:
    """The limits hold for the sender as well."""
    with pytest.raises(FramingError):
        wire.encode_request({"CNI_ARGS": "x" * wire.ENVIRONMENT_LIMIT}, b"")
    with pytest.raises(FramingError):
        wire.encode_request({}, b"x" * (STDIN_LIMIT + 1))
    with pytest.raises(FramingError):
        wire.encode_reply(Reply(0, b"x" * (wire.REPLY_LIMIT + 1)))


def test_replies_are_made_of_documents_and_errors() -> None:
    """Success prints a document or nothing, failure prints the error object of any exception."""
    assert Reply.success({"cniVersion": "1.0.0"}) == Reply(0, b'{"cniVersion":"1.0.0"}')
    assert Reply.success() == Reply(0, b"")
    assert Reply.failure(CniError(7, "x"), "0.4.0") == Reply(1, b'{"cniVersion":"0.4.0","code":7,"msg":"x"}')
    assert b'"code":999' in Reply.failure(ZeroDivisionError(), "0.4.0").body


@given(st.binary(max_size=80) | st.binary(max_size=40).map(lambda tail: REQUEST[:12] + tail))
@settings(deadline=None)
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    """Whatever comes is decoded to what encodes to the same bytes, or refused."""
    try:
        found = wire.decode_request(data)
    except FramingError:
        return
    assert wire.decode_request(wire.encode_request(found.environment, found.stdin)) == found
