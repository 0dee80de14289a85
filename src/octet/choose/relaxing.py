"""What to give up when every provider is ruled out.

What lives here: the smallest sets of constraints whose absence brings somebody back.
What it must not know: which of them an operator could do without.
"""

from collections.abc import Sequence

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
    titles = ", ".join(option.provider.title for option in back)
    fields = sorted({field for finding in findings for field in finding.fields})
    return Relaxation(
        constraints=tuple(finding.constraint for finding in findings),
        providers=tuple(option.name for option in back),
        text=f"{' and '.join(fields)}: then {titles} can be used",
    )
