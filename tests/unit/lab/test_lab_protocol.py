"""What travels between a lab and its clients arrives as it was."""

import msgspec
import pytest

from octet import errors
from octet.lab import protocol
from octet.lab.provider import Octet, reference

REQUESTS = [
    protocol.Info(),
    protocol.Run("a", "node1", "shop", {"app": "web"}, ("sleep", "1")),
    protocol.Apply(({"kind": "Namespace"},)),
    protocol.Get("pods", "shop"),
    protocol.Delete("pod", "a"),
    protocol.Enter("node1"),
    protocol.Cut("node1", "node2"),
    protocol.Heal(),
    protocol.Lose(1.5, "node1", "", "udp", 8472),
    protocol.KillAgent("node1"),
    protocol.StartAgent("node1"),
    protocol.AskAgent("node1", "/metrics"),
    protocol.Routers(),
    protocol.KillRouter("tor1"),
    protocol.StartRouter("tor1"),
    protocol.Down(),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda each: type(each).__name__)
def test_a_request_arrives_as_it_was_sent(request_: protocol.Request) -> None:
    """One line of JSON and back is the same request."""
    line = protocol.encode(request_)
    assert line.count(b"\n") == 1
    assert protocol.decode_request(line) == request_


def test_no_request_is_left_untested() -> None:
    """Every kind of request that there is has a case above."""
    assert {type(each) for each in REQUESTS} == set(protocol.Request.__args__)


@pytest.mark.parametrize("line", [b"", b"{}", b"[]", b'{"type":"format"}', b'{"type":"run"}', b"\xff\n"])
def test_what_is_no_request_is_refused_in_words(line: bytes) -> None:
    """A stranger's bytes end in an error for a person, never in a traceback."""
    with pytest.raises(errors.OctetError, match="not a request"):
        protocol.decode_request(line)


@pytest.mark.parametrize("provider", [Octet(model="flannel"), reference("ptp")], ids=lambda p: p.title)
def test_a_labs_file_holds_its_provider(provider: protocol.Octet | protocol.Foreign) -> None:
    """The supervisor reads the provider that the client wrote."""
    spec = protocol.Spec("lab", 2, provider, family="dual")
    assert msgspec.json.decode(protocol.encode(spec), type=protocol.Spec) == spec


@pytest.mark.parametrize(
    "error",
    [
        errors.NotFoundError("no pod", hint="pods: none"),
        errors.NotReadyError("wait"),
        errors.ExhaustedError("full"),
        errors.OctetError("plain"),
        errors.BadConfigurationError("lab", "family", "v5", "unknown: this: that", hint="v4"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_arrives_as_what_it_was(error: errors.OctetError) -> None:
    """The client raises the class, sentence and hint that the lab had."""
    back = protocol.unpack(
        protocol.decode_answer(protocol.encode(protocol.Answer(error=protocol.pack(error)))).error
    )
    assert (type(back), str(back), back.hint) == (type(error), str(error), error.hint)


def test_a_fault_of_ours_arrives_with_its_name() -> None:
    """An unexpected exception of the supervisor is told as such, not swallowed."""
    back = protocol.unpack(protocol.pack(KeyError("x")))
    assert type(back) is errors.OctetError
    assert "KeyError: 'x'" in str(back)
