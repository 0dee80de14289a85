"""Errors at the CNI boundary: every code has a way to be reached, every exception has one code."""

import errno

import pytest

from octet import errors
from octet.cni.request import parse
from octet.cni.spec import CniError, Code, error_from_json, error_json, translate

CONFIG = b'{"cniVersion":"1.0.0","name":"n","type":"octet-cni"}'
ENV = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c", "CNI_IFNAME": "eth0", "CNI_NETNS": "/run/netns/c"}

REFUSED = {
    Code.INCOMPATIBLE_VERSION: (ENV, CONFIG.replace(b"1.0.0", b"9.0.0")),
    Code.UNSUPPORTED_FIELD: (ENV, CONFIG.replace(b'"type"', b'"ipam":"x","type"')),
    Code.INVALID_ENVIRONMENT: (ENV | {"CNI_IFNAME": "a/b"}, CONFIG),
    Code.DECODING_FAILURE: (ENV, CONFIG[:-1]),
    Code.INVALID_CONFIG: (ENV, CONFIG.replace(b'"n"', b'""')),
    Code.INVALID_NETNS: (ENV, CONFIG),
}
"""By code: a request that is refused with it."""

TRANSLATED = {
    Code.UNKNOWN_CONTAINER: errors.NotFoundError("no such thing"),
    Code.IO_FAILURE: OSError(errno.EIO, "broken"),
    Code.INVALID_CONFIG: errors.BadConfigurationError("agent.toml", "mtu", 3, "is too small"),
    Code.TRY_AGAIN_LATER: errors.NotReadyError("no pod CIDR yet"),
    Code.EXHAUSTED: errors.ExhaustedError("10.0.0.0/24 is used up"),
    Code.REFUSED_BY_KERNEL: errors.RefusedByKernelError("link veth1", errno.EPERM),
    Code.INCONSISTENT: errors.LostError("half done", ("link veth1",)),
    Code.INTERNAL: ZeroDivisionError("a fault of ours"),
}
"""By code: an exception that is translated to it."""

SAID_BY_THE_AGENT = {
    Code.NOT_AVAILABLE,
    Code.LIMITED_CONNECTIVITY,
    Code.CHECK_FAILED,
    Code.INTERFACE_EXISTS,
    Code.IN_USE,
}
"""Codes that only the agent can know to be right; its own tests reach them."""


def test_every_code_has_a_case() -> None:
    """No code exists that nothing leads to."""
    assert set(Code) == REFUSED.keys() | TRANSLATED.keys() | SAID_BY_THE_AGENT


@pytest.mark.parametrize("code", REFUSED, ids=lambda code: code.name)
def test_a_wrong_request_has_its_code(code: Code) -> None:
    """Each kind of mistake in environment or configuration is told by its own code."""
    environment, stdin = REFUSED[code]
    with pytest.raises(CniError) as caught:
        parse(environment, stdin, namespace=None if code is Code.INVALID_NETNS else 3)
    assert caught.value.code == code


@pytest.mark.parametrize("code", TRANSLATED, ids=lambda code: code.name)
def test_an_exception_becomes_its_code(code: Code) -> None:
    """The family of errors is translated in one place, keeping its sentence."""
    found = translate(TRANSLATED[code])
    assert found.code == code
    assert found.message


@pytest.mark.parametrize(
    "error", [TimeoutError("late"), OSError(errno.EAGAIN, "busy"), InterruptedError(4, "x")]
)
def test_what_may_work_later_says_so(error: OSError) -> None:
    """Time-outs and interruptions ask the runtime to try again (11)."""
    assert translate(error).code == Code.TRY_AGAIN_LATER


def test_a_translated_error_keeps_its_hint_as_details() -> None:
    """What would help is not lost at the boundary, and an error is translated once only."""
    found = translate(errors.NotReadyError("no pod CIDR", hint="wait for the controller"))
    assert (found.message, found.details) == ("no pod CIDR", "wait for the controller")
    assert translate(found) is found


def test_an_error_without_words_still_has_a_message() -> None:
    """The msg of an error object is never empty."""
    assert translate(KeyError()).message == "KeyError"


def test_the_error_object_has_the_specifications_form() -> None:
    """The object is cniVersion, code, msg and, if there are any, details."""
    assert error_json(CniError(7, "bad name", details="x"), "0.4.0") == {
        "cniVersion": "0.4.0",
        "code": 7,
        "msg": "bad name",
        "details": "x",
    }
    assert "details" not in error_json(CniError(7, "bad name"))


def test_the_error_object_is_always_json() -> None:
    """Bytes that are not UTF-8, as in a hostile file name, do not break the answer."""
    assert error_json(CniError(8, "no \udcff here"))["msg"] == "no ? here"


@pytest.mark.parametrize(
    ("document", "code", "message"),
    [
        ({"code": 11, "msg": "later", "details": "d"}, 11, "tuning: later"),
        ({"Code": 110, "Msg": "own"}, 110, "tuning: own"),
        ({"code": "11"}, 999, "tuning: the plugin failed and did not say why"),
        ({}, 999, "tuning: the plugin failed and did not say why"),
    ],
)
def test_a_foreign_error_is_read(document: dict[str, object], code: int, message: str) -> None:
    """A plugin's own code and sentence survive; what it left out is said so."""
    found = error_from_json(document, plugin="tuning")
    assert (found.code, found.message) == (code, message)
