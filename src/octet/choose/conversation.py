"""Which question is worth asking next, what an answer has done, and which improvements matter most.

What lives here: pure answers for whoever asks one question after another.
What it must not know: terminals.
"""

from collections.abc import Sequence

from octet.choose.alternatives import trials_of
from octet.choose.criteria import CRITERIA, Criterion, rank_order_centroid
from octet.choose.facts import Facts
from octet.choose.figures import Figures
from octet.choose.ranking import Standing, stand
from octet.choose.requirements import Requirements
from octet.errors import BadConfigurationError


def standing(requirements: Requirements, facts: Facts) -> Standing:
    """Return the race as facts alone have it, at the usual weights."""
    return stand(requirements, facts, Figures(), None)


def matters(field: str, requirements: Requirements, facts: Facts) -> bool:
    """Tell whether some answer rules out, doubts or lets in who could be the answer, or changes it."""
    now = standing(requirements, facts)
    alive = {option.name for option in now.race}
    return any(
        trial.standing.first != now.first
        or _frees(now, trial.standing)
        or alive & (trial.standing.out | trial.standing.doubted)
        for trial in trials_of(field, requirements, facts, lambda other: standing(other, facts))
        if trial.answer is not None and not alive <= {trial.answer}
    )


def _frees(now: Standing, then: Standing) -> bool:
    """Tell whether somebody who was out or in doubt no longer is."""
    return bool((now.out | now.doubted) - then.out - then.doubted)


def told(before: Requirements, after: Requirements, facts: Facts) -> str:
    """Return what an answer has done, in a line."""
    was, now = standing(before, facts), standing(after, facts)
    titles = [now.options[name].provider.title for name in sorted(now.out - was.out)]
    kept = len(now.options) - len(now.out)
    out = f"out: {', '.join(titles)}; " if titles else ""
    doubts = f", {len(now.doubted)} of them to verify first" if now.doubted else ""
    return f"{out}{kept} left{doubts}"


def swings(requirements: Requirements, facts: Facts, figures: Figures) -> tuple[Criterion, ...]:
    """Return the criteria that rank who is left, in their usual order; none where nobody is to be ranked."""
    now = stand(requirements, facts, figures, None)
    if len(now.race) < 2 or len(now.weights) < 2:
        return ()
    return tuple(criterion for criterion in CRITERIA if criterion.id in now.weights)


def ordered(text: str, names: Sequence[str]) -> dict[str, float] | None:
    """Return the weights of an order given as numbers from 1; what isn't named follows in its usual order.

    None where nothing was said.

    Raises:
        BadConfigurationError: a part is no number of the list, or is there twice.
    """
    parts = [part.strip() for part in text.replace(">", ",").split(",") if part.strip() not in {"", "?"}]
    if not parts:
        return None
    for part in parts:
        if not (part.isdecimal() and 1 <= int(part) <= len(names)) or parts.count(part) > 1:
            hint = f"numbers from 1 to {len(names)}, each once, as 2,1"
            raise BadConfigurationError(
                "answer", "order", part, "is none of them, or is there twice", hint=hint
            )
    first = [names[int(part) - 1] for part in parts]
    return rank_order_centroid([*first, *(name for name in names if name not in first)])
