"""Why this one, and why not: reasons that compare, each tied to the facts that it stands on.

What lives here: at most three reasons for and three against, and a sentence for everybody else.
What it must not know: how the order came about beyond ``Standing``; screens.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice

from octet.choose import scores
from octet.choose.constraints import BY_ID
from octet.choose.criteria import CRITERIA
from octet.choose.decision import Evidence, Finding, Reason, WhyNot
from octet.choose.evidence import of_fact, say
from octet.choose.facts.catalogue import BY_NAME
from octet.choose.facts.values import Fact, Truth
from octet.choose.ranking import Option, Standing, value
from octet.choose.requirements import Requirements

MOST = 3
SMALL = 0.01
"""Parts of a value below this are no reason."""

GOOD = 0.75
"""A value from here on speaks for who has it."""

_TITLES = {criterion.id: criterion.title for criterion in CRITERIA}


def reasons_for(standing: Standing) -> tuple[Reason, ...]:
    """Return what speaks for the first: what it can and others cannot, then what it is better at."""
    if not standing.race:
        return ()
    able = _once(sorted(_able(standing), key=lambda pair: -pair[0]))
    better = sorted(_better(standing), key=lambda pair: -pair[0])
    # Two of what rules others out, the best of what it is better at; whichever has more fills the rest.
    ordered = [*able[: MOST - 1], *better[:1], *able[MOST - 1 :], *better[1:]]
    return _first_of(chain((reason for _, reason in ordered), _by_itself(standing, "for")))


def _first_of(found: Iterator[Reason]) -> tuple[Reason, ...]:
    """Return the first three reasons, each once."""
    unique: dict[str, Reason] = {}
    for reason in found:
        unique.setdefault(reason.id, reason)
    return tuple(islice(unique.values(), MOST))


def _headed(name: str) -> str:
    """Return a criterion's title as a sentence begins; names keep their capitals."""
    return _TITLES[name][:1].upper() + _TITLES[name][1:]


def _by_itself(standing: Standing, side: str) -> Iterator[Reason]:
    """Yield where the first is near the best end (for), or short of it (against), whoever else there is."""
    first, weights = standing.race[0], standing.weights
    for name in sorted(weights, key=lambda name: (-weights[name], name)):
        scored = first.scores[name]
        if (scored.middle >= GOOD) == (side == "for"):
            text = f"{_headed(name)}: {scored.says}"
            yield Reason(id=f"{side}:{name}", text=text, evidence=scored.evidence)


def _once(able: Sequence[tuple[int, Reason]]) -> list[tuple[int, Reason]]:
    """Leave out reasons that speak of nobody but of whom an earlier one spoke: the same need, told again."""
    told: list[set[str]] = []
    kept = []
    for count, reason in able:
        about = {each.provider for each in reason.evidence}
        if not any(about <= earlier for earlier in told):
            kept.append((count, reason))
        told.append(about)
    return kept


def _able(standing: Standing) -> Iterator[tuple[int, Reason]]:
    """Yield a reason for each constraint that the first meets and others don't, with how many those are."""
    first = standing.race[0]
    for finding in first.findings:
        others = [
            (option, against)
            for option in standing.options.values()
            for against in option.out
            if against.constraint == finding.constraint
        ]
        if finding.verdict != "met" or not finding.evidence or not others:
            continue
        titles = [option.provider.title for option, _ in others]
        text = f"{first.provider.title} can {finding.title}; {_listed(titles)} cannot"
        evidence = (*finding.evidence, *chain.from_iterable(against.evidence for _, against in others))
        yield len(others), Reason(id=f"for:{finding.constraint}", text=text, evidence=evidence)


def _better(standing: Standing) -> Iterator[tuple[float, Reason]]:
    """Yield a reason for each criterion in which the first is ahead of who comes next."""
    first, others = standing.race[0], _others(standing)
    if not others:
        return
    for name, weight in standing.weights.items():
        rival = others[0]
        gain = weight * (first.scores[name].middle - rival.scores[name].middle)
        if gain > SMALL and first.scores[name].known:
            text = _compared(name, first, rival)
            evidence = (*first.scores[name].evidence, *rival.scores[name].evidence)
            yield gain, Reason(id=f"for:{name}", text=text, evidence=evidence)


def _others(standing: Standing) -> list[Option]:
    """Return everybody else who could be used, who comes next first."""
    dominated = [standing.options[name] for name in standing.dominated]
    dominated.sort(key=lambda option: (-value(option, standing.weights), option.name))
    return [*standing.race[1:], *dominated]


def _compared(name: str, one: Option, other: Option) -> str:
    mine, theirs = one.scores[name].says, other.scores[name].says
    return f"{_headed(name)}: {mine} ({one.provider.title}); {theirs} ({other.provider.title})"


def _listed(titles: Sequence[str]) -> str:
    shown = list(titles) if len(titles) <= MOST else [*titles[: MOST - 1], f"{len(titles) - MOST + 1} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def reasons_against(standing: Standing, requirements: Requirements) -> tuple[Reason, ...]:
    """Return what speaks against the first: doubts, what others are better at, limits, what it cannot do."""
    if not standing.race:
        return ()
    first = standing.race[0]
    worse = [reason for _, reason in sorted(_worse(standing), key=lambda pair: -pair[0])]
    found = chain(
        (_doubt(finding) for finding in first.doubts),
        conditions(first),
        _ended(first),
        worse[: MOST - 1],
        _limits(first, requirements, near=True),
        _cannot(first, requirements, answered=None),
        worse[MOST - 1 :],
        _limits(first, requirements, near=False),
        _by_itself(standing, "against"),
        _cannot(first, requirements, answered=False),
    )
    return _first_of(found)


def _doubt(finding: Finding) -> Reason:
    text = f"verify first: {finding.because}"
    return Reason(id=f"against:{finding.constraint}", text=text, evidence=finding.evidence)


def conditions(option: Option) -> Iterator[Reason]:
    """Yield the needs that a provider meets under a condition only, with that."""
    for finding in option.findings:
        if finding.verdict == "met" and finding.condition:
            text = f"{option.provider.title} can {finding.title} under a condition: {finding.condition}"
            yield Reason(id=f"against:condition:{finding.constraint}", text=text, evidence=finding.evidence)


def _ended(option: Option) -> Iterator[Reason]:
    """Yield that a project has ended, whatever it can do."""
    fact = option.provider.facts.get("status")
    if fact is not None and fact.value in {"deprecated", "unmaintained", "archived", "legacy"}:
        text = f"{option.provider.title} is {fact.value}{_note(fact)}"
        yield Reason(id="against:status", text=text, evidence=(of_fact(option.provider, fact),))


def _worse(standing: Standing) -> Iterator[tuple[float, Reason]]:
    """Yield a reason for each criterion in which somebody else who could be used is ahead of the first."""
    first, others = standing.race[0], _others(standing)
    for name, weight in standing.weights.items():
        known = [option for option in others if option.scores[name].known]
        best = max(known, key=lambda option: option.scores[name].middle, default=None)
        if best is None:
            continue
        loss = weight * (best.scores[name].middle - first.scores[name].middle)
        if loss > SMALL:
            evidence = (*first.scores[name].evidence, *best.scores[name].evidence)
            yield loss, Reason(id=f"against:{name}", text=_compared(name, first, best), evidence=evidence)


def _limits(option: Option, requirements: Requirements, *, near: bool) -> Iterator[Reason]:
    """Yield limits with their mechanism: those of nodes that are reached, or (not near) all others."""
    nodes = requirements.most_nodes or 0
    for limit in option.provider.limits:
        key = BY_NAME[limit.key]
        reached = (
            key.unit in {"nodes", "connections"} and isinstance(limit.value, int) and limit.value < nodes
        )
        if reached == near:
            evidence = of_fact(option.provider, limit)
            doubt = " (unverified)" if limit.truth is Truth.UNKNOWN else ""
            text = f"{key.question}: {say(limit.value)}{doubt}{_note(limit)}"
            yield Reason(id=f"against:{limit.key}:{evidence.says}", text=text, evidence=(evidence,))


def _cannot(option: Option, requirements: Requirements, *, answered: bool | None) -> Iterator[Reason]:
    """Yield what it cannot do of that which nobody knows yet whether it is needed, or which isn't needed."""
    unsure = (
        "and you don't know yet whether you need it" if answered is None else "should you come to need it"
    )
    for field, key in scores.OPEN_ABILITIES:
        fact = option.provider.facts.get(key)
        if fact is not None and fact.truth is Truth.NO and getattr(requirements, field) is answered:
            text = f"{option.provider.title} cannot {BY_ID[key].does}, {unsure}{_note(fact)}"
            yield Reason(id=f"against:{key}", text=text, evidence=(of_fact(option.provider, fact),))


def _note(fact: Fact) -> str:
    return f" ({fact.note.rstrip('.')})" if fact.note else ""


def why_not(standing: Standing, leaders: Sequence[str], title: Callable[[str], str]) -> tuple[WhyNot, ...]:
    """Return a sentence for every provider that isn't the answer, in the order of their names."""
    return tuple(
        WhyNot(provider=name, title=title(name), text=_why_not(option, standing, title))
        for name, option in standing.options.items()
        if name not in leaders
    )


def _why_not(option: Option, standing: Standing, title: Callable[[str], str]) -> str:
    if option.out:
        more = len(option.out) - 1
        return f"ruled out: {option.out[0].because}{_and_more(more)}"
    if option in standing.waiting:
        more = len(option.doubts) - 1
        return f"verify first: {option.doubts[0].because}{_and_more(more)}"
    if option.name in standing.dominated:
        by = title(standing.dominated[option.name])
        return f"{by} equals or beats it in everything that counts here"
    return _behind(option, standing)


def _and_more(count: int) -> str:
    return f" (and {count} more)" if count else ""


def _behind(option: Option, standing: Standing) -> str:
    """Say how far behind the first it is, and in what most."""
    first, weights = standing.race[0], standing.weights
    text = f"value {value(option, weights):.2f}, {first.provider.title} has {value(first, weights):.2f}"
    gaps = {
        name: weight * (first.scores[name].middle - option.scores[name].middle)
        for name, weight in weights.items()
    }
    most = max(gaps, key=lambda name: gaps[name], default="")
    return (
        f"{text}; behind most in {_TITLES[most]}: {option.scores[most].says}"
        if most and gaps[most] > 0
        else text
    )


def used(options: Sequence[Option], counting: Sequence[str]) -> Iterator[Evidence]:
    """Yield every fact that a decision about these options stands on."""
    for option in options:
        for finding in option.findings:
            yield from finding.evidence
        if not option.out:
            for name in counting:
                yield from option.scores[name].evidence
