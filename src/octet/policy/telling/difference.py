"""Which flows a change of policies would alter, before it is made.

What lives here: comparing two Views flow by flow, with pods that nothing tells apart asked about once, and
putting alike changes into one row. What it must not know: where the Views come from, printing.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from octet.cluster.netpol import EGRESS, INGRESS
from octet.cluster.objects import Network, Node, Pod
from octet.cluster.view import View
from octet.policy.gates import TUNNELS
from octet.policy.telling.ends import EVERYWHERE, NODE, POD, End, networks_of, of_pod, parts
from octet.policy.telling.explain import Explainer, packets
from octet.policy.telling.traffic import ICMP_OF, Traffic, rules_of, summary, worth_asking

MANY = 4
"""Pods of one kind that are counted and not listed."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Ends that neither side tells apart.

    Attributes:
        old, new: one of them as either side sees it; ``other`` is another one, for flows among them.
        members: all of their names.
        space: the namespace of pods; ``nodes`` or ``outside`` of others.
        labels: of pods, in words.
    """

    old: End
    new: End
    members: tuple[str, ...]
    space: str
    labels: str = ""
    other: tuple[End, End] | None = None

    @property
    def lone(self) -> bool:
        """Is it one pod, which has no flows among its kind?"""
        return self.new.kind == POD and self.other is None


@dataclass(frozen=True, slots=True)
class Change:
    """Flows that would be treated otherwise.

    Attributes:
        allowed: are they from now on?
        because: the policy that decides from now on; empty where none does.
    """

    allowed: bool
    sources: str
    destinations: str
    traffic: str
    because: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What a change comes to.

    Attributes:
        flows: how many were compared: pairs of kinds, times traffic.
        alone: pods that only one side has, which were not compared.
    """

    changes: tuple[Change, ...]
    flows: int
    alone: tuple[str, ...]


def compare(old: View, new: View, closed: tuple[int, ...] = TUNNELS) -> Difference:
    """Compare two versions of a cluster. Pods are the same where they are called the same.

    Args:
        old: one version.
        new: the other one.
        closed: UDP ports that no pod may send to, before and after.
    """
    comparison = _Comparison(old, new, closed)
    found = dict.fromkeys(comparison.rows())
    alone = sorted("/".join(key) for key in set(old.pods) ^ set(new.pods))
    ordered = sorted(found, key=lambda row: (row.allowed, row.sources, row.destinations))
    return Difference(tuple(ordered), comparison.flows, tuple(alone))


_Cell = tuple[int, bool, str, frozenset[Traffic]]
"""Family, allowed from now on, because, and the traffic that this is about."""

_Group = tuple[_Cell, frozenset[int]]
"""What changes, and for whom."""


class _Comparison:
    def __init__(self, old: View, new: View, closed: tuple[int, ...]) -> None:
        self.flows = 0
        self._old, self._new = Explainer(old, closed), Explainer(new, closed)
        told = networks_of(old, rules_of(old)) | networks_of(new, rules_of(new))
        self._kinds = list(kinds(old, new, told))
        self._traffic = worth_asking([old, new])
        families = {address.version for kind in self._kinds for address in kind.new.addresses}
        self._asked: dict[int, set[Traffic]] = {
            family: set(of_family(self._traffic, family)) for family in sorted(families)
        }
        self._steady = surroundings(old) == surroundings(new)

    def rows(self) -> Iterator[Change]:
        """Yield the changes, those of several kinds of ends that are alike together."""
        by_goal: dict[tuple[_Cell, int], set[int]] = {}
        for source in range(len(self._kinds)):
            for goal in range(len(self._kinds)):
                for cell in self._cells(source, goal):
                    by_goal.setdefault((cell, goal), set()).add(source)
        found: dict[tuple[bool, str, str, str], dict[int, frozenset[Traffic]]] = {}
        for ((family, allowed, because, traffic), origins), goals in self._grouped(by_goal).items():
            row = (allowed, self._who(origins, family), self._who(goals, family), because)
            found.setdefault(row, {})[family] = found.get(row, {}).get(family, frozenset()) | traffic
        for (allowed, sources, destinations, because), traffics in found.items():
            for words in self._words(traffics):
                yield Change(allowed, sources, destinations, words, because)

    def _words(self, traffics: Mapping[int, frozenset[Traffic]]) -> Iterator[str]:
        """Yield the words for the traffic of a row: once where both families say the same."""
        ported = {frozenset(each for each in some if each.port) for some in traffics.values()}
        pings = {any(not each.port for each in some) for some in traffics.values()}
        if set(traffics) == set(self._asked) and len(ported) == len(pings) == 1:
            both = set().union(*traffics.values())
            yield summary(both, set().union(*self._asked.values()))
            return
        for family, some in traffics.items():
            yield f"{summary(some, self._asked[family])} over IPv{family}"

    def _grouped(self, by_goal: Mapping[tuple[_Cell, int], set[int]]) -> Mapping[_Group, set[int]]:
        """Return the goals that have the same sources.

        A lone pod is not asked about itself. Where that is all that keeps goals apart, they are together:
        "every pod to every pod" and not a row for each.
        """
        whole: dict[_Group, set[int]] = {}
        for (cell, goal), sources in by_goal.items():
            itself = {goal} if self._kinds[goal].lone else set()
            whole.setdefault((cell, frozenset(sources | itself)), set()).add(goal)
        grouped: dict[_Group, set[int]] = {}
        for (cell, everybody), goals in whole.items():
            for goal in goals:
                shared = everybody if len(goals) > 1 else frozenset(by_goal[cell, goal])
                grouped.setdefault((cell, shared), set()).add(goal)
        return grouped

    def _cells(self, source: int, goal: int) -> Iterator[_Cell]:
        """Yield what is different between two kinds of ends."""
        pair = self._pair(source, goal)
        if pair is None:
            return
        (old_source, old_goal), (new_source, new_goal) = pair
        found: dict[tuple[int, bool, str], set[Traffic]] = {}
        idle = self._steady and self._unchanged((old_source, old_goal), (new_source, new_goal))
        for traffic in self._traffic:
            before = packets(old_source, old_goal, traffic)
            after = packets(new_source, new_goal, traffic)
            for first, second in zip(before, after, strict=False):
                self.flows += 1
                if idle:
                    continue
                was, _ = self._old.verdict(old_source, old_goal, first)
                now, because = self._new.verdict(new_source, new_goal, second)
                if was is not now:
                    found.setdefault((first.source.version, now, because), set()).add(traffic)
        for key, some in found.items():
            yield (*key, frozenset(some))

    def _unchanged(self, old: tuple[End, End], new: tuple[End, End]) -> bool:
        """Do the same tiers decide on both sides?"""
        return all(
            self._old.stages(before.pod, direction) == self._new.stages(after.pod, direction)
            for before, after, direction in zip(old, new, (EGRESS, INGRESS), strict=True)
            if before.pod is not None and after.pod is not None
        )

    def _pair(self, source: int, goal: int) -> tuple[tuple[End, End], tuple[End, End]] | None:
        """Return both ends on either side, or None where no policy stands between them."""
        mine, theirs = self._kinds[source], self._kinds[goal]
        if POD not in (mine.new.kind, theirs.new.kind):
            return None
        if source != goal:
            return (mine.old, theirs.old), (mine.new, theirs.new)
        if mine.other is None:
            return None
        return (mine.old, mine.other[0]), (mine.new, mine.other[1])

    def _who(self, numbers: Iterable[int], family: int) -> str:
        """Return the words for some kinds of ends, of all that have addresses of a family."""
        some = [self._kinds[number] for number in sorted(numbers)]
        everybody = [
            kind for kind in self._kinds if any(each.version == family for each in kind.new.addresses)
        ]
        if len(some) == len(everybody):
            return "everybody"
        pods = [kind for kind in everybody if kind.new.kind == POD]
        words = ["every pod"] if all(kind in some for kind in pods) and _several(pods) else []
        spaces = {kind.space: None for kind in some if not (words and kind.new.kind == POD)}
        for space in spaces:
            mine = [kind for kind in some if kind.space == space]
            whole = [kind for kind in everybody if kind.space == space]
            words += list(_space(space, mine, whole))
        return ", ".join(words)


def of_family(traffic: Iterable[Traffic], family: int) -> Iterator[Traffic]:
    """Yield the traffic that a family can have: all but the other one's ICMP."""
    yield from (each for each in traffic if each.protocol != ICMP_OF[10 - family])


def surroundings(view: View) -> tuple[object, ...]:
    """Return everything but policies that rules ask about."""
    held = (
        view.pods,
        view.namespaces,
        view.nodes,
        view.slices,
        view.accounts,
        view.network_sets,
        view.global_network_sets,
        view.host_endpoints,
    )
    return tuple(dict(each) for each in held)


def _several(some: Iterable[Kind]) -> bool:
    return sum(len(kind.members) for kind in some) > 1


def _space(space: str, some: Sequence[Kind], whole: Sequence[Kind]) -> Iterator[str]:
    """Yield the words for some kinds of one namespace, of the nodes, or of the outside."""
    left = [kind for kind in whole if kind not in some]
    called = space if space in (_NODES, _OUTSIDE) else f"namespace {space}"
    if not left and (_several(some) or called == space):
        yield called
        return
    if len(left) == 1 and len(some) > 1:
        yield f"{called} but {' and '.join(left[0].members)}"
        return
    for kind in some:
        if len(kind.members) < MANY:
            yield from kind.members
        else:
            yield f"{len(kind.members)} pods{kind.labels} of namespace {space}"


_NODES, _OUTSIDE = "nodes", "outside"


def kinds(old: View, new: View, told: Iterable[Network]) -> Iterator[Kind]:
    """Yield every end of flows, those together that neither side tells apart."""
    told = tuple(told)
    yield from _pods(old, new, told)
    yield from _nodes(old, new, told)
    for end in _outside(old, new, told):
        yield Kind(end, end, (end.name,), _OUTSIDE)


def _pods(old: View, new: View, told: tuple[Network, ...]) -> Iterator[Kind]:
    alike: dict[Hashable, list[tuple[Pod, Pod]]] = {}
    for key in sorted(set(old.pods) & set(new.pods)):
        before, after = old.pods[key], new.pods[key]
        if before.own_ips and after.own_ips:
            alike.setdefault((_pod_kind(before, told), _pod_kind(after, told)), []).append((before, after))
    for pairs in alike.values():
        ends = [(of_pod(before), of_pod(after)) for before, after in pairs]
        pod = pairs[0][1]
        labels = "".join(f" {key}={value}" for key, value in pod.labels.items())
        members = tuple(after.name for _, after in ends)
        other = ends[1] if len(ends) > 1 else None
        yield Kind(*ends[0], members, pod.namespace, f" with{labels}" if labels else "", other)


def _pod_kind(pod: Pod, told: tuple[Network, ...]) -> Hashable:
    around = frozenset(network for network in told for address in pod.own_ips if address in network)
    families = tuple(address.version for address in pod.own_ips)
    return pod.namespace, frozenset(pod.labels.items()), pod.service_account, pod.ports, around, families


def _nodes(old: View, new: View, told: tuple[Network, ...]) -> Iterator[Kind]:
    """Yield nodes as pods of other nodes see them: their own reach them always."""
    alike: dict[Hashable, list[Node]] = {}
    for name in sorted(set(old.nodes) & set(new.nodes)):
        node = new.nodes[name]
        if node.internal_ips:
            labels = frozenset(node.labels.items() | old.nodes[name].labels.items())
            own = {("kubernetes.io/hostname", name)}
            around = frozenset(each for each in told for address in node.internal_ips if address in each)
            alike.setdefault((labels - own, around), []).append(node)
    for nodes in alike.values():
        end = End(nodes[0].name, NODE, nodes[0].internal_ips)
        yield Kind(end, end, tuple(node.name for node in nodes), _NODES)


def _outside(old: View, new: View, told: tuple[Network, ...]) -> Iterator[End]:
    """Yield the world outside of the cluster, in the parts that policies tell apart."""
    pods = (*old.pods.values(), *new.pods.values())
    families = {address.version for pod in pods for address in pod.own_ips}
    yield from parts([old, new], [whole for whole in EVERYWHERE if whole.version in families], told)
