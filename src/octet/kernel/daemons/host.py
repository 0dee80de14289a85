"""The daemons of a real node: the facility over real processes and the kernel's routing tables.

What lives here: ``hosted``. What it must not know: which daemons there are.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from octet.blueprint import Secret
from octet.kernel.daemons.facility import Daemons
from octet.kernel.daemons.processes import HostProcesses
from octet.kernel.daemons.routes import KernelRoutes


def _none(_secret: Secret) -> None:
    """Know no secret."""


@contextmanager
def hosted(
    root: Path, namespace: int | None = None, secrets: Callable[[Secret], str | None] = _none
) -> Iterator[Daemons]:
    """Lend the facility of a network namespace (by descriptor; None is the calling thread's).

    Daemons that run when the block ends go on running.

    Args:
        root: the directory of all daemons' directories.
        namespace: where daemons run, and whose routes are theirs.
        secrets: returns a secret's text, None while it is not known.
    """
    with closing(HostProcesses(namespace)) as processes, closing(KernelRoutes(namespace)) as routes:
        daemons = Daemons(root, processes, routes, secrets)
        try:
            yield daemons
        finally:
            daemons.forget()
