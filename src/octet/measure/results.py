"""The record of a comparison: what ``results.json`` holds, and the statements that follow from it.

What lives here: the schema, reading and writing, the summary. What it must not know: how samples were taken.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from octet.errors import BadConfigurationError
from octet.measure.metrics import METRICS, MISSING, Metric
from octet.measure.rounds import FEWEST
from octet.measure.statistics import Interval, Noise, median_interval, noise_floor, ratio_interval

SCHEMA = 1
"""Raised when a reader of an older file would misunderstand a newer one."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What one round found for one candidate.

    Attributes:
        round: from 0; the samples of one round are pairs for ratios.
        order: the candidate's place within the round, from 0.
        values: by Metric.key; what could not be measured is absent, never made up.
        raw: what the values were computed from, by probe.
    """

    candidate: str
    round: int
    order: int
    values: dict[str, float]
    raw: dict[str, Any]


class Failure(msgspec.Struct, frozen=True):
    """A candidate that gave no figures, and why; the other candidates' figures stand.

    Attributes:
        possible: could it have? Without, it was never started: its model cannot work on this fabric, or with
            this kernel.
    """

    candidate: str
    reason: str
    possible: bool = True


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """A whole comparison.

    Attributes:
        command: the command line that repeats it.
        fabric: what connected the nodes.
        candidates: name to one sentence, in the order asked for.
        baseline: the candidate that ratios are against.
        twin: an identical copy of the baseline (A/A); empty if there was none.
        seed: of the order of candidates and of the bootstrap.
        seconds: of each probe.
        shortened: why fewer rounds than asked for were run; empty if all were.
        samples: every one taken, in the order they were taken.
    """

    schema: int = SCHEMA
    started: str
    duration_s: float
    command: list[str]
    machine: dict[str, Any]
    versions: dict[str, str]
    candidates: dict[str, str]
    baseline: str
    twin: str
    seed: int
    seconds: float
    rounds: int
    shortened: str
    samples: list[Sample]
    failures: list[Failure]
    fabric: str = "l2"


def write(results: Results, path: Path) -> None:
    """Write ``results.json`` so that a reader finds the old file or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1))
    draft.replace(path)


class _Head(msgspec.Struct):
    """What is read first: the rest of another schema may look different."""

    schema: int


def read(path: Path) -> Results:
    """Read ``results.json``. Raises BadConfigurationError when it is of another schema or not one at all."""
    text = path.read_bytes()
    schema = _decoded(text, _Head, path).schema
    if schema != SCHEMA:
        hint = f"this octet reads schema {SCHEMA}: octet compare writes it"
        raise BadConfigurationError(str(path), "schema", schema, "unknown version", hint=hint)
    return _decoded(text, Results, path)


T = TypeVar("T")


def _decoded(text: bytes, kind: type[T], path: Path) -> T:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as error:
        problem, _, place = str(error).partition(" - at `$")
        field = place.strip("`.") or "document"
        raise BadConfigurationError(
            str(path), field, _there(text, field), problem, hint="what octet compare wrote"
        ) from error


def _there(text: bytes, field: str) -> object:
    """Return what stands at a place of a JSON text; the text's beginning where it is none."""
    try:
        held = msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return text[:40].decode(errors="replace")
    for part in field.replace("]", "").replace("[", ".").split(".") if field != "document" else ():
        try:
            held = held[int(part)] if isinstance(held, list) else held[part]
        except (KeyError, IndexError, ValueError, TypeError):
            return None
    return held if isinstance(held, str | int | float | bool | None) else type(held).__name__


@dataclass(frozen=True, slots=True)
class Row:
    """What can be said about one metric of one candidate.

    Attributes:
        value: None where it was never measured.
        ratio: to the baseline of the same rounds; None for the baseline itself or without pairs.
        noise: of this metric in this run; None without a twin.
        failed: did the candidate stop to give figures?
        ratios: each round's own ratio, for drawing.
    """

    candidate: str
    metric: Metric
    value: Interval | None
    ratio: Interval | None
    noise: Noise | None
    ratios: tuple[float, ...] = ()
    failed: bool = False

    @property
    def verdict(self) -> str:
        """``better``, ``worse``, ``no difference seen``, ``too few rounds``, or empty if not compared.

        ``failed`` where the candidate did, whatever it had shown before; ``not measured`` without a value.
        """
        if self.failed:
            return "failed"
        if self.value is None:
            return "not measured"
        if self.ratio is None:
            return ""
        if self.ratio.count < FEWEST and not self.metric.exact:
            return "too few rounds"
        noise = Noise(1.0) if self.metric.exact or self.noise is None else self.noise
        if noise.hides(self.ratio):
            return "no difference seen"
        return "better" if (self.ratio.median > 1) == self.metric.higher_is_better else "worse"


def summary(results: Results) -> tuple[Row, ...]:
    """Return a row for each candidate and metric, in the order of candidates and METRICS."""
    pairs = {
        (name, metric): _pairs(results, name, metric) for name in results.candidates for metric in METRICS
    }
    return tuple(
        _row(results, name, metric, pairs[name, metric], pairs.get((results.twin, metric), ()))
        for name in results.candidates
        for metric in METRICS
    )


def absences(results: Results) -> tuple[str, ...]:
    """Return a sentence for each probe of a candidate without a value in some rounds, though packets pass."""
    found: dict[tuple[str, str], list[str]] = {}
    for sample in results.samples:
        for probe, raw in sample.raw.items():
            if isinstance(raw, Mapping) and MISSING in raw:
                found.setdefault((sample.candidate, probe), []).append(str(raw[MISSING]))
    return tuple(
        f"{name}: no {probe} in {len(why)} of {results.rounds} rounds: {', '.join(dict.fromkeys(why))}"
        for (name, probe), why in found.items()
    )


Pairs = Sequence[tuple[float, float]]


def _pairs(results: Results, name: str, metric: Metric) -> Pairs:
    """Return (candidate's, baseline's) values of the rounds where both have one and can be divided."""
    base = _by_round(results, results.baseline, metric)
    mine = _by_round(results, name, metric)
    shared = sorted(set(base) & set(mine))
    return [(mine[index], base[index]) for index in shared if mine[index] > 0 and base[index] > 0]


def _by_round(results: Results, name: str, metric: Metric) -> Mapping[int, float]:
    return {
        sample.round: sample.values[metric.key]
        for sample in results.samples
        if sample.candidate == name and metric.key in sample.values
    }


def _ratio(pairs: Pairs, seed: int) -> Interval | None:
    if not pairs:
        return None
    return ratio_interval([one for one, _ in pairs], [other for _, other in pairs], seed=seed)


def _row(results: Results, name: str, metric: Metric, pairs: Pairs, twin_pairs: Pairs) -> Row:
    values = list(_by_round(results, name, metric).values())
    twin = _ratio(twin_pairs, results.seed)
    return Row(
        candidate=name,
        metric=metric,
        value=median_interval(values, seed=results.seed) if values else None,
        ratio=_ratio(pairs, results.seed) if name != results.baseline else None,
        noise=noise_floor(twin) if twin else None,
        ratios=tuple(one / other for one, other in pairs),
        failed=any(failure.candidate == name for failure in results.failures),
    )
