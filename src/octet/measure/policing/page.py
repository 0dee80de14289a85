"""The page of policy's figures: each part with its bar, and whether it is met.

What lives here: Markdown. What it must not know: how the figures came about.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from octet.measure.policing.changes import Taken
from octet.measure.policing.deciding import Decided
from octet.measure.policing.reaction import Reaction
from octet.measure.policing.starting import Start
from octet.measure.statistics import Interval, median_interval, quantile, ratio_interval

DEAREST = 1.05
"""Bar of DESIGN: a new connection with 10,000 policies costs at most so many times one without."""

SLOWEST = 50.0
"""Bar: ms at p99 from a change to enforcement."""

LONGEST, LARGEST = 30.0, 300.0
"""Bars: seconds until an agent is ready, MiB that it then holds."""


@dataclass(frozen=True, slots=True)
class Rated:
    """What connections cost.

    Attributes:
        values: by way and figure, µs of each round.
        none: by way, the way without policies that it is divided by.
        missing: backends of iptables that do not work here.
    """

    values: Mapping[str, Mapping[str, Sequence[float]]]
    none: Mapping[str, str]
    rounds: int
    missing: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run found; a part that was not asked for is empty."""

    seed: int
    seconds: float
    machine: Mapping[str, object]
    rated: Rated | None = None
    reactions: Sequence[Reaction] = ()
    starts: Sequence[Start] = ()
    decided: Sequence[Decided] = ()


def page(figures: Figures, command: str) -> str:
    """Return the figures as Markdown."""
    machine = ", ".join(f"{key} {value}" for key, value in figures.machine.items())
    lines = [f"Measured with `{command}` in {figures.seconds:.0f} s.", "", f"Machine: {machine}.", ""]
    if figures.rated is not None:
        lines += _rated(figures.rated, figures.seed)
    if figures.reactions:
        lines += _reactions(figures.reactions)
    if figures.starts:
        lines += _starts(figures.starts)
    if figures.decided:
        lines += _decided(figures.decided)
    return "\n".join(lines).rstrip()


def _rated(rated: Rated, seed: int) -> Iterator[str]:
    yield f"### What policies cost a connection ({rated.rounds} rounds)"
    yield ""
    yield (
        "Times the same without policy, median of the rounds' ratios [95 % interval], and the time in µs. "
        f"Bar: a new connection with the most policies at most {DEAREST:.2f}."
    )
    yield ""
    yield "| rules, policies, path | new connection | µs | round trip | µs |"
    yield "|---|---|---|---|---|"
    for way, found in rated.values.items():
        base = rated.values[rated.none[way]]
        cells = [cell for figure in found for cell in _cells(found[figure], base[figure], seed)]
        yield f"| {way} | {' | '.join(cells)} |"
    yield ""
    for each in rated.missing:
        yield f"iptables-{each} does not work here, and was not measured."
        yield ""


def _cells(values: Sequence[float], base: Sequence[float], seed: int) -> tuple[str, str]:
    ratio = "1" if values is base else _text(ratio_interval(values, base, seed=seed))
    return ratio, f"{median_interval(values, seed=seed).median:.0f}"


def _text(found: Interval) -> str:
    return f"{found.median:.2f} [{found.low:.2f}, {found.high:.2f}]"


def _reactions(reactions: Sequence[Reaction]) -> Iterator[str]:
    yield "### From a change in the store to enforcement"
    yield ""
    yield (
        "Milliseconds, p50 and p99, until a packet meets the new verdict; of that the agent's decision and "
        "the kernel's transaction; and how long the agent was on a processor for all it did about it, which "
        f"others on the machine do not change. Bar: {SLOWEST:.0f} ms at p99."
    )
    yield ""
    yield "| known, and what changes | changes | whole | decision | transaction | processor | bar |"
    yield "|---|---|---|---|---|---|---|"
    for each in reactions:
        late = quantile([taken.whole for taken in each.taken], 0.99)
        cells = [str(len(each.taken)), *_quantiles(each.taken), "met" if late <= SLOWEST else "missed"]
        yield f"| {each.title} | {' | '.join(cells)} |"
    yield ""


def _quantiles(taken: Sequence[Taken]) -> Iterator[str]:
    for part in ("whole", "decision", "transaction", "processor"):
        values = [getattr(each, part) for each in taken]
        yield f"{quantile(values, 0.5):.1f}, {quantile(values, 0.99):.1f}"


def _starts(starts: Sequence[Start]) -> Iterator[str]:
    yield "### Cold start"
    yield ""
    yield f"Until the agent says that it is ready. Bars: {LONGEST:.0f} s, {LARGEST:.0f} MiB."
    yield ""
    yield "| nodes | pods | policies | seconds | resident MiB | at most MiB | objects in the kernel | bars |"
    yield "|---|---|---|---|---|---|---|---|"
    for each in starts:
        met = "met" if each.seconds <= LONGEST and each.resident <= LARGEST else "missed"
        numbers = f"{each.nodes:,} | {each.pods:,} | {each.policies:,} | {each.seconds:.1f}"
        yield f"| {numbers} | {each.resident:.0f} | {each.peak:.0f} | {each.objects:,} | {met} |"
    yield ""


def _decided(decided: Sequence[Decided]) -> Iterator[str]:
    yield "### Deciding among very many policies, and about a very large one"
    yield ""
    yield "Without a kernel: milliseconds of a processor (median), objects that change, MiB of the process."
    yield ""
    yield "| known, and what changes | agent of | ms | objects | MiB |"
    yield "|---|---|---|---|---|"
    for each in decided:
        numbers = f"{each.milliseconds:,.0f} | {each.objects:,} | {each.peak:,.0f}"
        yield f"| {each.world}: {each.change} | {each.source} | {numbers} |"
    yield ""
