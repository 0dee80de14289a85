"""What every kernel port does with an object, whatever kind it is: one function a verb.

What lives here: ``VERBS``. What it must not know: which kinds there are (``kernel_contract.CASES``).
"""

import errno
from collections.abc import Callable

from kernel_contract import Case, Harness
from octet.blueprint import Blueprint, Change, Daemon, KernelObject, Neighbour, Sysctl, nft
from octet.kernel.reconcile import prune


def _add(harness: Harness, *items: KernelObject) -> None:
    outcome = harness.kernel.apply(Change(add=items))
    assert outcome.ok, [str(failure) for failure in outcome.failed]


def _present(harness: Harness, case: Case) -> None:
    _add(harness, *case.base, case.item)


def adds(harness: Harness, case: Case) -> None:
    """What is added is there, and reads back as it was wanted."""
    assert not harness.shows(case, case.shown[1]) or case.kind is Sysctl
    _present(harness, case)
    assert harness.shows(case, case.shown[1])
    wanted = Blueprint([*case.base, case.item])
    assert wanted.change_from(harness.kernel.read(wanted)).add == ()
    assert wanted.change_from(harness.kernel.read(wanted)).alter == ()


def adds_again(harness: Harness, case: Case) -> None:
    """Adding what is there exactly is done, and changes nothing."""
    _present(harness, case)
    outcome = harness.kernel.apply(Change(add=(case.item,)))
    assert (outcome.done, outcome.failed) == ((case.item,), ())
    assert harness.shows(case, case.shown[1])


def alters(harness: Harness, case: Case) -> None:
    """What is altered becomes the new value; reconciling twice does no more."""
    if case.altered is None:
        assert case.kind in {Neighbour, nft.Table, Daemon}, "only what is all key can't be altered"
        return
    _present(harness, case)
    outcome = harness.kernel.apply(Change(alter=((case.item, case.altered),)))
    assert outcome.ok, [str(failure) for failure in outcome.failed]
    assert harness.shows(case, case.shown_altered)
    wanted = Blueprint([*case.base, case.altered])
    assert wanted.change_from(harness.kernel.read(wanted)).alter == ()


def removes(harness: Harness, case: Case) -> None:
    """What is removed is gone for everybody, at the latest after reaping."""
    _present(harness, case)
    outcome = harness.kernel.apply(Change(remove=(case.item,)))
    harness.kernel.reap()
    assert (outcome.done, outcome.failed) == ((case.item,), ())
    assert not harness.shows(case, case.shown[1])


def removes_again(harness: Harness, case: Case) -> None:
    """Removing what is absent is done."""
    _add(harness, *case.base)
    outcome = harness.kernel.apply(Change(remove=(case.item,)))
    assert (outcome.done, outcome.failed) == ((case.item,), ())


def prunes(harness: Harness, case: Case) -> None:
    """Pruning removes what is ours and no longer wanted; a setting stays until it is removed by name."""
    _present(harness, case)
    outcome = prune(harness.kernel, Blueprint(case.base))
    harness.kernel.reap()
    assert outcome.ok, [str(failure) for failure in outcome.failed]
    assert harness.shows(case, case.shown[1]) is (case.kind is Sysctl)


def respects(harness: Harness, case: Case) -> None:
    """What is somebody else's is never taken, altered, listed or removed."""
    if not case.foreign:
        return
    _add(harness, *case.base)
    harness.plant(case)
    outcome = harness.kernel.apply(Change(add=(case.item,)))
    assert [failure.errno for failure in outcome.failed] == [errno.EEXIST]
    assert case.item.key not in harness.kernel.read(Blueprint([case.item]))
    if case.kind is not Neighbour:
        harness.kernel.apply(Change(remove=(case.item,)))
    assert not harness.shows(case, case.shown[1])
    harness.uproot(case)


def is_orphaned(harness: Harness, case: Case) -> None:
    """Without the link it is on, the kernel refuses it with its usual error; removing it is done."""
    if not case.orphan:
        return
    outcome = harness.kernel.apply(Change(add=(case.item,)))
    assert [failure.errno for failure in outcome.failed] == [case.orphan]
    assert harness.kernel.apply(Change(remove=(case.item,))).ok


Verb = Callable[[Harness, Case], None]
VERBS: tuple[Verb, ...] = (adds, adds_again, alters, removes, removes_again, prunes, respects, is_orphaned)
"""Everything that a port does with an object."""
