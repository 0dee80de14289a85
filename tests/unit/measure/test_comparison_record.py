import random
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from octet.choose.page.figures import drawn_from
from octet.errors import BadConfigurationError
from octet.measure import metrics, results
from octet.measure.results import Failure, Results, Sample, absences, summary
from octet.measure.rounds import WARM_UP, Budget, Pace, plan

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


FULL = Pace(0.6)


def paced(*lengths: float, limit: float = 172) -> Budget:
    """A budget for turns of seven candidates after rounds of these lengths."""
    budget = Budget(limit, FULL, turns=7)
    for seconds in lengths:
        budget.spent(FULL, seconds)
    return budget


def test_a_budget_stops_before_the_round_that_would_not_fit() -> None:
    """With five rounds there, another one as long as the longest is taken where it fits, otherwise none."""
    budget = paced(20, 30, 20, 20, 20)
    assert budget.pace(5, 142) == FULL
    assert budget.pace(5, 143) is None
    assert Budget(None, FULL).pace(99, 1e9) == FULL


def test_short_time_is_taken_from_the_probes_first() -> None:
    """Where five rounds do not fit at full length, probes get shorter by just what is missing."""
    assert paced(25).pace(1, 172 - 4 * 25) == FULL
    hurried = paced(25).pace(1, 172 - 4 * 23.6)
    assert hurried is not None
    assert hurried.whole
    assert hurried.seconds == pytest.approx(0.4)


def test_latency_is_left_out_where_seconds_do_not_do() -> None:
    """Where even short probes are too long, rounds go on without the one that takes a second and more."""
    budget = paced(32)
    brief = budget.pace(1, 172 - 4 * 23)
    assert brief == Pace(0.2, whole=False)
    budget.spent(brief, 24)
    assert budget.pace(2, 172 - 3 * 24) == brief
    assert budget.pace(2, 172 - 3 * 23.9) is None


def test_a_busy_machine_gives_five_rounds() -> None:
    """Where a turn takes 4.6 s and not 3.3, five rounds fit all the same: what is measured can be claimed."""
    elapsed, budget = 23 + 7 * 4.6, paced(7 * 4.6)
    for done in range(1, 5):
        pace = budget.pace(done, elapsed)
        assert pace is not None
        took = 7 * (4.6 - (0.6 - pace.seconds) - (0 if pace.whole else 1.3))
        budget.spent(pace, took)
        elapsed += took
    assert elapsed < 172.01


def test_a_failed_candidate_says_so_in_every_row(measured: Results) -> None:
    """A candidate that failed is in the summary of each metric, with or without figures, as failed."""
    assert stream_row(measured, "silent").verdict == "failed"
    late = record({"bridge": 1.0, "bridge (again)": 1.0, "half": 0.5}, failures=[Failure("half", "broke")])
    assert stream_row(late, "half").value is not None
    assert stream_row(late, "half").verdict == "failed"
    assert stream_row(late, "silent").verdict == "not measured"


def test_absent_values_are_told_with_their_reason() -> None:
    """A probe without a value in some rounds is one sentence: whose, in how many rounds, why."""
    whole = record({"bridge": 1.0}, rounds=3)
    few = {"latency": {"round_trips": 54, "missing": "only 54 round trips, at least 100 are needed"}}
    samples = [msgspec.structs.replace(one, raw=few if one.round else {}) for one in whole.samples]
    found = msgspec.structs.replace(whole, samples=samples)
    told = "bridge: no latency in 2 of 3 rounds: only 54 round trips, at least 100 are needed"
    assert absences(found) == (told,)
    assert told in drawn_from(found).absences
