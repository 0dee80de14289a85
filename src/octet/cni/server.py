"""The agent's side of the wire: accepts thin plugins, hands their requests on, sends the answers back.

What lives here: ``serve``: who may connect, how many at once, how the server ends.
What it must not know: what a request means.
"""

import asyncio
import logging
import os
import socket
import struct
from pathlib import Path

from octet.cni import listener
from octet.cni.connection import Connection, Handler
from octet.cni.wire import RawRequest, Reply

IN_FLIGHT = 512
"""Connections at once; more wait in the listening socket's backlog."""

READ_LIMIT = 5.0
"""Seconds a plugin has to send its request, and again to take the answer."""

_ACCEPTS = 64
"""Connections taken in one go; the loop's other work comes between."""

_BREATH = 0.1
"""Seconds without accepting after the process ran out of descriptors or memory."""

_CREDENTIALS = struct.Struct("3i")

log = logging.getLogger(__name__)


async def serve(
    path: Path, handler: Handler, *, in_flight: int = IN_FLIGHT, read_limit: float = READ_LIMIT
) -> "Server":
    """Listen at a path and answer requests until the server is closed.

    Args:
        path: of the socket; see ``listener.listen`` for what becomes of an old one there.
        handler: called in a task of its own for each request.
        in_flight: connections at once.
        read_limit: seconds for a whole request to arrive.

    Raises:
        OctetError: another process answers at the path.
    """
    return Server(path, handler, asyncio.get_running_loop(), in_flight=in_flight, read_limit=read_limit)


class Server:
    """A listening socket and the connections it has accepted."""

    def __init__(
        self,
        path: Path,
        handler: Handler,
        loop: asyncio.AbstractEventLoop,
        *,
        in_flight: int,
        read_limit: float,
    ) -> None:
        self.path = path
        self._handler = handler
        self._loop = loop
        self._read_limit = read_limit
        self._in_flight = in_flight
        self._uids = {0, os.geteuid()}
        self._connections: set[Connection] = set()
        self._accepting = True
        self._listener = listener.listen(path)
        self._made = listener.identity(path)
        loop.add_reader(self._listener, self._accept)

    def __len__(self) -> int:
        return len(self._connections)

    def _accept(self) -> None:
        for _ in range(_ACCEPTS):
            if len(self._connections) >= self._in_flight:
                return self._pause()
            try:
                peer, _ = self._listener.accept()
            except BlockingIOError:
                return None
            except OSError as error:
                # EMFILE and the like: the plugin waits in the backlog until descriptors are free again.
                log.warning("cannot accept a plugin's connection: %s", error)
                self._loop.call_later(_BREATH, self._resume)
                return self._pause()
            self._admit(peer)
        return None

    def _pause(self) -> None:
        self._accepting = False
        self._loop.remove_reader(self._listener)

    def _resume(self) -> None:
        if not self._accepting and self._listener.fileno() >= 0:
            self._accepting = True
            self._loop.add_reader(self._listener, self._accept)

    def _admit(self, peer: socket.socket) -> None:
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _process, user, _group = _CREDENTIALS.unpack(credentials)
        if user not in self._uids:
            log.warning("refused a connection of user %d", user)
            peer.close()
            return
        peer.setblocking(False)
        connection = Connection(peer, self._handler, self._loop, self._read_limit, self._forget)
        self._connections.add(connection)
        connection.read()

    def _forget(self, connection: Connection) -> None:
        """Take note that a connection is over, and accept again if there were too many."""
        self._connections.discard(connection)
        self._resume()

    def stop_accepting(self) -> None:
        """Close the listening socket; requests that are under way go on."""
        if self._listener.fileno() >= 0:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            listener.remove(self.path, self._made)

    async def close(self, grace: float = 5.0) -> None:
        """Stop accepting, let running handlers end, then close what is left.

        Args:
            grace: seconds that running handlers have.
        """
        self.stop_accepting()
        tasks = [connection.task for connection in self._connections if connection.task is not None]
        if tasks:
            _done, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for connection in tuple(self._connections):
            connection.end()


__all__ = ["Handler", "RawRequest", "Reply", "Server", "serve"]
