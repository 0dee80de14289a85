"""A lab from Python: the same verbs as the command line, as a context manager.

What lives here: ``Lab``. What it must not know: how the supervisor does what it is asked.
"""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from octet.errors import NotFoundError, OctetError
from octet.lab import control, protocol, routes
from octet.lab.faults import Drop
from octet.lab.join import Doors
from octet.lab.launch import Report, launch
from octet.lab.names import FAMILIES
from octet.lab.objects import Object, read_manifest
from octet.lab.provider import Foreign, Octet
from octet.lab.racks import Shape
from octet.lab.registry import Entry, Registry
from octet.lab.routes import Route

ANSWER_LIMIT = 2.0
"""Seconds within which a lab that is well says what it is."""

_CHUNK, _LOOK = 1 << 16, 0.1
_numbers = itertools.count(1)

DOWN_LIMIT = 10.0
"""Seconds a lab may take to end by itself before it is killed."""


@dataclass(frozen=True, slots=True)
class PodInfo:
    """A pod that was started.

    Attributes:
        addresses: as texts, in the order of the CNI result.
        attach_seconds: from the runtime's call of the plugins to their result.
    """

    name: str
    namespace: str
    node: str
    addresses: tuple[str, ...]
    attach_seconds: float

    def address(self, version: int = 4) -> str:
        """Return its address of an IP version. Raises OctetError."""
        for address in self.addresses:
            if (":" in address) == (version == 6):
                return address
        raise OctetError(f"pod {self.name!r} has no IPv{version} address")


class Lab:
    """A lab that is up. As a context manager it is down at the end of the block, whatever happened."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry

    @classmethod
    def up(
        cls,
        provider: str | Octet | Foreign,
        *,
        nodes: int = 2,
        name: str = "",
        fabric: str = "l2",
        family: str = "v4",
        shape: Shape | None = None,
        registry: Registry | None = None,
        report: Report = lambda _: None,
    ) -> Self:
        """Start a lab and wait until all of its nodes are ready.

        Args:
            provider: a model's name, or a provider value.
            nodes: how many.
            name: one that is free; left out, one made from this process's id.
            fabric: what connects the nodes; ``l2`` is one switch, ``routed`` racks of routers.
            family: ``v4``, ``v6`` or ``dual``.
            shape: of the routed fabric: racks, spines, uplinks, and what the racks' routers run.
            registry: where the lab is entered; left out, the user's own.
            report: called with each step's sentence.

        Raises:
            OctetError: it did not start; nothing is left of it.
        """
        chosen = Octet(model=provider) if isinstance(provider, str) else provider
        spec = protocol.Spec(name or _free_name(), nodes, chosen, fabric, family, shape)
        entry, _ = launch(spec, registry or Registry(), report)
        return cls(entry)

    @classmethod
    def find(cls, name: str | None = None, registry: Registry | None = None) -> Self:
        """Return a lab that is up, by name, or the only one. Raises NotFoundError, OctetError."""
        return cls((registry or Registry()).find(name))

    @classmethod
    def all(cls, registry: Registry | None = None) -> list[Self]:
        """Return the labs that are up and answer; one that is starting or ending isn't there."""
        labs = [cls(entry) for entry in (registry or Registry()).entries()]
        return [lab for lab in labs if lab.answers()]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    @property
    def name(self) -> str:
        """The lab's name."""
        return self._entry.name

    def info(self) -> Object:
        """Return name, provider, nodes, fabric, family and the number of pods."""
        return self._object(protocol.Info())

    def run(
        self,
        pod: str,
        node: str,
        command: Sequence[str] = protocol.DEFAULT_COMMAND,
        *,
        namespace: str = "default",
        labels: Mapping[str, str] | None = None,
    ) -> PodInfo:
        """Start a pod on a node. Raises OctetError."""
        request = protocol.Run(pod, node, namespace, dict(labels or {}), tuple(command))
        made = self._object(request)
        addresses = tuple(ip["ip"] for ip in made["status"]["podIPs"])
        return PodInfo(pod, namespace, node, addresses, made["lab"]["attach_seconds"])

    def delete(self, kind: str, name: str, *, namespace: str = "default") -> Object:
        """Remove an object; for a pod, return ``{"lab": {"detach_seconds": ...}}``. Raises OctetError."""
        return self._object(protocol.Delete(kind, name, namespace))

    def apply(self, text: str, source: str = "manifest") -> list[Object]:
        """Create or replace the objects of a JSON or YAML manifest. Raises OctetError."""
        return self.put(read_manifest(text, source))

    def put(self, objects: Sequence[Object]) -> list[Object]:
        """Create or replace objects; return what became of each. Raises OctetError."""
        answer: list[Object] = self._ask(protocol.Apply(tuple(objects)))
        return answer

    def get(self, kind: str, *, namespace: str = "") -> list[Object]:
        """Return the objects of a kind; a node's ``lab`` says how its agent and cable are."""
        objects: list[Object] = self._ask(protocol.Get(kind, namespace))
        return objects

    def cut(self, node: str, peer: str = "") -> None:
        """Unplug a node, a router or a router's link, or lose everything between it and a peer."""
        self._ask(protocol.Cut(node, peer))

    def heal(self, node: str = "", peer: str = "") -> None:
        """Mend everything, everything of a node, or everything between two."""
        self._ask(protocol.Heal(node, peer))

    def drop(
        self,
        percent: float = 100.0,
        *,
        node: str = "",
        peer: str = "",
        protocol_name: str = "",
        port: int = 0,
    ) -> None:
        """Lose packets in the fabric; ``faults.Drop`` says which. Raises BadConfigurationError."""
        Drop(percent, node, peer, protocol_name, port)  # refused here, for JSON has no word for every number
        self._ask(protocol.Lose(percent, node, peer, protocol_name, port))

    def kill_agent(self, node: str) -> None:
        """Kill a node's agent; it stays dead."""
        self._ask(protocol.KillAgent(node))

    def start_agent(self, node: str) -> None:
        """Start a node's agent and wait until it is ready."""
        self._ask(protocol.StartAgent(node))

    def ask_agent(self, node: str, path: str) -> str:
        """Return what a node's agent answers on its health socket, as ``/metrics``. Raises OctetError."""
        answer: str = self._ask(protocol.AskAgent(node, path))
        return answer

    def routers(self) -> list[Object]:
        """Return the fabric's routers: name, software, asn, id, state, faults."""
        routers: list[Object] = self._ask(protocol.Routers())
        return routers

    def routes(self, target: str = "") -> dict[str, list[Route]]:
        """Return the routes of a node, router, pod or the outside; left out, of all nodes and routers."""
        info = self.info()
        targets = [target] if target else [*info["nodes"], *(each["name"] for each in self.routers())]
        return {name: [*self._routes(name)] for name in targets}

    def _routes(self, target: str) -> Iterator[Route]:
        for version in FAMILIES[self.info()["family"]]:
            done = self.exec(target, routes.command(version))
            if done.returncode != 0:
                raise OctetError(f"the routes of {target}: {done.stderr.strip()}")
            yield from routes.read(done.stdout, version)

    def kill_router(self, router: str) -> None:
        """Kill a router's software; it stays dead, and its kernel goes on forwarding."""
        self._ask(protocol.KillRouter(router))

    def start_router(self, router: str) -> None:
        """Start a router's software again and wait until it can be asked."""
        self._ask(protocol.StartRouter(router))

    @contextlib.contextmanager
    def doors(self, target: str, *, namespace: str = "default") -> Iterator[Doors]:
        """Lend the namespaces of a node, a pod, a router, ``outside`` or ``switch`` as open descriptors."""
        _, descriptors = control.ask(self._entry, protocol.Enter(target, namespace))
        doors = Doors(*descriptors)
        try:
            yield doors
        finally:
            doors.close()

    def popen(
        self, target: str, command: Sequence[str], *, namespace: str = "default", **options: Any
    ) -> subprocess.Popen[Any]:
        """Start a program on a node or in a pod; options are Popen's. It ends with its client or lab."""
        with self.doors(target, namespace=namespace) as doors:
            descriptors = [doors.user, doors.mnt, doors.pid, doors.net]
            head = [sys.executable, "-I", "-m", "octet.lab.join", *(str(number) for number in descriptors)]
            return subprocess.Popen([*head, *command], pass_fds=descriptors, **options)

    def exec(
        self,
        target: str,
        command: Sequence[str],
        *,
        namespace: str = "default",
        timeout: float = 60,
        text: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end with ``text`` as its input. Raises subprocess.TimeoutExpired."""
        pipe = subprocess.PIPE
        options = {"stdin": pipe, "stdout": pipe, "stderr": pipe, "text": True}
        with self.popen(target, command, namespace=namespace, **options) as process:
            try:
                out, err = process.communicate(text, timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return subprocess.CompletedProcess(list(command), process.returncode, out, err)

    def answers(self) -> bool:
        """Tell whether the lab takes requests."""
        try:
            control.ask(self._entry, protocol.Info(), ANSWER_LIMIT)
        except OctetError:
            return False
        return True

    def log(self, target: str, *, namespace: str = "default", follow: bool = False) -> Iterator[str]:
        """Yield what ``log_path`` holds, then, if asked, what is added until the lab ends."""
        with self.log_path(target, namespace=namespace).open(errors="replace") as file:
            alive = True
            while alive:
                alive = follow and self.alive()
                while text := file.read(_CHUNK):
                    yield text
                time.sleep(_LOOK if alive else 0)

    def log_path(self, target: str, *, namespace: str = "default") -> Path:
        """Return the log of a node's agent, of a pod's program, or of the lab itself (``lab``)."""
        candidates = [self._entry.logs / f"{target}.log", self._entry.logs / f"{namespace}.{target}.log"]
        for path in candidates:
            if path.exists():
                return path
        there = ", ".join(sorted(path.stem for path in self._entry.logs.glob("*.log")))
        raise NotFoundError(f"no log of {target!r} in namespace {namespace!r}", hint=f"logs: {there}")

    def alive(self) -> bool:
        """Tell whether the lab still runs."""
        return self._entry.alive()

    def down(self) -> None:
        """End the lab and wait until nothing is left of it. Down already is done. Raises OctetError."""
        pid = 0
        try:
            with control.connect(self._entry) as connection:
                pid = control.supervisor_pid(connection)
            control.ask(self._entry, protocol.Down(), DOWN_LIMIT)
        except OctetError:
            if not self._entry.alive():
                self._entry.wait_gone(0)
                return
        if not self._entry.wait_gone(DOWN_LIMIT):
            _kill(pid)
            self._entry.wait_gone(DOWN_LIMIT)

    def _ask(self, request: protocol.Request) -> Any:
        value, descriptors = control.ask(self._entry, request)
        for descriptor in descriptors:
            os.close(descriptor)
        return value

    def _object(self, request: protocol.Request) -> Object:
        value: Object = self._ask(request)
        return value


def _free_name() -> str:
    return f"lab-{os.getpid()}-{next(_numbers)}"


def _kill(pid: int) -> None:
    """Kill a supervisor that does not end; the lab's first process ends with it, and so does all else."""
    with contextlib.suppress(ProcessLookupError):
        if pid > 0:
            os.kill(pid, signal.SIGKILL)
