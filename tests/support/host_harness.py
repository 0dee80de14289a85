"""The real kernel as the contract of the port sees it: one namespace, and the programs that look at it.

What lives here: ``HostHarness``. What it must not know: the cases, the verbs.
"""

import subprocess

from kernel_contract import Case
from octet.kernel import namespaces
from octet.kernel.port import Kernel


class HostHarness:
    """One namespace and the programs that look at it."""

    def __init__(self, kernel: Kernel, namespace: int) -> None:
        self.kernel = kernel
        self._namespace = namespace

    def _run(self, command: str, *, check: bool) -> str:
        with namespaces.inside(self._namespace):
            return subprocess.run(command.split(), check=check, capture_output=True, text=True).stdout

    def shows(self, case: Case, text: str) -> bool:
        """Ask the program; it fails where there is nothing to show."""
        said = self._run(case.shown[0], check=False)
        return " ".join(text.split()) in " ".join(said.split())

    def plant(self, case: Case) -> None:
        """Let the program put something of its own there."""
        self._run(case.foreign, check=True)

    def uproot(self, case: Case) -> None:
        """Let the program take it away."""
        self._run(case.undo, check=True)
