"""What a lab and its clients say to each other: one JSON line each way on the lab's own Unix socket.

What lives here: the requests, the answer, errors as JSON and back. What it must not know: sockets, how a
request is met.
"""

from typing import Any

import msgspec

from octet import errors
from octet.lab.provider import Foreign, Octet
from octet.lab.racks import Shape

LIMIT = 16 << 20
"""Bytes one line may have; a manifest of a few thousand objects fits."""

DEFAULT_COMMAND = ("sleep", "infinity")


class Spec(msgspec.Struct, frozen=True):
    """A lab as it was asked for; the file ``lab.json`` of its registry entry."""

    name: str
    nodes: int
    provider: Octet | Foreign
    fabric: str = "l2"
    family: str = "v4"
    shape: Shape | None = None


class Info(msgspec.Struct, frozen=True, tag="info"):
    """What is this lab?"""


class Run(msgspec.Struct, frozen=True, tag="run"):
    """Start a pod on a node.

    Attributes:
        spec: of the manifest's, what policies ask about (``objects.SPEC``).
    """

    pod: str
    node: str
    namespace: str = "default"
    labels: dict[str, str] = {}
    command: tuple[str, ...] = DEFAULT_COMMAND
    annotations: dict[str, str] = {}
    spec: dict[str, Any] = {}


class Apply(msgspec.Struct, frozen=True, tag="apply"):
    """Create or replace objects."""

    objects: tuple[dict[str, Any], ...]


class Get(msgspec.Struct, frozen=True, tag="get"):
    """List the objects of a kind, of one namespace or of all."""

    kind: str
    namespace: str = ""


class Delete(msgspec.Struct, frozen=True, tag="delete"):
    """Remove an object; a pod is detached first."""

    kind: str
    name: str
    namespace: str = "default"


class Enter(msgspec.Struct, frozen=True, tag="enter"):
    """Hand out the namespaces of a node or pod: descriptors of user, mnt, pid, net, in this order."""

    target: str
    namespace: str = "default"


class Cut(msgspec.Struct, frozen=True, tag="cut"):
    """Unplug a node, a router or a router's link, or lose all between two."""

    node: str
    peer: str = ""


class Heal(msgspec.Struct, frozen=True, tag="heal"):
    """Mend everything, everything of a node, or everything between two."""

    node: str = ""
    peer: str = ""


class Lose(msgspec.Struct, frozen=True, tag="drop"):
    """Lose some packets; see ``faults.Drop``."""

    percent: float = 100.0
    node: str = ""
    peer: str = ""
    protocol: str = ""
    port: int = 0


class KillAgent(msgspec.Struct, frozen=True, tag="kill-agent"):
    """Kill a node's agent with SIGKILL; it stays dead."""

    node: str


class StartAgent(msgspec.Struct, frozen=True, tag="start-agent"):
    """Start a node's agent again and wait until it is ready."""

    node: str


class AskAgent(msgspec.Struct, frozen=True, tag="ask-agent"):
    """Ask a node's agent on its health socket.

    Attributes:
        path: as ``/metrics``, with its query.
    """

    node: str
    path: str


class Routers(msgspec.Struct, frozen=True, tag="routers"):
    """List the fabric's routers, how their software is and what is broken at them."""


class KillRouter(msgspec.Struct, frozen=True, tag="kill-router"):
    """Kill a router's software with SIGKILL; it stays dead, and its kernel forwards as it was told."""

    router: str


class StartRouter(msgspec.Struct, frozen=True, tag="start-router"):
    """Start a router's software again."""

    router: str


class Down(msgspec.Struct, frozen=True, tag="down"):
    """End the lab."""


Break = Cut | Heal | Lose | KillAgent | StartAgent | KillRouter | StartRouter
Request = Info | Run | Apply | Get | Delete | Enter | AskAgent | Routers | Break | Down


class Fault(msgspec.Struct, frozen=True):
    """An error on its way: the name of its class, what it says, and what would do."""

    kind: str
    message: str
    hint: str = ""
    details: tuple[str, ...] = ()


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a request, or a step of a lab that starts.

    Attributes:
        step: a sentence about what is done now; more answers follow.
    """

    value: Any = None
    error: Fault | None = None
    step: str = ""


def encode(message: msgspec.Struct) -> bytes:
    """Return one line."""
    return msgspec.json.encode(message) + b"\n"


def decode_request(line: bytes) -> Request:
    """Return the request in a line. Raises OctetError."""
    try:
        request: Request = msgspec.json.decode(line, type=Request)
    except msgspec.DecodeError as error:
        raise errors.OctetError(f"not a request: {error}") from error
    return request


def decode_answer(line: bytes) -> Answer:
    """Return the answer in a line. Raises OctetError."""
    try:
        return msgspec.json.decode(line, type=Answer)
    except msgspec.DecodeError as error:
        raise errors.OctetError(f"the lab answered {line[:80]!r}: {error}") from error


_PLAIN: dict[str, type[errors.OctetError]] = {
    kind.__name__: kind
    for kind in (errors.NotReadyError, errors.ExhaustedError, errors.NotFoundError, errors.OctetError)
}


def pack(error: Exception) -> Fault:
    """Return an error as it travels."""
    if isinstance(error, errors.BadConfigurationError):
        problem = str(error.args[0]).split(": ", 2)[-1]
        details = (error.source, error.field, str(error.value))
        return Fault("BadConfigurationError", problem, error.hint, details)
    if isinstance(error, errors.OctetError):
        return Fault(type(error).__name__, str(error.args[0]), error.hint)
    return Fault(type(error).__name__, f"{type(error).__name__}: {error}")


def unpack(fault: Fault) -> errors.OctetError:
    """Return the error that travelled; a class that only the lab knows becomes a plain OctetError."""
    if fault.kind == "BadConfigurationError":
        source, field, value = fault.details
        return errors.BadConfigurationError(source, field, value, fault.message, hint=fault.hint)
    return _PLAIN.get(fault.kind, errors.OctetError)(fault.message, hint=fault.hint)
