"""The real kernel keeps the contract of the port, judged by ip, bridge, tc, sysctl and nft."""

from collections.abc import Iterator

import pytest

from host_harness import HostHarness
from kernel_contract import CASES, DAEMONS, Case
from kernel_verbs import VERBS, Verb
from octet.blueprint import Blueprint
from octet.kernel.daemons import hosted
from octet.kernel.host import HostKernel
from octet.kernel.reconcile import make_gone, prune

pytestmark = pytest.mark.kernel


@pytest.fixture
def home(node_ns: int) -> Iterator[HostKernel]:
    """The kernel of a node."""
    with hosted(DAEMONS, node_ns) as daemons, HostKernel(node_ns, daemons=daemons) as kernel:
        yield kernel


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__)
@pytest.mark.parametrize("case", [case for case in CASES if not case.feature], ids=str)
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
