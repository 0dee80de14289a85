"""Carrying out a plan with a list of facilities: the same for the real kernel and the fake.

What lives here: reading and changing through every facility in turn. What it must not know: any facility.
"""

import errno
from collections.abc import Sequence

from octet.blueprint import Blueprint, Change
from octet.kernel.facility import Facility
from octet.kernel.plan import plan
from octet.kernel.port import Failure, Outcome


def read(facilities: Sequence[Facility], wanted: Blueprint) -> Blueprint:
    """Return what all of them hold of ours."""
    return Blueprint(item for facility in facilities for item in facility.read(wanted))


def carry_out(change: Change, facilities: Sequence[Facility]) -> Outcome:
    """Let each facility do its part in the planned order; no refusal stops the rest."""
    steps = plan(change, facilities)
    done = list(steps.gone)
    failed = [Failure(item, errno.EOPNOTSUPP, f"no facility knows {item}") for item in steps.unknown]
    for stage in steps.stages:
        outcome = _attempt(stage.facility, stage.change)
        done += outcome.done
        failed += outcome.failed
    return Outcome(tuple(done), tuple(failed))


def _attempt(facility: Facility, change: Change) -> Outcome:
    """Let a facility try; when it breaks down midway, nothing of its part can be vouched for."""
    try:
        return facility.apply(change)
    except OSError as error:
        items = (*change.add, *(new for _, new in change.alter), *change.remove)
        reason = f"{error.strerror}: what is true now is not known"
        return Outcome(failed=tuple(Failure(item, error.errno or errno.EIO, reason) for item in items))
