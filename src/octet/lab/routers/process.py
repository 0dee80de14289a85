"""A router's processes: a place of their own, start, kill, and what became of them.

What lives here: RouterProcess. What it must not know: what the processes do, other routers.

A router has a mount namespace in which its own directory lies where its software keeps sockets, so that
``birdc``, ``vtysh`` and ``gobgp`` need not be told which of a lab's routers is meant.
"""

import asyncio
import os
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from octet.errors import BadConfigurationError, NotReadyError, OctetError
from octet.lab import mounts
from octet.lab.processes import Child, ending, tail
from octet.lab.routers import Command, Program, Router, bird, frr, gobgp
from octet.lab.spaces import Spaces

READY_LIMIT = 60.0
"""Seconds from a process's start until it can be asked, also on an emulated machine."""

_LOOK = 0.005
_NEEDS = MappingProxyType({"bird": ("bird",), "frr": frr.NEEDS, "gobgp": ("gobgpd", "gobgp")})
_PACKAGES = MappingProxyType({"bird": "bird2", "frr": "frr", "gobgp": "gobgpd"})
_RENDERERS = MappingProxyType({"bird": bird.program, "frr": frr.program, "gobgp": gobgp.program})


def program(router: Router) -> Program:
    """Return what a router's software is started with."""
    return _RENDERERS[router.software](router)


def _path() -> str:
    """Return where programs are looked for: an ordinary user's PATH does not lead to routing software."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def check(routers: Iterable[Router]) -> None:
    """Refuse software that this machine hasn't. Raises BadConfigurationError naming it."""
    for software in dict.fromkeys(router.software for router in routers):
        for name in _NEEDS[software]:
            if shutil.which(name, path=_path()) is None:
                hint = f"make setup installs Debian's package {_PACKAGES[software]}"
                raise BadConfigurationError("lab", "routers", software, f"{name} is not there", hint=hint)


class RouterProcess:
    """One router's software; its kernel goes on forwarding by what it was last told when this is dead.

    Args:
        router: who it is.
        spaces: where its network namespace is.
        directory: its own, empty, on a private mount.
        log: what all of its processes say.
    """

    def __init__(self, router: Router, spaces: Spaces, directory: Path, log: Path) -> None:
        self.router = router
        self._program = program(router)
        self._spaces = spaces
        self._directory = directory
        self._log = log
        self._children: list[Child] = []
        self._killed = False
        self._room: int | None = None

    @property
    def room(self) -> int:
        """Descriptor of its mount namespace, which stays ours. Raises OctetError before it is settled."""
        if self._room is None:
            raise OctetError(f"the router {self.router.name} is not there yet")
        return self._room

    def settle(self) -> None:
        """Make its files and its mount namespace. Raises OctetError."""
        (self._directory / "extra").mkdir(mode=0o700, parents=True)
        for name, text in self._program.files.items():
            (self._directory / name).write_text(text)
        place = Path(self._program.place)
        place.mkdir(mode=0o755, exist_ok=True)
        for name in self._program.covers.values():
            if name not in self._program.files:
                (self._directory / name).mkdir(exist_ok=True)
        covers = {Path(path): self._directory / name for path, name in self._program.covers.items()}
        try:
            self._room = mounts.apart({place: self._directory, **covers})
        except OSError as error:
            raise OctetError(f"{self.router.name} gets no place of its own: {error}") from error

    async def start(self) -> None:
        """Start its processes, each when the one before can be asked. Raises OctetError with last words."""
        if self._running:
            raise OctetError(f"the router {self.router.name} is running")
        self._killed = False
        # Where one of several has ended, the others are of no use.
        await asyncio.gather(*(child.kill() for child in self._children))
        self._children = []
        for command in self._program.commands:
            await self._start(command)

    async def kill(self) -> None:
        """Kill it with SIGKILL, as a crash would. Raises OctetError when it does not run."""
        if not self._running:
            hint = f"octet lab fault start-router {self.router.name}"
            raise OctetError(f"the router {self.router.name} does not run", hint=hint)
        self._killed = True
        await asyncio.gather(*(child.kill() for child in self._children))

    def check(self) -> None:
        """Refuse a router that has ended. Raises OctetError with its last words."""
        for child in self._children:
            if child.exit_code is not None and not self._killed:
                how = ending(child.exit_code)
                raise OctetError(f"the router {self.router.name} ended ({how}):\n{tail(self._log)}")

    def state(self) -> Mapping[str, Any]:
        """Return what to tell about it: state (running, killed or died), process ids, how it ended."""
        if self._running:
            return {"state": "running", "pids": [child.pid for child in self._children]}
        codes = [child.exit_code for child in self._children]
        ended = next((ending(code) for code in codes if code is not None), "never started")
        return {"state": "killed" if self._killed else "died", "ended": ended}

    @property
    def _running(self) -> bool:
        return bool(self._children) and all(child.exit_code is None for child in self._children)

    async def _start(self, command: Command) -> None:
        socket = self._directory / command.socket if command.socket else None
        if socket is not None:
            socket.unlink(missing_ok=True)
        with self._log.open("ab") as log:
            program = shutil.which(command.words[0], path=_path()) or command.words[0]
            words = (program, *command.words[1:])
            child = Child(self._spaces.start(self.router.name, words, log, self.room))
        self._children.append(child)
        name = f"{Path(command.words[0]).name} of {self.router.name}"
        end = time.monotonic() + READY_LIMIT
        while socket is not None and not _there(socket):
            if child.exit_code is not None:
                raise OctetError(f"{name} ended ({ending(child.exit_code)}):\n{tail(self._log)}")
            if time.monotonic() > end:
                raise NotReadyError(f"{name} is not ready after {READY_LIMIT:g} s:\n{tail(self._log)}")
            await asyncio.sleep(_LOOK)


def _there(socket: Path) -> bool:
    return socket.exists()
