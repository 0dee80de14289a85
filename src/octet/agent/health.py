"""Health over HTTP/1.0, on a Unix socket (0600) and, where asked for, on a loopback port.

What lives here: the smallest server that answers four paths. What it must not know: what health means.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

Answer = tuple[int, str, bytes]
"""Status, content type, body."""

_LIMIT = 8192
_PATIENCE = 5.0
_WORDS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


def _remove_stale(path: Path) -> None:
    """Remove a socket that an earlier agent left: the lock says that nobody answers there."""
    path.unlink(missing_ok=True)


class HealthServer:
    """Answers GET requests by path."""

    def __init__(self, answers: Mapping[str, Callable[[], Answer]]) -> None:
        self._answers = answers
        self._servers: list[asyncio.Server] = []

    async def listen(self, path: Path, port: int = 0) -> None:
        """Listen on a socket file, and on a loopback port unless it is 0. Raises OSError."""
        _remove_stale(path)
        before = os.umask(0o177)
        try:
            self._servers.append(await asyncio.start_unix_server(self._serve, path, limit=_LIMIT))
        finally:
            os.umask(before)
        if port:
            self._servers.append(await asyncio.start_server(self._serve, "127.0.0.1", port, limit=_LIMIT))

    def close(self) -> None:
        """Stop listening."""
        for server in self._servers:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(TimeoutError, ConnectionError, asyncio.LimitOverrunError, asyncio.IncompleteReadError):
            async with asyncio.timeout(_PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                status, kind, body = self._answer(head)
                lines = f"HTTP/1.0 {status} {_WORDS[status]}\r\nContent-Type: {kind}\r\n"
                writer.write(f"{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
        writer.close()

    def _answer(self, head: bytes) -> Answer:
        method, _, rest = head.partition(b" ")
        path = rest.split(b" ", 1)[0].split(b"?", 1)[0].decode(errors="replace")
        if method != b"GET":
            return 405, "text/plain", b"GET only\n"
        found = self._answers.get(path)
        return found() if found else (404, "text/plain", " ".join(self._answers).encode() + b"\n")
