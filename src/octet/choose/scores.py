"""Value functions: what a fact or a figure is worth, from 0 (worst end) to 1 (best), with its uncertainty.

What lives here: ``Scored`` and the functions. What it must not know: how much each matters, how values are
added up. Nothing here counts stars, forks or any other popularity.
"""

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from octet.choose import steps
from octet.choose.decision import Evidence
from octet.choose.evidence import of_fact, of_step, say
from octet.choose.facts.values import Fact, Provider, Step, Support, Truth
from octet.choose.figures import Figures
from octet.choose.requirements import Requirements
from octet.measure.metrics import Metric


@dataclass(frozen=True, slots=True)
class Scored:
    """Where a value lies: at one point where it is exact, between 0 and 1 where nothing is known.

    Attributes:
        parts: what it is the mean of, where it is one: (low, high) each. Having more of other things makes
            nobody as good as another one in everything.
    """

    low: float
    high: float
    says: str
    evidence: tuple[Evidence, ...] = ()
    known: bool = True
    parts: tuple[tuple[float, float], ...] = ()

    @property
    def middle(self) -> float:
        """The middle of the interval."""
        return (self.low + self.high) / 2


Score = Callable[[Requirements, Figures, Provider], Scored]

FRESH, STALE = 90, 730
"""Days since the latest release at which upkeep is best and worst: a quarter, two years."""

ROOM = 4
"""A largest sensible cluster of so many times the nodes asked for leaves nothing to wish for."""

SUPPORTED: Mapping[Support, float] = {
    Support.DEFAULT: 1.0,
    Support.STABLE: 1.0,
    Support.RESTORED: 0.5,
    Support.EXPERIMENTAL: 0.5,
    Support.DEPRECATED: 0.1,
    Support.REMOVED: 0.0,
}
"""What an installer's word is worth."""

BY_HAND = 0.2
"""What it is worth that the installer takes a manifest of the operator's own."""

STEWARDS: Mapping[str, float] = {
    "none": 0.0,
    "cncf-sandbox": 0.5,
    "cncf-incubating": 0.8,
    "kubernetes": 1.0,
    "cncf-graduated": 1.0,
}
"""How far a project is from depending on one company, by the foundation that holds it."""

OPEN_ABILITIES: tuple[tuple[str, str], ...] = (
    ("policy_ingress", "policy-ingress"),
    ("policy_egress", "policy-egress"),
    ("policy_cluster_wide", "policy-cluster-wide"),
    ("policy_by_name", "policy-by-name"),
    ("encryption", "encryption"),
    ("ip_family", "ipv6-only"),
    ("ip_family", "dual-stack"),
    ("bgp", "bgp"),
    ("multicast", "multicast"),
    ("windows", "windows"),
    ("kube_proxy_replacement", "replaces-kube-proxy"),
)
"""Abilities that an operator may turn out to need, after the question that was answered "don't know"."""

_HAVE: Mapping[Truth, tuple[float, float]] = {
    Truth.YES: (1.0, 1.0),
    Truth.NO: (0.0, 0.0),
    Truth.UNKNOWN: (0.0, 1.0),
}


def unknown(says: str, *evidence: Evidence) -> Scored:
    """Return the value of what isn't known: anywhere between the ends."""
    return Scored(0.0, 1.0, says, evidence, known=False)


def _exact(value: float, says: str, *evidence: Evidence) -> Scored:
    bounded = min(1.0, max(0.0, value))
    return Scored(bounded, bounded, says, evidence)


def _known(provider: Provider, key: str) -> Fact | None:
    fact = provider.facts.get(key)
    return fact if fact is not None and fact.truth is not Truth.UNKNOWN else None


def _shown(provider: Provider, *keys: str) -> tuple[Evidence, ...]:
    return tuple(of_fact(provider, provider.facts[key]) for key in keys if key in provider.facts)


def upkeep(_requirements: Requirements, _figures: Figures, provider: Provider) -> Scored:
    """Score how long the latest release was ago when that was looked up; a project that ended is worth 0."""
    status, released = _known(provider, "status"), _known(provider, "latest-release-date")
    if status is not None and status.value in {"deprecated", "unmaintained", "archived"}:
        return _exact(0.0, str(status.value), *_shown(provider, "status"))
    evidence = _shown(provider, "latest-release-date", "status")
    if (
        status is None
        or status.value == "legacy"
        or released is None
        or not isinstance(released.value, dt.date)
    ):
        return unknown("no date of a latest release", *evidence)
    age = (released.as_of - released.value).days
    says = f"latest release {released.value}, {age} days before that was looked up"
    return _exact((STALE - age) / (STALE - FRESH), says, *evidence)


def installer_fit(requirements: Requirements, _figures: Figures, provider: Provider) -> Scored:
    """Score what the operator's installer says of the provider, at the versions that it may have."""
    installer = requirements.installer or ""
    mine = steps.of(provider, installer)
    if not mine and installer in steps.COMPLETE:
        return _exact(
            BY_HAND,
            f"not built into {installer}: a manifest of your own",
            *_shown(provider, f"{installer}-name"),
        )
    found: list[Step] = (
        [step for step in steps.in_force(requirements, mine) if step is not None] if mine else []
    )
    if not found:
        return unknown(f"what {installer} says of it is not known")
    worth = [SUPPORTED[step.state] for step in found]
    evidence = tuple(of_step(provider, step) for step in found)
    return Scored(min(worth), max(worth), " or ".join(each.says for each in evidence), evidence)


def headroom(requirements: Requirements, _figures: Figures, provider: Provider) -> Scored:
    """Score how often the cluster may double before it is larger than is sensible (logarithmic)."""
    largest, wanted = _known(provider, "largest-cluster"), requirements.most_nodes or 1
    evidence = _shown(provider, "largest-cluster")
    if largest is None or not isinstance(largest.value, int) or largest.value < 1:
        return unknown("how large a cluster is sensible is not known", *evidence)
    says = f"good for {largest.value:,} nodes where {wanted:,} are needed"
    return _exact(math.log2(largest.value / wanted) / math.log2(ROOM), says, *evidence)


def reserve(requirements: Requirements, _figures: Figures, provider: Provider) -> Scored:
    """Score the share of abilities that are there, of those that nobody knows yet whether they are needed."""
    keys = [key for field, key in OPEN_ABILITIES if getattr(requirements, field) is None]
    facts = [provider.facts.get(key) for key in keys]
    parts = tuple(_HAVE[Truth.UNKNOWN if fact is None else fact.truth] for fact in facts)
    if not parts:
        return unknown("nothing is open")
    have, can = (math.fsum(each[end] for each in parts) for end in (0, 1))
    lacks = [key for key, part in zip(keys, parts, strict=True) if part == _HAVE[Truth.NO]]
    without = f", without {', '.join(lacks)}" if lacks else ""
    unsure = f", {can - have:.0f} unknown" if can > have else ""
    says = f"{have:.0f} of {len(keys)} abilities that you may come to need{without}{unsure}"
    known = can - have < len(parts)
    evidence = _shown(provider, *dict.fromkeys([*lacks, *keys]))
    return Scored(have / len(parts), can / len(parts), says, evidence, known, parts)


def stewardship(_requirements: Requirements, _figures: Figures, provider: Provider) -> Scored:
    """Score who holds the project, by its foundation."""
    fact, evidence = _known(provider, "foundation"), _shown(provider, "foundation", "governance")
    if fact is None:
        return unknown("who holds it is not known", *evidence)
    return _exact(STEWARDS[str(fact.value)], f"foundation {say(fact.value)}", *evidence)


def yes(key: str, *, wanted: bool = True) -> Score:
    """Return the score of a yes-or-no fact."""

    def score(_requirements: Requirements, _figures: Figures, provider: Provider) -> Scored:
        fact, evidence = _known(provider, key), _shown(provider, key)
        if fact is None:
            return unknown(f"{key} not known", *evidence)
        return _exact(float(fact.value is wanted), f"{key} {say(fact.value)}", *evidence)

    return score


def measured(metric: Metric) -> Score:
    """Return the score of a ratio to the baseline, on a log scale: 1 where equal, 0 where half as good."""

    def score(_requirements: Requirements, figures: Figures, provider: Provider) -> Scored:
        figure = figures.get(provider.model, metric) if provider.model else None
        if figure is None or figures.measured is None:
            return unknown("not measured")
        ends = [_of_ratio(ratio, metric) for ratio in (figure.low, figure.high)]
        evidence = Evidence(
            kind="measured",
            provider=provider.name,
            key=metric.key,
            says=figure.says,
            as_of=dt.datetime.fromisoformat(figures.measured.started).date(),
            source=f"{figures.measured.rounds} rounds on {figures.measured.machine}",
            certainty="measured",
            note=f"of our model of {provider.title} (octet {provider.model}), not of {provider.title} itself",
        )
        says = f"{figure.says}; measured on our model of it, octet {provider.model}"
        return Scored(min(ends), max(ends), says, (evidence,))

    return score


def _of_ratio(ratio: float, metric: Metric) -> float:
    factor = ratio if metric.higher_is_better else 1 / ratio
    return min(1.0, max(0.0, 1 + math.log2(factor)))
