"""What providers are ranked by once hard constraints have spoken, and how much each of it matters.

What lives here: the table of criteria with their ends, the usual weights, the reading of other weights.
What it must not know: how values are added up.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from octet.choose import scores
from octet.choose.requirements import Requirements
from octet.choose.scores import Score
from octet.errors import BadConfigurationError
from octet.measure import metrics
from octet.measure.metrics import Metric


def _always(_requirements: Requirements) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that may be better or worse.

    Attributes:
        worst, best: what has value 0 and what has value 1; a weight is the worth of going from one to the
            other (a swing weight).
        fields: the requirements that ``score`` reads, all of them.
        applies: is there anything to rank? What a hard constraint has settled is not counted again.
        measured: does it stand on figures of our models? It counts only where all who are left have them.
    """

    id: str
    title: str
    worst: str
    best: str
    score: Score
    applies: Callable[[Requirements], bool] = _always
    fields: tuple[str, ...] = ()
    measured: bool = False


def _figure(name: str, title: str, worst: str, best: str, metric: Metric) -> Criterion:
    return Criterion(name, title, worst, best, scores.measured(metric), measured=True)


POLICY_FIELDS = tuple(field for field, _ in scores.POLICIES)

CRITERIA: tuple[Criterion, ...] = (
    Criterion(
        "upkeep",
        "upkeep",
        f"ended, or no release for {scores.STALE} days",
        f"a release within {scores.FRESH} days",
        scores.upkeep,
    ),
    Criterion(
        "installer-fit",
        "standing with your installer",
        "removed",
        "stable or the default",
        scores.installer_fit,
        lambda r: r.installer is not None,
        ("installer", "installer_version", "kubernetes"),
    ),
    _figure(
        "cpu",
        "processor time for each byte",
        "twice that of plain routing",
        "that of plain routing",
        metrics.CPU,
    ),
    _figure(
        "latency",
        "round trip",
        "twice that of plain routing",
        "that of plain routing",
        metrics.RTT_P50,
    ),
    Criterion(
        "headroom",
        "room to grow",
        f"no more than 1/{scores.ROOM} of the nodes that are needed",
        f"{scores.ROOM} times as many",
        scores.headroom,
        lambda r: r.most_nodes is not None,
        ("nodes", "nodes_in_two_years"),
    ),
    Criterion(
        "bgp-depth",
        "what its BGP can do",
        "nothing of what BGP speakers do",
        "all of it",
        scores.bgp_depth,
        lambda r: r.bgp is True,
    ),
    Criterion(
        "policy-breadth",
        "policies beyond those asked for",
        "none",
        "all of them",
        scores.policy_breadth,
        lambda r: scores.wants_policy(r) and bool(scores.beyond(r)),
        POLICY_FIELDS,
    ),
    Criterion(
        "reserve",
        "abilities in reserve",
        "none of those you don't know about yet",
        "all of them",
        scores.reserve,
        lambda r: bool(scores.in_reserve(r)),
        tuple(field for field, _ in scores.OPEN_ABILITIES),
    ),
    _figure(
        "connections",
        "rate of new connections",
        "half that of plain routing",
        "that of plain routing",
        metrics.CONNECTIONS,
    ),
    Criterion(
        "support",
        "paid support",
        "nobody sells any",
        "somebody does",
        scores.yes("commercial-support", ("nobody sells support", "somebody sells support")),
        lambda r: r.paid_support is None,
    ),
    Criterion(
        "stewardship",
        "independence of one company",
        "in no foundation",
        "part of Kubernetes or a graduated project",
        scores.stewardship,
    ),
    Criterion(
        "no-database",
        "nothing else to run",
        "a database besides Kubernetes",
        "none",
        scores.yes("needs-database", ("needs no database", "needs a database of its own"), wanted=False),
        lambda r: r.outside_database is None,
    ),
)
"""Every criterion, the one that usually matters most first."""

MEASURED = frozenset(criterion.id for criterion in CRITERIA if criterion.measured)
"""Criteria that stand on figures of our models."""

IDS: tuple[str, ...] = tuple(criterion.id for criterion in CRITERIA)


def rank_order_centroid(order: Sequence[str]) -> dict[str, float]:
    """Return weights that add up to 1 of criteria of which only the order is known, most important first.

    Weight k of n is the mean of 1/i over i = k..n, divided by n: the centre of all weights that keep the
    order (Barron & Barrett 1996).
    """
    count = len(order)
    return {name: sum(1 / i for i in range(k, count + 1)) / count for k, name in enumerate(order, 1)}


def checked(weights: Mapping[str, float] | None, source: str = "weights") -> dict[str, float] | None:
    """Return weights by criterion, all of them, adding up to 1; a criterion that isn't named has none.

    None stays None: only the order of CRITERIA is known, and weights are the centroid of those that count.

    Raises:
        BadConfigurationError: a criterion is unknown, a weight negative or no number, or all are 0.
    """
    if weights is None:
        return None
    for name, weight in weights.items():
        if name not in IDS:
            hint = f"one of {', '.join(IDS)}"
            raise BadConfigurationError(source, f"weights.{name}", weight, "is no criterion", hint=hint)
        if not (math.isfinite(weight) and weight >= 0):
            hint = "a number from 0, on any scale"
            raise BadConfigurationError(source, f"weights.{name}", weight, "is no weight", hint=hint)
    largest = max(weights.values(), default=0.0)
    if largest <= 0:
        raise BadConfigurationError(source, "weights", dict(weights), "has none above 0", hint="upkeep=1")
    scaled = {name: weights.get(name, 0.0) / largest for name in IDS}
    total = math.fsum(scaled.values())
    return {name: weight / total for name, weight in scaled.items()}


def read(text: str, source: str) -> dict[str, float]:
    """Read weights as typed: ``upkeep=100,cpu=60`` for swings, ``upkeep>cpu>latency`` for an order.

    Raises:
        BadConfigurationError: as ``checked``, or a part is neither.
    """
    if ">" in text and "=" not in text:
        pairs = rank_order_centroid(list(dict.fromkeys(part.strip() for part in text.split(">"))))
    else:
        pairs = dict(_pair(part, source) for part in text.split(",") if part.strip())
    checked(pairs, source)
    return pairs


def _pair(part: str, source: str) -> tuple[str, float]:
    name, _, number = part.partition("=")
    try:
        return name.strip(), float(number)
    except ValueError as error:
        hint = "upkeep=100,cpu=60, or upkeep>cpu>latency"
        raise BadConfigurationError(
            source, f"weights.{name.strip()}", number, "is no number", hint=hint
        ) from error
