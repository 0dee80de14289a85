"""Is there room for so many nodes? What is sensible, and what a cloud's route table holds.

What lives here: the two judgements about numbers of nodes. What it must not know: other needs.
"""

from collections.abc import Sequence
from dataclasses import replace

from octet.choose.evidence import of_fact
from octet.choose.facts.values import Fact, Provider, Truth
from octet.choose.judgement import Judgement, of_key
from octet.choose.requirements import Requirements

SMALL = 50
"""Nodes up to which nobody's size is in question: no provider is known to end earlier (tests hold this to
the facts)."""


def room(requirements: Requirements, provider: Provider) -> Judgement:
    """Judge by the largest cluster that is sensible; where that isn't verified, only a small one is sure."""
    fact = provider.facts.get("largest-cluster")
    wanted = requirements.most_nodes or 0
    if wanted <= SMALL:
        return Judgement(Truth.YES, (), f"no provider is known to end before {SMALL} nodes")
    if fact is None:
        return Judgement(Truth.UNKNOWN, (), f"nothing is known about {wanted:,} nodes")
    evidence = (of_fact(provider, fact),)
    if fact.truth is not Truth.YES or not isinstance(fact.value, int):
        return Judgement(Truth.UNKNOWN, evidence, f"how many {provider.title} is good for is not verified")
    enough = fact.value >= wanted
    compared = "as many as" if enough else "fewer than"
    says = f"{provider.title} is good for {fact.value:,}, {compared} {wanted:,}"
    return Judgement(Truth.YES if enough else Truth.NO, evidence, says)


def routes(requirements: Requirements, provider: Provider) -> Judgement:
    """Judge by the rows of ``limit-routes``, where the provider takes a route for each node."""
    takes = of_key(provider, "needs-cloud-routes", wanted=False)
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
