"""Three-valued answers of facts to what is needed, with what they stand on.

What lives here: ``Judgement`` and how one fact gives one. What it must not know: which needs there are.
"""

from dataclasses import dataclass, replace

from octet.choose.decision import Evidence
from octet.choose.evidence import of_fact
from octet.choose.facts.values import Provider, Truth

OPPOSITE = {Truth.YES: Truth.NO, Truth.NO: Truth.YES, Truth.UNKNOWN: Truth.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Judgement:
    """Does a provider meet a need?

    Attributes:
        says: why, where the facts' values don't say it; empty otherwise.
    """

    truth: Truth
    evidence: tuple[Evidence, ...]
    says: str = ""

    def doubted(self) -> "Judgement":
        """Return the same with a *no* that may not apply turned into *unknown*."""
        return replace(self, truth=Truth.UNKNOWN) if self.truth is Truth.NO else self


def of_key(provider: Provider, key: str, *, wanted: bool = True) -> Judgement:
    """Judge by one yes-or-no fact; one that isn't there, isn't known or isn't verified is unknown."""
    fact = provider.facts.get(key)
    if fact is None:
        return Judgement(Truth.UNKNOWN, ())
    truth = fact.truth if wanted else OPPOSITE[fact.truth]
    return Judgement(truth, (of_fact(provider, fact),))
