"""Who is still in the race and in which order: constraints applied, values added up, dominated ones named.

What lives here: ``Standing``, a whole ranking without its reasons, cheap enough to be made a hundred times.
What it must not know: why anybody asks; chance (``sensitivity``).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from octet.choose import conditions
from octet.choose.constraints import CONSTRAINTS, Constraint
from octet.choose.criteria import CRITERIA, MEASURED, Criterion, rank_order_centroid
from octet.choose.decision import Finding
from octet.choose.facts import Facts
from octet.choose.facts.values import Provider
from octet.choose.figures import Figures
from octet.choose.requirements import Requirements
from octet.choose.scores import Scored

EQUAL = 1e-9
"""Values closer than this are the same: what remains is rounding."""


@dataclass(frozen=True, slots=True)
class Option:
    """One provider: what the constraints say of it, and what each criterion gives it.

    Attributes:
        out: what rules it out.
        doubts: what must be verified before it can be relied on.
    """

    provider: Provider
    findings: tuple[Finding, ...]
    scores: Mapping[str, Scored]
    out: tuple[Finding, ...] = field(init=False, compare=False)
    doubts: tuple[Finding, ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        for name, verdict in (("out", "ruled out"), ("doubts", "unknown")):
            held = tuple([each for each in self.findings if each.verdict == verdict])
            object.__setattr__(self, name, held)

    @property
    def name(self) -> str:
        """The provider's name."""
        return self.provider.name


def value(option: Option, weights: Mapping[str, float]) -> float:
    """Return the weighted sum of values, each in the middle of its interval."""
    return math.fsum(weight * option.scores[name].middle for name, weight in weights.items())


def bounds(option: Option, weights: Mapping[str, float]) -> tuple[float, float]:
    """Return the same with every value at its worst, and at its best."""
    low = math.fsum(weight * option.scores[name].low for name, weight in weights.items())
    high = math.fsum(weight * option.scores[name].high for name, weight in weights.items())
    return low, high


@dataclass(frozen=True, slots=True)
class Standing:
    """A race.

    Attributes:
        options: every provider, by name.
        weights: of the criteria that count: those that apply and of which something is known; they add up
            to 1. Empty where none does.
        race: who can be picked, the best first: nothing rules them out and nothing is in doubt; where nobody
            is left without a doubt, those with doubts.
        waiting: kept, but behind doubts that others don't have; the best first.
        dominated: who is equalled or beaten in everything, and by whom; not in ``race`` any more.
    """

    options: Mapping[str, Option]
    weights: Mapping[str, float]
    race: tuple[Option, ...]
    waiting: tuple[Option, ...]
    dominated: Mapping[str, str]

    @property
    def first(self) -> str:
        """The name of the best; empty where nobody is left."""
        return self.race[0].name if self.race else ""

    @property
    def out(self) -> frozenset[str]:
        """The names of those that are ruled out."""
        return frozenset(name for name, option in self.options.items() if option.out)

    @property
    def doubted(self) -> frozenset[str]:
        """The names of those that are kept with a doubt."""
        return frozenset(name for name, option in self.options.items() if option.doubts and not option.out)


class Course:
    """Facts, figures and weights, over which many races are run that differ in one answer.

    What a constraint or a criterion says of a provider is worked out once for each set of answers that it
    reads; ``weights`` as ``criteria.checked`` returns them.
    """

    def __init__(self, facts: Facts, figures: Figures, weights: Mapping[str, float] | None) -> None:
        self.weights = weights
        self._providers = sorted(facts.providers, key=lambda provider: provider.name)
        self._figures = figures
        self._findings: dict[tuple[object, ...], tuple[Finding, ...]] = {}
        self._scores: dict[tuple[object, ...], tuple[Scored, ...]] = {}
        self._beside: dict[str, set[str]] = {}
        for provider in self._providers:
            for key, fact in provider.facts.items():
                self._beside.setdefault(key, set()).update(conditions.fields(fact.when))

    def stand(self, requirements: Requirements) -> Standing:
        """Apply constraints and order who is left."""
        rows = [self._found(requirements, each) for each in CONSTRAINTS if each.asked(requirements)]
        counts = [each for each in CRITERIA if self.weights is None or self.weights[each.id] > 0]
        columns = {each.id: self._scored(requirements, each) for each in counts if each.applies(requirements)}
        options = [
            Option(
                provider,
                tuple(row[place] for row in rows),
                {name: column[place] for name, column in columns.items()},
            )
            for place, provider in enumerate(self._providers)
        ]
        return order(options, self.weights)

    def _found(self, requirements: Requirements, constraint: Constraint) -> tuple[Finding, ...]:
        beside = sorted(self._beside.get(constraint.id, ()))
        key = (constraint.id, *_answers(requirements, (*constraint.fields, *constraint.beside, *beside)))
        if key not in self._findings:
            self._findings[key] = tuple(constraint.judged(requirements, each) for each in self._providers)
        return self._findings[key]

    def _scored(self, requirements: Requirements, criterion: Criterion) -> tuple[Scored, ...]:
        key = (criterion.id, *_answers(requirements, criterion.fields))
        if key not in self._scores:
            found = (criterion.score(requirements, self._figures, each) for each in self._providers)
            self._scores[key] = tuple(found)
        return self._scores[key]


def _answers(requirements: Requirements, fields: Sequence[str]) -> tuple[object, ...]:
    return tuple(getattr(requirements, field) for field in fields)


def stand(
    requirements: Requirements, facts: Facts, figures: Figures, weights: Mapping[str, float] | None
) -> Standing:
    """Run one race."""
    return Course(facts, figures, weights).stand(requirements)


def order(options: Sequence[Option], weights: Mapping[str, float] | None) -> Standing:
    """Return the race of these options, which are in the order of their names."""
    kept = [option for option in options if not option.out]
    sure = [option for option in kept if not option.doubts]
    contenders = sure or kept
    counting = _counting(contenders, weights)
    dominated = _dominated(contenders, counting)
    race = [option for option in contenders if option.name not in dominated]
    waiting = [option for option in kept if sure and option.doubts]
    return Standing(
        options={option.name: option for option in options},
        weights=counting,
        race=_best_first(race, counting),
        waiting=_best_first(waiting, counting),
        dominated=dominated,
    )


def _counting(contenders: Sequence[Option], weights: Mapping[str, float] | None) -> dict[str, float]:
    """Return the shares of criteria that can tell contenders apart: what is known of nobody cannot.

    What was measured of some and not of all cannot, either: a figure of one would only make others unsure.
    Without weights their order is all that is said of them.
    """
    names = contenders[0].scores if contenders else ()
    known = [
        name
        for name in names
        if (all if name in MEASURED else any)(option.scores[name].known for option in contenders)
    ]
    if weights is None:
        return rank_order_centroid(known)
    total = math.fsum(weights[name] for name in known)
    return {name: weights[name] / total for name in known}


def _best_first(options: Sequence[Option], weights: Mapping[str, float]) -> tuple[Option, ...]:
    return tuple(sorted(options, key=lambda option: (-round(value(option, weights), 9), option.name)))


def _dominated(contenders: Sequence[Option], weights: Mapping[str, float]) -> dict[str, str]:
    """Return who is dominated, each with the best of those that dominate it and are not dominated."""
    found: dict[str, str] = {}
    ordered = [_Worth.of(option, weights) for option in _best_first(contenders, weights)]
    for one in ordered:
        by = next((other for other in ordered if other.dominates(one)), None)
        if by is not None:
            found[one.name] = by.name
    return found


def dominates(one: Option, other: Option, weights: Mapping[str, float]) -> bool:
    """Tell whether one equals or beats the other in every criterion, whatever is true of both.

    An option with a doubt that the other doesn't have takes nobody's place.
    """
    return _Worth.of(one, weights).dominates(_Worth.of(other, weights))


@dataclass(frozen=True, slots=True)
class _Worth:
    """What two options are compared by.

    Attributes:
        parts: (low, high) of what must be compared one by one: a mean hides who has what.
    """

    name: str
    doubts: frozenset[str]
    parts: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, option: Option, weights: Mapping[str, float]) -> "_Worth":
        scores = (option.scores[name] for name in weights)
        parts = tuple(part for each in scores for part in each.parts or ((each.low, each.high),))
        return cls(option.name, frozenset(finding.constraint for finding in option.doubts), parts)

    def dominates(self, other: "_Worth") -> bool:
        if not self.doubts <= other.doubts:
            return False
        pairs = list(zip(self.parts, other.parts, strict=True))
        for (low, _), (_, high) in pairs:
            if low < high - EQUAL:
                return False
        return any(sum(its) > sum(others) + EQUAL for its, others in pairs)
