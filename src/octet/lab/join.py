"""A program run inside a lab by a client: in the namespaces of a node or pod, on the client's own terminal.

What lives here: entering, starting, passing on signals, the exit code. What it must not know: labs, names.

The program is a child of the client, so that terminal, standard streams, signals and exit code are the
client's own, and it is in the lab's PID namespace, so that it ends with the lab. Also ``python -I -m
octet.lab.join USER MNT PID NET COMMAND...`` with four inherited descriptors, for callers with threads.
"""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from octet.kernel import namespaces
from octet.lab import mounts

NOT_EXECUTABLE, NOT_FOUND = 126, 127
"""Exit codes of a shell for a program it can't start (POSIX.1-2017, XCU 2.8.2)."""

_PR_SET_PDEATHSIG = 1
_SI_KERNEL = 0x80
_PASSED_ON = frozenset({
    signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP,
    signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGCONT,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Doors:
    """Open descriptors of the namespaces to enter."""

    user: int
    mnt: int
    pid: int
    net: int

    def close(self) -> None:
        """Close all."""
        for descriptor in (self.user, self.mnt, self.pid, self.net):
            os.close(descriptor)


def run(doors: Doors, command: Sequence[str]) -> int:
    """Run a program inside and return its exit code, 128 + N if signal N ended it.

    The calling process, which must have one thread, is in the lab afterwards: it should only exit.

    Raises:
        OSError: a namespace can't be entered.
    """
    where = _directory()
    _enter(doors)
    signal.pthread_sigmask(signal.SIG_BLOCK, [*_PASSED_ON, signal.SIGCHLD])
    child = os.fork()
    if child == 0:
        _become(command, where)
    return _accompany(child)


def _directory() -> Path:
    """Return where the caller is, to be there again after the mounts have changed."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path("/")


def _enter(doors: Doors) -> None:
    status = Path("/proc/self/ns/user").stat()
    if (status.st_dev, status.st_ino) != namespaces.identity(doors.user):
        namespaces.setns(doors.user, namespaces.CLONE_NEWUSER)
    namespaces.setns(doors.net, namespaces.CLONE_NEWNET)
    namespaces.setns(doors.mnt, namespaces.CLONE_NEWNS)
    namespaces.setns(doors.pid, namespaces.CLONE_NEWPID)


def _become(command: Sequence[str], where: Path) -> NoReturn:
    """In the child: be the program, with a /sys of this network namespace, and no longer than the client."""
    code = NOT_EXECUTABLE
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        namespaces.unshare(namespaces.CLONE_NEWNS)
        with contextlib.suppress(OSError):
            mounts.own_sysfs()
        with contextlib.suppress(OSError):
            os.chdir(where)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.execvp(command[0], list(command))  # noqa: S606 - a list, not a shell: what exec is for
    except OSError as error:
        # A directory of PATH that may not be searched hides nothing: the program is not there.
        hidden = isinstance(error, PermissionError) and "/" not in command[0]
        missing = isinstance(error, FileNotFoundError) or hidden
        code = NOT_FOUND if missing else NOT_EXECUTABLE
        _say(f"{command[0]}: {'not found' if missing else error.strerror}")
    finally:
        os._exit(code)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _accompany(child: int) -> int:
    """Pass signals on to the child, stop when it stops, and return its exit code when it ends."""
    while True:
        held = signal.sigwaitinfo([*_PASSED_ON, signal.SIGCHLD])
        if held.si_signo == signal.SIGCHLD:
            code = _collect(child)
            if code is not None:
                return code
        elif held.si_code != _SI_KERNEL:
            # What the terminal sends, it sends to the child as well.
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, held.si_signo)


def _collect(child: int) -> int | None:
    """Return the child's exit code if it ended; stop with it if it stopped (Ctrl-Z)."""
    ended, status = os.waitpid(child, os.WUNTRACED | os.WNOHANG)
    if ended != child:
        return None
    if os.WIFSTOPPED(status):
        os.kill(os.getpid(), signal.SIGSTOP)
        os.kill(child, signal.SIGCONT)
        return None
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def enter(doors: Doors, command: Sequence[str]) -> int:
    """Do as ``run``, and say on stderr what was refused instead of raising."""
    try:
        return run(doors, command)
    except OSError as error:
        # In a PID namespace whose first process has ended, fork(2) says ENOMEM.
        _say(f"cannot enter the lab, it may have ended: {error.strerror}")
        return NOT_EXECUTABLE


def main() -> int:
    """Run as a program: four descriptors and a command."""
    user, mnt, pid, net = (int(number) for number in sys.argv[1:5])
    return enter(Doors(user, mnt, pid, net), sys.argv[5:])


if __name__ == "__main__":
    sys.exit(main())
