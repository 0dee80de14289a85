"""The process that is a lab: builds it, keeps it, answers requests, and ends.

What lives here: the order of a lab's life, and what each request is met by. What it must not know: how a
client came by its request, the walls it lives in (``sandbox``).
"""

import asyncio
import os
import socket
import traceback
from collections.abc import Callable
from pathlib import Path

import msgspec

from octet.lab import control, mounts, protocol
from octet.lab.cluster import Cluster
from octet.lab.registry import LOGS, SPEC
from octet.lab.requests import Requests


def supervise(client: socket.socket, janitor: int, remove: Callable[[], None]) -> int:
    """Be a lab from start to end; return the exit code.

    Args:
        client: who asked for it, told each step, then ready or the error; if it ends first, so does the lab.
        janitor: read end of a pipe that ends with the janitor.
        remove: takes the registry entry away, for when the janitor can't.
    """
    os.umask(0o077)
    spec = msgspec.json.decode((mounts.RUN / SPEC).read_bytes(), type=protocol.Spec)
    return asyncio.run(_Life(spec, client, janitor, remove).live())


class _Life:
    def __init__(
        self, spec: protocol.Spec, client: socket.socket, janitor: int, remove: Callable[[], None]
    ) -> None:
        self._spec = spec
        self._client = client
        self._janitor = janitor
        self._remove = remove
        self._end = asyncio.Event()

    async def live(self) -> int:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._janitor, self._orphaned)
        loop.add_reader(self._client, self._end.set)
        work = asyncio.create_task(self._work())
        end = asyncio.create_task(self._end.wait())
        await asyncio.wait({work, end}, return_when=asyncio.FIRST_COMPLETED)
        for task in (work, end):
            task.cancel()
        # Nothing is taken down in order: the kernel ends everything at once when this process is gone.
        return 0

    async def _work(self) -> None:
        try:
            await self._build_and_serve()
        except Exception as error:  # noqa: BLE001 - whatever it was, the client shall hear of it
            traceback.print_exc()
            self._tell(protocol.Answer(error=protocol.pack(error)))

    async def _build_and_serve(self) -> None:
        cluster = Cluster(self._spec, mounts.RUN / LOGS)
        await cluster.start(lambda step: self._tell(protocol.Answer(step=step)))
        listener = control.listen(Path(mounts.RUN))
        requests = Requests(cluster, self._end.set)
        asyncio.get_running_loop().remove_reader(self._client)
        self._tell(protocol.Answer(value=requests.info()))
        self._client.close()
        await control.serve(listener, requests.handle)

    def _tell(self, answer: protocol.Answer) -> None:
        try:
            self._client.sendall(protocol.encode(answer))
        except OSError:
            self._end.set()  # nobody waits for the lab any more

    def _orphaned(self) -> None:
        asyncio.get_running_loop().remove_reader(self._janitor)
        self._remove()
        self._end.set()
