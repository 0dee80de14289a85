"""Doorbells between the processes that share a file: who writes rings, who watches wakes.

What lives here: one Unix datagram socket per watching process, in a directory beside the file. Sockets with
a path work between network namespaces. What it must not know: what was written; a ring only says "look".
"""

import asyncio
import os
import secrets
import socket
from contextlib import suppress
from pathlib import Path

DIRECTORY_MODE = 0o700
SOCKET_MODE = 0o600
RINGS_AT_ONCE = 4096  # more than a socket's queue holds


class Bell:
    """One process's bell among those of a directory; ``ring`` needs no bell of one's own.

    Args:
        directory: where the bells are; made when the first one is hung up.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._descriptor = -1
        self._name = ""
        self._socket: socket.socket | None = None
        self._rung = asyncio.Event()

    @property
    def next_ring(self) -> asyncio.Event:
        """The event of the next ring. Take it, then look, then wait for it: no ring is lost in between."""
        return self._rung

    def listen(self) -> None:
        """Hang the bell up and have the running event loop hear it. Idempotent. Raises OSError."""
        if self._socket is not None:
            return
        self._directory.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            self._name = f"{os.getpid()}-{secrets.token_hex(8)}"
            os.fchmod(made.fileno(), SOCKET_MODE)  # Linux gives a bound socket's file this mode
            made.bind(self._path(self._name))
        except BaseException:
            made.close()
            raise
        self._socket = made
        asyncio.get_running_loop().add_reader(made.fileno(), self._hear)

    def ring(self) -> None:
        """Wake everybody who listens; bells of processes that died are taken down.

        It never fails: what it tells is true already, and who does not hear it looks from time to time.
        """
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            with os.scandir(self._open()) as bells:
                names = [each.name for each in bells]
            for name in names:
                self._ring_one(sender, name)

    def wake(self) -> None:
        """Wake this process's own watchers."""
        rung, self._rung = self._rung, asyncio.Event()
        rung.set()

    def close(self) -> None:
        """Take the bell down and wake who waits. Idempotent."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
            with suppress(OSError):
                os.unlink(self._name, dir_fd=self._open())
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self.wake()

    def _ring_one(self, sender: socket.socket, name: str) -> None:
        try:
            sender.sendto(b"!", self._path(name))
        except ConnectionRefusedError:  # nobody holds it open: its process is gone
            with suppress(OSError):
                os.unlink(name, dir_fd=self._open())
        except OSError:
            return  # a full queue has rings enough; a bell that just vanished needs none

    def _hear(self) -> None:
        for _ in range(RINGS_AT_ONCE):
            try:
                if self._socket is None or not self._socket.recv(1):
                    break
            except BlockingIOError:
                break
        self.wake()

    def _open(self) -> int:
        if self._descriptor < 0:
            self._descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return self._descriptor

    def _path(self, name: str) -> str:
        """Return a path below 108 bytes (sun_path, unix(7)), however deep the directory is."""
        return f"/proc/self/fd/{self._open()}/{name}"
