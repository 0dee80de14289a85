"""A lab's outermost process: waits for the lab to end, however it ends, and removes its registry entry.

What lives here: the chain janitor, first process, supervisor; what each does when another is killed.
What it must not know: what the supervisor does.

``python -m octet.lab.janitor ENTRY LOCK`` with the client's socket as stdin. Killed janitor: the supervisor
reads the end of a pipe, removes the entry and ends. Killed supervisor: the first process ends, so all end,
and the janitor removes the entry. Both killed, or the client before there is a janitor: the lock is free and
the next command sweeps.
"""

import contextlib
import os
import shutil
import socket
import sys
from pathlib import Path

from octet.errors import OctetError
from octet.lab import protocol, sandbox
from octet.lab.registry import LOGS, Entry, Registry

LOG = f"{LOGS}/lab.log"


def main() -> int:
    """Run a lab from its entry to its end; return the exit code."""
    # Nobody's child: a client that lives on has nothing to wait for.
    if os.fork():
        os._exit(0)
    entry = Entry(Path(sys.argv[1]))
    client = socket.socket(fileno=os.dup(0))
    watched, held = os.pipe()
    _quiet(entry)
    try:
        sandbox.separate()
        first = os.fork()
    except OctetError as error:
        _tell(client, error)
        remove(entry)
        return 1
    if first == 0:
        os.close(held)
        _inside(entry, client, watched)
    os.close(watched)
    _, status = os.waitpid(first, 0)
    remove(entry)
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        _tell(client, OctetError(f"the lab's supervisor ended with {code}"))
    return code


def remove(entry: Entry) -> None:
    """Remove a lab's directory, and the registry's if it was the last."""
    shutil.rmtree(entry.path, ignore_errors=True)
    Registry(entry.path.parent).tidy()


def _inside(entry: Entry, client: socket.socket, watched: int) -> None:
    """Be the first process of the PID namespace, with the supervisor as its child."""
    code = 1
    try:
        # Before the walls: from inside, the entry's path may be covered.
        parent = os.open(entry.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        sandbox.wall(entry.path)
        supervisor = os.fork()
        if supervisor:
            client.close()
            sandbox.bury(supervisor)
        from octet.lab.supervisor import supervise

        code = supervise(client, watched, lambda: _remove_from_inside(parent, entry.name))
    except OctetError as error:
        _tell(client, error)
    finally:
        sys.stderr.flush()
        os._exit(code)


def _remove_from_inside(parent: int, name: str) -> None:
    shutil.rmtree(name, ignore_errors=True, dir_fd=parent)


def _tell(client: socket.socket, error: Exception) -> None:
    with contextlib.suppress(OSError):
        client.sendall(protocol.encode(protocol.Answer(error=protocol.pack(error))))


def _quiet(entry: Entry) -> None:
    """Let go of the terminal: stdin from nowhere, everything said goes to the lab's own log."""
    with Path(os.devnull).open() as nowhere, (entry.path / LOG).open("ab") as log:
        os.dup2(nowhere.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)


if __name__ == "__main__":
    sys.exit(main())
