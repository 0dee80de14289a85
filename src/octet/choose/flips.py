"""Which single weight or fact would make another provider come first.

What lives here: the two searches, both exact. What it must not know: chance, other requirements.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import msgspec

from octet.choose.criteria import CRITERIA
from octet.choose.decision import Finding, Flip
from octet.choose.ranking import Option, Standing, order
from octet.choose.scores import Scored
from octet.choose.sensitivity import tippings

Weights = Mapping[str, float] | None

NOT_ONE_FACT = frozenset({"reserve", "policy-breadth", "bgp-depth"})
"""Criteria whose value is made of many facts, so that no single one moves it from end to end."""


_TITLES = {criterion.id: criterion.title for criterion in CRITERIA}

GIVEN = frozenset({"installer", "installer_version", "kubernetes", "cloud", "leaving", "private_topology"})
"""Answers that are what they are: nobody moves a cluster to have another network."""


def plausible(found: Iterable[Flip]) -> tuple[Flip, ...]:
    """Return changes, the most plausible first: needs, nodes, what is open, weights, facts, the rest."""
    return tuple(sorted(found, key=_rank))


def _rank(flip: Flip) -> int:
    if flip.kind == "weight":
        return 3
    if flip.kind == "fact":
        return 4 if flip.then == "it can" else 6 if flip.then.startswith("ended") else 5
    if flip.what in GIVEN:
        return 7
    if flip.what.startswith("nodes"):
        return 1
    return 2 if flip.now == "don't know" else 0


def of_weights(standing: Standing) -> tuple[Flip, ...]:
    """Return the tipping weights, the nearest first."""
    return tuple(
        Flip(
            id=f"weight:{each.criterion}:{each.rival}",
            kind="weight",
            what=each.criterion,
            now=f"{each.now:.0%}",
            then=f"{each.then:.0%}",
            first=each.rival,
            text=f"were the weight of {_TITLES[each.criterion]} {_beyond(each.now, each.then)} "
            f"(now: {each.now:.0%}), {standing.options[each.rival].provider.title} would come first",
        )
        for each in tippings(standing.race, standing.weights)
    )


def _beyond(now: float, then: float) -> str:
    return f"above {then:.0%}" if then >= now else f"below {then:.0%}"


def of_facts(standing: Standing, weights: Weights) -> tuple[Flip, ...]:
    """Return the facts that decide: exclusions and doubts, then values, then what the first one needs."""
    if not standing.race:
        return tuple(_let_in(standing, weights))
    return (*_let_in(standing, weights), *_moved(standing, weights), *_needed(standing, weights))


def _first_with(standing: Standing, changed: Option, weights: Weights) -> str:
    options = [changed if option.name == changed.name else option for option in standing.options.values()]
    return order(options, weights).first


def _let_in(standing: Standing, weights: Weights) -> Iterator[Flip]:
    """Yield facts that alone keep a provider out, or in doubt, and with which it would come first."""
    for option in standing.options.values():
        against = (*option.out, *option.doubts)
        if len(against) != 1 or not against[0].evidence:
            continue
        finding = against[0]
        met = replace(option, findings=_with_verdict(option, finding, "met"))
        if _first_with(standing, met, weights) == option.name != standing.first:
            title = option.provider.title
            text = f"could {title} {finding.title}, it would come first ({finding.because})"
            yield _of_finding(option, finding, "it can", option.name, text)


def _needed(standing: Standing, weights: Weights) -> Iterator[Flip]:
    """Yield the facts that the first one cannot do without."""
    first = standing.race[0]
    for finding in first.findings:
        if finding.verdict != "met" or not finding.evidence:
            continue
        lost = replace(first, findings=_with_verdict(first, finding, "ruled out"))
        then = _first_with(standing, lost, weights)
        outcome = (
            f"{standing.options[then].provider.title} would come first" if then else "nobody would be left"
        )
        text = f"could {first.provider.title} not {finding.title}, {outcome}"
        yield _of_finding(first, finding, "it cannot", then, text)


def _with_verdict(option: Option, finding: Finding, verdict: str) -> tuple[Finding, ...]:
    changed = msgspec.structs.replace(finding, verdict=verdict)
    return tuple(changed if each is finding else each for each in option.findings)


def _of_finding(option: Option, finding: Finding, then: str, first: str, text: str) -> Flip:
    now = {"met": "it can", "ruled out": "it cannot", "unknown": "not known"}[finding.verdict]
    return Flip(
        id=f"fact:{option.name}:{finding.constraint}",
        kind="fact",
        what=f"{option.name}: {finding.constraint}",
        now=now,
        then=then,
        first=first,
        text=text,
        evidence=finding.evidence,
    )


def _moved(standing: Standing, weights: Weights) -> Iterator[Flip]:
    """Yield values that, moved to an end, put another one first: the first one's down, a rival's up."""
    for criterion in CRITERIA:
        if criterion.id not in standing.weights or criterion.id in NOT_ONE_FACT:
            continue
        first, *others = standing.race
        yield from _end(standing, weights, first, criterion.id, 0.0, criterion.worst)
        for rival in [*others, *(standing.options[name] for name in standing.dominated)]:
            yield from _end(standing, weights, rival, criterion.id, 1.0, criterion.best)


def _end(
    standing: Standing,
    weights: Weights,
    option: Option,
    criterion: str,
    end: float,
    says: str,
) -> Sequence[Flip]:
    held = option.scores[criterion]
    moved = replace(option, scores={**option.scores, criterion: Scored(end, end, says)})
    then = _first_with(standing, moved, weights)
    if then == standing.first or (end > 0 and then != option.name):
        return ()
    title = option.provider.title
    outcome = "it" if then == option.name else standing.options[then].provider.title
    return (
        Flip(
            id=f"fact:{option.name}:{criterion}",
            kind="fact",
            what=f"{option.name}: {criterion}",
            now=held.says,
            then=says,
            first=then,
            text=f'were {title} at "{says}" (now: {held.says}), {outcome} would come first',
            evidence=held.evidence,
        ),
    )
