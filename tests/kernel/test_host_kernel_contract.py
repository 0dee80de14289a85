"""The real kernel keeps the contract of the port, judged by ip, bridge, tc, sysctl and nft."""

import subprocess
from collections.abc import Iterator

import pytest

from kernel_contract import CASES, DAEMONS, Case
from kernel_verbs import VERBS, Verb
from octet.blueprint import Blueprint
from octet.kernel import namespaces
from octet.kernel.daemons import hosted
from octet.kernel.host import HostKernel
from octet.kernel.port import Kernel
from octet.kernel.reconcile import make_gone, prune

pytestmark = pytest.mark.kernel


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


@pytest.fixture
def home(node_ns: int) -> Iterator[HostKernel]:
    """The kernel of a node."""
    with hosted(DAEMONS, node_ns) as daemons, HostKernel(node_ns, daemons=daemons) as kernel:
        yield kernel


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_kernel_keeps_the_contract(
    case: Case, verb: Verb, home: HostKernel, node_ns: int, pod_ns: int
) -> None:
    """The real kernel does with each kind of object what the port promises."""
    if case.in_pod:
        with home.enter(pod_ns) as pod:
            verb(HostHarness(pod, pod_ns), case)
    else:
        verb(HostHarness(home, node_ns), case)
    make_gone(home, Blueprint([case.item]))
    prune(home, Blueprint())
    home.reap()
