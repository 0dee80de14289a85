"""Measured figures as the page draws them: the statements of ``octet.measure.results``, no new arithmetic.

What lives here: the translation of a summary. What it must not know: how it was measured.
"""

from collections.abc import Mapping

from msgspec import Struct

from octet import models
from octet.measure.metrics import METRICS, Metric
from octet.measure.results import Results, Row, absences, summary
from octet.measure.statistics import Interval


class RowShown(Struct, frozen=True, kw_only=True):
    """One metric of one candidate; see ``octet.measure.results.Row``.

    Attributes:
        metric: its key.
        noise: the factor around 1 that hides a difference; None without a twin.
        ratios: each round's own.
    """

    candidate: str
    metric: str
    value: Interval | None
    ratio: Interval | None
    noise: float | None
    verdict: str
    ratios: tuple[float, ...]


class MeasuredShown(Struct, frozen=True, kw_only=True):
    """All that a comparison says; ``titles`` tell our models, reference plugins and originals apart.

    Attributes:
        absences: which figures are missing in some rounds, and why, a sentence each.
    """

    absences: tuple[str, ...]
    metrics: tuple[Metric, ...]
    rows: tuple[RowShown, ...]
    titles: Mapping[str, str]


def drawn_from(results: Results) -> MeasuredShown:
    """Return what a comparison says about every candidate and metric."""
    return MeasuredShown(
        absences=absences(results),
        metrics=METRICS,
        rows=tuple(_row(row) for row in summary(results)),
        titles={name: _title(results, name) for name in results.candidates},
    )


def _row(row: Row) -> RowShown:
    return RowShown(
        candidate=row.candidate,
        metric=row.metric.key,
        value=row.value,
        ratio=row.ratio,
        noise=row.noise.factor if row.noise else None,
        verdict=row.verdict,
        ratios=row.ratios if row.ratio else (),
    )


def _title(results: Results, name: str) -> str:
    if name in models.names():
        return f"octet {name} (our model)"
    if name == results.twin:
        return f"{name}, identical copy"
    return f"{name} (reference plugin)"
