"""The document: everything the page draws, as one value that becomes one piece of JSON.

What lives here: its shape (``web/src/types.ts`` has the same) and how it is put together.
What it must not know: today's date, files, markup.
"""

import datetime as dt
from collections.abc import Iterable, Mapping

from msgspec import Struct

from octet import __version__
from octet.choose import constraints
from octet.choose.decision import Decision, Finding, Flip
from octet.choose.facts import Count, Facts, Release
from octet.choose.facts.catalogue import LIMITS
from octet.choose.facts.numbers.figures import FIGURES, Figure
from octet.choose.facts.numbers.keeping import by_provider
from octet.choose.page import drawn, shown
from octet.choose.page.asked import QuestionShown, profile, questions
from octet.choose.page.figures import MeasuredShown, drawn_from
from octet.choose.requirements import Requirements
from octet.measure.results import Results
from octet.models.decisions import DECISIONS

SCHEMA = 1


class Row(Struct, frozen=True, kw_only=True):
    """What every constraint that was asked for says about one provider, also about one that is out."""

    provider: str
    findings: tuple[Finding, ...]


class Answered(Struct, frozen=True, kw_only=True):
    """What follows from the requirements.

    Attributes:
        profile: what was asked for, in words.
        flips: the decision's, those that say most first.
    """

    profile: str
    requirements: Requirements
    decision: Decision
    elimination: tuple[Row, ...]
    flips: tuple[Flip, ...]


class Document(Answered, frozen=True, kw_only=True):
    """All of the page.

    Attributes:
        today: the day to which ages of facts are counted.
        live: is it served by ``octet ui``, where answers can be changed?
        limits: what each limit is a number of, by key.
        keys, providers: the facts matrix, the timeline, and what was counted.
        installers: when their versions came out, by installer.
        figures: what each count shows and hides.
        decisions, models, walks, growth: our models.
        measured: None where nothing was measured; ``results`` is the record itself, whole.
    """

    schema: int = SCHEMA
    octet: str = __version__
    today: dt.date
    live: bool
    questions: tuple[QuestionShown, ...]
    keys: tuple[shown.KeyShown, ...]
    limits: Mapping[str, str]
    figures: tuple[Figure, ...]
    providers: tuple[shown.ProviderShown, ...]
    installers: Mapping[str, tuple[Release, ...]]
    decisions: Mapping[str, str]
    models: tuple[drawn.ModelShown, ...]
    walks: tuple[drawn.WalkShown, ...]
    growth: tuple[drawn.GrowthShown, ...]
    measured: MeasuredShown | None
    results: Results | None


def build(
    decision: Decision,
    facts: Facts,
    results: Results | None,
    counts: Iterable[Count],
    *,
    today: dt.date,
    live: bool = False,
) -> Document:
    """Put the page's document together."""
    counted = by_provider(counts)
    part = answered(decision, facts)
    return Document(
        **{field: getattr(part, field) for field in Answered.__struct_fields__},
        today=today,
        live=live,
        questions=questions() if live else (),
        keys=shown.keys(),
        limits={key.name: key.question for key in LIMITS},
        figures=FIGURES,
        providers=tuple(shown.provider(each, counted.get(each.name, ())) for each in facts.providers),
        installers=facts.installers,
        decisions=DECISIONS,
        models=drawn.rows(today),
        walks=drawn.walks(),
        growth=drawn.growth(),
        measured=drawn_from(results) if results else None,
        results=results,
    )


def answered(decision: Decision, facts: Facts) -> Answered:
    """Return the part of the document that follows from the requirements."""
    requirements = decision.requirements
    return Answered(
        profile=profile(requirements),
        requirements=requirements,
        decision=decision,
        elimination=tuple(
            Row(provider=each.name, findings=constraints.findings(requirements, each))
            for each in facts.providers
        ),
        flips=decision.flips,
    )
