"""Which question is worth asking next, and what an answer has done.

What lives here: two pure answers for whoever asks one question after another.
What it must not know: terminals.
"""

from octet.choose.alternatives import trials_of
from octet.choose.facts import Facts
from octet.choose.figures import Figures
from octet.choose.ranking import Standing, stand
from octet.choose.requirements import Requirements


def standing(requirements: Requirements, facts: Facts) -> Standing:
    """Return the race as facts alone have it, at the usual weights."""
    return stand(requirements, facts, Figures(), None)


def matters(field: str, requirements: Requirements, facts: Facts) -> bool:
    """Tell whether some answer rules out or puts a doubt on who could be the answer, or changes it."""
    now = standing(requirements, facts)
    alive = {option.name for option in now.race}
    return any(
        trial.standing.first != now.first or alive & (trial.standing.out | trial.standing.doubted)
        for trial in trials_of(field, requirements, facts, lambda other: standing(other, facts))
        if trial.answer is not None and not alive <= {trial.answer}
    )


def told(before: Requirements, after: Requirements, facts: Facts) -> str:
    """Return what an answer has done, in a line."""
    was, now = standing(before, facts), standing(after, facts)
    titles = [now.options[name].provider.title for name in sorted(now.out - was.out)]
    kept = len(now.options) - len(now.out)
    out = f"out: {', '.join(titles)}; " if titles else ""
    doubts = f", {len(now.doubted)} of them to verify first" if now.doubted else ""
    return f"{out}{kept} left{doubts}"
