"""How sure an order is: weights and facts drawn at random, and the weight at which the order tips.

What lives here: stochastic multicriteria acceptability analysis (Lahdelma & Salminen 2001), repeatable by
seed, and the exact tipping weights. What it must not know: reasons, requirements.
"""

import math
import operator
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from octet.choose.ranking import EQUAL, Option, value

DRAWS = 2000
"""A share of first places then has a standard error of about one percentage point."""

SEED = 20171028
"""Any number would do; a fixed one makes the same question have the same answer."""

INSIDE = 0.9
"""At the stated weights the first must be ahead in so many of the draws of facts inside their intervals."""

EDGE = 1e-6
"""A weight this close to none or all of it is no crossing: two values only meet there."""

ACCEPTED = 2 / 3
"""With weights drawn too, the first must be ahead in so many of the draws."""


@dataclass(frozen=True, slots=True)
class Rival:
    """How often the first is ahead of another one; draws that are equal count as half.

    Attributes:
        inside: at the stated weights, facts drawn.
        accepted: with weights drawn too.
    """

    name: str
    inside: float
    accepted: float

    @property
    def ties(self) -> bool:
        """Is the difference one that doesn't hold?"""
        return self.inside < INSIDE or self.accepted < ACCEPTED


@dataclass(frozen=True, slots=True)
class Acceptability:
    """Shares of first places by provider (they add up to 1), and each rival of the first, best first."""

    first_shares: Mapping[str, float]
    rivals: tuple[Rival, ...]


def acceptability(race: Sequence[Option], weights: Mapping[str, float]) -> Acceptability:
    """Draw weights around the stated ones and facts inside their intervals, and count.

    Weights come from a Dirichlet distribution whose mean is the stated weights and whose concentration is
    the number of criteria: with equal weights every set of weights is equally likely.
    """
    if not race:
        return Acceptability({}, ())
    stated = list(weights.values())
    drawn = _weights(tuple(stated))
    fixed, varied = {}, {}
    for option in race:
        facts = [list(row) for row in zip(*(_values(option, name) for name in weights), strict=True)]
        facts = facts or [[]] * DRAWS
        fixed[option.name] = [_dot(stated, row) for row in facts]
        varied[option.name] = [_dot(share, row) for share, row in zip(drawn, facts, strict=True)]
    leader = race[0].name
    rivals = tuple(
        Rival(
            other.name, _ahead(fixed[leader], fixed[other.name]), _ahead(varied[leader], varied[other.name])
        )
        for other in race[1:]
    )
    return Acceptability(_first_shares(varied), rivals)


def _values(option: Option, criterion: str) -> list[float]:
    """Return draws of one value. Each has its own stream, so that who else is in the race changes nothing."""
    scored = option.scores[criterion]
    if scored.high - scored.low < EQUAL:
        return [scored.low] * DRAWS
    pick = random.Random(f"{SEED}/{option.name}/{criterion}")
    return [scored.low + (scored.high - scored.low) * pick.random() for _ in range(DRAWS)]


@lru_cache(16)
def _weights(stated: tuple[float, ...]) -> Sequence[Sequence[float]]:
    """Return draws of weights; most questions ask with the same few."""
    pick = random.Random(SEED)
    found = []
    for _ in range(DRAWS):
        row = [pick.gammavariate(share * len(stated), 1.0) for share in stated]
        total = math.fsum(row)
        found.append([each / total for each in row] if total > 0 else list(stated))
    return found


def _dot(weights: Sequence[float], values: Sequence[float]) -> float:
    return float(sum(map(operator.mul, weights, values)))


def _ahead(mine: Sequence[float], theirs: Sequence[float]) -> float:
    points = sum(
        0.5 if abs(one - other) < EQUAL else float(one > other)
        for one, other in zip(mine, theirs, strict=True)
    )
    return points / len(mine)


def _first_shares(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return each one's share of first places; who is equal shares a place."""
    counts = dict.fromkeys(values, 0.0)
    for row in zip(*values.values(), strict=True):
        best = max(row)
        winners = [name for name, each in zip(values, row, strict=True) if best - each < EQUAL]
        for name in winners:
            counts[name] += 1 / len(winners)
    draws = len(next(iter(values.values())))
    return {name: count / draws for name, count in counts.items()}


def rests_on(
    contenders: Sequence[Option], weights: Mapping[str, float]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the criteria without which the first isn't ahead, each with who is as good or better then.

    The others keep their proportions; those that were dominated count, because without it they may not be.
    """
    if len(weights) < 2 or len(contenders) < 2:
        return ()
    first, *others = contenders
    found = []
    for name in weights:
        rest = {other: weight for other, weight in weights.items() if other != name}
        mine = value(first, rest)
        level = tuple(option.name for option in others if value(option, rest) > mine - EQUAL)
        if level:
            found.append((name, level))
    return tuple(found)


def percent(share: float) -> str:
    """Return a share of draws without more digits than it has; neither never nor always unless it is."""
    if 0 < share < 0.01:
        return "under 1%"
    if 0.99 < share < 1:
        return "over 99%"
    return f"{share:.0%}"


@dataclass(frozen=True, slots=True)
class Tipping:
    """The share of one criterion at which another provider draws level with the first, and then passes it."""

    criterion: str
    now: float
    then: float
    rival: str


def tippings(race: Sequence[Option], weights: Mapping[str, float]) -> tuple[Tipping, ...]:
    """Return, for each criterion, the nearest share that changes who is first; nearest changes first.

    One weight moves, the others keep their proportions, so every value is linear in it and the crossing is
    exact. A criterion of which no share changes anything is left out.
    """
    found = [
        min(crossings, key=lambda each: (abs(each.then - each.now), each.rival))
        for name in weights
        if (crossings := [each for rival in race[1:] if (each := _crossing(race[0], rival, name, weights))])
    ]
    return tuple(sorted(found, key=lambda each: (round(abs(each.then - each.now), 9), each.criterion)))


def _crossing(first: Option, rival: Option, name: str, weights: Mapping[str, float]) -> Tipping | None:
    now = weights[name]
    if now > 1 - EQUAL:
        return None
    rest = [
        (value(option, weights) - now * option.scores[name].middle) / (1 - now) for option in (first, rival)
    ]
    lead_at_none = rest[0] - rest[1]
    lead_at_all = first.scores[name].middle - rival.scores[name].middle
    if abs(lead_at_none - lead_at_all) < EQUAL:
        return None
    then = lead_at_none / (lead_at_none - lead_at_all)
    return Tipping(name, now, then, rival.name) if EDGE < then < 1 - EDGE else None
