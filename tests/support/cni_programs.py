"""The plugin in its two forms with limits that tests can wait for, and agents for it to talk to.

What lives here: building and running them. What it must not know: what is right.
"""

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from octet.cni import install, server
from octet.cni.wire import RawRequest, Reply

HASTY = 0.1
"""Seconds for each limit of a plugin whose time-outs are tested."""

PATIENT = 10.0
"""Seconds for each limit of any other plugin."""

TWIN = """
import sys
from octet.cni import scan, twin
twin.CONNECT_LIMIT = twin.ANSWER_LIMIT = twin.INPUT_SECONDS = {limit}
scan.DEFAULT_SOCKET = {socket!r}
sys.exit(twin.main())
"""

Done = subprocess.CompletedProcess[bytes]


@dataclass(frozen=True)
class Program:
    """One form of the plugin.

    Attributes:
        socket: where it looks when the configuration does not say.
    """

    command: tuple[str, ...]
    socket: Path

    def run(self, command: str | None, stdin: bytes, **variables: str | bytes) -> Done:
        """Execute it as a runtime does; variables get ``CNI_`` before their names."""
        env = environment(command, variables)
        return subprocess.run(
            self.command, input=stdin, capture_output=True, env=env, timeout=20, check=False
        )


def environment(command: str | None, variables: Mapping[str, str | bytes]) -> dict[str, str | bytes]:
    """Return a runtime's environment, with something in it that is not the agent's business."""
    said = {f"CNI_{name}": value for name, value in variables.items()}
    return {"HOME": "/root", "SECRET": "x"} | said | ({} if command is None else {"CNI_COMMAND": command})


def compiled(directory: Path, *flags: str, limit: float = PATIENT, compiler: str = "gcc") -> Program:
    """Compile the plugin with limits in seconds and a default socket of its own."""
    place = directory / "default" / "cni.sock"
    target = directory / "octet-cni"
    limits = [f"-D{name}_MS={int(limit * 1000)}" for name in ("CONNECT", "ANSWER", "INPUT")]
    options = [*flags, "-std=gnu11", "-Wall", "-Wextra", "-Werror", *limits, f'-DDEFAULT_SOCKET="{place}"']
    subprocess.run([compiler, *options, "-o", str(target), str(install.SOURCE)], check=True)
    return Program((str(target),), place)


def python_twin(directory: Path, *, limit: float = PATIENT) -> Program:
    """Return the Python program with limits in seconds and a default socket of its own."""
    place = directory / "default" / "cni.sock"
    code = TWIN.format(limit=limit, socket=bytes(place))
    return Program((sys.executable, "-I", "-c", code), place)


@dataclass
class Recorder:
    """What our server's handler saw, and what it answers.

    Attributes:
        namespaces: (device, inode) of each descriptor that came.
    """

    reply: Reply
    seen: list[RawRequest] = field(default_factory=list)
    namespaces: list[tuple[int, int]] = field(default_factory=list)

    async def __call__(self, raw: RawRequest) -> Reply:
        """Note the request and answer."""
        self.seen.append(raw)
        if raw.namespace is not None:
            status = os.fstat(raw.namespace)
            self.namespaces.append((status.st_dev, status.st_ino))
        return self.reply


@contextmanager
def agent(path: Path, reply: Reply) -> Iterator[Recorder]:
    """Run our own server at a path, in a thread."""
    recorder = Recorder(reply)
    loop = asyncio.new_event_loop()
    running = loop.run_until_complete(server.serve(path, recorder))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield recorder
    finally:
        asyncio.run_coroutine_threadsafe(running.close(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


@contextmanager
def impostor(path: Path, behave: Callable[[socket.socket], None]) -> Iterator[None]:
    """Accept one connection at a path and let ``behave`` do with it what no agent should."""
    path.parent.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            with suppress(OSError), listening.accept()[0] as plugin:
                behave(plugin)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(5)
            path.unlink()


def until_it_goes(plugin: socket.socket) -> None:
    """Read what a plugin sends until it has gone away."""
    while plugin.recv(1 << 16):
        pass
