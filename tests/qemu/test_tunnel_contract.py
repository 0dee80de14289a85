"""Tunnels keep the contract of the kernel's port, judged by ip: in a kernel that has them."""

from collections.abc import Iterator

import pytest

from host_harness import HostHarness
from kernel_contract import CASES, Case
from kernel_verbs import VERBS
from octet.blueprint import Blueprint
from octet.kernel.host import HostKernel
from octet.kernel.reconcile import make_gone, prune

pytestmark = pytest.mark.qemu


@pytest.fixture
def home(node_ns: int) -> Iterator[HostKernel]:
    """The kernel of a node."""
    with HostKernel(node_ns) as kernel:
        yield kernel


@pytest.mark.parametrize("case", [case for case in CASES if case.feature], ids=str)
def test_the_kernel_keeps_the_contract(case: Case, home: HostKernel, node_ns: int) -> None:
    """Debian's kernel does with each kind of tunnel what the port promises, one verb after the other."""
    for verb in VERBS:
        verb(HostHarness(home, node_ns), case)
        make_gone(home, Blueprint([case.item]))
        prune(home, Blueprint())
