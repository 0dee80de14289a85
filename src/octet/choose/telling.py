"""A decision in words: what a terminal shows, and the few lines that end a comparison.

What lives here: lines of text. What it must not know: terminals, how wide they are.
"""

from collections.abc import Iterator

from octet.choose.decision import Decision, Evidence, Reason

FLIPS = 3
"""Changes that are shown unless all are asked for."""


def short(decision: Decision) -> Iterator[str]:
    """Yield the answer in a few lines: what, why, what against it, what would change it, how to run it."""
    yield decision.headline
    yield decision.rule
    yield from (f"  + {reason.text}" for reason in decision.reasons_for)
    yield from (f"  - {reason.text}" for reason in decision.reasons_against)
    yield from (f"  ~ {flip.text}" for flip in decision.flips[:1])
    yield from relaxed(decision)
    yield from (f"  > {run.octet or run.original[0]}: {run.note}" for run in decision.run)
    yield from (f"  ! {each.text}" for each in decision.missing if each.id == "measurements")


def because(reasons: tuple[Reason, ...], *, cited: bool) -> Iterator[str]:
    """Yield reasons, with the facts that they stand on if those are wanted."""
    for number, reason in enumerate(reasons, 1):
        yield f"  {number}. {reason.text}"
        if cited:
            yield from (f"       {where(each)}" for each in reason.evidence[:2])


def out(decision: Decision) -> Iterator[str]:
    """Yield who is out, a line each: the first thing that rules it out, and how many more do."""
    for each in decision.excluded:
        finding, more = each.findings[0], len(each.findings) - 1
        name = "" if each.title in finding.because else f"{each.title}: "
        yield f"  {name}{finding.because}{f' (and {more} more)' if more else ''}"


def where(evidence: Evidence) -> str:
    """Return where a fact was read and when, in a line; what isn't certain says so."""
    doubt = "" if evidence.certainty in {"verified", "measured", "computed"} else f", {evidence.certainty}"
    return f"{evidence.provider} {evidence.key}: {evidence.says} ({evidence.source}, {evidence.as_of}{doubt})"


def relaxed(decision: Decision) -> Iterator[str]:
    """Yield what to give up when nothing is left."""
    yield from (f"  give up {each.text}" for each in decision.relaxations)


def changes(decision: Decision, *, everything: bool) -> Iterator[str]:
    """Yield the most plausible changes; all of them if they are wanted."""
    yield from (f"  {flip.text}" for flip in (decision.flips if everything else decision.flips[:FLIPS]))


def more(decision: Decision) -> str:
    """Say what else there is to see, and how."""
    parts = [f"{len(decision.kept)} that are left with their values"] if decision.kept else []
    changes_left = len(decision.flips) - FLIPS
    if changes_left > 0:
        parts.append(f"{changes_left} more changes")
    matter = sum(1 for each in decision.open if each.effects)
    if matter:
        parts.append(f"{matter} open questions that matter")
    parts.append("every source")
    return f"--all shows {', '.join(parts)}; --json is for programs; --page FILE for a browser."


def left_open(decision: Decision) -> Iterator[str]:
    """Yield the questions whose answer would change something; how many would not."""
    matter = [each for each in decision.open if each.effects]
    yield from (f"  {each.question} {each.text}" for each in matter)
    if len(decision.open) > len(matter):
        yield "  No answer would change anything:"
        yield from (f"    {each.question}" for each in decision.open if not each.effects)


def missing(decision: Decision) -> Iterator[str]:
    """Yield what would make the answer surer, with the command that gets it where there is one."""
    yield from (f"  {each.text}{f': {each.command}' if each.command else ''}" for each in decision.missing)


__all__ = ["because", "changes", "left_open", "missing", "more", "out", "relaxed", "short", "where"]
