"""The agent's socket: private, patient with many, short with the wrong ones, and without leaks."""

import array
import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from octet.cni import listener, server, wire
from octet.cni.wire import RawRequest, Reply
from octet.errors import BadConfigurationError, OctetError

REQUEST = wire.encode_request({"CNI_COMMAND": "ADD"}, b'{"cniVersion":"1.0.0"}')
WITH_NAMESPACE = wire.encode_request({"CNI_COMMAND": "ADD"}, b"{}", has_namespace=True)


async def echo(raw: RawRequest) -> Reply:
    """Answer with the input, and with what the descriptor is."""
    kind = b"" if raw.namespace is None else bytes(link(raw.namespace).readlink())
    return Reply(0, raw.stdin + kind)


@asynccontextmanager
async def serving(
    path: Path, handler: server.Handler = echo, in_flight: int = 512, read_limit: float = 5
) -> AsyncIterator[server.Server]:
    """Serve, and check at the end that no descriptor is left."""
    before = descriptors()
    running = await server.serve(path, handler, in_flight=in_flight, read_limit=read_limit)
    try:
        yield running
    finally:
        await running.close()
        assert len(running) == 0
        assert descriptors() == before
        assert listener.identity(path) is None


def link(descriptor: int | str) -> Path:
    """Return where the kernel shows what a descriptor of ours is."""
    return Path(f"/proc/self/fd/{descriptor}")


def descriptors() -> set[Path]:
    """Return the descriptors of this process (the one that lists them is closed again by then)."""
    return {entry for entry in Path("/proc/self/fd").iterdir() if entry.exists()}


def mode(path: Path) -> int:
    """Return a file's permissions."""
    return path.stat().st_mode & 0o777


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "cni.sock"


async def talk(path: Path, *parts: bytes, rights: tuple[int, ...] = (), pause: float = 0) -> bytes:
    """Send parts as a plugin would, the descriptors with the first byte; return all that comes back."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX) as plugin:
        plugin.setblocking(False)
        await loop.sock_connect(plugin, str(path))
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", rights))] if rights else []
        plugin.sendmsg([parts[0]], ancillary)
        for part in parts[1:]:
            await asyncio.sleep(pause)
            await loop.sock_sendall(plugin, part)
        answer = b""
        while more := await loop.sock_recv(plugin, 65536):
            answer += more
        return answer


async def test_a_request_is_answered(path: Path) -> None:
    """What the handler returns is what the plugin gets."""
    async with serving(path):
        assert wire.decode_reply(await talk(path, REQUEST)) == Reply(0, b'{"cniVersion":"1.0.0"}')


async def test_a_request_may_come_byte_by_byte(path: Path) -> None:
    """A stream has no borders: any split of the same bytes is the same request."""
    async with serving(path):
        bytewise = [REQUEST[at : at + 1] for at in range(len(REQUEST))]
        assert wire.decode_reply(await talk(path, *bytewise)).status == 0


async def test_a_large_request_and_answer_pass(path: Path) -> None:
    """A mebibyte goes in and comes out, although no socket takes it at once."""
    large = b"x" * (1 << 20)
    async with serving(path):
        assert wire.decode_reply(await talk(path, wire.encode_request({}, b""), b"")).body == b""
        request = wire.encode_request({}, large)
        assert wire.decode_reply(await talk(path, request[:1000], request[1000:])).body == large


async def test_the_namespace_is_open_during_the_handler_only(path: Path) -> None:
    """The descriptor of the first byte reaches the handler and is closed after it."""
    held = os.open("/proc/self/ns/net", os.O_RDONLY)
    async with serving(path):
        body = wire.decode_reply(await talk(path, WITH_NAMESPACE, rights=(held,))).body
    os.close(held)
    assert body.startswith(b"{}net:[")


@pytest.mark.parametrize("count", [2, 3, 30], ids=["two", "three", "more-than-fit"])
async def test_more_than_one_descriptor_is_refused(path: Path, count: int) -> None:
    """All of them are closed (the end of serving checks), and the plugin is told."""
    async with serving(path):
        answer = await talk(path, WITH_NAMESPACE, rights=(0,) * count)
        assert b'"code":6' in answer


@pytest.mark.parametrize(
    ("data", "rights"),
    [
        (REQUEST, (0,)),
        (WITH_NAMESPACE, ()),
        (b"GET / HTTP/1.1\r\n", ()),
        (REQUEST + b"more", ()),
        (b"\0" * 500, (0,)),
    ],
    ids=["unannounced", "missing", "http", "too-long", "zeros"],
)
async def test_something_else_than_a_request_is_refused(
    path: Path, data: bytes, rights: tuple[int, ...]
) -> None:
    """Another protocol, or a header that its descriptor contradicts, never reaches the handler."""

    async def never(_raw: RawRequest) -> Reply:
        return Reply(0, b"reached")

    async with serving(path, never):
        reply = wire.decode_reply(await talk(path, data, rights=rights))
        assert reply.status == 1
        assert b'"code":6' in reply.body


async def test_descriptors_of_a_plugin_that_goes_away_are_closed(path: Path) -> None:
    """A plugin killed in the middle of its request leaves nothing behind (the end of serving checks)."""
    async with serving(path) as running:
        with socket.socket(socket.AF_UNIX) as plugin:
            plugin.connect(str(path))
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))]
            plugin.sendmsg([WITH_NAMESPACE[:5]], rights)
            await eventually(lambda: len(running) == 1)
        await eventually(lambda: len(running) == 0)


async def test_a_plugin_that_goes_away_while_it_is_served_does_no_harm(path: Path) -> None:
    """The handler ends its work; the answer nobody waits for is dropped."""
    done = asyncio.Event()

    async def slow(_raw: RawRequest) -> Reply:
        await asyncio.sleep(0.02)
        done.set()
        return Reply(0, b"x")

    async with serving(path, slow) as running:
        with socket.socket(socket.AF_UNIX) as plugin:
            plugin.connect(str(path))
            plugin.sendall(REQUEST)
            await eventually(lambda: len(running) == 1)
        await asyncio.wait_for(done.wait(), 2)
        await eventually(lambda: len(running) == 0)


async def test_a_plugin_that_sends_nothing_is_cut_off(path: Path) -> None:
    """After the read limit the connection is closed, so that silent ones cannot fill the table."""
    async with serving(path, read_limit=0.05) as running:
        assert await talk(path, REQUEST[:3]) == b""
        assert len(running) == 0


async def test_a_failing_handler_answers_an_error(path: Path) -> None:
    """A fault of ours is code 999 with the configuration's version, and the next request is served."""

    async def fail(raw: RawRequest) -> Reply:
        if raw.environment:
            raise ZeroDivisionError("fault")
        return Reply(0)

    async with serving(path, fail):
        reply = wire.decode_reply(await talk(path, REQUEST))
        assert reply.body == b'{"cniVersion":"1.0.0","code":999,"msg":"fault"}'
        assert wire.decode_reply(await talk(path, wire.encode_request({}, b""))).status == 0


async def test_an_answer_that_is_too_long_becomes_an_error(path: Path) -> None:
    """The plugin would refuse it, so it is told why instead."""

    async def talkative(_raw: RawRequest) -> Reply:
        return Reply(0, b"x" * (wire.REPLY_LIMIT + 1))

    async with serving(path, talkative):
        assert b"too long" in wire.decode_reply(await talk(path, REQUEST)).body


async def test_more_connections_than_allowed_wait_their_turn(path: Path) -> None:
    """Never more than the limit at once, and everybody is served in the end."""
    running, most = 0, 0

    async def count(_raw: RawRequest) -> Reply:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.002)
        running -= 1
        return Reply(0)

    async with serving(path, count, in_flight=4):
        answers = await asyncio.gather(*(talk(path, REQUEST) for _ in range(40)))
    assert {wire.decode_reply(answer).status for answer in answers} == {0}
    assert most == 4


async def test_other_users_are_refused(path: Path) -> None:
    """Only root and the agent's own user are answered, even where the file's mode would let others in."""
    async with serving(path) as running:
        running._uids = {os.geteuid() + 1}
        with pytest.raises(ConnectionError):
            wire.decode_reply(await talk(path, REQUEST) or cut_off())


def cut_off() -> bytes:
    """Stand for a connection that was closed without a word."""
    raise ConnectionError


async def test_the_socket_is_private_from_its_first_moment(path: Path) -> None:
    """The file has mode 0600 and its directory, where we made it, 0700; nothing else is left there."""
    async with serving(path):
        assert mode(path) == 0o600
        assert mode(path.parent) == 0o700
        assert list(path.parent.iterdir()) == [path]


async def test_a_dead_socket_is_replaced(path: Path) -> None:
    """What an agent that was killed leaves behind is in nobody's way."""
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with serving(path):
        assert wire.decode_reply(await talk(path, REQUEST)).status == 0


async def test_a_living_socket_is_left_alone(path: Path) -> None:
    """A second agent on the same node is refused while the first one answers."""
    async with serving(path):
        with pytest.raises(OctetError, match="another agent answers"):
            await server.serve(path, echo)
        assert wire.decode_reply(await talk(path, REQUEST)).status == 0


def test_a_file_in_the_place_of_the_socket_is_left_alone(tmp_path: Path) -> None:
    """Only sockets are replaced."""
    (tmp_path / "cni.sock").write_text("mine")
    with pytest.raises(BadConfigurationError, match="is not a socket"):
        listener.listen(tmp_path / "cni.sock")
    assert (tmp_path / "cni.sock").read_text() == "mine"


@pytest.mark.parametrize("path", ["cni.sock", "/tmp/" + "x" * 120])
def test_a_path_that_no_client_could_use_is_refused(path: str) -> None:
    """Relative paths and those longer than a socket address are wrong configurations."""
    with pytest.raises(BadConfigurationError, match="at most 107 bytes"):
        listener.listen(Path(path))


def test_a_socket_that_took_our_place_is_not_removed(path: Path) -> None:
    """Ending removes the file that we made, not one that came later."""
    ours = listener.listen(path)
    made = listener.identity(path)
    path.unlink()
    path.write_text("another")
    listener.remove(path, made)
    ours.close()
    assert path.read_text() == "another"


async def test_closing_waits_for_requests_under_way(path: Path) -> None:
    """SIGTERM in the middle of an ADD: the answer still arrives; new plugins find nobody."""
    started, release = asyncio.Event(), asyncio.Event()

    async def wait(_raw: RawRequest) -> Reply:
        started.set()
        await release.wait()
        return Reply(0, b"done")

    running = await server.serve(path, wait)
    asking = asyncio.create_task(talk(path, REQUEST))
    await started.wait()
    running.stop_accepting()
    with pytest.raises(FileNotFoundError):
        await talk(path, REQUEST)
    release.set()
    await running.close()
    assert wire.decode_reply(await asking).body == b"done"


async def test_closing_does_not_wait_for_ever(path: Path) -> None:
    """A handler that hangs is cancelled after the grace, and its connection closed."""

    async def hang(_raw: RawRequest) -> Reply:
        await asyncio.sleep(60)
        return Reply(0)

    running = await server.serve(path, hang)
    asking = asyncio.create_task(talk(path, REQUEST))
    await eventually(lambda: any(connection.task for connection in running._connections))
    await running.close(grace=0.01)
    assert await asking == b""


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; fails after two seconds."""
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("did not happen")
