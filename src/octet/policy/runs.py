"""How rules stand beside each other: which can be asked together, which ask twice, which stand alone.

What lives here: runs of rules that do the same, and the choice between a product and two lookups.
What it must not know: nftables, chains, who is in a group.

A rule of few ports is its peers times its ports, in one set: so any number of rules is one lookup. That
product grows with both. A rule of many ports therefore asks twice, for the address and for the port, and
takes their sum; a packet meets each of such rules, so a run has a limited number of them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from octet.policy.groups import Group, Networks, ServiceEndpoints
from octet.policy.holders import has_networks, merged
from octet.policy.memo import Memo
from octet.policy.rules import Action, Rule, digest, gathered

MANY_PORTS = 4
"""Ports, or ranges of them, of a rule for each of its pods; one of more asks twice."""

LARGEST_PRODUCT = 1024
"""Networks times ports of a rule that are written out."""

MOST_TWICE = 64
"""Pairs of peers and ports in one run that are asked twice: what a packet may cost at most. The others are
written out, and count against what a node holds."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a rule stands beside others.

    Attributes:
        never: can no packet match it?
        sort: rules that have this in common can be asked together.
        policy: whose it is, for comments.
        place: digits that stand for that policy.
        anybody: is it about every other end?
        twice: are its peers and ports too many for a product?
    """

    never: bool
    sort: tuple[object, ...]
    policy: str
    place: str
    anybody: bool
    twice: bool


def _manner(rule: Rule) -> Manner:
    denied = (rule.origin.policy, rule.reject) if rule.action is Action.DENY else ()
    alone = rule.action is Action.LOG or not mergeable(rule)
    sort = (id(rule),) if alone else (rule.action, *denied)
    policy = str(rule.origin.policy)
    return Manner(_never(rule), sort, policy, digest(policy), not rule.far.all_of, _twice(rule))


manner = Memo(_manner)
identity = Memo[Rule, str](digest)
"""What stands for all that a rule says."""


def only_allows(rule: Rule) -> bool:
    """Does a rule allow, and can be asked together with others that do?"""
    return manner(rule).sort == (Action.ALLOW,)


def runs(rules: Iterable[Rule], *, passing: bool) -> Iterator[list[Rule]]:
    """Yield rules that can be asked together, in order; what is not simple stands alone."""

    def sort(each: tuple[Rule, Manner]) -> tuple[object, ...]:
        return (id(each[0]),) if passing and each[0].named else each[1].sort

    known = [(rule, manner(rule)) for rule in rules]
    for _, group in groupby((each for each in known if not each[1].never), key=sort):
        yield [rule for rule, _ in group]


def chunks(found: Iterable[list[Rule]], size: int) -> Iterator[list[Rule]]:
    """Yield runs of about so many policies at most: a policy that comes or goes moves no other's boundary."""
    for run in found:
        start = 0
        for index in range(1, len(run)):
            if manner(run[index]).policy != manner(run[index - 1]).policy and begins(run[index], size):
                yield run[start:index]
                start = index
        yield run[start:]


def begins(rule: Rule, size: int) -> bool:
    """Does a rule's policy begin a chunk? One of ``size`` does, by its name."""
    return int(manner(rule).place, 16) % size == 0


def split(run: list[Rule]) -> tuple[list[Rule], list[Rule]]:
    """Return the rules of a run that are written out, and those that ask twice: of each far end one."""
    wide = [rule for rule in run if manner(rule).twice]
    if not wide:
        return run, []
    ends: dict[object, list[Rule]] = {}
    for rule in wide:
        ends.setdefault(rule.far, []).append(rule)
    chosen = list(ends.values())[:MOST_TWICE]
    twice = {id(rule) for rules in chosen for rule in rules}
    return [rule for rule in run if id(rule) not in twice], [_together(rules) for rules in chosen]


def _together(rules: list[Rule]) -> Rule:
    ports = gathered(each for rule in rules for each in rule.ports)
    return rules[0] if len(rules) == 1 else replace(rules[0], ports=ports)


def mergeable(rule: Rule) -> bool:
    """Tell whether a rule can share its lookups with others.

    A port's name is a pod's: beside networks it means the pods in there that have it, which is two questions.
    """
    named_ports = any(ports.names for ports in rule.ports)
    return rule.simple and not (named_ports and any(map(has_networks, _groups(rule))))


def _groups(rule: Rule) -> Iterator[Group]:
    for union in rule.far.all_of:
        yield from union


def _twice(rule: Rule) -> bool:
    ports = sum(len(merged(each.spans)) for each in rule.ports)
    groups = list(_groups(rule))
    if not groups or any(isinstance(group, ServiceEndpoints) for group in groups):
        return False
    blocks = (group for group in groups if isinstance(group, Networks))
    networks = sum(len(group.cidrs) + len(group.exceptions) for group in blocks)
    return ports > MANY_PORTS or (ports > 1 and ports * networks > LARGEST_PRODUCT)


def _never(rule: Rule) -> bool:
    """Can no packet match: are ports stated, and the pod has none of them?"""
    sides = [rule.ports, rule.far.ports, rule.near.ports]
    return any(stated and not any(each.spans or each.names for each in stated) for stated in sides)


__all__ = ["Manner", "begins", "chunks", "identity", "manner", "mergeable", "only_allows", "runs", "split"]
