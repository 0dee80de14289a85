"""Dot plots as SVG text: each candidate's ratio to the baseline with its interval and the noise band.

What lives here: geometry and markup. What it must not know: files, how ratios came about.
The rules: a logarithmic axis, raw points, the A/A band, no bars without a zero, no colour that alone means
something.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from octet.measure.results import Row

WIDTH, LEFT, RIGHT, TOP, LINE, BOTTOM = 720, 190, 110, 34, 26, 34
TICKS = (
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    0.7,
    0.8,
    0.9,
    1.0,
    1.1,
    1.25,
    1.5,
    2.0,
    5.0,
    10.0,
    20.0,
    50.0,
    100.0,
)
NAMESPACE = "http://www.w3.org/2000/svg"
MARGIN = 1.08
"""The axis reaches this factor beyond the farthest thing drawn."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic axis between two ratios."""

    low: float
    high: float

    def x(self, ratio: float) -> float:
        """Return the pixel of a ratio."""
        share = math.log(ratio / self.low) / math.log(self.high / self.low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)


def axis(rows: Sequence[Row]) -> Axis:
    """Return an axis on which everything in these rows and the ratio 1 can be seen."""
    seen = [1.0]
    for row in rows:
        seen += row.ratios
        seen += [row.ratio.low, row.ratio.high] if row.ratio else []
        seen += [row.noise.low, row.noise.high] if row.noise else []
    return Axis(min(*seen, 0.95) / MARGIN, max(*seen, 1.05) * MARGIN)


def dot_plot(rows: Sequence[Row], baseline: str) -> str:
    """Return one metric's SVG: a line per candidate, best first; empty where there is nothing to compare."""
    compared = sorted((row for row in rows if row.ratio), key=_rank)
    if not compared:
        return ""
    metric, scale = compared[0].metric, axis(compared)
    height = TOP + LINE * len(compared) + BOTTOM
    better = "right is better" if metric.higher_is_better else "left is better"
    title = f"{metric.title}: ratio to {baseline} ({better})"
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="{NAMESPACE}" role="img" aria-label="{escape(title)}" {size} font-size="12">',
        f'<text x="0" y="16" font-weight="bold">{escape(title)}</text>',
        *_frame(scale, compared[0], height),
    ]
    for index, row in enumerate(compared):
        parts += _line(scale, row, TOP + LINE * index + LINE / 2)
    return "\n".join([*parts, "</svg>"])


def _rank(row: Row) -> float:
    ratio = row.ratio.median if row.ratio else 1.0
    return -ratio if row.metric.higher_is_better else ratio


def _frame(scale: Axis, row: Row, height: int) -> list[str]:
    bottom = height - BOTTOM
    parts = []
    if row.noise:
        low, high = scale.x(row.noise.low), scale.x(row.noise.high)
        band = f'x="{low:.1f}" y="{TOP}" width="{high - low:.1f}" height="{bottom - TOP}"'
        parts.append(f'<rect {band} fill="#ddd"><title>A/A noise: no difference seen in here</title></rect>')
    for tick in _ticks(scale):
        x = scale.x(tick)
        dash = "" if tick == 1 else ' stroke-dasharray="2 4"'
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}" stroke="#777"{dash}/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle" fill="#555">{tick:g}</text>')
    return parts


def _ticks(scale: Axis) -> list[float]:
    """Return the ticks on the axis, without those whose labels would touch the one before."""
    kept: list[float] = [1.0]
    for tick in sorted(TICKS, key=lambda value: abs(math.log(value))):
        apart = all(abs(scale.x(tick) - scale.x(other)) > 34 for other in kept)
        if scale.low <= tick <= scale.high and apart:
            kept.append(tick)
    return sorted(kept)


def _line(scale: Axis, row: Row, y: float) -> list[str]:
    if row.ratio is None:
        return []
    low, middle, high = (scale.x(value) for value in (row.ratio.low, row.ratio.median, row.ratio.high))
    text = f"{row.ratio.median:.2f} [{row.ratio.low:.2f}, {row.ratio.high:.2f}]"
    parts = [f'<text x="0" y="{y + 4:.1f}">{escape(row.candidate)}</text>']
    for index, ratio in enumerate(row.ratios):
        shift = (index % 5 - 2) * 2.5
        where = f'cx="{scale.x(ratio):.1f}" cy="{y + shift:.1f}"'
        parts.append(f'<circle {where} r="2" fill="#0072b2" fill-opacity="0.4"/>')
    parts += [
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="#000" stroke-width="2"/>',
        f'<circle cx="{middle:.1f}" cy="{y:.1f}" r="4.5" fill="#000"><title>{text}</title></circle>',
        f'<text x="{WIDTH - RIGHT + 8}" y="{y + 4:.1f}" font-size="11">{text}</text>',
    ]
    return parts
