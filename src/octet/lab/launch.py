"""Starting a lab from a client: entry, janitor, and the steps it reports until it is ready.

What lives here: ``launch``. What it must not know: what the steps do.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from octet.errors import BadConfigurationError, OctetError
from octet.lab import fabrics, protocol
from octet.lab.names import MAX_NODES, Plan, check_lab, node_names
from octet.lab.provider import Octet
from octet.lab.registry import Entry, Registry
from octet.lab.routers import process as routers
from octet.models import find

Report = Callable[[str], None]

GONE_LIMIT = 30.0
"""Seconds to wait for a lab that failed to start to be gone."""


def check(spec: protocol.Spec) -> None:
    """Refuse a lab that can't be, before anything is made. Raises BadConfigurationError."""
    check_lab(spec.name)
    if not 1 <= spec.nodes <= MAX_NODES:
        raise BadConfigurationError("lab", "nodes", spec.nodes, f"outside 1 to {MAX_NODES}")
    made = fabrics.build(spec.fabric, node_names(spec.nodes), Plan.of(spec.family), spec.shape)
    routers.check(made.routers.values())
    if isinstance(spec.provider, Octet):
        find(spec.provider.model)
    path = os.pathsep.join(spec.provider.cni_path)
    for plugin in spec.provider.plugins:
        if shutil.which(plugin, path=path) is None:
            hint = "make setup builds ours; Debian's containernetworking-plugins has the reference ones"
            raise BadConfigurationError("lab", "plugin", plugin, f"not in {path}", hint=hint)


def launch(spec: protocol.Spec, registry: Registry, report: Report) -> tuple[Entry, Any]:
    """Start a lab and wait until it is ready; return its entry and what it says of itself.

    A start that fails, or is interrupted, leaves nothing.

    Raises:
        BadConfigurationError: the lab can't be.
        OctetError: it did not start, and why.
    """
    check(spec)
    entry, lock = registry.reserve(spec.name, protocol.encode(spec))
    ours, theirs = socket.socketpair()
    with ours:
        try:
            try:
                _start(entry, lock, theirs)
            finally:
                theirs.close()
                os.close(lock)
            return entry, _follow(ours, report)
        except BaseException:
            _wait_gone(ours)
            entry.wait_gone(GONE_LIMIT)  # an interrupted start may have no janitor yet
            raise


def _start(entry: Entry, lock: int, client: socket.socket) -> None:
    # Ends at once: what stays is its child.
    subprocess.run(
        [sys.executable, "-m", "octet.lab.janitor", str(entry.path)],
        stdin=client.fileno(),
        pass_fds=[lock],
        start_new_session=True,
        check=True,
    )


def _wait_gone(client: socket.socket) -> None:
    """Tell the lab that nobody waits for it, and wait until its janitor, which ends last, has let go."""
    client.settimeout(GONE_LIMIT)
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_WR)
        while client.recv(1 << 16):
            pass


def _follow(client: socket.socket, report: Report) -> Any:
    with client.makefile("rb") as lines:
        for line in lines:
            answer = protocol.decode_answer(line)
            if answer.error is not None:
                raise protocol.unpack(answer.error)
            if not answer.step:
                return answer.value
            report(answer.step)
    raise OctetError("the lab ended before it was ready")
