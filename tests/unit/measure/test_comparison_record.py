import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from octet.errors import BadConfigurationError
from octet.measure import metrics, results
from octet.measure.results import Failure, Results, Sample, summary
from octet.measure.rounds import WARM_UP, Budget, plan

CANDIDATES = {
    "bridge": "reference",
    "bridge (again)": "the same again",
    "half": "half as fast",
    "silent": "-",
}


def record(factors: Mapping[str, float], rounds: int = 8, **changes: object) -> Results:
    """Return a comparison in which each candidate streams at its factor of 10 Gbit/s, with 2 % of noise."""
    noise = random.Random(1)
    samples = [
        Sample(
            candidate=name,
            round=index,
            order=0,
            values={metrics.STREAM.key: 10 * factor * noise.uniform(0.98, 1.02)},
            raw={},
        )
        for index in range(rounds)
        for name, factor in factors.items()
    ]
    held: dict[str, object] = {
        "started": "2026-11-24T08:00:00+00:00",
        "duration_s": 60.0,
        "command": ["octet", "compare"],
        "machine": {"cpu": "<a & b>"},
        "versions": {"iperf3": "3.12"},
        "candidates": CANDIDATES,
        "baseline": "bridge",
        "twin": "bridge (again)",
        "seed": 1,
        "seconds": 1.0,
        "rounds": rounds,
        "shortened": "",
        "samples": samples,
        "failures": [Failure("silent", "no packets")],
    }
    return Results(**{**held, **changes})


@pytest.fixture
def measured() -> Results:
    return record({"bridge": 1.0, "bridge (again)": 1.0, "half": 0.5})


def stream_row(found: Results, name: str) -> results.Row:
    return next(row for row in summary(found) if (row.candidate, row.metric) == (name, metrics.STREAM))


def test_half_as_fast_is_worse(measured: Results) -> None:
    """A candidate at half the rate has a ratio of one half, called worse."""
    row = stream_row(measured, "half")
    assert row.ratio is not None
    assert row.ratio.median == pytest.approx(0.5, rel=0.05)
    assert row.verdict == "worse"


@pytest.mark.parametrize(("rounds", "verdict"), [(4, "too few rounds"), (5, "worse")])
def test_few_rounds_claim_nothing(rounds: int, verdict: str) -> None:
    """Under five rounds no difference is claimed, however large it looks."""
    found = record({"bridge": 1.0, "bridge (again)": 1.0, "half": 0.5}, rounds)
    assert stream_row(found, "half").verdict == verdict


def test_what_is_exact_needs_no_rounds() -> None:
    """An effective MTU of 1450 against 1500 is worse after one measurement."""
    sizes = {"bridge": 1500.0, "bridge (again)": 1500.0, "half": 1450.0}
    samples = [
        Sample(candidate=name, round=0, order=0, values={metrics.MTU.key: size}, raw={})
        for name, size in sizes.items()
    ]
    rows = [row for row in summary(record({}, samples=samples)) if row.metric is metrics.MTU and row.ratio]
    verdicts = {row.candidate: row.verdict for row in rows}
    assert verdicts == {"bridge (again)": "no difference seen", "half": "worse"}


@pytest.mark.parametrize("seed", range(20))
def test_a_twin_is_never_called_different(seed: int) -> None:
    """The A/A pair sets the noise, so it is by construction no difference, also at the last digit."""
    source = random.Random(seed)
    found = record({"bridge": 1.0, "bridge (again)": source.uniform(0.5, 2)}, seed=seed)
    assert stream_row(found, "bridge (again)").verdict == "no difference seen"


def test_the_baseline_has_no_ratio(measured: Results) -> None:
    """Nothing is compared with itself."""
    row = stream_row(measured, "bridge")
    assert (row.ratio, row.verdict) == (None, "")


def test_what_was_not_measured_stays_unknown(measured: Results) -> None:
    """A candidate without samples has neither value nor ratio: nothing is imputed."""
    row = stream_row(measured, "silent")
    assert (row.value, row.ratio) == (None, None)


def test_only_rounds_of_both_are_pairs() -> None:
    """A round in which the baseline has no value says nothing about a ratio."""
    whole = record({"bridge": 1.0, "half": 0.5})
    kept = [sample for sample in whole.samples if (sample.candidate, sample.round) != ("bridge", 3)]
    row = stream_row(record({}, samples=kept), "half")
    assert row.ratio is not None
    assert row.ratio.count == 7
    assert row.value is not None
    assert row.value.count == 8


def test_a_record_reads_back_as_it_was(measured: Results, tmp_path: Path) -> None:
    """results.json holds everything, so a report can be made again from it."""
    results.write(measured, tmp_path / "out/results.json")
    assert results.read(tmp_path / "out/results.json") == measured
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["results.json"]


@pytest.mark.parametrize("text", ["", "{}", '{"schema": 1}'])
def test_another_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    """A file that is not a record is refused, and the error names it."""
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(BadConfigurationError, match=r"results\.json"):
        results.read(tmp_path / "results.json")


def test_a_newer_schema_is_refused(measured: Results, tmp_path: Path) -> None:
    """A record of a later octet is not misread."""
    path = tmp_path / "results.json"
    results.write(measured, path)
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 2', 1))
    with pytest.raises(BadConfigurationError, match="schema = 2"):
        results.read(path)


def test_every_round_has_every_candidate_once() -> None:
    """A warm-up round and five more, each with all candidates, not all in the same order."""
    rounds = list(plan(["a", "b", "c", "d"], 5, seed=2))
    assert [{turn.round for turn in turns} for turns in rounds] == [{index} for index in range(WARM_UP, 5)]
    orders = {tuple(turn.candidate for turn in turns) for turns in rounds}
    assert {tuple(sorted(order)) for order in orders} == {("a", "b", "c", "d")}
    assert len(orders) > 1


def test_a_seed_repeats_the_order() -> None:
    """The same seed plans the same run."""
    assert list(plan("abc", 4, seed=9)) == list(plan("abc", 4, seed=9))


def test_a_budget_stops_before_the_round_that_would_not_fit() -> None:
    """With 100 s, rounds of up to 30 s and 65 s gone there is room for one more; at 75 s there is not."""
    budget = Budget(100)
    budget.spent(30)
    budget.spent(20)
    assert budget.allows_another(65)
    assert not budget.allows_another(75)
    assert Budget(None).allows_another(1e9)
