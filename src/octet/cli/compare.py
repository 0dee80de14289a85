"""``octet compare``: measure pod networks side by side on this machine.

What lives here: arguments, the progress bar, the table, where files go.
What it must not know: how to measure.
"""

import json
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from octet.cli import completing, output

if TYPE_CHECKING:
    from octet.choose.page import Bundle
    from octet.measure.comparison import Tell
    from octet.measure.results import Results, Row

QUICK_LIMIT = 172.0
"""Seconds for the rounds of --quick: with starting and ending the labs that is under three minutes."""

QUICK_ROUNDS, ROUNDS = 6, 20
"""Six rounds are enough to smell smoke, twenty for a claim of about 5 %."""

QUICK_SECONDS, SECONDS = 0.6, 3.0

app = typer.Typer()


@app.command(
    epilog=output.examples(
        "octet compare --quick",
        "octet compare --candidates flannel,kopeio-vxlan --rounds 10 --out report",
        "octet compare --quick --fabric routed --candidates flannel,kopeio-vxlan",
        "octet compare --quick --json | python3 -m json.tool",
    )
)
def compare(
    quick: Annotated[bool, typer.Option("--quick", help="All candidates in under three minutes.")] = False,
    rounds: Annotated[int | None, typer.Option(min=1, help="Rounds after the warm-up.")] = None,
    candidates: Annotated[
        str,
        typer.Option(
            help="Names with commas between them; all of them if left out.",
            autocompletion=completing.candidates,
        ),
    ] = "",
    out: Annotated[Path, typer.Option(help="Directory for results.json and report.html.")] = Path("report"),
    fabric: Annotated[
        str, typer.Option(help="What connects the two nodes: l2, one switch; routed, racks with BGP.")
    ] = "l2",
    seed: Annotated[int | None, typer.Option(help="Repeats the order of another run.")] = None,
    progress: Annotated[
        bool, typer.Option("--progress", help="A line of JSON on stderr for each step, for programs.")
    ] = False,
    as_json: output.Json = False,
) -> None:
    """Measure our models and the reference plugins side by side, in interleaved rounds.

    Without --quick this is 20 rounds of 3 s per probe: about 25 minutes for all candidates.

    Each candidate is a cluster of two nodes in private namespaces. Every round takes all candidates
    in a new random order; ratios are between values of the same round; an identical copy of the
    baseline shows how large a difference means nothing. The recommendation for a usual case comes last.
    A model that cannot work on the fabric, or with this kernel, is named with the reason. Exit code 1
    when a candidate fails.
    """
    from octet.choose.page import bundle
    from octet.measure import comparison, results
    from octet.measure.candidates import chosen
    from octet.measure.ending import end_in_order

    settings = comparison.Settings(
        candidates=chosen([name.strip() for name in candidates.split(",") if name.strip()]),
        rounds=rounds or (QUICK_ROUNDS if quick else ROUNDS),
        seconds=QUICK_SECONDS if quick else SECONDS,
        seed=secrets.randbelow(1 << 31) if seed is None else seed,
        limit=QUICK_LIMIT if quick else None,
        command=("octet", *sys.argv[1:]),
        fabric=fabric,
    )
    end_in_order()
    held = bundle()  # before the labs: what is missing must be said at once, not after the rounds
    with _lines() if progress else _progress() as tell:
        found = comparison.compare(settings, tell)
    results.write(found, out / "results.json")
    _show(found, as_json=as_json)
    recommend(found, out / "decision.json", held, as_json=as_json)
    output.note(f"written: {out / 'results.json'} (every sample), {out / 'report.html'} (the page)")
    _tell_of_gaps(found)


def _tell_of_gaps(found: "Results") -> None:
    """Say on stderr what has no figure and why; end with 1 where a candidate failed."""
    from octet.measure import results

    if found.shortened:
        output.note(f"note: {found.shortened}")
    for text in results.absences(found):
        output.note(f"note: {text}")
    for failure in found.failures:
        what = "failed" if failure.possible else "not possible"
        output.note(f"{what}: {failure.candidate}: {failure.reason}")
    if any(failure.possible for failure in found.failures):
        raise typer.Exit(output.FAILED)


def recommend(found: "Results", path: Path, held: "Bundle", *, as_json: bool) -> None:
    """Say what these figures and the facts come to in a usual case; write the decision and its page.

    Where stdout is JSON for a program, the person reads it on stderr.
    """
    from octet.choose import decide, profile, telling
    from octet.choose.decision import to_json
    from octet.choose.facts import load
    from octet.cli import page

    facts = load()
    decision = decide(profile.USUAL, facts, found)
    path.write_bytes(to_json(decision))
    page.write(decision, facts, found, path.with_name("report.html"), held)
    say = output.note if as_json else typer.echo
    say(f"\nWhich one? For {profile.ABOUT}:")
    for line in telling.short(decision):
        say(line)
    say(f"Yours is another case? octet choose --results {path.with_name('results.json')}\n")


@contextmanager
def _lines() -> Iterator["Tell"]:
    """Print each step as JSON on stderr. Where nobody reads it any more, end, and take the labs along."""

    def tell(what: str, done: int, total: int) -> None:
        try:
            output.note(json.dumps({"step": what, "done": done, "total": total}))
        except BrokenPipeError:
            sys.exit(output.FAILED)

    yield tell


@contextmanager
def _progress() -> Iterator["Tell"]:
    """Show a bar on stderr; where that is no terminal, a line per round is too much, so nothing is shown."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def tell(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield tell


def _show(found: "Results", *, as_json: bool) -> None:
    from octet.measure.metrics import METRICS
    from octet.measure.results import summary

    held = summary(found)
    rows = [row for metric in METRICS for row in held if row.metric is metric]
    cells = [_cells(row) for row in rows]
    columns = ["metric", "candidate", "median", "95 % interval", f"ratio to {found.baseline}", "verdict"]
    title = f"fabric {found.fabric}, {found.rounds} rounds, {found.duration_s:.0f} s, seed {found.seed}"
    output.table(title, columns, cells, json_rows=[_json(row) for row in rows], as_json=as_json)


def _cells(row: "Row") -> list[object]:
    text = row.metric.text
    value = row.value
    if value is None:
        return [row.metric.title, row.candidate, None, None, None, row.verdict]
    ratio = f"{row.ratio.median:.2f} [{row.ratio.low:.2f}, {row.ratio.high:.2f}]" if row.ratio else None
    interval = f"[{text(value.low)}, {text(value.high)}]"
    median = f"{text(value.median)} {row.metric.unit}"
    return [row.metric.title, row.candidate, median, interval, ratio, row.verdict or None]


def _json(row: "Row") -> dict[str, object]:
    import msgspec

    shown = {"metric": row.metric.key, "candidate": row.candidate, "verdict": row.verdict or None}
    noise = row.noise.factor if row.noise else None
    return {
        **shown,
        "value": msgspec.to_builtins(row.value),
        "ratio": msgspec.to_builtins(row.ratio),
        "noise_factor": noise,
    }
