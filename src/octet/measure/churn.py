"""Attach and detach many pods on one node, one at a time or all at once; run inside the node by ``bench``.

What lives here: the program ``python -m octet.measure.churn``. What it must not know: who makes the network.
It executes the plugin as a container runtime does and times just that: from the start of the process to its
result. posix_spawn keeps this program's own share small (Python's subprocess adds about a millisecond).
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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

    def call(self, command: str, pod: Pod) -> float:
        """Execute ADD or DEL for a pod and return its milliseconds. Raises OctetError with its words."""
        environment = {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": pod.container,
            "CNI_NETNS": f"/proc/{os.getpid()}/fd/{pod.descriptor}",
            "CNI_IFNAME": INTERFACE,
            "CNI_PATH": self.path,
            "PATH": os.environ["PATH"],
        }
        before = {} if pod.result is None else {"prevResult": pod.result}
        stdin = json.dumps({**self.configuration, **before}).encode()
        begin = time.perf_counter()
        said = execute(str(self.program), environment, stdin)
        spent = (time.perf_counter() - begin) * 1000
        pod.result = json.loads(said) if command == "ADD" else None
        return spent


def execute(program: str, environment: Mapping[str, str], stdin: bytes) -> bytes:
    """Run a program with this input (that a pipe can hold, 64 KiB) and return its output.

    Raises:
        OctetError: it did not end with 0; the message is what it said.
    """
    take, give = os.pipe()
    hear, say = os.pipe()
    os.write(give, stdin)
    os.close(give)
    actions = [(os.POSIX_SPAWN_DUP2, take, 0), (os.POSIX_SPAWN_DUP2, say, 1)]
    child = os.posix_spawn(program, [program], environment, file_actions=actions)
    os.close(take)
    os.close(say)
    with os.fdopen(hear, "rb") as output:
        said = output.read()
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise OctetError(f"{program}: {said.decode(errors='replace').strip()}")
    return said


def churn(plugin: Plugin, count: int, *, at_once: bool) -> dict[str, object]:
    """Attach and detach this many pods; return each one's milliseconds and those of all together.

    Raises OctetError when an attachment or detachment fails.
    """
    pods = [Pod(os.urandom(16).hex(), namespaces.create()) for _ in range(count)]
    try:
        with ThreadPoolExecutor(count if at_once else 1) as pool:
            added, add_all = _spread(pool, lambda pod: plugin.call("ADD", pod), pods)
            deleted, delete_all = _spread(pool, lambda pod: plugin.call("DEL", pod), pods)
    finally:
        for pod in pods:
            os.close(pod.descriptor)
    return {"add_ms": added, "add_all_ms": add_all, "delete_ms": deleted, "delete_all_ms": delete_all}


def _spread(
    pool: ThreadPoolExecutor, work: Callable[[Pod], float], pods: Sequence[Pod]
) -> tuple[list[float], float]:
    begin = time.perf_counter()
    each = list(pool.map(work, pods))
    return each, (time.perf_counter() - begin) * 1000


def versions(plugin: Plugin, count: int) -> dict[str, object]:
    """Ask for the plugin's version this many times: what starting it costs before it does anything."""
    nowhere = Pod("version", -1)
    return {"version_ms": [plugin.call("VERSION", nowhere) for _ in range(count)]}


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
