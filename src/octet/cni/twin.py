"""The Python twin of plugin/octet-cni.c, for machines without a compiler: same bytes in, same bytes out.

What lives here: ``main``. What it must not know: anything about networks. It imports nothing of Octet and
little of Python, because a runtime starts it anew for every call.
"""

import array
import contextlib
import os
import select
import socket
import sys
import time

CONNECT_LIMIT = 5.0
"""Seconds to connect and send."""

ANSWER_LIMIT = 60.0
"""Seconds for the agent's whole answer."""

INPUT_LIMIT_SECONDS = 5.0
INPUT_LIMIT = 1 << 20
REPLY_LIMIT = 1 << 20
ENVIRONMENT_LIMIT = 0xFFFF
HEADER = 12
PATH_ROOM = 108
VERSION_ROOM = 17
SUPPORTED = '"0.3.1","0.4.0","1.0.0","1.1.0"'

BAD_ENVIRONMENT, IO_FAILURE, BAD_JSON, BAD_CONFIG, BAD_NETNS, TRY_AGAIN, NOT_AVAILABLE = 4, 5, 6, 7, 8, 11, 50

_SPACE = b" \t\n\r"


class Failure(Exception):  # noqa: N818 - an answer, not an error of ours
    """Ends the call with the error object of the specification."""

    def __init__(self, code: int, message: str | bytes) -> None:
        super().__init__(code)
        self.code = code
        self.message = message.encode("utf-8", "surrogateescape") if isinstance(message, str) else message


class Config:
    """The two keys we need, out of the top level of a JSON object; the agent judges all the rest."""

    def __init__(self) -> None:
        self.socket = b"/run/octet/cni.sock"
        self.version = "1.1.0"

    def scan(self, text: bytes) -> int:
        """Take ``socket`` and ``cniVersion``; return 0, or the code that says what is wrong."""
        wrong = 0
        at = _skip_space(text, 0)
        if text[at : at + 1] != b"{":
            return BAD_JSON
        at = _skip_space(text, at + 1)
        if text[at : at + 1] == b"}":
            return 0 if _skip_space(text, at + 1) == len(text) else BAD_JSON
        while True:
            key, closing, value = _member(text, at)
            if closing < 0:
                return BAD_JSON
            quote = _string_end(text, value)
            wrong = self._take(text[key + 1 : closing].lower(), text[value + 1 : quote], quote, wrong)
            at = _skip_space(text, quote + 1) if quote >= 0 else _value_end(text, value)
            found = text[at : at + 1] if at >= 0 else b""
            if found == b"}":
                return wrong if _skip_space(text, at + 1) == len(text) else BAD_JSON
            if found != b",":
                return BAD_JSON
            at += 1

    def _take(self, key: bytes, value: bytes, quote: int, wrong: int) -> int:
        if key == b"socket":
            found = _unescaped(value, PATH_ROOM) if quote >= 0 else b""
            self.socket = found
            return 0 if found.startswith(b"/") else BAD_CONFIG
        if key == b"cniversion" and quote >= 0:
            found = _unescaped(value, VERSION_ROOM)
            if found and not found.strip(b"0123456789."):
                self.version = found.decode()
        return wrong


def _member(text: bytes, at: int) -> tuple[int, int, int]:
    """Return where a member's key opens and closes and its value starts; closing is -1 if it has none."""
    key = _skip_space(text, at)
    closing = _string_end(text, key)
    colon = _skip_space(text, closing + 1)
    if closing < 0 or text[colon : colon + 1] != b":":
        return key, -1, -1
    return key, closing, _skip_space(text, colon + 1)


def _skip_space(text: bytes, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _string_end(text: bytes, at: int) -> int:
    """From an opening quote to the closing one; -1 if there is none."""
    if text[at : at + 1] != b'"':
        return -1
    at += 1
    while at < len(text) and text[at] >= 0x20:
        if text[at] == 0x22:
            return at
        at += 2 if text[at] == 0x5C else 1
    return -1


def _value_end(text: bytes, at: int) -> int:
    """To the comma or bracket that ends a value; -1 if there is none."""
    depth = 0
    while at < len(text):
        character = text[at]
        if character == 0x22:
            at = _string_end(text, at)
            if at < 0:
                return -1
        elif depth == 0 and character in b",}]":
            return at
        elif character in b"{[":
            depth += 1
        elif character in b"}]":
            depth -= 1
        at += 1
    return -1


def _unescaped(text: bytes, room: int) -> bytes:
    """Return a string's bytes; empty if it is too long or has escapes that no path or version needs."""
    found = bytearray()
    at = 0
    while at < len(text):
        if text[at] == 0x5C:
            at += 1
            if text[at] not in b'/\\"':
                return b""
        found.append(text[at])
        at += 1
    return bytes(found) if len(found) < room else b""


def _read_up_to(descriptor: int, limit: int, deadline: float) -> bytes | None:
    """Read until the end or a limit; None after the deadline or an error."""
    data = bytearray()
    while len(data) < limit:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            return None
        try:
            got = os.read(descriptor, limit - len(data))
        except BlockingIOError:
            continue
        except OSError:
            return None
        if not got:
            break
        data += got
    return bytes(data)


def _write_all(descriptor: int, data: bytes) -> bool:
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError:
        return False
    return True


def _error_line(version: str, failure: Failure) -> bytes:
    text = "".join(
        f"\\u{byte:04x}" if byte < 0x20 or byte in b'"\\\x7f' else chr(byte) if byte < 0x80 else "?"
        for byte in failure.message[:1023]
    )
    return f'{{"cniVersion":"{version}","code":{failure.code},"msg":"{text}"}}\n'.encode()


def _build(stdin: bytes) -> bytes:
    records = b"".join(
        key + b"=" + value + b"\0" for key, value in os.environb.items() if key.startswith(b"CNI_")
    )
    if len(records) > ENVIRONMENT_LIMIT:
        raise Failure(BAD_ENVIRONMENT, f"the CNI_ variables have more than {ENVIRONMENT_LIMIT} bytes")
    sizes = len(records).to_bytes(2, "big") + len(stdin).to_bytes(4, "big")
    return b"OCNI\1\0" + sizes + records + stdin


class Unanswered(Exception):  # noqa: N818 - the sentence is for the runtime
    """The agent did not answer; the text says how."""


def _ask(path: bytes, request: bytes, namespace: int) -> tuple[int, bytes]:
    """Return the agent's exit status and body. Raises Unanswered."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
        agent.settimeout(CONNECT_LIMIT)
        try:
            agent.connect(path)
        except OSError:
            raise Unanswered("the agent is not there") from None
        try:
            _send(agent, request, namespace)
        except OSError:
            raise Unanswered("the agent did not answer") from None
        return _answer(agent.fileno(), time.monotonic() + ANSWER_LIMIT)


def _send(agent: socket.socket, request: bytes, namespace: int) -> None:
    if namespace < 0:
        agent.sendall(request)
        return
    request = request[:5] + b"\1" + request[6:]
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [namespace]))]
    agent.sendall(request[agent.sendmsg([request], rights) :])


def _answer(agent: int, deadline: float) -> tuple[int, bytes]:
    header = _read_up_to(agent, HEADER, deadline)
    if header is None or len(header) < HEADER:
        raise Unanswered("the agent did not answer")
    size = int.from_bytes(header[8:], "big")
    if header[:5] != b"OCNR\1" or header[6:8] != b"\0\0" or size > REPLY_LIMIT:
        raise Unanswered("what answered is no agent of this version")
    body = _read_up_to(agent, size, deadline)
    if body is None or len(body) < size:
        raise Unanswered("the agent did not finish its answer")
    return header[5], body


def _journal(path: bytes, request: bytes) -> bool:
    """Leave a DEL where the agent finds it, renamed into place whole."""
    above = os.path.dirname(path)  # noqa: PTH120 - pathlib costs milliseconds to import
    directory = above + b"/pending"
    for made in (above or b"/", directory):
        with contextlib.suppress(OSError):
            os.mkdir(made, 0o700)  # noqa: PTH102
    name = b"%020d-%d" % (time.time_ns(), os.getpid())
    hidden = directory + b"/." + name
    try:
        file = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return False
    written = _write_all(file, request)
    os.close(file)
    try:
        if written:
            os.rename(hidden, directory + b"/" + name)  # noqa: PTH104
            return True
    except OSError:
        written = False
    os.unlink(hidden)  # noqa: PTH108
    return False


def _namespace(command: bytes) -> int:
    """Return an open descriptor of the pod's network namespace, -1 if there is none. Raises Failure."""
    path = os.environb.get(b"CNI_NETNS", b"")
    needed = command in {b"ADD", b"CHECK"}
    if not path or not (needed or command == b"DEL"):
        return -1
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if not needed:
            return -1
        sentence = b": " + os.strerror(error.errno or 0).encode()
        raise Failure(BAD_NETNS, b"CNI_NETNS = " + path + sentence) from None


def _call(command: bytes, stdin: bytes, config: Config) -> tuple[int, bytes]:
    """Hand the call to the agent; return exit status and output. Raises Failure."""
    namespace = _namespace(command)
    request = _build(stdin)
    try:
        return _ask(config.socket, request, namespace)
    except Unanswered as error:
        sentence = config.socket + f": {error}".encode()
        if command != b"DEL":
            raise Failure(NOT_AVAILABLE if command == b"STATUS" else TRY_AGAIN, sentence) from None
        if _journal(config.socket, request):
            return 0, b""
        raise Failure(TRY_AGAIN, sentence + b", and the DEL could not be kept for later") from None


def _run(config: Config) -> tuple[int, bytes]:
    command = os.environb.get(b"CNI_COMMAND")
    if command is None:
        sentence = "CNI_COMMAND is missing: this program is run by container runtimes (see octet cni --help)"
        raise Failure(BAD_ENVIRONMENT, sentence)
    stdin = _read_up_to(0, INPUT_LIMIT + 1, time.monotonic() + INPUT_LIMIT_SECONDS)
    problem = IO_FAILURE if stdin is None else BAD_JSON if len(stdin) > INPUT_LIMIT else config.scan(stdin)
    if command == b"VERSION":
        return 0, f'{{"cniVersion":"{config.version}","supportedVersions":[{SUPPORTED}]}}\n'.encode()
    if stdin is None:
        raise Failure(IO_FAILURE, f"standard input did not end within {INPUT_LIMIT_SECONDS:.0f} s")
    if problem == BAD_JSON:
        raise Failure(BAD_JSON, f"standard input is not a JSON object of at most {INPUT_LIMIT} bytes")
    if problem == BAD_CONFIG:
        raise Failure(BAD_CONFIG, f"socket: must be an absolute path of at most {PATH_ROOM - 1} bytes")
    return _call(command, stdin, config)


def main() -> int:
    """Answer one call of a container runtime; return the exit status."""
    config = Config()
    try:
        status, output = _run(config)
    except Failure as failure:
        status, output = 1, _error_line(config.version, failure)
    return status if _write_all(sys.stdout.fileno(), output) else 1
