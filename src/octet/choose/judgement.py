"""Three-valued answers of facts to what is needed, with what they stand on.

What lives here: ``Judgement`` and how one fact gives one. What it must not know: which needs there are.
"""

from dataclasses import dataclass, replace

from octet.choose import conditions
from octet.choose.decision import Evidence
from octet.choose.evidence import of_fact
from octet.choose.facts.values import Provider, Truth
from octet.choose.requirements import Requirements

OPPOSITE = {Truth.YES: Truth.NO, Truth.NO: Truth.YES, Truth.UNKNOWN: Truth.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Judgement:
    """Does a provider meet a need?

    Attributes:
        says: why, where the facts' values don't say it; empty otherwise.
        condition: what must be so for it to hold; empty where it holds everywhere.
        beside: the requirements that the condition reads.
    """

    truth: Truth
    evidence: tuple[Evidence, ...]
    says: str = ""
    condition: str = ""
    beside: tuple[str, ...] = ()

    def doubted(self) -> "Judgement":
        """Return the same with a *no* that may not apply turned into *unknown*."""
        return replace(self, truth=Truth.UNKNOWN) if self.truth is Truth.NO else self


def of_key(requirements: Requirements, provider: Provider, key: str, *, wanted: bool = True) -> Judgement:
    """Judge by one yes-or-no fact; one that isn't there, isn't known or isn't verified is unknown.

    A fact that would do is worth no more than its condition: outside of it, it doesn't.
    """
    fact = provider.facts.get(key)
    if fact is None:
        return Judgement(Truth.UNKNOWN, ())
    truth = fact.truth if wanted else OPPOSITE[fact.truth]
    evidence = (of_fact(provider, fact),)
    if truth is not Truth.YES or fact.when is None:
        return Judgement(truth, evidence)
    held = conditions.holds(fact.when, requirements)
    return Judgement(held, evidence, "", conditions.words(fact), conditions.fields(fact.when))
