"""Health over HTTP/1.1, on a Unix socket (0600) and, where asked for, on a loopback port.

What lives here: the smallest server that answers GET by path, one request to a connection (RFC 9112).
What it must not know: what health means.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from octet.cni import listener
from octet.errors import BadConfigurationError

Answer = tuple[int, str, bytes]
"""Status, content type, body."""

_LIMIT = 8192
_PATIENCE = 5.0
_WORDS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}

log = logging.getLogger(__name__)


class HealthServer:
    """Answers GET requests by path."""

    def __init__(
        self,
        answers: Mapping[str, Callable[[], Answer]],
        asked: Mapping[str, Callable[[str], Answer]] | None = None,
    ) -> None:
        """Take the answers by path; those of ``asked`` are given the query as it was sent."""
        self._answers = {path: _unasked(answer) for path, answer in answers.items()} | dict(asked or {})
        self._servers: list[asyncio.Server] = []

    async def listen(self, path: Path, port: int = 0) -> None:
        """Listen on a socket file, and on a loopback port unless it is 0.

        Raises:
            BadConfigurationError: the path cannot be a socket's, or the port is taken.
            OctetError: another process answers at the path.
        """
        made = listener.listen(path)
        self._servers.append(await asyncio.start_unix_server(self._serve, sock=made, limit=_LIMIT))
        if port:
            self._servers.append(await self._loopback(port))

    async def _loopback(self, port: int) -> asyncio.Server:
        try:
            return await asyncio.start_server(
                self._serve, "127.0.0.1", port, limit=_LIMIT, family=socket.AF_INET
            )
        except OSError as error:
            raise BadConfigurationError("health", "port", port, f"cannot be used: {error}") from error

    def close(self) -> None:
        """Stop listening; idempotent."""
        for server in self._servers:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(_PATIENCE):
                status, kind, body = await self._heard(reader)
                head = f"HTTP/1.1 {status} {_WORDS[status]}\r\nContent-Type: {kind}\r\n"
                head += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        writer.close()

    async def _heard(self, reader: asyncio.StreamReader) -> Answer:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.LimitOverrunError, asyncio.IncompleteReadError):
            return 400, "text/plain", b"not a request\n"
        return self._answer(head)

    def _answer(self, head: bytes) -> Answer:
        method, _, rest = head.partition(b" ")
        path, _, query = rest.split(b" ", 1)[0].decode(errors="replace").partition("?")
        if method != b"GET":
            return 405, "text/plain", b"GET only\n"
        found = self._answers.get(path)
        if found is None:
            return 404, "text/plain", " ".join(self._answers).encode() + b"\n"
        try:
            return found(query)
        except Exception:  # The boundary: whoever asks gets an answer, and the log says what was wrong.
            log.exception("no answer", extra={"path": path})
            return 500, "text/plain", b"the agent's log says why\n"


def _unasked(answer: Callable[[], Answer]) -> Callable[[str], Answer]:
    """Return an answer that a query makes no difference to."""
    return lambda _query: answer()
