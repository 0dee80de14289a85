"""Worked cases: whose it is, what was ruled out by what, the answer, and what would turn it around.

What lives here: decisions as paragraphs and rows. What it must not know: how one decides, files.
"""

from collections.abc import Iterator

from octet.choose.decision import Decision, Evidence, Excluded, Finding, Reason
from octet.choose.facts.values import Certainty
from octet.choose.guide.guide import Case, Guide
from octet.choose.guide.markdown import items, table
from octet.choose.guide.notes import UNVERIFIED, Note, escaped
from octet.choose.guide.words import listed

FLIPS = REASONS = 1
"""Changes, and reasons for and against, that are told of a case; the command prints all of them."""

MARKS = 6
"""Footnotes of one reason; a sum of a dozen abilities would drown in them, and the command names them all."""


def overview(guide: Guide) -> str:
    """Return a row for each case: the answer and who is out."""
    rows = [[case.title, answer(case.decision), _outs(case.decision)] for case in guide.cases]
    return table(["case", "answer", "ruled out"], rows)


def answer(decision: Decision) -> str:
    """Return the pick, the tie, or that nobody is left."""
    titles = {each.provider: each.title for each in decision.kept}
    leaders = [titles[name] for name in decision.leaders]
    if not leaders:
        return "nobody is left"
    return f"a tie: {listed(leaders)}" if decision.outcome == "tie" else leaders[0]


def told(guide: Guide, case: Case) -> str:
    """Return what happened in a case, as a list."""
    return items(_told(guide, case.decision))


def _told(guide: Guide, decision: Decision) -> Iterator[str]:
    for title, excluded in _by_constraint(decision.excluded):
        yield f"Cannot {escaped(title)}: {'; '.join(_out(guide, *each) for each in excluded)}."
    titles = {each.provider: each.title for each in decision.kept}
    beaten = [f"{each.title} (by {titles[each.by]})" for each in decision.dominated]
    if beaten:
        yield f"Nowhere better than another one in what counts here: {listed(beaten)}."
    doubtful = [each.title for each in decision.kept if each.warnings]
    if doubtful:
        yield f"Kept, but something about them must be verified first: {listed(doubtful)}."
    yield f"Answer: **{answer(decision)}**. {_sentence(decision.rule)}"
    yield from (f"For: {_reason(guide, each)}" for each in decision.reasons_for[:REASONS])
    yield from (f"Against: {_reason(guide, each)}" for each in decision.reasons_against[:REASONS])
    if decision.flips:
        yield f"It would turn: {escaped('; '.join(each.text for each in decision.flips[:FLIPS]))}."


def _outs(decision: Decision) -> str:
    return listed([each.title for each in decision.excluded]) if decision.excluded else "nobody"


def _by_constraint(excluded: tuple[Excluded, ...]) -> list[tuple[str, list[tuple[Excluded, Finding]]]]:
    """Return who is out by the first constraint that rules each out, in the order of the constraints met."""
    groups: dict[str, list[tuple[Excluded, Finding]]] = {}
    for each in excluded:
        groups.setdefault(each.findings[0].title, []).append((each, each.findings[0]))
    return list(groups.items())


def _out(guide: Guide, excluded: Excluded, finding: Finding) -> str:
    says = [_says(each) for each in finding.evidence if each.says not in {"no", "yes"}]
    more = f" ({escaped('; '.join(says))})" if says else ""
    return f"{excluded.title}{more}{_marks(guide, finding.evidence)}"


def _says(each: Evidence) -> str:
    doubt = each.certainty == Certainty.UNVERIFIED.value and UNVERIFIED not in each.says
    return f"{each.says}, {UNVERIFIED}" if doubt else each.says


def _reason(guide: Guide, reason: Reason) -> str:
    shown = reason.evidence[:MARKS]
    doubt = any(each.certainty == Certainty.UNVERIFIED.value for each in shown)
    text = escaped(reason.text).rstrip(".")
    if doubt and UNVERIFIED not in text:
        text += f" ({UNVERIFIED})"
    return f"{text}.{_marks(guide, shown)}"


def _marks(guide: Guide, evidence: tuple[Evidence, ...]) -> str:
    notes = (Note(each.source, each.as_of, Certainty(each.certainty), each.note) for each in evidence)
    return "".join(dict.fromkeys(guide.notes.mark(note) for note in notes))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{escaped(text[1:]).rstrip('.')}."
