"""Daemons of a node and the files they read: checked before use, told of changes, kept running.

What lives here: the facility for ``Daemon`` and ``ConfigFile`` objects, the supervisor behind it, the port to
processes with its fake. What it must not know: what a configuration means, who wants a daemon.
"""

from octet.kernel.daemons import bird
from octet.kernel.daemons.facility import Daemons
from octet.kernel.daemons.host import hosted
from octet.kernel.daemons.port import Finished, Process, Processes, Reply

__all__ = ["Daemons", "Finished", "Process", "Processes", "Reply", "absent", "hosted"]


def absent(program: str) -> str:
    """Return what to install where a kind of daemon cannot run here; empty where it can."""
    if program != bird.PROGRAM:
        return f"there is no kind of daemon called {program}"
    return bird.missing()
