"""Is there room for so many nodes? What is sensible, and what a cloud's route table holds.

What lives here: the two judgements about numbers of nodes. What it must not know: other needs.
"""

from collections.abc import Sequence
from dataclasses import replace

from octet.choose import conditions
from octet.choose.evidence import of_fact
from octet.choose.facts.values import Bound, Fact, Provider, Truth
from octet.choose.judgement import Judgement, of_key
from octet.choose.requirements import Requirements

SMALL = 50
"""Nodes up to which nobody's size is in question: no provider is known to end earlier (tests hold this to
the facts)."""


def room(requirements: Requirements, provider: Provider) -> Judgement:
    """Judge by where a cluster ends: only a mechanism rules out.

    A default that can be raised and the largest that was seen prove what is below them; what is above is to
    be verified, and so is everything where no figure is known.
    """
    wanted = requirements.most_nodes or 0
    if wanted <= SMALL:
        return Judgement(Truth.YES, (), f"no provider is known to end before {SMALL} nodes")
    ended = _end(requirements, provider, wanted)
    if ended is not None and ended.truth is Truth.NO:
        return ended
    judged = _shown(provider, wanted)
    return ended if ended is not None and judged.truth is Truth.YES else judged


def _end(requirements: Requirements, provider: Provider, wanted: int) -> Judgement | None:
    """Return what an end says that so many nodes are beyond; None where none is."""
    for fact in (*filter(None, [provider.facts.get("largest-cluster")]), *provider.limits):
        if fact.bound is not Bound.END or not isinstance(fact.value, int) or wanted <= fact.value:
            continue
        there = conditions.holds(fact.when, requirements)
        if there is Truth.NO:
            continue
        certain = there is Truth.YES and fact.truth is Truth.YES
        says = f"{provider.title} ends at {fact.value:,} nodes, fewer than {wanted:,}"
        return Judgement(Truth.NO if certain else Truth.UNKNOWN, (of_fact(provider, fact),), says)
    return None


_BEYOND = {
    Bound.DEFAULT: "{} comes with room for {:,} nodes, fewer than {:,}; that can be raised: {}",
    Bound.SEEN: "the largest {} that is told of has {:,} nodes, fewer than {:,}; more nobody has shown ({})",
}


def _shown(provider: Provider, wanted: int) -> Judgement:
    fact = provider.facts.get("largest-cluster")
    if fact is None:
        return Judgement(Truth.UNKNOWN, (), f"nothing is known about {wanted:,} nodes")
    evidence = (of_fact(provider, fact),)
    if fact.truth is not Truth.YES or not isinstance(fact.value, int):
        return Judgement(Truth.UNKNOWN, evidence, f"how many {provider.title} is good for is not verified")
    if fact.value >= wanted:
        says = f"{provider.title} is good for {fact.value:,}, as many as {wanted:,}"
        return Judgement(Truth.YES, evidence, says)
    beyond = _BEYOND[Bound.DEFAULT if fact.bound is Bound.DEFAULT else Bound.SEEN]
    says = beyond.format(provider.title, fact.value, wanted, fact.note.rstrip("."))
    return Judgement(Truth.UNKNOWN, evidence, says)


def routes(requirements: Requirements, provider: Provider) -> Judgement:
    """Judge by the rows of ``limit-routes``, where the provider takes a route for each node."""
    takes = of_key(requirements, provider, "needs-cloud-routes", wanted=False)
    rows = [
        limit for limit in provider.limits if limit.key == "limit-routes" and isinstance(limit.value, int)
    ]
    if takes.truth is Truth.YES:
        return replace(takes, says="it needs no route in the cloud's table")
    if not rows:
        known = takes.truth is Truth.NO
        return replace(takes, truth=Truth.YES if known else Truth.UNKNOWN, says="no limit of routes is known")
    judged = _table(provider, rows, requirements.most_nodes or 0)
    return judged if requirements.cloud is not None else judged.doubted()


def _table(provider: Provider, rows: Sequence[Fact], wanted: int) -> Judgement:
    """Judge by the newest rows: the verified one rules out, a newer unverified one warns."""
    verified = _newest([row for row in rows if row.truth is Truth.YES])
    told = {row.value: row for row in (verified, _newest(rows)) if row is not None}
    evidence = tuple(of_fact(provider, row) for row in told.values())
    least = min(value for value in told if isinstance(value, int))
    says = f"{wanted:,} nodes are as many routes, and a table holds {least:,}"
    if verified is not None and isinstance(verified.value, int) and wanted > verified.value:
        return Judgement(Truth.NO, evidence, says)
    return Judgement(Truth.UNKNOWN if wanted > least else Truth.YES, evidence, says)


def _newest(rows: Sequence[Fact]) -> Fact | None:
    return max(rows, key=lambda row: row.as_of, default=None)
