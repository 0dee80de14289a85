"""What other answers would change: each field of the requirements, one at a time.

What lives here: trying them, and saying what came of it. What it must not know: facts or weights that change.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from octet.choose import contradictions
from octet.choose.decision import Answer, Effect, Flip, Open
from octet.choose.facts import Facts
from octet.choose.facts.catalogue import version
from octet.choose.questions import BY_FIELD, QUESTIONS, say
from octet.choose.questions import answers as worth_trying
from octet.choose.ranking import Standing
from octet.choose.requirements import Requirements

_VERSIONS = frozenset({"installer_version", "kubernetes", "kernel"})

SHOWN = 4
"""Answers that are written out; more make nobody wiser."""

Stand = Callable[[Requirements], Standing]


@dataclass(frozen=True, slots=True)
class Trial:
    """One field answered in another way, and the race that comes of it."""

    field: str
    now: Answer
    answer: Answer
    standing: Standing


def trials(requirements: Requirements, facts: Facts, stand: Stand) -> tuple[Trial, ...]:
    """Return every single change of an answer that is worth trying, in the order of the questions."""
    return tuple(
        trial for question in QUESTIONS for trial in trials_of(question.field, requirements, facts, stand)
    )


def trials_of(field: str, requirements: Requirements, facts: Facts, stand: Stand) -> Iterator[Trial]:
    """Yield the changes of one answer; one that is known can also become "don't know"."""
    now = getattr(requirements, field)
    others = [each for each in worth_trying(field, requirements, facts) if each != now]
    for answer in others if now is None else [None, *others]:
        changed = msgspec.structs.replace(requirements, **{field: answer})
        if contradictions.found(changed) is None:
            yield Trial(field, now, answer, stand(changed))


def flips(standing: Standing, tried: tuple[Trial, ...], title: Callable[[str], str]) -> tuple[Flip, ...]:
    """Return the changes after which another provider comes first, answers with the same outcome together.

    An older version of what is there is none of them.
    """
    found: dict[tuple[str, str], list[Trial]] = {}
    for trial in tried:
        if trial.standing.first != standing.first and not _backwards(trial):
            found.setdefault((trial.field, trial.standing.first), []).append(trial)
    return tuple(_flip(field, first, group, title) for (field, first), group in found.items())


def either(answers: Sequence[Answer]) -> str:
    """Return answers as a choice; of many, both ends and how many are between."""
    said = [say(answer) for answer in answers]
    if len(said) <= SHOWN:
        return " or ".join(said)
    return f"{said[0]}, {said[-1]} or {len(said) - 2} between"


def _backwards(trial: Trial) -> bool:
    """Tell whether an answer goes back to an older version, or forgets a number: no way to change a net."""
    if trial.now is None or trial.field not in {*_VERSIONS, "nodes", "nodes_in_two_years"}:
        return False
    if trial.answer is None:
        return True
    return trial.field in _VERSIONS and version(str(trial.answer)) < version(str(trial.now))


def _flip(field: str, first: str, group: list[Trial], title: Callable[[str], str]) -> Flip:
    then = either([trial.answer for trial in group])
    now = say(group[0].now)
    outcome = f"{title(first)} would come first" if first else "nobody would be left"
    return Flip(
        id=f"requirement:{field}:{first or 'nobody'}",
        kind="requirement",
        what=field,
        now=now,
        then=then,
        first=first,
        text=f'were the answer to "{BY_FIELD[field].text}" {then} (now: {now}), {outcome}',
    )


def open_questions(
    standing: Standing, tried: tuple[Trial, ...], title: Callable[[str], str]
) -> tuple[Open, ...]:
    """Return what was answered "don't know", and what each answer would change."""
    return tuple(
        _open(question.field, question.text, [t for t in tried if t.field == question.field], standing, title)
        for question in QUESTIONS
        if any(trial.field == question.field and trial.now is None for trial in tried)
    )


def _open(
    field: str, question: str, tried: list[Trial], standing: Standing, title: Callable[[str], str]
) -> Open:
    found = (effect_of(trial, standing) for trial in tried)
    effects = tuple(each for each in found if each is not None and not _obvious(field, each, standing))
    said = "; ".join(_said(group, standing, title) for group in _alike(effects))
    return Open(
        field=field, question=question, effects=effects, text=said or "no answer would change anything"
    )


def effect_of(trial: Trial, standing: Standing) -> Effect | None:
    """Return what an answer would change; None if nothing."""
    excludes = trial.standing.out - standing.out
    doubts = trial.standing.doubted - standing.doubted
    frees = (standing.out | standing.doubted) - trial.standing.out - trial.standing.doubted
    if not excludes and not doubts and not frees and trial.standing.first == standing.first:
        return None
    return Effect(
        answer=trial.answer,
        excludes=tuple(sorted(excludes)),
        doubts=tuple(sorted(doubts)),
        first=trial.standing.first,
        frees=tuple(sorted(frees)),
    )


def _obvious(field: str, effect: Effect, standing: Standing) -> bool:
    """Tell whether an answer only takes away the provider that it names, behind the first."""
    return field == "leaving" and effect.excludes == (effect.answer,) and effect.first == standing.first


def _alike(effects: tuple[Effect, ...]) -> list[list[Effect]]:
    """Return effects in groups that differ in the answer only, in the order of their first answers."""
    groups: dict[Effect, list[Effect]] = {}
    for effect in effects:
        groups.setdefault(msgspec.structs.replace(effect, answer=None), []).append(effect)
    return list(groups.values())


def _said(group: list[Effect], standing: Standing, title: Callable[[str], str]) -> str:
    effect, parts = group[0], []
    if effect.excludes:
        parts.append(f"rules out {', '.join(map(title, effect.excludes))}")
    if effect.doubts:
        parts.append(f"puts a doubt on {', '.join(map(title, effect.doubts))}")
    if effect.frees:
        parts.append(f"takes every doubt from {', '.join(map(title, effect.frees))}")
    if effect.first != standing.first:
        parts.append(f"makes {title(effect.first)} first" if effect.first else "leaves nobody")
    answers = [each.answer for each in group]
    numbers = len(answers) > 1 and all(type(each) is int for each in answers)
    said = f"{say(answers[0])} to {say(answers[-1])}" if numbers else either(answers)
    return f"{said} {', '.join(parts)}"
