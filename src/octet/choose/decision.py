"""The answer: which provider, why, what was ruled out by what, and what would change it.

What lives here: frozen values that turn into JSON and back, with ids that stay the same from run to run.
What it must not know: how any of it is found (``deciding``), terminals, pages.
"""

import datetime as dt
from typing import Literal

import msgspec

from octet.choose.requirements import Requirements

SCHEMA = 1
"""Raised when a reader of an older decision would misunderstand a newer one."""

Answer = bool | int | str | None
"""What a field of ``Requirements`` holds; None is "don't know"."""


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """The common ground of all parts of a decision: frozen, named fields."""


class Evidence(Value, frozen=True, kw_only=True):
    """What a statement stands on, so that a reader can look it up.

    Attributes:
        kind: a fact of the provider, a step of an installer, a limit with its mechanism, or measured figures
            (of our model of the provider, never of the provider itself).
        key: of the fact's catalogue; the installer's name; the metric's key.
        says: the value, as a person reads it; "unknown" where it isn't known.
        certainty: as ``facts.values.Certainty``, or "measured".
        note: the mechanism behind a limit, or what must be known beside the value.
    """

    kind: Literal["fact", "step", "limit", "measured"]
    provider: str
    key: str
    says: str
    as_of: dt.date
    source: str
    certainty: str
    note: str = ""


class Finding(Value, frozen=True, kw_only=True):
    """What one hard constraint says about one provider.

    Attributes:
        constraint: its id.
        verdict: "unknown" never passes silently: the provider is kept with a warning, and never picked
            before one that is proven.
        fields: the requirements that asked for it.
        because: a sentence.
        condition: what must be so for the facts to hold; empty where they hold everywhere.
    """

    constraint: str
    title: str
    verdict: Literal["met", "unknown", "ruled out"]
    fields: tuple[str, ...]
    because: str
    evidence: tuple[Evidence, ...]
    condition: str = ""


class Excluded(Value, frozen=True, kw_only=True):
    """A provider that is out, and every constraint that rules it out."""

    provider: str
    title: str
    findings: tuple[Finding, ...]


class Kept(Value, frozen=True, kw_only=True):
    """A provider that nothing rules out; with warnings, what must be verified before it is used.

    Attributes:
        met: the constraints that it is known to meet.
    """

    provider: str
    title: str
    warnings: tuple[Finding, ...]
    met: tuple[Finding, ...]


class Score(Value, frozen=True, kw_only=True):
    """What one criterion gives one provider: 0 at its worst end, 1 at its best.

    Attributes:
        low, high: where the value lies; 0 and 1 where nothing is known.
        weight: the criterion's share of all weights, 0 to 1.
        says: the figure or fact, as a person reads it.
        known: False where nothing is known about it for this provider.
    """

    criterion: str
    title: str
    low: float
    high: float
    weight: float
    says: str
    known: bool
    evidence: tuple[Evidence, ...]

    @property
    def middle(self) -> float:
        """The middle of the interval."""
        return (self.low + self.high) / 2


class Place(Value, frozen=True, kw_only=True):
    """One provider's place in the ranking.

    Attributes:
        model: our model of it; empty where Octet has none.
        value: at the stated weights, facts in the middle of their intervals; 0 to 1.
        low, high: the same with every fact at its worst, at its best.
        first_share: the share of draws of weights and facts in which it comes first; None for one that is
            not in the race before its warnings are verified.
    """

    provider: str
    title: str
    model: str
    value: float
    low: float
    high: float
    first_share: float | None
    scores: tuple[Score, ...]


class Dominated(Value, frozen=True, kw_only=True):
    """A provider that another one equals or beats in every criterion, whatever the unknown is."""

    provider: str
    title: str
    by: str


class Reason(Value, frozen=True, kw_only=True):
    """One reason for or against the first provider. ``id`` is the same for the same reason in every run."""

    id: str
    text: str
    evidence: tuple[Evidence, ...]


class Flip(Value, frozen=True, kw_only=True):
    """A single change that would make another provider come first.

    Attributes:
        kind: what changes.
        what: the requirement's field, the criterion, or provider and fact.
        now, then: before and after the change; weights as shares of all weights.
        first: who comes first after it; empty where nobody is left.
    """

    id: str
    kind: Literal["requirement", "weight", "fact"]
    what: str
    now: str
    then: str
    first: str
    text: str
    evidence: tuple[Evidence, ...] = ()


class Effect(Value, frozen=True, kw_only=True):
    """What one possible answer to an open question would change.

    Attributes:
        excludes: providers that it would rule out besides those that are out already.
        doubts: providers that it would put a warning on.
        frees: providers that it would let back in, or of which it would take the last warning.
        first: who would come first; empty where nobody is left.
    """

    answer: Answer
    excludes: tuple[str, ...]
    doubts: tuple[str, ...]
    first: str
    frees: tuple[str, ...] = ()


class Open(Value, frozen=True, kw_only=True):
    """A question that was answered "don't know", and what each answer to it would change (none: nothing)."""

    field: str
    question: str
    effects: tuple[Effect, ...]
    text: str


class Missing(Value, frozen=True, kw_only=True):
    """Something that would make the answer surer, and how to get it; ``command`` is empty where none does."""

    id: str
    text: str
    command: str = ""


class Relaxation(Value, frozen=True, kw_only=True):
    """Constraints that, given up together, bring providers back; no smaller part of them does for these.

    Attributes:
        doubts: by provider, the constraints that would still have to be verified.
    """

    constraints: tuple[str, ...]
    providers: tuple[str, ...]
    text: str
    doubts: dict[str, tuple[str, ...]] = {}


class WhyNot(Value, frozen=True, kw_only=True):
    """Why a provider is not the answer, in a sentence."""

    provider: str
    title: str
    text: str


class Run(Value, frozen=True, kw_only=True):
    """How to run it now.

    Attributes:
        octet: the command line that runs our model of it in a lab; empty where there is no such model.
        note: what that is, or that there is none.
        original: how the operator's installer gets the provider itself, a step a line.
    """

    provider: str
    title: str
    octet: str
    note: str
    original: tuple[str, ...]


class Measured(Value, frozen=True, kw_only=True):
    """Where the measured figures come from.

    Attributes:
        other_machine: how that machine differs from the one that asks; empty where it is the same.
    """

    started: str
    machine: str
    rounds: int
    candidates: tuple[str, ...]
    other_machine: str = ""


class Decision(Value, frozen=True, kw_only=True):
    """The whole answer.

    Attributes:
        weights: the criteria that count here and their shares, which add up to 1.
        outcome: "pick": one provider; "tie": no difference that holds; "nothing": all are ruled out.
        leaders: the pick, or all that tie, the best first; empty for nothing.
        headline: the answer in a sentence.
        rule: why it is a pick or a tie, with the figures.
        rests_on: criteria of which a pick needs each: without it somebody else is as good or better.
        reasons_for, reasons_against: at most three each, about the first of ``leaders``.
        excluded, kept: every provider is in one of them, in the order of their names.
        ranking: the best first; those with warnings behind all others.
        why_not: every provider but ``leaders``.
        flips: the most plausible first.
        oldest: the oldest fact that was used.
        notes: what must be known beside: conditions, other machines.
    """

    schema: int = SCHEMA
    requirements: Requirements
    weights: dict[str, float]
    outcome: Literal["pick", "tie", "nothing"]
    leaders: tuple[str, ...]
    headline: str
    rule: str
    reasons_for: tuple[Reason, ...]
    reasons_against: tuple[Reason, ...]
    excluded: tuple[Excluded, ...]
    kept: tuple[Kept, ...]
    ranking: tuple[Place, ...]
    dominated: tuple[Dominated, ...]
    why_not: tuple[WhyNot, ...]
    flips: tuple[Flip, ...]
    open: tuple[Open, ...]
    missing: tuple[Missing, ...]
    relaxations: tuple[Relaxation, ...]
    run: tuple[Run, ...]
    notes: tuple[str, ...]
    oldest: Evidence | None
    measured: Measured | None
    rests_on: tuple[str, ...] = ()


def to_json(decision: Decision) -> bytes:
    """Return a decision as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(decision), indent=1)


def from_json(text: bytes) -> Decision:
    """Read what ``to_json`` wrote. Raises msgspec.ValidationError when it is something else."""
    return msgspec.json.decode(text, type=Decision)
