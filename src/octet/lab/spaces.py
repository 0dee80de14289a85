"""Network namespaces of one lab by name, held where ``ip netns`` looks for them.

What lives here: making, naming, opening and removing them, and programs that run inside one.
What it must not know: what is in a namespace. Only ever used inside the lab's own mount namespace.
"""

import contextlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from octet.kernel import namespaces
from octet.lab import mounts

NETNS = Path("/run/netns")
"""iproute2's place of named network namespaces (ip-netns(8))."""


class Spaces:
    """The network namespaces of a lab; each lives until it is removed or the lab ends.

    Agents, pods and clients have mount namespaces of their own, so their place is shared with all of those:
    an agent opens the namespaces of pods that came after it, and ``ip netns add`` of a client stays.
    """

    def __init__(self) -> None:
        self._descriptors: dict[str, int] = {}
        NETNS.mkdir(parents=True, exist_ok=True)
        mounts.share(str(NETNS))

    def __contains__(self, name: object) -> bool:
        return name in self._descriptors

    def create(self, name: str) -> int:
        """Make an empty namespace of this name and return its descriptor, which stays ours."""
        descriptor = namespaces.create()
        path = self.path(name)
        path.touch(mode=0o400, exist_ok=False)
        mounts.bind(f"/proc/self/fd/{descriptor}", str(path))
        self._descriptors[name] = descriptor
        return descriptor

    def remove(self, name: str) -> None:
        """Let go of a namespace: it ends with its last process. Absent is done."""
        descriptor = self._descriptors.pop(name, None)
        if descriptor is None:
            return
        os.close(descriptor)
        with contextlib.suppress(OSError):
            mounts.detach(str(self.path(name)))
        self.path(name).unlink(missing_ok=True)

    def descriptor(self, name: str) -> int:
        """Return the descriptor of a namespace. Raises KeyError."""
        return self._descriptors[name]

    def path(self, name: str) -> Path:
        """Return the path that a container runtime would put into CNI_NETNS."""
        return NETNS / name

    def start(
        self, name: str, command: Sequence[str], output: IO[bytes], room: int | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program inside, in a session of its own; all it says goes to a file.

        Args:
            name: of the namespace.
            command: program and arguments.
            output: an open file.
            room: descriptor of a mount namespace; left out, as ``ip netns exec``, which is what an operator
                would type, and gives the program a /sys of its own.
        """
        head = ["ip", "netns", "exec", name]
        if room is not None:
            head = ["nsenter", f"--mount=/proc/self/fd/{room}", f"--net={self.path(name)}", "--"]
        return subprocess.Popen(
            [*head, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
            pass_fds=() if room is None else (room,),
        )
