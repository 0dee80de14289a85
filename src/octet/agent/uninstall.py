"""Remove exactly our traces from this node: what the kernel holds of ours, and the run directory's files.

What lives here: the way out. What it must not know: models; what is ours is known by our marks.
"""

import shutil
from pathlib import Path

from octet.agent.cutting import heal
from octet.agent.main import lock
from octet.blueprint import Blueprint, Change, KernelObject, Key, Sysctl
from octet.kernel.daemons import hosted
from octet.kernel.host import HostKernel
from octet.kernel.port import Outcome
from octet.kernel.sysctl import Memory

FILES = (
    "cni.sock",
    "health.sock",
    "journal.db",
    "journal.db-wal",
    "journal.db-shm",
    "sysctl.json",
    "fou.json",
    "sysctl.new",
    "subnet.env",
    "agent.lock",
)
"""What an agent keeps in its run directory."""

PASSES = 3


def uninstall(run: Path) -> Outcome:
    """Take everything of ours out of the calling thread's namespace; running pods lose their network.

    Returns:
        All that is gone, and what the last pass could not remove.

    Raises:
        OctetError: the agent still runs.
        OSError: connections that were cut could not be healed.
    """
    lock(run)
    memory = run / "sysctl.json"
    settings = tuple(Sysctl(path, "") for path in Memory(memory).paths())
    gone: dict[Key, KernelObject] = {}
    outcome = Outcome()
    with hosted(run / "daemons") as daemons, HostKernel(memory=memory, daemons=daemons) as kernel:
        for _ in range(PASSES):
            held = tuple(kernel.read(Blueprint()))
            outcome = kernel.apply(Change(remove=(*held, *settings)))
            kernel.reap()
            gone.update((item.key, item) for item in outcome.done)
            if not held:
                break
    heal()
    if outcome.ok:
        _forget(run)
    return Outcome(tuple(gone.values()), outcome.failed)


def _forget(run: Path) -> None:
    for name in FILES:
        (run / name).unlink(missing_ok=True)
    for place in (run / "pending", *run.glob(".*.sock.*")):
        shutil.rmtree(place, ignore_errors=True)
    if not any(run.iterdir()):
        run.rmdir()
