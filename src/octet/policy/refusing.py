"""Which policy is refused where policies come to more than may be.

What lives here: about how much each comes to, and whose turn it is. What it must not know: endpoints, when
anything is counted.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from octet.cluster.view import View
from octet.policy.groups import Candidate, Group, Networks
from octet.policy.holders import has_pods
from octet.policy.rules import Origin, Rule
from octet.policy.runs import manner

_ASKED = 32_000
"""Times that a group is asked for a pod, to find out which policy is the largest: some 50 ms."""

_PODS = 256

_PROGRAMS = 16
"""Programs of a node, the largest, that are looked at."""


def weights(rules: Iterable[Rule], view: View) -> Counter[Origin]:
    """Return about how many addresses and ports each policy comes to, from a sample of the pods."""
    held = list(rules)
    count = max(1, min(_PODS, _ASKED // max(1, len(held)), len(view.pods)))
    step = max(1, len(view.pods) // count)
    sample = [Candidate(view, pod) for pod in islice(view.pods.values(), 0, None, step)]
    members: dict[Group, int] = {}
    found: Counter[Origin] = Counter()
    for rule in held:
        ports = sum(max(1, len(each.spans)) for each in rule.ports) or 1
        addresses = 0
        for group in (group for union in rule.far.all_of for group in union):
            if group not in members:
                members[group] = _size(group, sample, step)
            addresses += members[group]
        found[rule.origin.policy] += addresses + ports if manner(rule).twice else addresses * ports
    return found


def _size(group: Group, sample: list[Candidate], step: int) -> int:
    if isinstance(group, Networks):
        return len(group.cidrs) + len(group.exceptions)
    return step * sum(group.has(candidate) for candidate in sample) if has_pods(group) else 1


def refusable(programs: Iterable[tuple[Sequence[Rule], int]], view: View) -> Origin:
    """Return the policy to refuse, given the rules and the size of what is too large.

    Of a single program it is the largest policy. Of a whole node it is one of the namespace that comes to
    most, so that nobody's policies are refused for what another namespace has. What has no namespace is an
    administrator's, and goes last.
    """
    held = sorted(programs, key=lambda each: -each[1])[:_PROGRAMS]
    largest = [(_largest(weights(rules, view)), size) for rules, size in held]
    sums: Counter[str] = Counter()
    for origin, size in largest:
        sums[origin.namespace] += size
    space = max(sums, key=lambda name: (bool(name), sums[name], name))
    return next(origin for origin, _ in largest if origin.namespace == space)


def _largest(found: Mapping[Origin, int]) -> Origin:
    """Return the policy that comes to most; of equal ones the first by name."""
    return min(found, key=lambda origin: (-found[origin], str(origin)))
