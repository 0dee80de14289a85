"""A comparison as one HTML file: what was measured where, a table, and a dot plot for each metric.

What lives here: the page. What it must not know: how to measure. Nothing is loaded from anywhere else.
"""

from collections.abc import Sequence
from html import escape

from octet.measure.chart import dot_plot
from octet.measure.metrics import METRICS
from octet.measure.results import Results, Row, absences, summary

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 960px; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse; margin: 1em 0; font-size: 13px }
th, td { border-bottom: 1px solid #ccc; padding: .25em .6em; text-align: left; vertical-align: top }
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
small { color: #555 } svg { max-width: 100%; height: auto; margin: 1em 0 }
"""

_READING = """Dots are single rounds, the line is the 95 % interval of the median ratio, the grey band is how
far an identical copy of the baseline seemed to differ: within it, no difference was seen. Absolute figures
belong to this machine; a veth is no network card, so compare ratios."""


def page(results: Results) -> str:
    """Return the whole page as text."""
    rows = summary(results)
    charts = (dot_plot([row for row in rows if row.metric is metric], results.baseline) for metric in METRICS)
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>octet compare</title>',
            f"<style>{_STYLE}</style></head><body>",
            "<h1>octet compare</h1>",
            _context(results),
            _failures(results),
            _table(results, rows),
            *charts,
            f"<p>{_READING}</p>",
            "</body></html>",
        ]
    )


def _context(results: Results) -> str:
    known = {
        "started": results.started,
        "command": " ".join(results.command),
        "rounds": f"{results.rounds} of {results.seconds:g} s per probe, seed {results.seed}",
        "duration": f"{results.duration_s:.0f} s",
        **({"shortened": results.shortened} if results.shortened else {}),
        **results.machine,
        **results.versions,
    }
    cells = "".join(f"<tr><th>{escape(k)}</th><td>{escape(str(v))}</td></tr>" for k, v in known.items())
    return f"<table>{cells}</table>"


def _failures(results: Results) -> str:
    failed = [f"<b>{escape(f.candidate)}</b> failed: {escape(f.reason)}" for f in results.failures]
    items = "".join(f"<li>{item}</li>" for item in (*failed, *map(escape, absences(results))))
    return f"<ul>{items}</ul>" if items else ""


def _table(results: Results, rows: Sequence[Row]) -> str:
    head = "".join(f"<th>{escape(m.title)}<br><small>{escape(m.unit)}</small></th>" for m in METRICS)
    body = "".join(
        f'<tr><td title="{escape(sentence)}">{escape(name)}</td>{_cells(rows, name)}</tr>'
        for name, sentence in results.candidates.items()
    )
    return f"<table><tr><th>candidate</th>{head}</tr>{body}</table>"


def _cells(rows: Sequence[Row], name: str) -> str:
    return "".join(f'<td class="n">{_cell(row)}</td>' for row in rows if row.candidate == name)


def _cell(row: Row) -> str:
    if row.value is None:
        return escape(row.verdict)
    text = row.metric.text
    shown = f"{text(row.value.median)}<br><small>{text(row.value.low)} to {text(row.value.high)}</small>"
    if row.ratio is None:
        return shown
    return f"{shown}<br><small>&times;{row.ratio.median:.2f} {escape(row.verdict)}</small>"
