"""The page of attach and detach times: ratios with intervals first, then the machine and single figures.

What lives here: Markdown on stdout, and between two markers of a file. What it must not know: how the figures
came about.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from octet.errors import BadConfigurationError
from octet.measure.statistics import median_interval, ratio_interval


def markers(name: str) -> tuple[str, str]:
    """Return the two lines between which a benchmark writes."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


BEGIN, END = markers("bench")


@dataclass(frozen=True, slots=True)
class Figures:
    """What a benchmark found.

    Attributes:
        values: by provider and figure, milliseconds of each round.
        ours: the provider that the others are divided by.
        singular: figures of ours alone, as text.
    """

    values: Mapping[str, Mapping[str, Sequence[float]]]
    ours: str
    rounds: int
    seed: int
    seconds: float
    singular: Mapping[str, str]
    machine: Mapping[str, object]


def page(figures: Figures, command: str) -> str:
    """Return the figures as Markdown."""
    machine = ", ".join(f"{key} {value}" for key, value in figures.machine.items())
    return "\n".join(
        [
            f"Measured with `{command}`: {figures.rounds} rounds in {figures.seconds:.0f} s.",
            "",
            f"Machine: {machine}.",
            "",
            *_ratios(figures),
            "",
            *_times(figures),
            "",
            *(f"- {name}: {value}" for name, value in figures.singular.items()),
        ]
    )


def _others(figures: Figures) -> list[str]:
    return [name for name in figures.values if name != figures.ours]


def _ratios(figures: Figures) -> Iterator[str]:
    others = _others(figures)
    yield f"How many times faster {figures.ours} is, median of the rounds' ratios [95 % interval]:"
    yield ""
    yield f"| figure | {' | '.join(f'than {name}' for name in others)} |"
    yield "|---" * (len(others) + 1) + "|"
    for figure, mine in figures.values[figures.ours].items():
        cells = (_ratio(figures.values[name][figure], mine, figures.seed) for name in others)
        yield f"| {figure} | {' | '.join(cells)} |"


def _ratio(theirs: Sequence[float], mine: Sequence[float], seed: int) -> str:
    found = ratio_interval(theirs, mine, seed=seed)
    return f"{found.median:.1f} [{found.low:.1f}, {found.high:.1f}]"


def _times(figures: Figures) -> Iterator[str]:
    names = [figures.ours, *_others(figures)]
    yield "The same in milliseconds, which belong to this machine:"
    yield ""
    yield f"| figure | {' | '.join(names)} |"
    yield "|---" * (len(names) + 1) + "|"
    for figure in figures.values[figures.ours]:
        cells = (_time(figures.values[name][figure], figures.seed) for name in names)
        yield f"| {figure} | {' | '.join(cells)} |"


def _time(values: Sequence[float], seed: int) -> str:
    found = median_interval(values, seed=seed)
    return f"{found.median:.1f} [{found.low:.1f}, {found.high:.1f}]"


def present(text: str, into: Path | None, name: str = "bench") -> None:
    """Print a page, and put it into a file between its markers where one is named.

    Raises:
        BadConfigurationError: the file has no such markers.
    """
    sys.stdout.write(f"{text}\n")
    if into:
        insert(into, text, name)


def insert(path: Path, text: str, name: str = "bench") -> None:
    """Put the text between a file's markers, atomically. Raises BadConfigurationError without them."""
    begin, end = markers(name)
    held = path.read_text()
    if held.count(begin) != 1 or held.count(end) != 1:
        raise BadConfigurationError(str(path), "markers", begin, "must be there once, with its end")
    before, _, rest = held.partition(begin)
    _, _, after = rest.partition(end)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")
    draft.replace(path)
