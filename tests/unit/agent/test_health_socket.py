import asyncio
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from octet.agent.health import Answer, HealthServer
from octet.errors import BadConfigurationError


def fine() -> Answer:
    return 200, "application/json", b'{"a": 1}'


def broken() -> Answer:
    raise ValueError("no")


@pytest.fixture
async def socket(tmp_path: Path) -> AsyncIterator[Path]:
    server = HealthServer({"/fine": fine, "/broken": broken})
    await server.listen(tmp_path / "health.sock")
    yield tmp_path / "health.sock"
    server.close()


async def ask(socket: Path, request: bytes) -> tuple[int, bytes]:
    """Send bytes and return status and body."""
    reader, writer = await asyncio.open_unix_connection(socket)
    writer.write(request)
    writer.write_eof()
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body


async def test_a_path_is_answered(socket: Path) -> None:
    """A GET of a known path has its answer, with or without a query."""
    status, body = await ask(socket, b"GET /fine?x=y HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (status, json.loads(body)) == (200, {"a": 1})


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /nothing HTTP/1.1\r\n\r\n", 404),
        (b"POST /fine HTTP/1.1\r\n\r\n", 405),
        (b"GET /broken HTTP/1.1\r\n\r\n", 500),
        (b"GET \xff\xfe HTTP/1.1\r\n\r\n", 404),
        (b"nonsense", 400),
        (b"x" * 20_000, 400),
    ],
)
async def test_anything_else_is_an_error(socket: Path, request_bytes: bytes, status: int) -> None:
    """Whatever is sent, the answer is an HTTP error and the server goes on."""
    assert (await ask(socket, request_bytes))[0] == status
    assert (await ask(socket, b"GET /fine HTTP/1.1\r\n\r\n"))[0] == 200


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_nobody_else_may_ask(socket: Path) -> None:
    """The socket's mode is 0600."""
    assert mode(socket) == 0o600


async def test_a_port_answers_too(tmp_path: Path) -> None:
    """On a loopback port the same is answered; a port that is taken is refused by name."""
    first, second = HealthServer({"/fine": fine}), HealthServer({})
    await first.listen(tmp_path / "one.sock")
    port = await _loopback(first)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /fine HTTP/1.1\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
    writer.close()
    with pytest.raises(BadConfigurationError, match=f"health: port = {port}"):
        await second.listen(tmp_path / "two.sock", port)
    first.close()
    second.close()


async def _loopback(server: HealthServer) -> int:
    made = await server._loopback(0)
    server._servers.append(made)
    return int(made.sockets[0].getsockname()[1])


async def test_some_paths_are_told_the_query(tmp_path: Path) -> None:
    """What follows the question mark is handed on as it was sent, and is empty where nothing was."""
    server = HealthServer({}, {"/flows": lambda query: (200, "text/plain", query.encode())})
    await server.listen(tmp_path / "health.sock")
    assert await ask(tmp_path / "health.sock", b"GET /flows?since=3 HTTP/1.1\r\n\r\n") == (200, b"since=3")
    assert await ask(tmp_path / "health.sock", b"GET /flows HTTP/1.1\r\n\r\n") == (200, b"")
    server.close()
