"""Samples to statements: medians with intervals, paired ratios, and the noise floor they are held against.

What lives here: pure arithmetic on lists of numbers, repeatable by seed. What it must not know: what the
numbers are. Reasons: Hoefler & Belli 2015 (give intervals, never average ratios), Kalibera & Jones 2013.
"""

import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

RESAMPLES = 2000
"""Bootstrap resamples: the interval's ends then move by under a tenth of its width between seeds."""

ROUNDING = 1e-9
"""The twin's own interval ends where the noise ends: arithmetic must not put it outside."""

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A median and where it lies with 95 % confidence, in the unit of the samples.

    Attributes:
        count: how many samples it stands on; under 6 the interval says little.
    """

    median: float
    low: float
    high: float
    count: int

    def overlaps(self, low: float, high: float) -> bool:
        """Tell whether any value of the interval is also within [low, high]."""
        return self.low <= high and self.high >= low


def quantile(samples: Sequence[float], share: float) -> float:
    """Return the smallest sample that at least this share of all samples does not exceed (nearest rank).

    Nearest rank returns a value that really occurred: for p99 of latencies an interpolated one would not be.
    Raises ValueError without samples.
    """
    if not samples:
        raise ValueError("no samples")
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median_interval(samples: Sequence[float], *, seed: int) -> Interval:
    """Return the median with its percentile-bootstrap interval. Raises ValueError without samples."""
    return _bootstrap(tuple(samples), seed)


def ratio_interval(samples: Sequence[float], baseline: Sequence[float], *, seed: int) -> Interval:
    """Return the median ratio of pairs taken in the same round, with its interval.

    Works on logarithms, so that "twice" and "half" weigh the same and A/B is exactly 1/(B/A).
    Raises ValueError when the lists differ in length, are empty or hold a value that is not positive.
    """
    logs = (math.log(one / other) for one, other in zip(samples, baseline, strict=True))
    found = _bootstrap(tuple(logs), seed)
    return Interval(math.exp(found.median), math.exp(found.low), math.exp(found.high), found.count)


@lru_cache(4096)
def _bootstrap(samples: tuple[float, ...], seed: int) -> Interval:
    """Return the interval; a choice asks for the same ones of a stored comparison again and again."""
    if not samples:
        raise ValueError("no samples")
    pick = random.Random(seed)
    drawn = sorted(statistics.median(pick.choices(samples, k=len(samples))) for _ in range(RESAMPLES))
    tail = (1 - CONFIDENCE) / 2
    low, high = quantile(drawn, tail), quantile(drawn, 1 - tail)
    return Interval(statistics.median(samples), low, high, len(samples))


@dataclass(frozen=True, slots=True)
class Noise:
    """How far two identical candidates seemed apart: nothing within this factor of 1 is a difference.

    Attributes:
        factor: at least 1; 1.1 means the A/A pair's interval reached 10 % away from equal.
    """

    factor: float

    @property
    def low(self) -> float:
        """The smallest ratio that still counts as equal."""
        return 1 / self.factor

    @property
    def high(self) -> float:
        """The largest ratio that still counts as equal."""
        return self.factor

    def hides(self, ratio: Interval) -> bool:
        """Tell whether a ratio can't be told from noise: some of its interval is within the noise."""
        return ratio.overlaps(self.low * (1 - ROUNDING), self.high * (1 + ROUNDING))


def noise_floor(twin: Interval) -> Noise:
    """Return the noise that the A/A pair's ratio shows: the end of its interval farthest from 1.

    The interval of an A/A pair may exclude 1 (a bootstrap over few rounds promises too much), which is the
    reason to measure the twin in every run instead of trusting intervals alone.
    """
    return Noise(max(1.0, twin.high, 1 / twin.low))
