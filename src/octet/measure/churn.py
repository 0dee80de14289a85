"""Attach and detach many pods on one node, one at a time or all at once; run inside the node by ``bench``.

What lives here: the program ``python -m octet.measure.churn``. What it must not know: who makes the network.
It drives the plugins as a container runtime does, so the times include the start of every process.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from octet.cni.runtime import Runtime
from octet.kernel import namespaces

INTERFACE = "eth0"


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that is only an empty network namespace, held open by this process."""

    container: str
    descriptor: int

    @property
    def path(self) -> str:
        """What a runtime would pass as CNI_NETNS."""
        return f"/proc/{os.getpid()}/fd/{self.descriptor}"


def timed(work: Callable[[], object]) -> float:
    """Return the milliseconds that a call takes."""
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1000


def churn(runtime: Runtime, count: int, *, at_once: bool) -> dict[str, object]:
    """Attach and detach this many pods; return each one's milliseconds and those of all together.

    Raises OctetError when an attachment or detachment fails.
    """
    pods = [Pod(os.urandom(16).hex(), namespaces.create()) for _ in range(count)]

    def add(pod: Pod) -> float:
        return timed(lambda: runtime.add(pod.container, pod.path, INTERFACE))

    def delete(pod: Pod) -> float:
        return timed(lambda: runtime.delete(pod.container, pod.path, INTERFACE))

    try:
        with ThreadPoolExecutor(count if at_once else 1) as pool:
            added, add_all = _spread(pool, add, pods)
            deleted, delete_all = _spread(pool, delete, pods)
    finally:
        for pod in pods:
            os.close(pod.descriptor)
    return {"add_ms": added, "add_all_ms": add_all, "delete_ms": deleted, "delete_all_ms": delete_all}


def _spread(
    pool: ThreadPoolExecutor, work: Callable[[Pod], float], pods: Sequence[Pod]
) -> tuple[list[float], float]:
    each: list[float] = []
    whole = timed(lambda: each.extend(pool.map(work, pods)))
    return each, whole


def main(mode: str, count: str, configuration: str, cache: str, *plugins: str) -> None:
    """Run ``single`` or ``burst`` with this many pods; print the times as JSON."""
    runtime = Runtime(Path(configuration), list(plugins), cache=Path(cache))
    sys.stdout.write(json.dumps(churn(runtime, int(count), at_once=mode == "burst")))


if __name__ == "__main__":
    main(*sys.argv[1:])
