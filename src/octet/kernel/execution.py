"""Carrying out a plan with a list of facilities: the same for the real kernel and the fake.

What lives here: reading and changing through every facility in turn. What it must not know: any facility.
"""

import errno
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from octet.blueprint import Blueprint, Change, Link
from octet.kernel.facility import Facility
from octet.kernel.plan import part_of, plan
from octet.kernel.port import Failure, Outcome


def read(facilities: Sequence[Facility], wanted: Blueprint) -> Blueprint:
    """Return what all of them hold of ours."""
    return Blueprint(item for facility in facilities for item in facility.read(wanted))


def carry_out(change: Change, facilities: Sequence[Facility]) -> Outcome:
    """Let each facility do its part in the planned order; no refusal stops the rest."""
    steps = plan(change, facilities)
    done = list(steps.gone)
    failed = [Failure(item, errno.EOPNOTSUPP, f"no facility knows {item}") for item in steps.unknown]
    taken: set[str] = set()
    for stage in steps.stages:
        part, spared = _spare(stage.change, taken)
        outcome = _attempt(stage.facility, part) if part else Outcome()
        done += outcome.done
        failed += [*outcome.failed, *spared]
        taken |= set(_taken(outcome.failed))
    return Outcome(tuple(done), tuple(failed))


def _taken(failures: Iterable[Failure]) -> Iterator[str]:
    """Yield the names of links in whose places somebody else's are."""
    for failure in failures:
        if isinstance(failure.item, Link) and failure.errno == errno.EEXIST:
            yield failure.item.name


def _spare(change: Change, taken: AbstractSet[str]) -> tuple[Change, list[Failure]]:
    """Leave alone the settings of somebody else's links; return what is left to do, and those as failed."""
    if not taken:
        return change, []
    wanted = (*change.add, *(new for _, new in change.alter))
    spared = [Failure(item, errno.EEXIST, "its link is not ours") for item in wanted if part_of(item, taken)]
    left = Change(
        tuple(item for item in change.add if not part_of(item, taken)),
        tuple(pair for pair in change.alter if not part_of(pair[1], taken)),
        change.remove,
    )
    return left, spared


def _attempt(facility: Facility, change: Change) -> Outcome:
    """Let a facility try; when it breaks down midway, nothing of its part can be vouched for."""
    try:
        return facility.apply(change)
    except OSError as error:
        items = (*change.add, *(new for _, new in change.alter), *change.remove)
        reason = f"{error.strerror}: what is true now is not known"
        return Outcome(failed=tuple(Failure(item, error.errno or errno.EIO, reason) for item in items))
