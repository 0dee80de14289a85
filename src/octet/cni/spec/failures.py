"""What goes wrong, in CNI's words: error codes, the error object, and the one translation into them.

What lives here: Code, CniError, their JSON, ``translate``. What it must not know: who prints them.
"""

import errno
from collections.abc import Mapping
from enum import IntEnum

from octet import errors
from octet.cni.spec.versions import CURRENT


class Code(IntEnum):
    """Error codes: 1 to 99 as in the specification (1.1.0, section 5), 8 and 999 libcni's, the rest ours."""

    INCOMPATIBLE_VERSION = 1
    UNSUPPORTED_FIELD = 2
    UNKNOWN_CONTAINER = 3
    INVALID_ENVIRONMENT = 4
    IO_FAILURE = 5
    DECODING_FAILURE = 6
    INVALID_CONFIG = 7
    INVALID_NETNS = 8
    TRY_AGAIN_LATER = 11
    NOT_AVAILABLE = 50
    LIMITED_CONNECTIVITY = 51
    EXHAUSTED = 100
    REFUSED_BY_KERNEL = 101
    INCONSISTENT = 102
    CHECK_FAILED = 103
    INTERFACE_EXISTS = 104
    IN_USE = 105
    INTERNAL = 999


class CniError(errors.OctetError):
    """A failure that crosses the CNI boundary.

    Attributes:
        code: a Code, or any other number that a foreign plugin gave.
        message: one sentence for a person.
        details: more of it, or empty.
    """

    def __init__(self, code: int, message: str, *, details: str = "") -> None:
        super().__init__(message, hint=details)
        self.code = code
        self.message = message
        self.details = details


def translate(error: BaseException) -> CniError:
    """Return the CNI error that stands for any exception: the only place where one becomes the other."""
    if isinstance(error, CniError):
        return error
    details = error.hint if isinstance(error, errors.OctetError) else ""
    message = str(Exception.__str__(error)) if isinstance(error, errors.OctetError) else str(error)
    return CniError(_code(error), message or type(error).__name__, details=details)


def _code(error: BaseException) -> Code:
    if isinstance(error, OSError) and error.errno in {errno.EAGAIN, errno.EINTR, errno.ETIMEDOUT}:
        return Code.TRY_AGAIN_LATER
    return next((code for kind, code in _CODES if isinstance(error, kind)), Code.INTERNAL)


_CODES: tuple[tuple[type[BaseException], Code], ...] = (
    (errors.BadConfigurationError, Code.INVALID_CONFIG),
    (errors.NotReadyError, Code.TRY_AGAIN_LATER),
    (errors.ExhaustedError, Code.EXHAUSTED),
    (errors.NotFoundError, Code.UNKNOWN_CONTAINER),
    (errors.RefusedByKernelError, Code.REFUSED_BY_KERNEL),
    (errors.LostError, Code.INCONSISTENT),
    (TimeoutError, Code.TRY_AGAIN_LATER),
    (OSError, Code.IO_FAILURE),
)


def error_json(error: CniError, version: str = CURRENT) -> dict[str, object]:
    """Return the error object of the specification (1.1.0, section 5).

    Args:
        error: what went wrong.
        version: the configuration's cniVersion, which the object must carry.
    """
    document: dict[str, object] = {
        "cniVersion": _text(version) or CURRENT,
        "code": int(error.code),
        "msg": _text(error.message),
    }
    if error.details:
        document["details"] = _text(error.details)
    return document


def error_from_json(document: Mapping[str, object], *, plugin: str = "") -> CniError:
    """Return the error that a plugin printed; what it left out becomes INTERNAL with a sentence."""
    folded = {key.lower(): value for key, value in document.items()}
    code, message, details = folded.get("code"), folded.get("msg"), folded.get("details")
    text = message if isinstance(message, str) and message else "the plugin failed and did not say why"
    return CniError(
        code if type(code) is int else Code.INTERNAL,
        f"{plugin}: {text}" if plugin else text,
        details=details if isinstance(details, str) else "",
    )


def _text(text: str) -> str:
    """Return text that JSON can carry: names from outside may hold bytes that are not UTF-8."""
    return text.encode("utf-8", "replace").decode()
