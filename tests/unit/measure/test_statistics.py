import math
import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.measure.statistics import Interval, Noise, median_interval, noise_floor, quantile, ratio_interval

POSITIVE = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=30)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (0.01, 1), (1.0, 100), (0.0, 1)])
def test_a_quantile_is_a_sample_that_occurred(share: float, expected: int) -> None:
    """Of the numbers 1 to 100, p50 is 50 and p99 is 99: nearest rank, nothing interpolated."""
    assert quantile(range(1, 101), share) == expected


def test_nothing_has_no_quantile() -> None:
    """Without samples there is no figure, and no made-up one."""
    with pytest.raises(ValueError, match="no samples"):
        quantile([], 0.5)


@settings(max_examples=20)
@given(POSITIVE)
def test_the_median_lies_in_its_interval(samples: list[float]) -> None:
    """Whatever the samples, low <= median <= high, all within what was measured."""
    found = median_interval(samples, seed=1)
    assert min(samples) <= found.low <= found.median <= found.high <= max(samples)
    assert found.median == statistics.median(samples)


def test_the_same_seed_gives_the_same_interval() -> None:
    """A report can be made again from its samples to the last digit."""
    samples = [random.Random(4).gauss(10, 2) for _ in range(12)]
    assert median_interval(samples, seed=7) == median_interval(samples, seed=7)


def test_intervals_cover_what_they_promise() -> None:
    """Of 100 experiments with a known median, at least 85 intervals of 20 samples contain it."""
    source = random.Random(5)
    hits = 0
    for _ in range(100):
        found = median_interval([source.gauss(10, 2) for _ in range(20)], seed=3)
        hits += found.low <= 10 <= found.high
    assert hits >= 85


def test_more_samples_narrow_the_interval() -> None:
    """Sixteen times the rounds give an interval of less than half the width."""
    source = random.Random(6)
    few, many = ([source.gauss(10, 2) for _ in range(count)] for count in (8, 128))
    wide, narrow = (median_interval(samples, seed=1) for samples in (few, many))
    assert narrow.high - narrow.low < (wide.high - wide.low) / 2


def test_ratios_are_paired() -> None:
    """A candidate that is twice as fast in every round is twice as fast, however much the rounds differ."""
    baseline = [1.0, 10.0, 100.0, 3.0, 30.0, 7.0]
    found = ratio_interval([2 * value for value in baseline], baseline, seed=1)
    assert found == Interval(pytest.approx(2), pytest.approx(2), pytest.approx(2), 6)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.floats(0.1, 100), st.floats(0.1, 100)), min_size=1, max_size=15))
def test_a_ratio_turned_round_is_its_inverse(pairs: list[tuple[float, float]]) -> None:
    """A to B is one over B to A: no side is favoured."""
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    there, back = ratio_interval(one, other, seed=1), ratio_interval(other, one, seed=1)
    assert math.isclose(there.median, 1 / back.median, rel_tol=1e-9)


def test_unpaired_samples_are_refused() -> None:
    """Ratios need both values of a round."""
    with pytest.raises(ValueError, match="argument 2 is longer"):
        ratio_interval([1.0], [1.0, 2.0], seed=1)


@pytest.mark.parametrize(
    ("low", "high", "factor"), [(0.911, 0.993, 1 / 0.911), (0.98, 1.13, 1.13), (1.0, 1.0, 1.0)]
)
def test_noise_is_the_end_farthest_from_equal(low: float, high: float, factor: float) -> None:
    """The noise floor is how far the A/A interval reaches, to whichever side, even when it excludes 1."""
    assert noise_floor(Interval(1.0, low, high, 10)).factor == pytest.approx(factor)


@pytest.mark.parametrize(
    ("low", "high", "hidden"), [(0.95, 1.3, True), (1.08, 1.3, True), (1.11, 1.3, False), (0.7, 0.89, False)]
)
def test_what_is_within_the_noise_is_no_difference(low: float, high: float, hidden: bool) -> None:
    """A ratio counts as a difference only when its whole interval is outside the noise of 10 %."""
    assert Noise(1.1).hides(Interval((low + high) / 2, low, high, 10)) is hidden
