"""A decision in words: what a terminal shows, and the few lines that end a comparison.

What lives here: lines of text. What it must not know: terminals, how wide they are.
"""

from collections.abc import Iterator

from octet.choose.decision import Decision, Evidence, Flip, Reason

FLIPS = 6
"""Changes that are shown; JSON has all of them."""


def short(decision: Decision) -> Iterator[str]:
    """Yield the answer in a few lines: what, why, what against it, what would change it, how to run it."""
    yield decision.headline
    yield decision.rule
    yield from (f"  + {reason.text}" for reason in decision.reasons_for)
    yield from (f"  - {reason.text}" for reason in decision.reasons_against)
    yield from (f"  ~ {flip.text}" for flip in telling(decision)[:1])
    yield from relaxed(decision)
    yield from (f"  > {run.octet or run.original[0]}: {run.note}" for run in decision.run)
    yield from (f"  ! {each.text}" for each in decision.missing if each.id == "measurements")


def because(reasons: tuple[Reason, ...]) -> Iterator[str]:
    """Yield reasons with the facts that they stand on."""
    for number, reason in enumerate(reasons, 1):
        yield f"  {number}. {reason.text}"
        yield from (f"       {cited(each)}" for each in reason.evidence[:2])


def cited(evidence: Evidence) -> str:
    """Return where a fact was read and when, in a line; what isn't certain says so."""
    doubt = "" if evidence.certainty in {"verified", "measured", "computed"} else f", {evidence.certainty}"
    return f"{evidence.provider} {evidence.key}: {evidence.says} ({evidence.source}, {evidence.as_of}{doubt})"


def telling(decision: Decision) -> tuple[Flip, ...]:
    """Return all flips: first some of what was asked for, of weights and of facts, then the rest."""
    known = [flip for flip in decision.flips if flip.kind == "requirement" and flip.now != "don't know"]
    weights = [flip for flip in decision.flips if flip.kind == "weight"]
    facts = [flip for flip in decision.flips if flip.kind == "fact" and flip.then != "it cannot"]
    rest = [flip for flip in decision.flips if flip not in known + weights + facts]
    return (*known[:3], *weights[:2], *facts[:2], *known[3:], *weights[2:], *facts[2:], *rest)


def relaxed(decision: Decision) -> Iterator[str]:
    """Yield what to give up when nothing is left."""
    yield from (f"  give up {each.text}" for each in decision.relaxations)


def changes(decision: Decision) -> Iterator[str]:
    """Yield the changes that say most, and how many more there are."""
    flips = telling(decision)
    yield from (f"  {flip.text}" for flip in flips[:FLIPS])
    if len(flips) > FLIPS:
        yield f"  and {len(flips) - FLIPS} more single changes: --json has them all"


def left_open(decision: Decision) -> Iterator[str]:
    """Yield the questions whose answer would change something; how many would not."""
    matter = [each for each in decision.open if each.effects]
    yield from (f"  {each.field}: {each.text}" for each in matter)
    if len(decision.open) > len(matter):
        silent = ", ".join(each.field for each in decision.open if not each.effects)
        yield f"  no answer would change anything: {silent}"


def missing(decision: Decision) -> Iterator[str]:
    """Yield what would make the answer surer, with the command that gets it where there is one."""
    yield from (f"  {each.text}{f': {each.command}' if each.command else ''}" for each in decision.missing)


__all__ = ["Evidence", "because", "changes", "cited", "left_open", "missing", "relaxed", "short", "telling"]
