"""Attach and detach many pods on one node, one at a time or all at once; run inside the node by ``bench``.

What lives here: the program ``python -m octet.measure.churn``. What it must not know: who makes the network.
It executes the plugin as a container runtime does and times just that: from the start of the process to its
result. One thread that has everything ready keeps this program's own share small: subprocess adds about a
millisecond to each, and fifty threads of Python spend more on each other than a plugin takes.
"""

import json
import os
import selectors
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from octet.errors import NotFoundError, OctetError
from octet.kernel import namespaces

INTERFACE = "eth0"


@dataclass(slots=True)
class Pod:
    """A pod that is only an empty network namespace, held open by this process.

    Attributes:
        result: of its ADD, which DEL is given (CNI 1.1.0, "prevResult").
    """

    container: str
    descriptor: int
    result: Any = None


@dataclass(frozen=True, slots=True)
class Plugin:
    """The one plugin of a node's network: the program, its configuration, where it finds others."""

    program: Path
    configuration: Mapping[str, Any]
    path: str

    @classmethod
    def find(cls, directory: Path, places: Sequence[str]) -> "Plugin":
        """Return the first plugin of the first list in a configuration directory.

        Raises:
            NotFoundError: there is no list, or no such program.
        """
        for file in sorted(directory.glob("*.conflist")):
            network = json.loads(file.read_text())
            names = {key: network[key] for key in ("cniVersion", "name")}
            configuration = {**network["plugins"][0], **names}
            for place in places:
                program = Path(place, configuration["type"])
                if program.exists():
                    return cls(program, configuration, ":".join(places))
        raise NotFoundError(f"{directory}: no network with a plugin in {places}")

    def call(self, command: str, pods: Sequence[Pod]) -> tuple[list[float], float]:
        """Execute ADD or DEL (or VERSION) for pods at once.

        Returns:
            The milliseconds of each, and from the first one's start to the last one's result.

        Raises:
            OctetError: one of them failed; with its words.
        """
        calls = [Call.prepare(str(self.program), *self._request(command, pod)) for pod in pods]
        begin = time.perf_counter()
        for call in calls:
            call.start()
        end = finish(calls)
        for pod, call in zip(pods, calls, strict=True):
            said = call.answer()
            pod.result = json.loads(said) if command == "ADD" else None
        return [(call.ended - call.begun) * 1000 for call in calls], (end - begin) * 1000

    def _request(self, command: str, pod: Pod) -> tuple[dict[str, str], bytes]:
        environment = {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": pod.container,
            "CNI_NETNS": f"/proc/{os.getpid()}/fd/{pod.descriptor}",
            "CNI_IFNAME": INTERFACE,
            "CNI_PATH": self.path,
            "PATH": os.environ["PATH"],
        }
        before = {} if pod.result is None else {"prevResult": pod.result}
        return environment, json.dumps({**self.configuration, **before}).encode()


@dataclass(slots=True)
class Call:
    """One execution of a program: everything is ready before it starts, so that only the program is timed.

    Attributes:
        begun, ended: when it was started and when its output ended, in seconds of perf_counter.
    """

    program: str
    environment: Mapping[str, str]
    stdin: int
    stdout: int
    output: int
    begun: float = 0.0
    ended: float = 0.0
    process: int = 0
    said: bytes = b""

    @classmethod
    def prepare(cls, program: str, environment: Mapping[str, str], stdin: bytes) -> "Call":
        """Return a call whose input (that a pipe can hold, 64 KiB) waits in its pipe."""
        take, give = os.pipe()
        hear, say = os.pipe()
        os.write(give, stdin)
        os.close(give)
        return cls(program, environment, take, say, hear)

    def start(self) -> None:
        """Start the program."""
        actions = [(os.POSIX_SPAWN_DUP2, self.stdin, 0), (os.POSIX_SPAWN_DUP2, self.stdout, 1)]
        self.begun = time.perf_counter()
        self.process = os.posix_spawn(self.program, [self.program], self.environment, file_actions=actions)
        os.close(self.stdin)
        os.close(self.stdout)

    def hear(self) -> bool:
        """Take what the program says; True when it has said everything."""
        heard = os.read(self.output, 1 << 16)
        self.said += heard
        if heard:
            return False
        self.ended = time.perf_counter()
        os.close(self.output)
        return True

    def answer(self) -> bytes:
        """Return what it said. Raises OctetError with these words when it did not end with 0."""
        _, status = os.waitpid(self.process, 0)
        if status != 0:
            raise OctetError(f"{self.program}: {self.said.decode(errors='replace').strip()}")
        return self.said


def finish(calls: Sequence[Call]) -> float:
    """Listen to programs until the last of them has said everything; return when that was."""
    with selectors.DefaultSelector() as listening:
        for call in calls:
            listening.register(call.output, selectors.EVENT_READ, call)
        while listening.get_map():
            for key, _ in listening.select():
                if key.data.hear():
                    listening.unregister(key.fd)
    return max(call.ended for call in calls)


def churn(plugin: Plugin, count: int, *, at_once: bool) -> dict[str, object]:
    """Attach and detach this many pods; return each one's milliseconds and those of all together.

    Raises OctetError when an attachment or detachment fails.
    """
    pods = [Pod(os.urandom(16).hex(), namespaces.create()) for _ in range(count)]
    groups = [pods] if at_once else [[pod] for pod in pods]
    try:
        added, add_all = _spread(plugin, "ADD", groups)
        deleted, delete_all = _spread(plugin, "DEL", groups)
    finally:
        for pod in pods:
            os.close(pod.descriptor)
    return {"add_ms": added, "add_all_ms": add_all, "delete_ms": deleted, "delete_all_ms": delete_all}


def _spread(plugin: Plugin, command: str, groups: Sequence[Sequence[Pod]]) -> tuple[list[float], float]:
    done = [plugin.call(command, group) for group in groups]
    return [each for times, _ in done for each in times], sum(together for _, together in done)


def versions(plugin: Plugin, count: int) -> dict[str, object]:
    """Ask for the plugin's version this many times: what starting it costs before it does anything."""
    nowhere = Pod("version", -1)
    return {"version_ms": [plugin.call("VERSION", [nowhere])[1] for _ in range(count)]}


def main(mode: str, count: str, configuration: str, *places: str) -> None:
    """Run ``single``, ``burst`` or ``version`` this many times; print the milliseconds as JSON."""
    plugin = Plugin.find(Path(configuration), places)
    if mode == "version":
        found = versions(plugin, int(count))
    else:
        found = churn(plugin, int(count), at_once=mode == "burst")
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
