"""Three verbs are enough: make so, make gone, and prune with the whole desired set in hand.

What lives here: read, compare, apply, until nothing differs. What it must not know: any kernel's insides.
"""

import errno

from octet.blueprint import Blueprint, Change, KernelObject
from octet.kernel.port import Failure, Kernel, Outcome

PASSES = 3
"""A link made anew takes what was on it away, and some refusals pass: the next pass mends both."""


def make_so(kernel: Kernel, wanted: Blueprint) -> Outcome:
    """Make everything wanted true and leave the rest alone; what is true already is not touched."""
    return _settle(kernel, wanted, pruning=False)


def make_gone(kernel: Kernel, unwanted: Blueprint) -> Outcome:
    """Remove these; absence is success."""
    return kernel.apply(Blueprint().change_from(unwanted))


def prune(kernel: Kernel, wanted: Blueprint) -> Outcome:
    """Make the namespace hold exactly what is wanted, of what is ours: the rest of it is removed."""
    return _settle(kernel, wanted, pruning=True)


def compare(kernel: Kernel, wanted: Blueprint, *, pruning: bool) -> Change:
    """Return what separates the namespace from what is wanted; without pruning, nothing to remove."""
    change = wanted.change_from(kernel.read(wanted))
    return change if pruning else Change(change.add, change.alter)


def _settle(kernel: Kernel, wanted: Blueprint, *, pruning: bool) -> Outcome:
    """Compare and apply until nothing differs, at most PASSES times."""
    done: dict[KernelObject, None] = {}
    outcome = Outcome()
    for _ in range(PASSES):
        change = compare(kernel, wanted, pruning=pruning)
        if not change:
            break
        outcome = kernel.apply(change)
        done |= dict.fromkeys(outcome.done)
    else:
        change = compare(kernel, wanted, pruning=pruning)
    return _verdict(done, outcome, change)


def _verdict(done: dict[KernelObject, None], last: Outcome, change: Change) -> Outcome:
    """Say what is true: what still differs has failed, even where the kernel took it without a word."""
    refused = {failure.item: failure for failure in last.failed}
    differing = (*change.add, *(new for _, new in change.alter), *change.remove)
    silent = "the kernel accepted it, and still it is not so"
    failed = tuple(refused.get(item) or Failure(item, errno.EIO, silent) for item in differing)
    return Outcome(tuple(item for item in done if item not in set(differing)), failed)
