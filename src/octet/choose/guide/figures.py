"""What was measured, as the guide shows it: ratios with their intervals, and what counts as noise.

What lives here: rows of a stored comparison. What it must not know: how it was measured, files.
"""

import datetime as dt

from octet import models
from octet.measure.metrics import METRICS, Metric
from octet.measure.results import Results, Row, summary
from octet.measure.statistics import CONFIDENCE

PLAIN = "no difference seen"
"""The verdict that goes without saying."""

CLAIMS = {"better", "worse"}
"""Verdicts that say something."""


def heads(results: Results) -> list[str]:
    """Return the table's head: what is measured, the baseline in its unit, the noise, everybody else."""
    return ["", f"`{results.baseline}`", "noise", *(called(name) for name in others(results))]


def rows(results: Results) -> list[list[str]]:
    """Return a row for each metric that was measured."""
    held = {(row.candidate, row.metric): row for row in summary(results)}
    return [_row(results, metric, held) for metric in METRICS if held[results.baseline, metric].value]


def others(results: Results) -> list[str]:
    """Return the candidates that are compared with the baseline, without its twin."""
    return [name for name in results.candidates if name not in {results.baseline, results.twin}]


def called(name: str) -> str:
    """Return what a candidate is: a model of ours is never called by the provider's name alone."""
    return f"our model `{name}`" if name in models.names() else f"plugin `{name}`"


def machine(results: Results) -> str:
    """Return what the machine is, as a part of a sentence."""
    facts = results.machine
    return (
        f"{facts['cpus']} processors ({facts['cpu']}), {facts['memory_mib']} MiB, Linux {facts['kernel']}, "
        f"{facts['distribution']}"
    )


def day(results: Results) -> dt.date:
    """Return the day on which the run began."""
    return dt.datetime.fromisoformat(results.started).date()


def busy(results: Results) -> bool:
    """Tell whether more than half of the processors had work before the run began."""
    return bool(results.machine["load_1min"] > results.machine["cpus"] / 2)


def confidence() -> str:
    """Return how sure an interval is, in per cent."""
    return f"{100 * CONFIDENCE:.0f}"


def _row(results: Results, metric: Metric, held: dict[tuple[str, Metric], Row]) -> list[str]:
    base = held[results.baseline, metric]
    return [
        f"{metric.title}, {'more' if metric.higher_is_better else 'less'} is better",
        _value(base),
        _noise(base),
        *(_ratio(held[name, metric]) for name in others(results)),
    ]


def _value(row: Row) -> str:
    return "" if row.value is None else f"{row.metric.text(row.value.median)} {row.metric.unit}"


def _noise(row: Row) -> str:
    if row.metric.exact:
        return "none"
    return "*unknown*" if row.noise is None else f"{row.noise.low:.2f} to {row.noise.high:.2f}"


def _ratio(row: Row) -> str:
    if row.ratio is None:
        return "not measured"
    text = f"{row.ratio.median:.2f} [{row.ratio.low:.2f}, {row.ratio.high:.2f}]"
    if row.verdict == PLAIN:
        return text
    return f"{text} **{row.verdict}**" if row.verdict in CLAIMS else f"{text} {row.verdict}"
