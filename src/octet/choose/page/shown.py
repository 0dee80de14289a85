"""Facts as the page shows them: every cell a text with its date, its source and how certain it is.

What lives here: the translation of providers and of the catalogue. What it must not know: what is decided.
"""

import datetime as dt
from collections.abc import Mapping

from msgspec import Struct

from octet.choose.evidence import say
from octet.choose.facts.catalogue import BY_NAME, GROUPS, KEYS
from octet.choose.facts.values import Count, Fact, Provider, Release, Step


class KeyShown(Struct, frozen=True, kw_only=True):
    """One question of the facts matrix.

    Attributes:
        side: "upstream" is what the provider can do, "installer" what an installer lets its users reach.
    """

    key: str
    title: str
    group: str
    side: str


class FactShown(Struct, frozen=True, kw_only=True):
    """One cell of the matrix, or one limit. ``text`` is "unknown" where there is no value."""

    key: str
    truth: str
    text: str
    as_of: dt.date
    source: str
    certainty: str
    note: str


class StepShown(Struct, frozen=True, kw_only=True):
    """One change of what an installer allows; ``date`` is None where nobody knows when."""

    installer: str
    version: str
    state: str
    date: dt.date | None
    as_of: dt.date
    source: str
    certainty: str
    kubernetes: str
    note: str


class CountShown(Struct, frozen=True, kw_only=True):
    """What was counted on one day; None is not counted, never zero."""

    date: dt.date
    source: str
    figures: Mapping[str, int | float | bool | None]


class ProviderShown(Struct, frozen=True, kw_only=True):
    """A provider, the original. ``model`` is the row of octet that models it; empty where there is none."""

    name: str
    title: str
    summary: str
    packet: str
    model: str
    facts: tuple[FactShown, ...]
    limits: tuple[FactShown, ...]
    steps: tuple[StepShown, ...]
    releases: tuple[Release, ...]
    counts: tuple[CountShown, ...]


def keys() -> tuple[KeyShown, ...]:
    """Return every question, in the order in which people read them."""
    return tuple(
        KeyShown(
            key=key.name,
            title=key.question,
            group=GROUPS[key.group],
            side="installer" if key.installer else "upstream",
        )
        for key in KEYS
    )


def provider(held: Provider, counts: tuple[Count, ...] = ()) -> ProviderShown:
    """Return a provider with its facts in the catalogue's order; ``counts`` are added to its own."""
    return ProviderShown(
        name=held.name,
        title=held.title,
        summary=held.summary,
        packet=held.packet,
        model=held.model,
        facts=tuple(fact_shown(held.facts[key.name]) for key in KEYS if key.name in held.facts),
        limits=tuple(fact_shown(limit) for limit in held.limits),
        steps=tuple(_step(step) for step in held.steps),
        releases=held.releases,
        counts=tuple(_count(count) for count in (*held.counts, *counts)),
    )


def fact_shown(fact: Fact) -> FactShown:
    """Return one cell."""
    key = BY_NAME.get(fact.key)
    return FactShown(
        key=fact.key,
        truth=fact.truth.value,
        text=say(fact.value, key.unit if key else ""),
        as_of=fact.as_of,
        source=fact.source,
        certainty=fact.certainty.value,
        note=fact.note,
    )


def _step(step: Step) -> StepShown:
    return StepShown(
        installer=step.installer,
        version=step.version,
        state=step.state.value,
        date=step.date,
        as_of=step.as_of,
        source=step.source,
        certainty=step.certainty.value,
        kubernetes=step.kubernetes,
        note=step.note,
    )


def _count(count: Count) -> CountShown:
    return CountShown(date=count.date, source=count.source, figures=count.figures)
