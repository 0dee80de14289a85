"""From requirements, facts and figures to a decision: the one function that everything else serves.

What lives here: ``decide``. What it must not know: files, clocks, terminals: the same input gives the same
answer on every machine, whatever the order of the facts.
"""

from collections.abc import Callable, Mapping, Sequence

from octet.choose import alternatives, contradictions, criteria, flips, reasons, relaxing, running
from octet.choose import figures as measured_figures
from octet.choose.decision import (
    Decision,
    Dominated,
    Evidence,
    Excluded,
    Kept,
    Place,
    Reason,
    Score,
)
from octet.choose.facts import Facts
from octet.choose.figures import Figures
from octet.choose.ranking import Course, Option, Standing, bounds, value
from octet.choose.requirements import NOTHING_TO_LEAVE, Requirements
from octet.choose.sensitivity import ACCEPTED, INSIDE, Acceptability, acceptability, percent, rests_on
from octet.errors import BadConfigurationError
from octet.measure.results import Results

_TITLES = {criterion.id: criterion.title for criterion in criteria.CRITERIA}


def decide(
    requirements: Requirements,
    facts: Facts,
    results: Results | Figures | None = None,
    weights: Mapping[str, float] | None = None,
    *,
    other_machine: str = "",
) -> Decision:
    """Return which provider to take, why, what was ruled out by what, and what would change it.

    Args:
        requirements: what is asked for; "don't know" rules nothing out.
        facts: of providers, in any order.
        results: figures of our models (as ``figures.of`` has read them, for many decisions about the same);
            without them the order stands on facts alone, and says so.
        weights: of criteria, on any scale; those not named have none. None takes the usual ones.
        other_machine: how the machine of the results differs from the operator's; empty if it doesn't.

    Raises:
        BadConfigurationError: the provider to leave or a criterion is unknown, no weight is above 0, or two
            answers contradict each other.
    """
    check(requirements, facts)
    shares = criteria.checked(weights)
    held = results if isinstance(results, Figures) else measured_figures.of(results, other_machine)
    return _Answer(requirements, facts, held, Course(facts, held, shares)).decision()


def check(requirements: Requirements, facts: Facts, source: str = "requirements") -> None:
    """Refuse what cannot be. Raises BadConfigurationError naming source, field and what would do."""
    names = [NOTHING_TO_LEAVE, *sorted(provider.name for provider in facts.providers)]
    if requirements.leaving is not None and requirements.leaving not in names:
        hint = f"one of {', '.join(names)}"
        problem = "is no provider of the facts"
        raise BadConfigurationError(source, "leaving", requirements.leaving, problem, hint=hint)
    contradiction = contradictions.found(requirements)
    if contradiction is not None:
        field, value = contradiction.field, getattr(requirements, contradiction.field)
        raise BadConfigurationError(source, field, value, contradiction.problem, hint=contradiction.hint)


class _Answer:
    """One decision while it is put together."""

    def __init__(
        self,
        requirements: Requirements,
        facts: Facts,
        figures: Figures,
        course: Course,
    ) -> None:
        self.requirements, self.facts, self.figures, self.course = requirements, facts, figures, course
        self.standing = course.stand(requirements)
        self.odds = acceptability(self.standing.race, self.standing.weights)

    def title(self, name: str) -> str:
        """Return how a provider is called."""
        return self.standing.options[name].provider.title

    @property
    def leaders(self) -> tuple[str, ...]:
        """The first, and whoever ties with it."""
        ties = [rival.name for rival in self.odds.rivals if rival.ties]
        return (self.standing.first, *ties) if self.standing.race else ()

    def decision(self) -> Decision:
        """Return the whole."""
        standing, leaders = self.standing, self.leaders
        options = tuple(standing.options.values())
        tried = alternatives.trials(self.requirements, self.facts, self.course.stand)
        providers = [standing.options[name].provider for name in leaders]
        rested = self.rested() if len(leaders) == 1 else ()
        rests = _rests(rested, self.title)
        return Decision(
            requirements=self.requirements,
            weights=dict(standing.weights),
            outcome="nothing" if not leaders else "pick" if len(leaders) == 1 else "tie",
            leaders=leaders,
            headline=self.headline(leaders),
            rule=_rule(standing, self.odds, self.title) + (f"; {rests}" if rests else ""),
            rests_on=tuple(name for name, _ in rested),
            reasons_for=reasons.reasons_for(standing),
            reasons_against=reasons.reasons_against(standing, self.requirements),
            excluded=tuple(_excluded(option) for option in options if option.out),
            kept=tuple(_kept(option) for option in options if not option.out),
            ranking=self.ranking(),
            dominated=tuple(
                Dominated(provider=name, title=self.title(name), by=by)
                for name, by in sorted(standing.dominated.items())
            ),
            why_not=reasons.why_not(standing, leaders, self.title),
            flips=flips.plausible(
                (
                    *alternatives.flips(standing, tried, self.title),
                    *flips.of_weights(standing),
                    *flips.of_facts(standing, self.course.weights),
                )
            ),
            open=alternatives.open_questions(standing, tried, self.title),
            missing=running.missing(standing, self.figures),
            relaxations=() if leaders else relaxing.relaxations(options),
            run=tuple(running.run(provider, self.requirements) for provider in providers),
            notes=(
                *(f"{reason.text}." for name in leaders[1:] for reason in self.conditions(name)),
                *running.notes(self.requirements, providers, self.figures),
            ),
            oldest=_oldest(options, tuple(standing.weights)),
            measured=self.figures.measured,
        )

    def conditions(self, name: str) -> tuple[Reason, ...]:
        """Return the conditions of one that ties with the first, whose own are reasons against it."""
        return tuple(reasons.conditions(self.standing.options[name]))

    def rested(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return the criteria that the pick alone rests on."""
        dominated = (self.standing.options[name] for name in self.standing.dominated)
        return rests_on([*self.standing.race, *dominated], self.standing.weights)

    def headline(self, leaders: Sequence[str]) -> str:
        """Return the answer in a sentence."""
        if not leaders:
            return "Nothing is left: every provider is ruled out."
        doubt = "; verify its warnings first" if self.standing.race[0].doubts else ""
        if len(leaders) == 1:
            only = len(self.standing.race) == 1 and not self.standing.dominated
            left = "left without a doubt" if self.standing.waiting else "left"
            alone = f" It is the only one {left}." if only else ""
            return f"{self.title(leaders[0])}{doubt}.{alone}"
        return f"A tie: {', '.join(map(self.title, leaders[:-1]))} and {self.title(leaders[-1])}{doubt}."

    def ranking(self) -> tuple[Place, ...]:
        """Return who is in the race, then who waits for a proof."""
        race = (self.place(option, self.odds.first_shares[option.name]) for option in self.standing.race)
        return (*race, *(self.place(option, None) for option in self.standing.waiting))

    def place(self, option: Option, share: float | None) -> Place:
        """Return one provider's place."""
        weights = self.standing.weights
        low, high = bounds(option, weights)
        return Place(
            provider=option.name,
            title=option.provider.title,
            model=running.our_model(option.provider),
            value=value(option, weights),
            low=low,
            high=high,
            first_share=share,
            scores=tuple(_score(option, name, weight) for name, weight in weights.items()),
        )


def _score(option: Option, name: str, weight: float) -> Score:
    scored = option.scores[name]
    return Score(
        criterion=name,
        title=_TITLES[name],
        low=scored.low,
        high=scored.high,
        weight=weight,
        says=scored.says,
        known=scored.known,
        evidence=scored.evidence,
    )


def _excluded(option: Option) -> Excluded:
    return Excluded(provider=option.name, title=option.provider.title, findings=option.out)


def _kept(option: Option) -> Kept:
    met = tuple(finding for finding in option.findings if finding.verdict == "met")
    return Kept(provider=option.name, title=option.provider.title, warnings=option.doubts, met=met)


def _rule(standing: Standing, odds: Acceptability, title: Callable[[str], str]) -> str:
    """Say why it is a pick or a tie, with the figures that it depends on."""
    if not standing.race:
        return "hard constraints rule out every provider; no ranking makes up for one"
    if not odds.rivals and standing.dominated:
        beaten = ", ".join(title(name) for name in sorted(standing.dominated))
        return f"nobody else who could be used is better in anything that counts here: {beaten}"
    if not odds.rivals:
        return "nobody else can be used as far as is known"
    if not standing.weights:
        return "no criterion with a weight tells those apart that are left"
    first = title(standing.first)
    nearest = min(odds.rivals, key=lambda rival: (not rival.ties, rival.accepted))
    return (
        f"{first} is ahead of {title(nearest.name)} in {percent(nearest.inside)} of draws of facts "
        f"inside their intervals (a tie below {percent(INSIDE)}), and in {percent(nearest.accepted)} with "
        f"weights drawn too (a tie below {percent(ACCEPTED)})"
    )


def _rests(rested: Sequence[tuple[str, tuple[str, ...]]], title: Callable[[str], str]) -> str:
    """Say on which single criteria a pick rests."""
    said = [
        f"without {_TITLES[name]} {' and '.join(map(title, level))} would be as good or better"
        for name, level in rested
    ]
    return f"it rests on one criterion: {'; '.join(said)}" if said else ""


def _oldest(options: Sequence[Option], counting: Sequence[str]) -> Evidence | None:
    """Return the oldest fact that the decision stands on; of several of one day the first by name."""
    facts = (each for each in reasons.used(options, counting) if each.kind != "measured")
    return min(facts, key=lambda each: (each.as_of, each.provider, each.key, each.says), default=None)
