"""The lab's socket: answers, descriptors, errors, long paths."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from octet.errors import NotFoundError, OctetError
from octet.lab import control, protocol
from octet.lab.control import Reply
from octet.lab.registry import Entry

Answer = Callable[[protocol.Request], Reply]


@asynccontextmanager
async def serving(directory: Path, answer: Answer) -> AsyncIterator[Entry]:
    async def handle(request: protocol.Request) -> Reply:
        return answer(request)

    listener = control.listen(directory)
    task = asyncio.create_task(control.serve(listener, handle))
    yield Entry(directory)
    task.cancel()
    listener.close()


async def test_a_request_is_answered(tmp_path: Path) -> None:
    """The value that the handler gives arrives, however large it is."""
    async with serving(tmp_path, lambda request: Reply([request.kind] * 100_000)) as entry:
        value, _ = await asyncio.to_thread(control.ask, entry, protocol.Get("pods"))
    assert value == ["pods"] * 100_000


async def test_descriptors_travel_and_are_closed_behind(tmp_path: Path) -> None:
    """A descriptor arrives open; the lab keeps none of those it handed out."""
    reader, writer = os.pipe()
    async with serving(tmp_path, lambda _: Reply({}, [writer])) as entry:
        _, (received,) = await asyncio.to_thread(control.ask, entry, protocol.Enter("a"))
        await asyncio.sleep(0.01)
    os.write(received, b"x")
    os.close(received)
    assert os.read(reader, 2) == b"x"
    assert os.read(reader, 2) == b""
    os.close(reader)


async def test_an_error_of_the_handler_is_raised_here(tmp_path: Path) -> None:
    """A refusal arrives as the same class."""

    def refuse(_: protocol.Request) -> Reply:
        raise NotFoundError("no pod 'a'")

    async with serving(tmp_path, refuse) as entry:
        with pytest.raises(NotFoundError, match="no pod 'a'"):
            await asyncio.to_thread(control.ask, entry, protocol.Info())


async def test_a_fault_of_the_handler_ends_one_request_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unexpected exception is told to its client and logged; the next client is answered."""
    answers = iter([ZeroDivisionError("oops"), None])

    def stumble(_: protocol.Request) -> Reply:
        if error := next(answers):
            raise error
        return Reply("fine")

    async with serving(tmp_path, stumble) as entry:
        with pytest.raises(OctetError, match="ZeroDivisionError: oops"):
            await asyncio.to_thread(control.ask, entry, protocol.Info())
        assert (await asyncio.to_thread(control.ask, entry, protocol.Info()))[0] == "fine"
    assert "Traceback" in capsys.readouterr().err


async def test_a_strangers_bytes_do_no_harm(tmp_path: Path) -> None:
    """Half a line, no line and a wrong line are each one connection's affair."""
    async with serving(tmp_path, lambda _: Reply("fine")) as entry:
        for noise in (b"", b"{", b"\n", b'{"type":"run"}\n', b"\xff\xfe\n"):
            with control.connect(entry) as client:
                client.sendall(noise)
                client.shutdown(socket.SHUT_WR)
                assert b"error" in await asyncio.to_thread(client.recv, 4096)
        assert (await asyncio.to_thread(control.ask, entry, protocol.Info()))[0] == "fine"


async def test_the_socket_is_its_users_alone(tmp_path: Path) -> None:
    """No other user can open it."""
    async with serving(tmp_path, lambda _: Reply()):
        assert (tmp_path / "control.sock").stat().st_mode & 0o777 == 0o600


async def test_a_path_longer_than_unix_allows_is_reached(tmp_path: Path) -> None:
    """A client reaches a lab in a directory whose path has more than 108 bytes."""
    deep = tmp_path / ("d" * 200)
    deep.mkdir()
    (tmp_path / "s").symlink_to(deep)
    async with serving(tmp_path / "s", lambda _: Reply("fine")):
        assert (await asyncio.to_thread(control.ask, Entry(deep), protocol.Info()))[0] == "fine"


def test_a_lab_that_is_gone_is_not_found(tmp_path: Path) -> None:
    """Neither a missing directory nor one without a listener is a lab that answers."""
    for path in (tmp_path / "gone", tmp_path):
        with pytest.raises(NotFoundError):
            control.ask(Entry(path), protocol.Info())
