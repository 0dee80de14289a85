"""The walls of a lab: its own user (if needed), network, mount and PID namespaces, and their first process.

What lives here: entering new namespaces, and the first process there, which only buries the others.
What it must not know: what runs inside. When the first process ends the kernel ends all of them, and with
the last process every link, namespace and mount.
"""

import os
import signal
from pathlib import Path
from typing import NoReturn

from octet.errors import OctetError
from octet.kernel import namespaces
from octet.lab import mounts

_HINT = (
    "run as root, or allow user namespaces (sysctl user.max_user_namespaces, "
    "kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0), "
    "and in a container leave its /proc unmasked"
)


def separate() -> None:
    """Put the children of this process into new PID and, for an ordinary user, user namespaces.

    The process itself keeps its mounts, network and process ids.

    Raises:
        OctetError: the machine refuses.
    """
    try:
        namespaces.unshare(namespaces.CLONE_NEWPID)
    except PermissionError:
        _with_user()
    except OSError as error:
        raise _refused(error) from error


def _with_user() -> None:
    user, group = os.geteuid(), os.getegid()
    try:
        namespaces.unshare(namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWPID)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    except OSError as error:
        raise _refused(error) from error


def _refused(error: OSError) -> OctetError:
    why = f"{error.strerror} {error.filename or ''}".strip()
    return OctetError(f"this machine does not let user {os.geteuid()} make namespaces: {why}", hint=_HINT)


def wall(directory: Path) -> None:
    """Give this process, the first of its PID namespace, new network and furnished mount namespaces.

    Args:
        directory: the lab's own, which stays visible inside as /run/lab.

    Raises:
        OctetError: the machine refuses, saying which mount.
    """
    try:
        namespaces.unshare(namespaces.CLONE_NEWNET | namespaces.CLONE_NEWNS)
        mounts.furnish(directory)
    except OSError as error:
        raise _refused(error) from error


def bury(supervisor: int) -> NoReturn:
    """Be the first process: collect every child that ends, and end with the supervisor, as it ended."""
    # A terminal's Ctrl-C is for clients; the first process ends when the supervisor does.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        child, status = os.wait()
        if child == supervisor:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)
