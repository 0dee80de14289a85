"""The lab's socket: requests in, answers and descriptors out.

What lives here: the server's side (asyncio) and the client's (plain calls), who may speak.
What it must not know: what a request means.

The socket is reached through a descriptor of its directory, because a path may be longer than the 108 bytes
that unix(7) allows. A client is answered only if it is the lab's own user (SO_PEERCRED).
"""

import asyncio
import contextlib
import os
import socket
import struct
import sys
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from octet.errors import NotFoundError, NotReadyError, OctetError
from octet.lab import protocol
from octet.lab.registry import CONTROL, Entry

_CREDENTIALS = struct.Struct("iII")
_MOST_DESCRIPTORS = 8
_CHUNK = 1 << 16

PATIENCE = 120.0
"""Seconds a client waits for an answer: a plugin has 60, and a chain may have several."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler gives back: a JSON value, and open descriptors that are closed once they are sent."""

    value: Any = None
    descriptors: Sequence[int] = ()


Handler = Callable[[protocol.Request], Awaitable[Reply]]


def listen(directory: Path) -> socket.socket:
    """Return the listening socket of a lab, open to its own user only."""
    path = directory / CONTROL
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(64)
    listener.setblocking(False)
    return listener


async def serve(listener: socket.socket, handle: Handler) -> None:
    """Answer clients for ever, each in a task of its own."""
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        while True:
            client, _ = await loop.sock_accept(listener)
            group.create_task(_converse(client, handle))


async def _converse(client: socket.socket, handle: Handler) -> None:
    with client, contextlib.suppress(ConnectionError, BrokenPipeError):
        client.setblocking(False)
        answer, descriptors = await _answer(client, handle)
        try:
            await _send(client, protocol.encode(answer), descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)


async def _answer(client: socket.socket, handle: Handler) -> tuple[protocol.Answer, Sequence[int]]:
    try:
        _check_user(client)
        request = protocol.decode_request(await _line(client))
        reply = await handle(request)
    except OctetError as error:
        return protocol.Answer(error=protocol.pack(error)), ()
    except Exception as error:  # noqa: BLE001 - one client's request must never end the lab
        traceback.print_exc(file=sys.stderr)
        return protocol.Answer(error=protocol.pack(error)), ()
    return protocol.Answer(value=reply.value), reply.descriptors


def _check_user(client: socket.socket) -> None:
    held = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    if _CREDENTIALS.unpack(held)[1] != os.geteuid():
        raise OctetError("this lab belongs to another user")


async def _line(client: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    held = bytearray()
    while not held.endswith(b"\n"):
        chunk = await loop.sock_recv(client, _CHUNK)
        if not chunk:
            raise OctetError("the client went away")
        held += chunk
        if len(held) > protocol.LIMIT:
            raise OctetError(f"a request may have {protocol.LIMIT} bytes")
    return bytes(held)


async def _send(client: socket.socket, data: bytes, descriptors: Sequence[int]) -> None:
    sent = socket.send_fds(client, [data], list(descriptors)) if descriptors else 0
    await asyncio.get_running_loop().sock_sendall(client, data[sent:])


def connect(entry: Entry) -> socket.socket:
    """Return a connection to a lab. Raises NotFoundError when it is not up (yet, or any more)."""
    try:
        directory = os.open(entry.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NotFoundError(f"lab {entry.name!r} is not up") from None
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        client.connect(f"/proc/self/fd/{directory}/{CONTROL}")
    except OSError as error:
        client.close()
        raise NotFoundError(
            f"lab {entry.name!r} does not answer: {error.strerror}", hint="is it still starting?"
        ) from error
    finally:
        os.close(directory)
    return client


def supervisor_pid(connection: socket.socket) -> int:
    """Return the process id of the lab's supervisor as the caller's PID namespace sees it."""
    held = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid: int = _CREDENTIALS.unpack(held)[0]
    return pid


def ask(entry: Entry, request: protocol.Request, limit: float = PATIENCE) -> tuple[Any, list[int]]:
    """Return the answer's value and descriptors, the caller's to close. Raises OctetError.

    Args:
        entry: the lab's.
        request: what to ask.
        limit: seconds until the lab counts as hung.
    """
    try:
        with connect(entry) as client:
            client.settimeout(limit)
            client.sendall(protocol.encode(request))
            line, descriptors = _receive(client)
    except OSError as error:
        raise NotReadyError(f"lab {entry.name!r} does not answer: {error}") from error
    if not line:
        raise OctetError(f"lab {entry.name!r} ended while it was asked")
    answer = protocol.decode_answer(line)
    if answer.error is not None:
        raise protocol.unpack(answer.error)
    return answer.value, descriptors


def _receive(client: socket.socket) -> tuple[bytes, list[int]]:
    data, descriptors, _, _ = socket.recv_fds(client, _CHUNK, _MOST_DESCRIPTORS)
    held = [data]
    while data:
        data = client.recv(_CHUNK)
        held.append(data)
    return b"".join(held), descriptors
