"""Is there room for so many nodes? What is sensible, and what a cloud's route table holds.

What lives here: the two judgements about numbers of nodes. What it must not know: other needs.
"""

from collections.abc import Sequence

from octet.choose.evidence import of_fact
from octet.choose.facts.values import Fact, Provider, Truth
from octet.choose.judgement import Judgement
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
    """Judge by the rows of ``limit-routes``: the newest verified one rules out, a newer unverified warns."""
    wanted = requirements.most_nodes or 0
    rows = [
        limit for limit in provider.limits if limit.key == "limit-routes" and isinstance(limit.value, int)
    ]
    takes = provider.facts.get("needs-cloud-routes")
    if takes is not None and takes.truth is Truth.NO:
        return Judgement(Truth.YES, (of_fact(provider, takes),), "it needs no route in the cloud's table")
    if not rows:
        known = takes is not None and takes.truth is Truth.YES
        truth = Truth.YES if known else Truth.UNKNOWN
        return Judgement(
            truth, tuple(of_fact(provider, each) for each in [takes] if each), "no limit is known"
        )
    verified = _newest([row for row in rows if row.truth is Truth.YES])
    newest = _newest(rows)
    evidence = tuple(of_fact(provider, row) for row in dict.fromkeys([verified, newest]) if row is not None)
    least = min(int(str(row.value)) for row in (verified, newest) if row is not None)
    says = f"{wanted:,} nodes are as many routes, and a table holds {least:,}"
    if verified is not None and wanted > int(str(verified.value)):
        judged = Judgement(Truth.NO, evidence, says)
        return judged if requirements.cloud is not None else judged.doubted()
    return Judgement(Truth.UNKNOWN if wanted > least else Truth.YES, evidence, says)


def _newest(rows: Sequence[Fact]) -> Fact | None:
    return max(rows, key=lambda row: row.as_of, default=None)
