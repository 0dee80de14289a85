"""Finding a pod's connections in a large table: how long it takes, how long the event loop waits meanwhile.

What lives here: a table of made-up entries in a namespace that is thrown away, the ways to look for a pod's,
side by side in rounds, the page. What it must not know: policies, what becomes of what is found.
"""

import argparse
import asyncio
import os
import random
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, ip_address
from itertools import islice
from pathlib import Path

from octet.errors import OctetError
from octet.kernel import connections, namespaces
from octet.measure import machine
from octet.measure.benchpage import present
from octet.measure.statistics import median_interval, ratio_interval

MARKER = "bench-cutting"
ENTRIES = 240_000
POD = ip_address("10.244.0.2")
OTHERS = [IPv4Address(int(POD) + number) for number in range(1, 40)]
OURS = 50
"""Connections of the pod that is looked for."""

BEFORE = "the whole table, each entry taken apart (before)"
Way = Callable[[int], int]
"""Looks in a namespace; returns how many connections of the pod it found."""


def entries(count: int) -> Iterator[connections.Entry]:
    """Yield made-up connections, OURS of them the pod's, the last ones."""
    for number in range(count):
        source = POD if number >= count - OURS else IPv4Address(0x0A80_0000 + number // 50_000)
        yield connections.Entry(source, ip_address("198.51.100.1"), number % 50_000 + 1, 53)


def ways() -> dict[str, Way]:
    """Return the ways that are compared: all, and of one pod, some pods, many pods."""

    def among(count: int) -> Way:
        return lambda space: sum(
            each.source == POD for each in connections.listed([4], space, wanted[:count])
        )

    wanted = [POD, *OTHERS]
    return {
        BEFORE: lambda space: sum(each.source == POD for each in connections.listed([4], space)),
        "the same (A/A)": lambda space: sum(each.source == POD for each in connections.listed([4], space)),
        "of 1 address": among(1),
        f"of {connections.FEW} addresses": among(connections.FEW),
        "of 40 addresses": among(40),
    }


async def _timed(way: Way, space: int) -> tuple[float, float]:
    """Look once in a worker thread; return seconds, and the longest that the event loop was kept waiting."""
    worst, done = 0.0, asyncio.Event()

    async def tick() -> None:
        nonlocal worst
        while not done.is_set():
            begun = time.perf_counter()
            await asyncio.sleep(0.001)
            worst = max(worst, time.perf_counter() - begun - 0.001)

    ticking = asyncio.create_task(tick())
    begun = time.perf_counter()
    found = await asyncio.get_running_loop().run_in_executor(None, way, space)
    took = time.perf_counter() - begun
    done.set()
    await ticking
    if found != OURS:
        raise OctetError(f"found {found} connections of {OURS}")
    return took, worst


def measure(count: int, rounds: int, seed: int) -> Mapping[str, Sequence[tuple[float, float]]]:
    """Return by way (seconds, longest wait) of each round but the first. Raises OctetError."""
    known, found = ways(), dict[str, list[tuple[float, float]]]()
    space, order = namespaces.create(), random.Random(seed)
    try:
        made = entries(count)
        while some := list(islice(made, 10_000)):
            connections.enter(some, space)
        for number in range(rounds + 1):
            for name in order.sample(list(known), len(known)):
                figures = asyncio.run(_timed(known[name], space))
                found.setdefault(name, []).extend([figures] if number else [])
    except OSError as error:
        raise OctetError(f"cannot fill the table: {error}", hint="net.netfilter.nf_conntrack_max?") from error
    finally:
        os.close(space)
    return {name: found[name] for name in known}


def page(found: Mapping[str, Sequence[tuple[float, float]]], count: int, command: str, seed: int) -> str:
    """Return the figures as Markdown."""
    lines = [
        f"Measured with `{command}`.",
        "",
        "Machine: " + ", ".join(f"{key} {value}" for key, value in machine.facts().items()) + ".",
        "",
        f"| {count:,} entries | ms | to before | longest wait of the event loop, ms |",
        "|---|---|---|---|",
    ]
    before = [took for took, _ in found[BEFORE]]
    for name, figures in found.items():
        took = median_interval([1000 * took for took, _ in figures], seed=seed)
        waited = median_interval([1000 * wait for _, wait in figures], seed=seed)
        ratio = ratio_interval([took for took, _ in figures], before, seed=seed)
        shown = f"{ratio.median:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]" if name != BEFORE else "1"
        lines.append(f"| {name} | {took.median:.0f} | {shown} | {waited.median:.1f} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the page, and put it into a file between its markers where asked to."""
    parser = argparse.ArgumentParser(prog="python -m octet.measure.bench_cutting", description=main.__doc__)
    parser.add_argument("--entries", type=int, default=ENTRIES)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31))
    parser.add_argument("--write", type=Path, help=f"a Markdown file with the markers of {MARKER}")
    asked = parser.parse_args(arguments)
    options = f"--entries {asked.entries} --rounds {asked.rounds} --seed {asked.seed}"
    try:
        found = measure(asked.entries, asked.rounds, asked.seed)
    except OctetError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    text = page(found, asked.entries, f"python -m octet.measure.bench_cutting {options}", asked.seed)
    present(text, asked.write, MARKER)
    return 0


if __name__ == "__main__":
    sys.exit(main())
