"""The agent process of one node: its configuration, start until ready, kill, and what became of it.

What lives here: AgentProcess. What it must not know: other nodes, pods, what the agent does.
"""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from octet.errors import NotReadyError, OctetError
from octet.lab.fabric import UPLINK
from octet.lab.names import Plan, texts
from octet.lab.processes import Child, ending, tail
from octet.lab.provider import Octet
from octet.lab.spaces import Spaces

READY_LIMIT = 180.0
"""Seconds from start until ready, also on an emulated machine at work; a lab that needs longer is broken."""

_LOOK = 0.02
_NONE = "none"


def config(node: str, provider: Octet, plan: Plan, store: Path, run: Path) -> str:
    """Return an agent's configuration file (TOML); texts in JSON's form are TOML's basic strings."""
    sections: dict[str, Mapping[str, Any]] = {
        "node": {"name": node, "register": True},
        "cluster": {"pod_cidrs": texts(plan.pod_cidrs), "service_cidrs": texts(plan.service_cidrs)},
        "model": {"name": provider.model, "options": provider.options},
        "store": {"kind": "embedded", "path": str(store)},
        "paths": {"run": str(run), "secrets": str(run / "secrets")},
        "underlay": {"interface": UPLINK},
    }
    return "\n".join(f"[{name}]\n{_lines(values)}" for name, values in sections.items())


def _lines(values: Mapping[str, Any]) -> str:
    return "".join(f"{json.dumps(key)} = {_toml(value)}\n" for key, value in values.items())


def _toml(value: Any) -> str:
    match value:
        case Mapping():
            inner = ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items())
            return f"{{ {inner} }}"
        case str():
            return json.dumps(value)
        case Sequence():
            return f"[{', '.join(_toml(item) for item in value)}]"
        case _:
            return json.dumps(value)


class AgentProcess:
    """One node's agent; dead until started, and dead for good when killed, until started again."""

    def __init__(self, node: str, spaces: Spaces, directory: Path, log: Path) -> None:
        self.node = node
        self._spaces = spaces
        self._directory = directory
        self._log = log
        self._child: Child | None = None
        self._killed = False

    async def start(self) -> None:
        """Start it and wait until it says that it is ready. Raises OctetError with its last words."""
        if self._child is not None and self._child.exit_code is None:
            raise OctetError(f"the agent of {self.node} is running")
        self._killed = False
        command = [sys.executable, "-m", "octet.agent", "--config", str(self._directory / "agent.toml")]
        with self._log.open("ab") as log:
            self._child = Child(self._spaces.start(self.node, command, log))
        ended = asyncio.ensure_future(self._child.ended())
        ready = asyncio.ensure_future(self._ready())
        try:
            await asyncio.wait({ended, ready}, timeout=READY_LIMIT, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                raise OctetError(
                    f"the agent of {self.node} ended ({ending(ended.result())}):\n{tail(self._log)}"
                )
            if not ready.done():
                words = f"{await self._reason()}\n{tail(self._log)}"
                raise NotReadyError(f"the agent of {self.node} is not ready after {READY_LIMIT:g} s: {words}")
        finally:
            ready.cancel()
            ended.cancel()

    async def kill(self) -> None:
        """Kill it with SIGKILL, as a crash would. Raises OctetError when it does not run."""
        if self._child is None or self._child.exit_code is not None:
            raise OctetError(f"the agent of {self.node} does not run", hint="octet lab fault start-agent")
        self._killed = True
        await self._child.kill()

    def state(self) -> dict[str, Any]:
        """Return what to tell about it: state (running, killed or died), pid, and how it ended."""
        if self._child is None:
            return {"state": _NONE}
        code = self._child.exit_code
        if code is None:
            return {"state": "running", "pid": self._child.pid}
        return {"state": "killed" if self._killed else "died", "exit_code": code, "ended": ending(code)}

    async def ask(self, path: str) -> str:
        """Return what it answers to a GET of a path. Raises NotReadyError where it does not answer."""
        good, body = await self._ask(path)
        if not good:
            raise NotReadyError(f"the agent of {self.node} does not answer {path}: {body}")
        return body

    async def _ready(self) -> None:
        while True:
            ready, _ = await self._ask("/readyz")
            if ready:
                return
            await asyncio.sleep(_LOOK)

    async def _reason(self) -> str:
        return (await self._ask("/readyz"))[1]

    async def _ask(self, path: str) -> tuple[bool, str]:
        try:
            reader, writer = await asyncio.open_unix_connection(self._directory / "health.sock")
        except OSError as error:
            return False, f"its health socket: {error.strerror}"
        try:
            writer.write(f"GET {path} HTTP/1.0\r\nHost: agent\r\n\r\n".encode())
            answer = (await reader.read()).decode(errors="replace")
        except ConnectionError as error:
            return False, f"its health socket: {error}"
        finally:
            writer.close()
        head, _, body = answer.partition("\r\n\r\n")
        return " 200 " in head.split("\r\n")[0] + " ", body.strip()
