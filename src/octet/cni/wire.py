"""The bytes between the thin plugin and the agent, over a Unix stream socket; pure.

What lives here: RawRequest, Reply, their framing. What it must not know: sockets, CNI's JSON.

One connection carries one request and one reply. All numbers are in network byte order.

Request, 12 bytes of header and two parts::

    0   4   magic "OCNI"
    4   1   version of this framing, 1
    5   1   flags: bit 0 set if a descriptor of the pod's network namespace comes with byte 0 (SCM_RIGHTS)
    6   2   bytes of environment that follow
    8   4   bytes of standard input that follow the environment
    12      environment: "CNI_X=value" records, each ended by a zero byte; only names that start with CNI_
            standard input, as the runtime wrote it

Reply, 12 bytes of header and the body::

    0   4   magic "OCNR"
    4   1   version of this framing, 1
    5   1   exit status of the plugin, 0 is success
    6   2   zero
    8   4   bytes of body that follow, to be written to standard output as they are
    12      body

A file of a journalled DEL holds the bytes of one request, with flag bit 0 clear.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from octet.cni.request import STDIN_LIMIT
from octet.cni.spec.failures import CniError, error_json, translate
from octet.errors import OctetError

VERSION = 1
HEADER = 12
HAS_NAMESPACE = 1
ENVIRONMENT_LIMIT = 0xFFFF
"""Bytes of environment in one request: what its 16-bit length can say."""

REPLY_LIMIT = 1 << 20
"""Bytes of body that a plugin accepts."""

_REQUEST = struct.Struct("!4sBBHI")
_REPLY = struct.Struct("!4sBBHI")
_REQUEST_MAGIC = b"OCNI"
_REPLY_MAGIC = b"OCNR"


class FramingError(OctetError):
    """The other side does not speak this framing."""


@dataclass(frozen=True, slots=True)
class RawRequest:
    """What a runtime gave our plugin, not yet looked at.

    Attributes:
        environment: its CNI_* variables; bytes that are not UTF-8 are lone surrogates.
        stdin: its standard input.
        namespace: descriptor of the pod's network namespace while the handler runs, or None.
    """

    environment: Mapping[str, str]
    stdin: bytes
    namespace: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What our plugin shall print, and its exit status (0 to 255)."""

    status: int
    body: bytes = b""

    @classmethod
    def success(cls, document: Mapping[str, object] | None = None) -> "Reply":
        """Return exit status 0 with a document, or with nothing (DEL, CHECK, GC, STATUS)."""
        return cls(0, b"" if document is None else msgspec.json.encode(document))

    @classmethod
    def failure(cls, error: BaseException, version: str) -> "Reply":
        """Return exit status 1 with the CNI error object of any exception.

        Args:
            error: a CniError as it is, anything else translated.
            version: the configuration's cniVersion.
        """
        found = error if isinstance(error, CniError) else translate(error)
        return cls(1, msgspec.json.encode(error_json(found, version)))


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a request's header announces: bytes of environment, bytes of stdin, and whether a descriptor."""

    environment: int
    stdin: int
    has_namespace: bool

    @property
    def total(self) -> int:
        """Bytes of the whole request, header included."""
        return HEADER + self.environment + self.stdin


def encode_request(environment: Mapping[str, str], stdin: bytes, *, has_namespace: bool = False) -> bytes:
    """Return a request's bytes; variables that do not start with CNI_ are left out.

    Raises:
        FramingError: it does not fit.
    """
    records = b"".join(
        f"{key}={value}\0".encode("utf-8", "surrogateescape")
        for key, value in environment.items()
        if key.startswith("CNI_")
    )
    if len(records) > ENVIRONMENT_LIMIT or len(stdin) > STDIN_LIMIT:
        raise FramingError(f"{len(records)} bytes of environment or {len(stdin)} of input are too many")
    flags = HAS_NAMESPACE if has_namespace else 0
    return _REQUEST.pack(_REQUEST_MAGIC, VERSION, flags, len(records), len(stdin)) + records + stdin


def request_sizes(header: bytes) -> Sizes:
    """Return what a request's header announces. Raises FramingError, also if it announces too much."""
    if len(header) < HEADER:
        raise FramingError(f"a request of {len(header)} bytes has no header")
    magic, version, flags, environment, stdin = _REQUEST.unpack_from(header)
    if magic != _REQUEST_MAGIC or version != VERSION or flags & ~HAS_NAMESPACE:
        raise FramingError("not a request of this plugin's version")
    if stdin > STDIN_LIMIT:
        raise FramingError(f"{stdin} bytes of standard input are too many")
    return Sizes(environment, stdin, bool(flags & HAS_NAMESPACE))


def decode_request(data: bytes, *, namespace: int | None = None) -> RawRequest:
    """Return the request that exactly these bytes are. Raises FramingError."""
    sizes = request_sizes(data)
    if len(data) != sizes.total:
        raise FramingError(f"a request of {sizes.total} bytes came with {len(data)}")
    records = data[HEADER : HEADER + sizes.environment].decode("utf-8", "surrogateescape").split("\0")
    if records.pop():
        raise FramingError("the environment does not end with a zero byte")
    environment = {}
    for record in records:
        key, equals, value = record.partition("=")
        if not equals or not key.startswith("CNI_"):
            raise FramingError("the environment holds something else than CNI_ variables")
        environment[key] = value
    return RawRequest(environment, data[HEADER + sizes.environment :], namespace)


def encode_reply(reply: Reply) -> bytes:
    """Return a reply's bytes. Raises FramingError where the body is too long for a plugin."""
    if len(reply.body) > REPLY_LIMIT:
        raise FramingError(f"a reply of {len(reply.body)} bytes is too long")
    return _REPLY.pack(_REPLY_MAGIC, VERSION, reply.status, 0, len(reply.body)) + reply.body


def reply_size(header: bytes) -> int:
    """Return the bytes of body that a reply's header announces. Raises FramingError."""
    if len(header) < HEADER:
        raise FramingError("the reply is incomplete")
    magic, version, _status, zero, body = _REPLY.unpack_from(header)
    if magic != _REPLY_MAGIC or version != VERSION or zero or body > REPLY_LIMIT:
        raise FramingError("not a reply of this plugin's version")
    return int(body)


def decode_reply(data: bytes) -> Reply:
    """Return the reply that exactly these bytes are. Raises FramingError."""
    if len(data) != HEADER + reply_size(data):
        raise FramingError("the reply is incomplete")
    return Reply(data[5], data[HEADER:])
