"""The Python twin of plugin/octet-cni.c, for machines without a compiler: same bytes in, same bytes out.

What lives here: ``main``. What it must not know: anything about networks. It imports little, because a
runtime starts it anew for every call.
"""

import array
import contextlib
import os
import select
import socket
import sys
import time

from octet.cni.scan import BAD_CONFIG, BAD_JSON, PATH_ROOM, Config

CONNECT_LIMIT = 5.0
"""Seconds to connect and send."""

ANSWER_LIMIT = 60.0
"""Seconds for the agent's whole answer."""

INPUT_SECONDS = 5.0
"""Seconds until standard input must have ended."""

INPUT_LIMIT = 1 << 20
REPLY_LIMIT = 1 << 20
ENVIRONMENT_LIMIT = 0xFFFF
HEADER = 12
SUPPORTED = '"0.3.1","0.4.0","1.0.0","1.1.0"'

BAD_ENVIRONMENT, IO_FAILURE, BAD_NETNS, TRY_AGAIN, NOT_AVAILABLE = 4, 5, 8, 11, 50


class FailedError(Exception):
    """Ends the call with the error object of the specification."""

    def __init__(self, code: int, message: str | bytes) -> None:
        super().__init__(code)
        self.code = code
        self.message = message.encode("utf-8", "surrogateescape") if isinstance(message, str) else message


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


def _error_line(version: str, failure: FailedError) -> bytes:
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
        raise FailedError(BAD_ENVIRONMENT, f"the CNI_ variables have more than {ENVIRONMENT_LIMIT} bytes")
    sizes = len(records).to_bytes(2, "big") + len(stdin).to_bytes(4, "big")
    return b"OCNI\1\0" + sizes + records + stdin


class UnansweredError(Exception):
    """The agent did not answer; the text says how."""


def _ask(path: bytes, request: bytes, namespace: int) -> tuple[int, bytes]:
    """Return the agent's exit status and body. Raises UnansweredError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
        seconds, fraction = divmod(CONNECT_LIMIT, 1)
        limit = array.array("l", [int(seconds), int(fraction * 1_000_000)])
        # Not settimeout: with that, a full backlog would be an error at once instead of a place in the queue.
        agent.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit.tobytes())
        try:
            agent.connect(path)
        except OSError:
            raise UnansweredError("the agent is not there") from None
        try:
            _send(agent, request, namespace)
        except OSError:
            raise UnansweredError("the agent did not answer") from None
        return _answer(agent.fileno(), time.monotonic() + ANSWER_LIMIT)


def _send(agent: socket.socket, request: bytes, namespace: int) -> None:
    if namespace < 0:
        agent.sendall(request)
        return
    request = request[:5] + b"\1" + request[6:]
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [namespace]))]
    rest = request[agent.sendmsg([request], rights) :]
    if rest:  # sending nothing to an agent that has answered and gone already would be an error
        agent.sendall(rest)


def _answer(agent: int, deadline: float) -> tuple[int, bytes]:
    header = _read_up_to(agent, HEADER, deadline)
    if header is None or len(header) < HEADER:
        raise UnansweredError("the agent did not answer")
    size = int.from_bytes(header[8:], "big")
    if header[:5] != b"OCNR\1" or header[6:8] != b"\0\0" or size > REPLY_LIMIT:
        raise UnansweredError("what answered is no agent of this version")
    body = _read_up_to(agent, size, deadline)
    if body is None or len(body) < size:
        raise UnansweredError("the agent did not finish its answer")
    return header[5], body


def _journal(path: bytes, request: bytes) -> bool:
    """Leave a DEL where the agent finds it, renamed into place whole."""
    name = b"%020d-%d" % (time.time_ns(), os.getpid())
    try:
        directory = _pending(path)
        file = os.open(
            b"." + name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=directory
        )
        written = _write_all(file, request)
        os.close(file)
        if not written:
            os.unlink(b"." + name, dir_fd=directory)
            return False
        os.rename(b"." + name, name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError:
        return False
    return True


def _pending(path: bytes) -> int:
    """Return a descriptor of the directory for DELs, made if it is missing. Raises OSError."""
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    above = path.rpartition(b"/")[0].lstrip(b"/")
    directory = b"/".join(part for part in (above, b"pending") if part)
    for made in (above, directory):
        with contextlib.suppress(OSError):
            os.mkdir(made, 0o700, dir_fd=root)
    return os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)


def _namespace(command: bytes) -> int:
    """Return an open descriptor of the pod's network namespace, -1 if there is none. Raises FailedError."""
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
        raise FailedError(BAD_NETNS, b"CNI_NETNS = " + path + sentence) from None


def _call(command: bytes, stdin: bytes, config: Config) -> tuple[int, bytes]:
    """Hand the call to the agent; return exit status and output. Raises FailedError."""
    namespace = _namespace(command)
    request = _build(stdin)
    try:
        return _ask(config.socket, request, namespace)
    except UnansweredError as error:
        sentence = config.socket + f": {error}".encode()
        if command != b"DEL":
            raise FailedError(NOT_AVAILABLE if command == b"STATUS" else TRY_AGAIN, sentence) from None
        if _journal(config.socket, request):
            return 0, b""
        raise FailedError(TRY_AGAIN, sentence + b", and the DEL could not be kept for later") from None


def _run(config: Config) -> tuple[int, bytes]:
    command = os.environb.get(b"CNI_COMMAND")
    if command is None:
        sentence = "CNI_COMMAND is missing: this program is run by container runtimes (see octet cni --help)"
        raise FailedError(BAD_ENVIRONMENT, sentence)
    stdin = _read_up_to(0, INPUT_LIMIT + 1, time.monotonic() + INPUT_SECONDS)
    problem = IO_FAILURE if stdin is None else BAD_JSON if len(stdin) > INPUT_LIMIT else config.scan(stdin)
    if command == b"VERSION":
        return 0, f'{{"cniVersion":"{config.version}","supportedVersions":[{SUPPORTED}]}}\n'.encode()
    if stdin is None:
        raise FailedError(IO_FAILURE, f"standard input did not end within {INPUT_SECONDS * 1000:.0f} ms")
    if problem == BAD_JSON:
        raise FailedError(BAD_JSON, f"standard input is not a JSON object of at most {INPUT_LIMIT} bytes")
    if problem == BAD_CONFIG:
        raise FailedError(BAD_CONFIG, f"socket: must be an absolute path of at most {PATH_ROOM - 1} bytes")
    return _call(command, stdin, config)


def main() -> int:
    """Answer one call of a container runtime; return the exit status."""
    config = Config()
    try:
        status, output = _run(config)
    except FailedError as failure:
        status, output = 1, _error_line(config.version, failure)
    return status if _write_all(sys.stdout.fileno(), output) else 1
