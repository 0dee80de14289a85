"""A comparison from start to end: every candidate up, rounds of turns, the record.

What lives here: the run. What it must not know: terminals, files, how figures are printed.
"""

import datetime as dt
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from octet.errors import BadConfigurationError, OctetError
from octet.kernel import features
from octet.lab.fabrics import FABRICS
from octet.measure import machine, metrics, rounds
from octet.measure.candidates import BASELINE, TWIN, Candidate, impossible
from octet.measure.metrics import MISSING
from octet.measure.places import ProbeFailedError, Reading
from octet.measure.probes import Connections, Latency, Mtu, Stream
from octet.measure.results import Failure, Results, Sample
from octet.measure.site import Site

TOOLS = ("iperf3", "sockperf", "ping", "nsenter", "taskset")
"""Programs that the probes and their places start."""

PODS_PER_NODE = 2
"""Pods attached in each turn: the first of each node carry the traffic, all give attach and detach times."""

MTU_WAIT = 0.2
"""Seconds that a packet of the MTU probe may take there and back."""

SHARE_CARRIED = 0.9
"""Of the bytes that a stream delivered, the part the carrier must have counted; the rest is rounding."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What was asked for.

    Attributes:
        seconds: of each probe.
        limit: seconds for everything, within whole rounds; None is no limit.
        command: the command line, for the record.
        fabric: what connects the nodes; on ``routed`` the two are in different racks.

    Raises:
        BadConfigurationError: no such fabric.
    """

    candidates: tuple[Candidate, ...]
    rounds: int
    seconds: float
    seed: int
    limit: float | None = None
    command: tuple[str, ...] = ()
    fabric: str = "l2"

    def __post_init__(self) -> None:
        if self.fabric not in FABRICS:
            hint = f"one of {', '.join(FABRICS)}"
            raise BadConfigurationError("octet compare", "--fabric", self.fabric, "unknown", hint=hint)


Tell = Callable[[str, int, int], None]
"""Called before each step with what it is, how many steps are done, and how many there are."""


@dataclass(slots=True)
class _Run:
    settings: Settings
    tell: Tell
    stack: ExitStack
    sites: dict[str, Site] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    once: dict[str, Reading] = field(default_factory=dict)
    done: int = 0
    shortened: str = ""

    @property
    def steps(self) -> int:
        """Starting each candidate, and a turn of each in the warm-up and every round."""
        return len(self.settings.candidates) * (self.settings.rounds + 2)

    def step(self, what: str) -> None:
        self.tell(what, self.done, self.steps)
        self.done += 1


def compare(settings: Settings, tell: Tell) -> Results:
    """Measure all candidates; one that fails is reported in the record and left out of later rounds.

    Every lab is down when this returns or raises. Raises OctetError when nothing could be measured at all.
    """
    machine.require(*TOOLS)
    begun, started = time.monotonic(), dt.datetime.now(dt.UTC)
    facts, versions = machine.facts(), machine.versions()
    before = machine.busy()
    ruled_out = _ruled_out(settings)
    able = tuple(each for each in settings.candidates if each.name not in ruled_out)
    with ExitStack() as stack:
        run = _Run(replace(settings, candidates=able), tell, stack)
        for index, candidate in enumerate(able):
            _start(run, candidate, index)
        _measure(run, begun)
    if not run.samples:
        raise OctetError("nothing was measured", hint="; ".join(f"{k}: {v}" for k, v in run.failures.items()))
    steal = machine.busy().since(before).steal
    return Results(
        started=started.isoformat(timespec="seconds"),
        duration_s=time.monotonic() - begun,
        command=list(settings.command),
        machine={**facts, "steal_s": steal},
        versions=versions,
        fabric=settings.fabric,
        candidates={candidate.name: candidate.summary for candidate in settings.candidates},
        baseline=BASELINE,
        twin=TWIN,
        seed=settings.seed,
        seconds=settings.seconds,
        rounds=1 + max(sample.round for sample in run.samples),
        shortened=run.shortened,
        samples=run.samples,
        failures=[
            *(Failure(name, reason, possible=False) for name, reason in ruled_out.items()),
            *(Failure(name, reason) for name, reason in run.failures.items()),
        ],
    )


def _ruled_out(settings: Settings) -> dict[str, str]:
    """Return why some candidates are not even started, by name."""
    reasons = {each.name: impossible(each, settings.fabric, features.lacking) for each in settings.candidates}
    return {name: why for name, why in reasons.items() if why}


def _start(run: _Run, candidate: Candidate, index: int) -> None:
    run.step(f"starting {candidate.name}")
    try:
        run.sites[candidate.name] = run.stack.enter_context(
            Site.up(candidate, f"compare-{os.getpid()}-{index}", run.settings.fabric)
        )
    except OctetError as error:
        run.failures[candidate.name] = str(error)


def _measure(run: _Run, begun: float) -> None:
    full = rounds.Pace(run.settings.seconds)
    names = [candidate.name for candidate in run.settings.candidates]
    budget = rounds.Budget(run.settings.limit, full, len(names))
    for turns in rounds.plan(names, run.settings.rounds, seed=run.settings.seed):
        index = turns[0].round
        pace = full if index <= 0 else budget.pace(index, time.monotonic() - begun)
        if pace is None:
            run.shortened = f"{index} of {run.settings.rounds} rounds fit into {budget.limit:.0f} s"
            return
        round_begun = time.monotonic()
        for turn in turns:
            _take(run, turn, pace)
        if index >= 0:
            budget.spent(pace, time.monotonic() - round_begun)


def _take(run: _Run, turn: rounds.Turn, pace: rounds.Pace) -> None:
    name = "warm-up" if turn.round == rounds.WARM_UP else f"round {turn.round + 1}"
    run.step(f"{name}: {turn.candidate}")
    if turn.candidate in run.failures:
        return
    site = run.sites[turn.candidate]
    first = turn.round == rounds.WARM_UP
    try:
        readings = _insisted(site, pace, first=first)
    except (OctetError, OSError) as error:
        run.failures[turn.candidate] = str(error)
        return
    if first:
        run.once[turn.candidate] = readings["mtu"]
        return
    if turn.candidate in run.once:
        readings["mtu"] = run.once.pop(turn.candidate)
    run.samples.append(_sample(turn, readings))


def _sample(turn: rounds.Turn, readings: Mapping[str, Reading]) -> Sample:
    return Sample(
        candidate=turn.candidate,
        round=turn.round,
        order=turn.order,
        values={key: value for reading in readings.values() for key, value in reading.values.items()},
        raw={name: dict(reading.raw) for name, reading in readings.items()},
    )


def _insisted(site: Site, pace: rounds.Pace, *, first: bool) -> dict[str, Reading]:
    """Take a turn, and a second one where the first failed: a busy machine is no fault of a candidate.

    What was lost by chance passes the second time. Raises OctetError, OSError.
    """
    try:
        return _readings(site, pace, first=first)
    except (OctetError, OSError):
        site.clear()
        return _readings(site, pace, first=first)


def _readings(site: Site, pace: rounds.Pace, *, first: bool) -> dict[str, Reading]:
    """Attach pods, measure between two of them, detach them; return what each probe found.

    The first turn also proves who answers, and asks for the MTU: that is the same every time.
    A candidate that fails may leave pods; the end of its lab removes them. Raises OctetError.
    """
    attached = site.attach(PODS_PER_NODE)
    path = site.stretch()
    readings: dict[str, Reading] = {}
    if first:
        site.check_identity()
        readings["mtu"] = Mtu().run(path, MTU_WAIT)

    def others() -> None:
        readings["connections"] = Connections().run(path, pace.seconds)
        before = site.carried()
        readings["stream"] = Stream().run(path, pace.seconds)
        _check_carried(site, before, readings["stream"])

    if first:
        others()  # warms everything up that latency needs, without the two seconds that sockperf sleeps
    elif pace.whole:
        readings["latency"] = Latency().run(path, pace.seconds, others)
    else:
        others()
        readings["latency"] = Reading({}, {MISSING: "left out, for enough rounds to fit into the time"})
    detached = site.detach()
    readings["attach"] = Reading({metrics.ATTACH.key: statistics.median(attached)}, {"ms": attached})
    readings["detach"] = Reading({metrics.DETACH.key: statistics.median(detached)}, {"ms": detached})
    return readings


def _check_carried(site: Site, before: Sequence[int], stream: Reading) -> None:
    """Refuse a figure whose packets took another way than the candidate's own."""
    delivered = int(str(stream.raw["received_bytes"]))
    counted = site.carried()[0] - before[0]
    if counted < SHARE_CARRIED * delivered:
        carrier = site.candidate.carrier
        raise ProbeFailedError(f"{delivered} bytes arrived, only {counted} went through {carrier}")
