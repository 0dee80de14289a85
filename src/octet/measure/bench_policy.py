"""``make bench``, second part: what policies cost a connection, how soon a change is in force, cold starts.

What lives here: which parts are run, how large, the command line. What it must not know: how anything is
measured, how the page looks.
"""

import argparse
import os
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from octet.errors import OctetError
from octet.measure import machine, rounds
from octet.measure.benchpage import present
from octet.measure.ending import end_in_order
from octet.measure.policing.deciding import decided
from octet.measure.policing.page import Figures, Rated, page
from octet.measure.policing.rates import BACKENDS, COUNTS, NONE, rates, ways
from octet.measure.policing.reaction import Reaction, usual, worst
from octet.measure.policing.starting import Start, start

MARKER = "bench-policy"
PARTS = ("rates", "changes", "start")
DECIDING, DECIDING_MARKER = "deciding", "bench-deciding"
"""A part with a place of its own on the page: two source trees can be asked side by side."""

KNOWN_PODS, KNOWN_POLICIES = 10_000, 1_000
MANY_NODES, MANY_PODS, MANY_POLICIES = 5_000, 100_000, 10_000
CHANGES = 200
"""Changes of each kind in the usual world; in the worst one a quarter of that."""


def rated(count: int, seed: int, share: float, name: str) -> Rated:
    """Measure what policies cost a connection. Raises OctetError."""
    sizes = [max(1, round(each * share)) for each in COUNTS]
    _tell(f"rules of {', '.join(map(str, sizes))} policies")
    with rates(sizes, f"{name}-rates") as made:
        known = {way.name: way for way in ways(made.found)}
        values: dict[str, dict[str, list[float]]] = {way: {} for way in known}
        for turns in rounds.plan(list(known), count, seed=seed):
            for turn in turns:
                _tell(f"round {turn.round + 1}: {turn.candidate}")
                found = made.turn(known[turn.candidate])
                for figure, value in found.items() if turn.round != rounds.WARM_UP else ():
                    values[turn.candidate].setdefault(figure, []).append(value)
        worked = {each.backend for each in made.found}
    none = {name: f"{NONE}, {way.path}" for name, way in known.items()}
    return Rated(values, none, count, [each for each in BACKENDS if each not in worked])


def reactions(count: int, share: float, name: str) -> list[Reaction]:
    """Measure how soon changes are in force. Raises OctetError."""
    pods, policies, many = (round(each * share) for each in (KNOWN_PODS, KNOWN_POLICIES, MANY_POLICIES))
    _tell(f"changes, {pods:,} pods and {policies:,} policies known")
    found = list(usual(pods, policies, count, f"{name}-usual"))
    _tell(f"changes, {many:,} policies for the same pods")
    return [*found, *worst(many, max(2, count // 4), f"{name}-worst")]


def started(share: float, name: str) -> Start:
    """Measure a cold start. Raises OctetError."""
    nodes, pods, policies = (round(each * share) for each in (MANY_NODES, MANY_PODS, MANY_POLICIES))
    _tell(f"cold start, {nodes:,} nodes, {pods:,} pods, {policies:,} policies")
    return start(nodes, pods, policies, f"{name}-start")


def run(parts: Sequence[str], count: int, changes: int, share: float, seed: int) -> Figures:
    """Measure the parts; every lab is down afterwards. Raises OctetError."""
    begun, facts, name = time.monotonic(), machine.facts(), f"policy-{os.getpid()}"
    cost = rated(count, seed, share, name) if "rates" in parts else None
    soon = reactions(changes, share, name) if "changes" in parts else []
    starts = [started(share, name)] if "start" in parts else []
    return Figures(seed, time.monotonic() - begun, facts, cost, soon, starts)


def _tell(text: str) -> None:
    sys.stderr.write(f"\r{text:78}")
    sys.stderr.flush()


def _deciding(asked: argparse.Namespace) -> int:
    """Measure decisions alone, of this agent and another one."""
    begun, here = time.monotonic(), Path(__file__).parents[2]
    others = [("the other", asked.against.resolve())] if asked.against else []
    found = list(decided([*others, ("this", here)], asked.share))
    text = page(
        Figures(asked.seed, time.monotonic() - begun, machine.facts(), decided=found), _command(asked)
    )
    sys.stdout.write("\n")
    present(text, asked.write, DECIDING_MARKER)
    return 0


def _command(asked: argparse.Namespace) -> str:
    against = " --against OTHER/src" if asked.against else ""
    return f"python -m octet.measure.bench_policy --part {DECIDING} --share {asked.share:g}{against}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark, print the page, and put it into a file between its markers where asked to."""
    parser = argparse.ArgumentParser(prog="python -m octet.measure.bench_policy", description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--changes", type=int, default=CHANGES)
    parser.add_argument("--share", type=float, default=1.0, help="of the full numbers of pods and policies")
    parser.add_argument(
        "--part",
        choices=(*PARTS, DECIDING),
        action="append",
        help=f"only these; left out, all but {DECIDING}",
    )
    parser.add_argument(
        "--against", type=Path, help=f"src of another checkout, whose agent is asked, too (--part {DECIDING})"
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31))
    parser.add_argument("--write", type=Path, help=f"a Markdown file with the markers of {MARKER}")
    asked = parser.parse_args(arguments)
    end_in_order()
    parts = asked.part or PARTS
    options = f"--rounds {asked.rounds} --changes {asked.changes} --share {asked.share:g} --seed {asked.seed}"
    only = "".join(f" --part {part}" for part in asked.part or ())
    command = f"python -m octet.measure.bench_policy {options}{only}"
    if asked.part == [DECIDING]:
        return _deciding(asked)
    try:
        text = page(run(parts, asked.rounds, asked.changes, asked.share, asked.seed), command)
    except OctetError as error:
        sys.stderr.write(f"\nerror: {error}\n")
        return 1
    sys.stdout.write("\n")
    present(text, asked.write, MARKER)
    return 0


if __name__ == "__main__":
    sys.exit(main())
