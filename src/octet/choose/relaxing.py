"""What to give up when every provider is ruled out.

What lives here: the smallest sets of constraints whose absence brings somebody back.
What it must not know: which of them an operator could do without.
"""

from collections.abc import Iterator, Sequence

from octet.choose.decision import Relaxation
from octet.choose.ranking import Option


def relaxations(options: Sequence[Option]) -> tuple[Relaxation, ...]:
    """Return the smallest sets of constraints that, given up, bring somebody back; the smallest first.

    A set that holds another one is left out: giving up less does for somebody.
    """
    sets = {frozenset(finding.constraint for finding in option.out) for option in options}
    smallest = [held for held in sets if not any(other < held for other in sets)]
    return tuple(
        _relaxation(held, options) for held in sorted(smallest, key=lambda held: (len(held), sorted(held)))
    )


def _relaxation(held: frozenset[str], options: Sequence[Option]) -> Relaxation:
    back = [option for option in options if {finding.constraint for finding in option.out} == held]
    findings = back[0].out if back else ()
    titles = [f'"{finding.title}"' for finding in findings]
    return Relaxation(
        constraints=tuple(finding.constraint for finding in findings),
        providers=tuple(option.name for option in back),
        text=f"{' and '.join(titles)}: then {'; '.join(_usable(back, held))}",
        doubts={option.name: doubts for option in back if (doubts := _doubts(option, held))},
    )


def _doubts(option: Option, given_up: frozenset[str]) -> tuple[str, ...]:
    return tuple(each.constraint for each in option.doubts if each.constraint not in given_up)


def _usable(back: Sequence[Option], given_up: frozenset[str]) -> Iterator[str]:
    """Yield who can be used then, and of whom something must be verified before."""
    sure = [option.provider.title for option in back if not _doubts(option, given_up)]
    if sure:
        yield f"{', '.join(sure)} can be used"
    for option in back:
        doubts = _doubts(option, given_up)
        if doubts:
            yield f"{option.provider.title} only if verified first: {', '.join(doubts)}"
