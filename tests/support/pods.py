"""Empty network namespaces with paths, as a container runtime gives them to a plugin.

What lives here: making and removing them. What it must not know: who attaches them.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from octet.kernel import namespaces


@contextmanager
def pods(root: Path, count: int) -> Iterator[list[str]]:
    """Yield the paths of this many namespaces; they are gone afterwards."""
    paths = [_make(root / f"pod-{number}") for number in range(count)]
    try:
        yield paths
    finally:
        for path in paths:
            subprocess.run(["umount", "-l", path], check=True)


def _make(path: Path) -> str:
    path.touch()
    descriptor = namespaces.create()
    source = f"/proc/self/fd/{descriptor}"
    subprocess.run(["mount", "--bind", source, str(path)], check=True, pass_fds=[descriptor])
    os.close(descriptor)
    return str(path)
