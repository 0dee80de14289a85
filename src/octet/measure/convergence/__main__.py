"""``make bench``: convergence on racks, ours and BIRD by hand in turns.

What lives here: the run, the command line, the table. What it must not know: what a scene does.
"""

import argparse
import os
import secrets
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from octet.errors import OctetError
from octet.measure import machine, rounds
from octet.measure.benchpage import present
from octet.measure.convergence.scenes import NEVER, SCENES, play
from octet.measure.convergence.sites import CANDIDATES, Racked, up
from octet.measure.ending import end_in_order
from octet.measure.statistics import median_interval

SECTION = "convergence"
"""The markers in docs/benchmarks.md."""

Values = Mapping[str, Mapping[str, list[float]]]
"""Seconds of each round, by scene and candidate."""


def run(names: Sequence[str], count: int, seed: int) -> Values:
    """Measure candidates in turns; every lab is down afterwards. Raises OctetError."""
    values: dict[str, dict[str, list[float]]] = {scene: {name: [] for name in names} for scene in SCENES}
    with ExitStack() as stack:
        sites: dict[str, Racked] = {}
        for index, name in enumerate(names):
            sites[name] = up(name, f"converge-{os.getpid()}-{index}")
            stack.callback(sites[name].lab.down)
        for turns in rounds.plan(list(names), count, seed=seed):
            for turn in turns if turns[0].round != rounds.WARM_UP else ():
                for scene in SCENES:
                    sys.stderr.write(f"\rround {turn.round + 1}: {turn.candidate}: {scene:45}")
                    values[scene][turn.candidate].append(play(sites[turn.candidate], scene))
    return values


def page(values: Values, command: str, seconds: float, facts: Mapping[str, object], seed: int) -> str:
    """Return the figures as Markdown."""
    names = list(next(iter(values.values())))
    told = ", ".join(f"{key} {value}" for key, value in facts.items())
    return "\n".join(
        [
            f"Measured with `{command}` in {seconds:.0f} s.",
            "",
            f"Machine: {told}.",
            "",
            "Seconds, median of the rounds [95 % interval] (smallest to largest):",
            "",
            f"| what | {' | '.join(names)} |",
            "|---" * (len(names) + 1) + "|",
            *_rows(values, names, seed),
        ]
    )


def _rows(values: Values, names: Sequence[str], seed: int) -> Iterator[str]:
    for scene, held in values.items():
        yield f"| {scene} | {' | '.join(_cell(held[name], seed) for name in names)} |"


def _cell(samples: Sequence[float], seed: int) -> str:
    if min(samples) >= NEVER:
        return f"not within {NEVER:.0f}"
    found = median_interval(samples, seed=seed)
    spread = f"({min(samples):.3f} to {max(samples):.3f})"
    return f"{found.median:.3f} [{found.low:.3f}, {found.high:.3f}] {spread}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure how soon packets flow again when racks break or heal; print it, or put it into a file."""
    parser = argparse.ArgumentParser(prog="python -m octet.measure.convergence", description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31))
    parser.add_argument(
        "--candidates", default="; ".join(CANDIDATES), help="names with semicolons between them"
    )
    parser.add_argument("--write", type=Path, help="a Markdown file with the markers of this section")
    asked = parser.parse_args(arguments)
    end_in_order()
    begun, facts = time.monotonic(), machine.facts()
    names = [name.strip() for name in asked.candidates.split(";") if name.strip()]
    command = f"python -m octet.measure.convergence --rounds {asked.rounds} --seed {asked.seed}"
    try:
        values = run(names, asked.rounds, asked.seed)
    except OctetError as error:
        sys.stderr.write(f"\nerror: {error}\n")
        return 1
    text = page(values, command, time.monotonic() - begun, facts, asked.seed)
    sys.stdout.write("\n")
    present(text, asked.write, SECTION)
    return 0


if __name__ == "__main__":
    sys.exit(main())
