"""Measured figures as a decision uses them: ratios to the baseline with all their uncertainty.

What lives here: one reading of ``Results`` for many decisions. What it must not know: which model stands in
for which provider, what a ratio is worth.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from octet.choose.decision import Measured
from octet.measure.metrics import Metric
from octet.measure.results import Results, Row, summary
from octet.measure.rounds import FEWEST


@dataclass(frozen=True, slots=True)
class Figure:
    """A ratio to the baseline: where it lies with the run's noise added to its interval.

    Attributes:
        low, high: both ends of the 95 % interval, moved apart by the factor of the noise floor.
        says: for a person.
    """

    low: float
    high: float
    says: str


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured, by model and metric. What is not in it was not measured, and nobody guesses it."""

    measured: Measured | None = None
    ratios: Mapping[tuple[str, str], Figure] = field(default_factory=dict)

    def get(self, model: str, metric: Metric) -> Figure | None:
        """Return a figure of a model; None where there is none."""
        return self.ratios.get((model, metric.key))


def of(results: Results | None, other_machine: str = "") -> Figures:
    """Return the figures of a comparison; of too few rounds for a claim nothing is taken."""
    if results is None:
        return Figures()
    machine = results.machine
    measured = Measured(
        started=results.started,
        machine=f"{machine.get('cpu') or 'processor unknown'}, Linux {machine.get('kernel') or 'unknown'}",
        rounds=results.rounds,
        candidates=tuple(name for name in results.candidates if name != results.twin),
        other_machine=other_machine,
    )
    rows = ((row, _figure(row, results.baseline)) for row in summary(results))
    return Figures(
        measured, {(row.candidate, row.metric.key): each for row, each in rows if each is not None}
    )


def _figure(row: Row, baseline: str) -> Figure | None:
    if row.ratio is None or row.value is None or row.ratio.count < FEWEST:
        return None
    noise = row.noise.factor if row.noise else 1.0
    ratio = f"{row.ratio.median:.2f} [{row.ratio.low:.2f}, {row.ratio.high:.2f}]"
    value = f"{row.metric.text(row.value.median)} {row.metric.unit}"
    says = f"{row.metric.title} {value}, {ratio} times the {baseline} plugin's; noise up to {noise:.2f}"
    return Figure(row.ratio.low / noise, row.ratio.high * noise, says)
