"""Real processes: started in a network namespace, watched through pidfds, asked through Unix sockets.

What lives here: ``HostProcesses``. What it must not know: which programs there are, when they should run.
"""

import os
import select
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from octet.kernel import namespaces
from octet.kernel.daemons.port import SEARCHED, Finished, Line, Reply

_LIMIT = 16 << 20  # bytes of one answer
_PEER = struct.Struct("=iII")  # unix(7), SO_PEERCRED: pid, uid, gid
_PLACE = {"PATH": SEARCHED, "LC_ALL": "C", "TZ": "UTC"}


class Found:
    """A process that we did not start, watched through a pidfd (pidfd_open(2))."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._watch = os.pidfd_open(pid)

    def ended(self) -> str:
        """Return that it ended; how, only its parent could tell."""
        return "ended" if self.wait(0) else ""

    def wait(self, seconds: float) -> bool:
        """Wait for its end."""
        if self._watch < 0:
            return True
        return bool(select.select([self._watch], [], [], seconds)[0])

    def kill(self) -> None:
        """End it at once."""
        if self._watch >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._watch, signal.SIGKILL)
            self.wait(5)

    def forget(self) -> None:
        """Close the pidfd."""
        if self._watch >= 0:
            os.close(self._watch)
            self._watch = -1


class Started:
    """A child of ours."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self.pid = child.pid

    def ended(self) -> str:
        """Return its exit code or signal in words."""
        code = self._child.poll()
        if code is None:
            return ""
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def wait(self, seconds: float) -> bool:
        """Wait for its end."""
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(seconds)
        return self._child.returncode is not None

    def kill(self) -> None:
        """End it at once."""
        self._child.kill()
        self._child.wait()

    def forget(self) -> None:
        """Leave it; Python must not wait for it at its own end."""
        if self._child.poll() is None:
            self._child.returncode = 0


class HostProcesses:
    """``port.Processes`` of a namespace, by descriptor (not closed here), or of the calling thread's."""

    def __init__(self, namespace: int | None = None) -> None:
        self._namespace = namespaces.held(namespace)

    def run(self, command: Sequence[str], directory: Path, seconds: float) -> Finished:
        """Run to the end, as ``port.Processes.run``."""
        with namespaces.inside(self._namespace):
            child = subprocess.Popen(
                command,
                cwd=directory,
                env=_PLACE,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        with child:
            try:
                output, _ = child.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                child.kill()
                raise TimeoutError(f"{command[0]} did not end within {seconds:g} s") from None
        return Finished(child.returncode, output.decode(errors="replace"))

    def start(self, command: Sequence[str], directory: Path, last_words: Path) -> Started:
        """Start and leave running, as ``port.Processes.start``."""
        flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
        said = os.open(last_words, flags, 0o600)
        try:
            with namespaces.inside(self._namespace):
                child = subprocess.Popen(
                    command,
                    cwd=directory,
                    env=_PLACE,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    start_new_session=True,  # a Ctrl-C meant for the agent must not cut sessions
                )
        finally:
            os.close(said)
        return Started(child)

    def find(self, control: Path) -> Found | None:
        """Return who listens, as ``port.Processes.find``."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as here:
            here.settimeout(1)
            try:
                _connect(here, control)
            except OSError:
                return None
            pid, _, _ = _PEER.unpack(here.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
        try:
            return Found(pid)
        except ProcessLookupError:
            return None

    def ask(self, control: Path, command: str, seconds: float) -> Reply:
        """Ask and wait for the whole answer, as ``port.Processes.ask``."""
        deadline = time.monotonic() + seconds
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as here:
            here.settimeout(seconds)
            _connect(here, control)
            _whole(here, deadline)
            here.sendall(command.encode() + b"\n")
            return _whole(here, deadline)

    def close(self) -> None:
        """Let go of the namespace; idempotent."""
        if self._namespace >= 0:
            os.close(self._namespace)
            self._namespace = -1


def _connect(here: socket.socket, control: Path) -> None:
    """Connect through the directory's descriptor: a path may be longer than sun_path (unix(7))."""
    directory = os.open(control.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        here.connect(f"/proc/self/fd/{directory}/{control.name}")
    finally:
        os.close(directory)


def _whole(here: socket.socket, deadline: float) -> Reply:
    """Receive one answer up to the line that ends it."""
    held = b""
    while not (held.endswith(b"\n") and (reply := parse(held.decode(errors="replace"))) is not None):
        left = deadline - time.monotonic()
        if left <= 0 or len(held) > _LIMIT:
            raise TimeoutError("the daemon's answer is not whole")
        here.settimeout(left)
        part = here.recv(1 << 16)
        if not part:
            raise ConnectionResetError("the daemon closed its control socket")
        held += part
    return reply


def parse(text: str) -> Reply | None:
    """Return an answer in BIRD's control protocol; None while the line that ends it is missing.

    ``CCCC-text`` continues, `` text`` continues under the same number, ``CCCC text`` ends (BIRD programmer's
    documentation, "Command line interface"); ``+text`` is a message in between.
    """
    lines: list[Line] = []
    code = 0
    for line in text.splitlines():
        if line[:1] in {" ", "+"}:
            lines.append(Line(code, line[1:]))
        elif line[:4].isdecimal() and line[4:5] in {" ", "-", ""}:
            code = int(line[:4])
            lines.append(Line(code, line[5:]))
            if line[4:5] != "-":
                return Reply(tuple(lines))
    return None
