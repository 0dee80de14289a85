"""Where probes run: two pods and the path between them, however they were made.

What lives here: the port a probe sees, and starting a server until it listens. What it must not know: labs.
"""

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from octet.errors import NotReadyError, OctetError
from octet.measure.machine import pinned

CLIENT_CPU, SERVER_CPU = 0, 1
"""Client and server never share a processor where there are two: unpinned runs spread twice as wide."""

START_LIMIT = 5.0
"""Seconds a server may take until it listens."""

_LISTEN = "0A"  # TCP_LISTEN of include/net/tcp_states.h, as /proc/net/tcp prints it


class Place(Protocol):
    """A pod, or anything else that programs can be started in."""

    def start(self, command: Sequence[str]) -> subprocess.Popen[str]:
        """Start a program there with pipes as stdout and stderr; what starts it execs it (same pid)."""
        ...


@dataclass(frozen=True, slots=True)
class Stretch:
    """The way from one place to another, and the address of the second as the first uses it."""

    client: Place
    server: Place
    address: str


class ProbeFailedError(OctetError):
    """A probe got no figure: packets do not pass, or a tool failed; the message has the tool's own words."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one run of a probe found.

    Attributes:
        values: by Metric.key.
        raw: what the values were computed from, small enough to keep.
    """

    values: Mapping[str, float]
    raw: Mapping[str, object] = field(default_factory=dict)


class Probe(Protocol):
    """One way to measure a path. A new one is a module with a class of this shape and a line in PROBES."""

    @property
    def name(self) -> str:
        """How it is called in results and errors."""
        ...

    def run(self, path: Stretch, seconds: float) -> Reading:
        """Measure for about this long. Raises ProbeFailedError."""
        ...


def ask(place: Place, command: Sequence[str], *, limit: float, cpu: int = CLIENT_CPU) -> str:
    """Run a program to its end on one processor and return its stdout. Raises ProbeFailedError."""
    return finish(begin(place, command, cpu=cpu), command[0], limit=limit)


def begin(place: Place, command: Sequence[str], *, cpu: int = CLIENT_CPU) -> subprocess.Popen[str]:
    """Start a program on one processor; ``finish`` must follow."""
    return place.start(pinned(tuple(command), cpu))


def finish(process: subprocess.Popen[str], name: str, *, limit: float) -> str:
    """Wait for a program's end and return its stdout. Raises ProbeFailedError, also after ``limit`` s."""
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired as late:
        process.kill()
        process.communicate()
        raise ProbeFailedError(f"{name}: no end after {limit:.0f} s") from late
    if process.returncode != 0:
        words = (err or out).strip().splitlines() or ["says nothing"]
        raise ProbeFailedError(f"{name}: exit code {process.returncode}: {words[-1]}")
    return out


@contextmanager
def serving(place: Place, command: Sequence[str], port: int) -> Iterator[None]:
    """Run a server on its own processor until the block ends. Raises ProbeFailedError, NotReadyError."""
    process = place.start(pinned(tuple(command), SERVER_CPU))
    try:
        _wait_until_listening(process, command[0], port)
        yield
    finally:
        process.terminate()
        try:
            process.communicate(timeout=2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _wait_until_listening(process: subprocess.Popen[str], name: str, port: int) -> None:
    end = time.monotonic() + START_LIMIT
    while not _listens(process.pid, port):
        if process.poll() is not None:
            _, err = process.communicate()
            raise ProbeFailedError(f"{name}: the server ended: {err.strip()}")
        if time.monotonic() > end:
            raise NotReadyError(f"{name}: not listening on port {port} after {START_LIMIT:.0f} s")
        time.sleep(0.005)


def _listens(pid: int, port: int) -> bool:
    """Tell whether anything listens on the port in the process's namespace, without connecting to it."""
    for table in ("tcp", "tcp6"):
        try:
            text = Path(f"/proc/{pid}/net/{table}").read_text()
        except OSError:
            return False
        if listening(text, port):
            return True
    return False


def listening(table: str, port: int) -> bool:
    """Tell whether a /proc/net/tcp table has a listener on this port (proc(5): local address, state)."""
    rows = (line.split() for line in table.splitlines()[1:])
    return any(row[3] == _LISTEN and int(row[1].rpartition(":")[2], 16) == port for row in rows)
