"""The fake keeps the contract of the kernel port, and the contract's table is whole."""

from typing import get_args

import pytest

import octet.blueprint as values
from kernel_contract import CASES, Case
from kernel_verbs import VERBS, Verb
from octet.blueprint import KernelObject, Link, LinkDetail, Secret, Sysctl, nft
from octet.kernel.fake import FakeKernel, World


class FakeHarness:
    """Judges the fake by its own eyes; they are compared with the real kernel's by the same table."""

    def __init__(self, case: Case) -> None:
        self.world = World()
        self.home = FakeKernel(self.world, self.world.create())
        self.kernel = self.home.enter(self.world.create()) if case.in_pod else self.home

    def shows(self, case: Case, text: str) -> bool:
        """Compare with the value that the text stands for."""
        wanted = case.altered if case.altered and text == case.shown_altered else case.item
        if isinstance(wanted, Sysctl):
            return wanted in self.kernel.read(values.Blueprint([wanted])).of(Sysctl)
        return self.kernel.holds(wanted.key) and self.kernel.peek(wanted.key) == wanted

    def plant(self, case: Case) -> None:
        """Put a foreign object of the same key there, of another value where there is one."""
        self.kernel.plant(case.altered or case.item)

    def uproot(self, case: Case) -> None:
        """Delete it behind the kernel's back."""
        self.kernel.delete(case.item.key)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_fake_keeps_the_contract(case: Case, verb: Verb) -> None:
    """The kernel in memory does with each kind of object what the port promises."""
    verb(FakeHarness(case), case)


def test_the_table_has_every_kind() -> None:
    """A kind of kernel object that the contract doesn't know is found here, by name."""
    details = set(get_args(LinkDetail))
    named = {getattr(values, name) for name in values.__all__}
    kinds = {each for each in named if isinstance(each, type) and hasattr(each, "key")}
    wanted = (kinds - {Link, KernelObject, Secret}) | details | set(get_args(nft.NftObject))
    assert wanted - {case.kind for case in CASES} == set()


def test_the_table_has_every_verb_for_every_kind() -> None:
    """A case may decline a verb only where its kind has nothing to show for it."""
    assert len(CASES) * len(VERBS) == len({(case.name, verb.__name__) for case in CASES for verb in VERBS})
    unalterable = {case.kind.__name__ for case in CASES if case.altered is None}
    assert unalterable == {"Neighbour", "Table", "Daemon"}
    on_links = {case.kind.__name__ for case in CASES if case.orphan}
    assert on_links == {"Address", "Route", "Neighbour", "FdbEntry", "Sysctl", "Shaper"}
    contested = {case.kind.__name__ for case in CASES if case.foreign}
    tunnels = {"Vxlan", "Ipip", "Ip6Tunnel", "FouPort"}
    assert contested == tunnels | {"Bridge", "Ifb", "Veth", "Route", "Neighbour"}
