"""Value functions: what a fact or a figure is worth, from 0 (worst end) to 1 (best), with its uncertainty.

What lives here: ``Scored`` and the functions. What it must not know: how much each matters, how values are
added up. Nothing here counts stars, forks or any other popularity.
"""

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from octet.choose import steps
from octet.choose.decision import Evidence
from octet.choose.evidence import of_fact, of_step
from octet.choose.facts.values import Bound, Fact, Provider, Step, Support, Truth
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
"""A largest cluster of so many times the nodes asked for leaves nothing to wish for; of a quarter, all."""

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

HOLDERS: Mapping[str, str] = {
    "none": "in no foundation",
    "cncf-sandbox": "a sandbox project of the CNCF",
    "cncf-incubating": "an incubating project of the CNCF",
    "kubernetes": "part of Kubernetes",
    "cncf-graduated": "a graduated project of the CNCF",
}
"""The same in words."""

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

WORDS: Mapping[str, str] = {
    "policy-ingress": "policy for what reaches pods",
    "policy-egress": "policy for what pods reach",
    "policy-cluster-wide": "policies for the whole cluster",
    "policy-by-name": "policies by DNS name",
    "encryption": "encryption",
    "ipv6-only": "IPv6 alone",
    "dual-stack": "both families",
    "bgp": "BGP",
    "multicast": "multicast",
    "windows": "Windows nodes",
    "replaces-kube-proxy": "kube-proxy's work",
}
"""The same for a person."""

POLICIES = OPEN_ABILITIES[:4]
"""Those of them that are policies."""

BGP = ("routers", "import", "filters", "communities", "reflectors", "passwords")
"""What BGP speakers do: peer with one's own routers, install what they say, filter it, mark routes, reflect
them, sign sessions."""

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
    says = f"latest release on {released.value} (looked up on {released.as_of})"
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
    """Score how often the cluster may double before it is larger than is shown (logarithmic).

    An end is exact. A default can be raised and the largest that was seen is no end, so the value lies
    between theirs and the best; where no size is known it lies anywhere, which is never better.
    """
    largest, wanted = _known(provider, "largest-cluster"), requirements.most_nodes or 1
    evidence = _shown(provider, "largest-cluster")
    if largest is None or not isinstance(largest.value, int) or largest.value < 1:
        return unknown("how large a cluster is sensible is not known", *evidence)
    worth = min(1.0, max(0.0, math.log(largest.value / wanted, ROOM) / 2 + 0.5))
    kind = {Bound.DEFAULT: "{:,} nodes by default, more if raised", Bound.SEEN: "seen with {:,} nodes"}
    told = kind.get(largest.bound or Bound.END, "good for {:,} nodes").format(largest.value)
    high = 1.0 if largest.bound in kind else worth
    return Scored(worth, high, f"{told} where {wanted:,} are needed", evidence)


def wants_policy(requirements: Requirements) -> bool:
    """Tell whether NetworkPolicy is asked for at all."""
    return requirements.policy_ingress is True or requirements.policy_egress is True


def beyond(requirements: Requirements) -> list[str]:
    """Return the facts about policies that nobody asks for."""
    return [key for field, key in POLICIES if getattr(requirements, field) is not True]


def in_reserve(requirements: Requirements) -> list[str]:
    """Return the abilities that are open; where policy is asked for, its breadth counts by itself."""
    left = [pair for pair in OPEN_ABILITIES if not (wants_policy(requirements) and pair in POLICIES)]
    return [key for field, key in left if getattr(requirements, field) is None]


def bgp_depth(_requirements: Requirements, _figures: Figures, provider: Provider) -> Scored:
    """Score the share of what BGP speakers do."""
    fact, evidence = _known(provider, "bgp-abilities"), _shown(provider, "bgp-abilities", "bgp")
    if fact is None or not isinstance(fact.value, tuple):
        anything = (_HAVE[Truth.UNKNOWN],) * len(BGP)
        return replace(unknown("what its BGP can do is not known", *evidence), parts=anything)
    parts = tuple(_HAVE[Truth.YES if each in fact.value else Truth.NO] for each in BGP)
    share = len(set(fact.value)) / len(BGP)
    return Scored(share, share, f"{', '.join(fact.value)}", evidence, parts=parts)


def policy_breadth(requirements: Requirements, _figures: Figures, provider: Provider) -> Scored:
    """Score the share of kinds of policies that are there, of those that nobody asks for."""
    return _share(provider, beyond(requirements), "kinds of policies that you don't ask for")


def reserve(requirements: Requirements, _figures: Figures, provider: Provider) -> Scored:
    """Score the share of abilities that are there, of those that nobody knows yet whether they are needed."""
    return _share(provider, in_reserve(requirements), "abilities that you may come to need")


def _share(provider: Provider, keys: Sequence[str], what: str) -> Scored:
    facts = [provider.facts.get(key) for key in keys]
    parts = tuple(_HAVE[Truth.UNKNOWN if fact is None else fact.truth] for fact in facts)
    if not parts:
        return unknown("nothing is open")
    have, can = (math.fsum(each[end] for each in parts) for end in (0, 1))
    lacks = [key for key, part in zip(keys, parts, strict=True) if part == _HAVE[Truth.NO]]
    without = f", without {', '.join(WORDS[key] for key in lacks)}" if lacks else ""
    unsure = f", {can - have:.0f} unknown" if can > have else ""
    says = f"{have:.0f} of {len(keys)} {what}{without}{unsure}"
    known = can - have < len(parts)
    evidence = _shown(provider, *dict.fromkeys([*lacks, *keys]))
    return Scored(have / len(parts), can / len(parts), says, evidence, known, parts)


def stewardship(_requirements: Requirements, _figures: Figures, provider: Provider) -> Scored:
    """Score who holds the project, by its foundation."""
    fact, evidence = _known(provider, "foundation"), _shown(provider, "foundation", "governance")
    if fact is None:
        return unknown("who holds it is not known", *evidence)
    return _exact(STEWARDS[str(fact.value)], HOLDERS[str(fact.value)], *evidence)


def yes(key: str, words: tuple[str, str], *, wanted: bool = True) -> Score:
    """Return the score of a yes-or-no fact; ``words`` are those for no and for yes."""

    def score(_requirements: Requirements, _figures: Figures, provider: Provider) -> Scored:
        fact, evidence = _known(provider, key), _shown(provider, key)
        if fact is None:
            return unknown(f"not known whether: {words[1]}", *evidence)
        return _exact(float(fact.value is wanted), words[bool(fact.value)], *evidence)

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
