"""One plugin's connection, from its first byte to its last.

What lives here: Connection, and the closing of every descriptor that was received, on every path.
What it must not know: how connections are accepted, what a request means.
"""

import array
import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable

from octet.cni import wire
from octet.cni.request import version_of
from octet.cni.spec.failures import CniError, Code, translate
from octet.cni.wire import RawRequest, Reply

Handler = Callable[[RawRequest], Awaitable[Reply]]
"""Answers one request; what it raises is translated. The request's descriptor is closed when it returns."""

_CHUNK = 65536
_DESCRIPTORS = 4
"""Descriptors we look for in one message: one is right, more are closed and refused."""

_ANCILLARY = socket.CMSG_SPACE(_DESCRIPTORS * 4)

log = logging.getLogger(__name__)


class Connection:
    """Reads one request, waits for the handler, writes the answer, closes everything it held.

    Attributes:
        task: runs the handler; None until the request is whole.
    """

    def __init__(
        self,
        peer: socket.socket,
        handler: Handler,
        loop: asyncio.AbstractEventLoop,
        limit: float,
        over: Callable[["Connection"], None],
    ) -> None:
        self.task: asyncio.Task[None] | None = None
        self._peer = peer
        self._handler = handler
        self._loop = loop
        self._limit = limit
        self._over = over
        self._data = b""
        self._needed = 0
        self._announced = False
        self._namespace: int | None = None
        self._watched = False
        self._timer = loop.call_later(limit, self.end)

    def read(self) -> None:
        """Take what has arrived; the first byte brings the descriptor."""
        try:
            self._receive()
        except BlockingIOError:
            if not self._watched:
                self._watched = True
                self._loop.add_reader(self._peer, self.read)
        except wire.FramingError as error:
            log.warning("a plugin sent something else than a request: %s", error)
            self._refuse(error)
        except OSError as error:
            log.warning("lost a plugin's connection: %s", error)
            self.end()

    def _receive(self) -> None:
        """Read until the request is whole. Raises BlockingIOError when more has to come."""
        while True:
            data, ancillary, flags, _ = self._peer.recvmsg(_CHUNK, _ANCILLARY, socket.MSG_CMSG_CLOEXEC)
            self._keep(ancillary, flags)
            if not data:
                return self.end()
            self._data += data
            if not self._needed and len(self._data) >= wire.HEADER:
                sizes = wire.request_sizes(self._data)
                self._needed, self._announced = sizes.total, sizes.has_namespace
            if self._needed and len(self._data) >= self._needed:
                return self._start()

    def _keep(self, ancillary: list[tuple[int, int, bytes]], flags: int) -> None:
        """Hold the one descriptor that may come; close what else came. Raises FramingError."""
        received = array.array("i")
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                received.frombytes(data[: len(data) - len(data) % received.itemsize])
        if received and self._namespace is None and not self._data:
            self._namespace = received.pop(0)
        for descriptor in received:
            os.close(descriptor)
        if received or flags & socket.MSG_CTRUNC:
            raise wire.FramingError("more than one descriptor came")

    def _start(self) -> None:
        """The request is whole: hand it to the handler."""
        self._unwatch()
        self._timer.cancel()
        if self._announced != (self._namespace is not None):
            raise wire.FramingError("the header and the descriptor disagree")
        raw = wire.decode_request(self._data, namespace=self._namespace)
        self._data = b""
        self.task = self._loop.create_task(self._handle(raw))

    async def _handle(self, raw: RawRequest) -> None:
        try:
            answer = wire.encode_reply(await self._handler(raw))
        except asyncio.CancelledError:
            self.end()
            raise
        except Exception as error:
            # The boundary: whatever it is, the runtime gets a CNI error and the agent goes on.
            found = translate(error)
            if found.code == Code.INTERNAL:
                log.exception("the handler of a plugin's request failed")
            answer = wire.encode_reply(Reply.failure(found, version_of(raw.stdin)))
        self._close_namespace()
        self._answer(answer)

    def _refuse(self, error: wire.FramingError) -> None:
        self._unwatch()
        self._timer.cancel()
        self._close_namespace()
        self._answer(wire.encode_reply(Reply.failure(CniError(Code.DECODING_FAILURE, str(error)), "")))

    def _answer(self, answer: bytes) -> None:
        self._data = answer
        self._timer = self._loop.call_later(self._limit, self.end)
        self._write()

    def _write(self) -> None:
        """Send what the socket takes; the rest when it takes more."""
        try:
            self._data = self._data[self._peer.send(self._data, socket.MSG_NOSIGNAL) :]
        except BlockingIOError:
            pass
        except OSError as error:
            log.warning("a plugin did not wait for its answer: %s", error)
            self._data = b""
        if not self._data:
            self.end()
        elif not self._watched:
            self._watched = True
            self._loop.add_writer(self._peer, self._write)

    def _unwatch(self) -> None:
        if self._watched:
            self._watched = False
            self._loop.remove_reader(self._peer)
            self._loop.remove_writer(self._peer)

    def _close_namespace(self) -> None:
        if self._namespace is not None:
            os.close(self._namespace)
            self._namespace = None

    def end(self) -> None:
        """Close everything; more than once is harmless."""
        self._timer.cancel()
        self._close_namespace()
        if self._peer.fileno() >= 0:
            self._unwatch()
            self._peer.close()
        self._over(self)
