"""One endpoint and direction as chains: its tiers, each rule or run of rules a few lookups.

What lives here: chains, and which sets they ask. What it must not know: which endpoints have the program, who
is in the sets.

Consecutive rules that do the same and say only "who, and which port" are one run: whatever their number, a
packet meets at most one lookup for each kind of set. So ten thousand NetworkPolicies for one pod cost a new
connection as much as one. A chain is entered by ``goto``, so ``return`` is "allowed": the packet goes on to
what its other end has to say.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from weakref import WeakValueDictionary

from octet.blueprint import KernelObject
from octet.blueprint.nft import (
    CT_STATE,
    DPORT,
    DROP,
    L4PROTO,
    RETURN,
    Chain,
    Compare,
    Counter,
    Lookup,
    Midstream,
    Part,
    Rule,
    Verdict,
    daddr,
    goto,
    saddr,
)
from octet.cluster.netpol import INGRESS
from octet.cluster.objects import Pod
from octet.policy.conditions import Matching, spans
from octet.policy.groups import EVERY_POD, Group, ServiceEndpoints
from octet.policy.holders import Entry, declarations, fields_of, has_networks, merged, name, named, word
from octet.policy.memo import Memo
from octet.policy.rules import DEFAULT, Action, Origin, Ports, Side, Stage, digest
from octet.policy.rules import Rule as Meaning
from octet.policy.told import Told, denied, logged, plain

_BUILT: "WeakValueDictionary[tuple[object, ...], Program]" = WeakValueDictionary()
"""Programs that somebody has, so that pods with the same policies share the work."""

_NEWEST: "WeakValueDictionary[str, Program]" = WeakValueDictionary()
"""The same by entrance: what has not changed is taken from the version before."""

OPEN = "policy-open"
"""The chain of a direction that no policy is about, of an endpoint that has policies in the other one."""


@dataclass(frozen=True, slots=True)
class Peers:
    """Who a rule that shares its lookups is about.

    Attributes:
        rule: whose they are; held, so that its number is nobody else's.
        kinds: letters of the sets that they are in.
        watches: where addresses come from that are no pods'.
    """

    rule: Meaning
    entries: tuple[Entry, ...]
    kinds: str
    watches: frozenset[str]


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Program:
    """What one direction of some endpoints goes through.

    Attributes:
        entrance: the chain that the dispatch map leads to. Of policies that only allow it goes by which there
            are, not by what they say: where one says something else, sets and dispatch stay.
        identity: stands for all that the policies say.
        objects: chains and declarations.
        entries: who is in the sets.
        told: what the log's prefixes stand for.
        watches: which collections of the view addresses in the sets come from.
        peers: of which rule the entries are: by stem, then by the rule's number.
    """

    entrance: str
    identity: str
    objects: tuple[KernelObject, ...]
    entries: tuple[Entry, ...]
    families: tuple[int, ...]
    told: tuple[Told, ...]
    watches: frozenset[str]
    peers: Mapping[str, Mapping[int, Peers]]


def program(
    stages: tuple[Stage, ...],
    pod: Pod,
    direction: str,
    families: tuple[int, ...],
    allowed: Verdict = RETURN,
    *,
    tracked: bool = True,
    passing: bool = False,
) -> Program | None:
    """Return the program of a pod's direction, or None where no policy is about it.

    Args:
        stages: the tiers, in order.
        pod: whose ports have names.
        direction: INGRESS or EGRESS.
        families: of 4 and 6, those that the pod has.
        allowed: what becomes of a packet that a rule allows; one that all tiers pass returns.
        tracked: are packets refused that fit no connection? Before connection tracking none does.
        passing: are the packets for others, whose own ports the names mean?
    """
    if not stages:
        return None
    named = any(stage.named for stage in stages) and not passing
    key = (
        tuple(stage.identity for stage in stages),
        direction,
        families,
        pod.ports if named else (),
        allowed,
        tracked,
        passing,
    )
    held = _BUILT.get(key)
    if held is None:
        mine = tuple(resolved(stage, pod, direction) for stage in stages) if named else stages
        identity = digest(key)
        lasting = tracked and not passing and _only_allows(mine)
        names = digest((stages[0].name, *key[1:])) if lasting else identity
        writer = _Writer(mine, direction, families, names, allowed, tracked=tracked, passing=passing)
        held = _BUILT[key] = writer.program(identity)
        _NEWEST[held.entrance] = held
    return held


def _only_allows(stages: tuple[Stage, ...]) -> bool:
    """May sets stay when policies change? Where all they do is to allow, in one tier that denies the rest.

    A packet on its way when a transaction is made may meet old rules and new elements: of some that deny
    and some that allow, it could be let through though both old and new forbid it.
    """
    if len(stages) != 1 or not stages[0].name or stages[0].otherwise is not Action.DENY:
        return False
    return all(_MANNER(rule).sort == (Action.ALLOW,) for rule in stages[0].rules)


def resolved(stage: Stage, pod: Pod, direction: str) -> Stage:
    """Return a tier in which names of the pod's own ports are numbers."""
    if not stage.named:
        return stage
    return replace(stage, rules=tuple(_resolve(rule, pod, direction) for rule in stage.rules))


def _resolve(rule: Meaning, pod: Pod, direction: str) -> Meaning:
    near = replace(
        rule.near, ports=_numbers(rule.near.ports, pod), no_ports=_numbers(rule.near.no_ports, pod)
    )
    return replace(rule, near=near, ports=_numbers(rule.ports, pod) if direction == INGRESS else rule.ports)


def _numbers(stated: tuple[Ports, ...], pod: Pod) -> tuple[Ports, ...]:
    """Return ports without names; a name that the pod has not is a port that no packet has."""
    found: list[Ports] = []
    for each in stated:
        if not each.names:
            found.append(each)
            continue
        found.append(Ports(each.protocol, each.spans))
        found += [Ports(protocol, (span,)) for protocol, span in named(each, pod)]
    return tuple(found)


class _Writer:
    def __init__(
        self,
        stages: tuple[Stage, ...],
        direction: str,
        families: tuple[int, ...],
        names: str,
        allowed: Verdict,
        *,
        tracked: bool,
        passing: bool,
    ) -> None:
        self._allowed = allowed
        self._tracked = tracked
        self._passing = passing
        self._stages = stages
        self._direction = direction
        self._families = families
        self._matching = Matching(direction, families, passing=passing)
        way = "to" if direction == INGRESS else "from"
        self._stem = f"policy-{way}-{names}"
        before = _NEWEST.get(self._stem)
        self._before = before.peers if before is not None else {}
        self._peers: dict[str, dict[int, Peers]] = {}
        self._denials: dict[str, Chain] = {}
        self._told: dict[str, Told] = {}
        self._tier = ""

    def program(self, identity: str) -> Program:
        chains = [self._chain(number, stage) for number, stage in enumerate(self._stages)]
        alone = dict.fromkeys(self._matching.entries)
        stems: dict[str, str] = {}
        for entry in alone:
            stems[entry.stem] = stems.get(entry.stem, "") + entry.kinds
        watches = {each for entry in alone for each in entry.group.watches}
        for stem, held in self._peers.items():
            stems[stem] = stems.get(stem, "") + "".join({peers.kinds for peers in held.values()})
            watches.update(*{peers.watches for peers in held.values()})
        sets = [each for stem, kinds in stems.items() for each in declarations(stem, kinds, self._families)]
        return Program(
            entrance=self._name(0),
            identity=identity,
            objects=(*sets, *chains, *self._denials.values()),
            entries=(*alone, *self._shared()),
            families=self._families,
            told=tuple(self._told.values()),
            watches=frozenset(watches),
            peers=self._peers,
        )

    def _shared(self) -> Iterator[Entry]:
        return (entry for held in self._peers.values() for each in held.values() for entry in each.entries)

    def _name(self, number: int) -> str:
        return self._stem + (f"-{number}" if number else "")

    def _chain(self, number: int, stage: Stage) -> Chain:
        rules: list[Rule] = []
        self._tier = stage.tier
        if number == 0 and self._tracked:
            rules.append(_invalid())
            rules.append(Rule(Midstream(), self._deny(stage.policies[0], reject=stage.reject)))
        after = goto(self._name(number + 1)) if number + 1 < len(self._stages) else self._default(stage)
        for index, run in enumerate(_runs(stage.rules, passing=self._passing)):
            rules += self._run(f"{self._name(number)}-{index}", run, after)
        end = after if stage.otherwise is Action.PASS else self._deny(stage.policies[-1], reject=stage.reject)
        rules.append(Rule(end, comment=plain(f"end of tier {stage.tier}")))
        return Chain(self._name(number), tuple(rules))

    def _default(self, stage: Stage) -> Verdict:
        return RETURN if DEFAULT is Action.ALLOW else self._deny(stage.policies[-1], reject=stage.reject)

    def _deny(self, policy: Origin, *, reject: bool) -> Verdict:
        chain, told = denied(policy, self._tier, self._direction, reject=reject)
        self._denials[chain.name] = chain
        self._told[chain.name] = told
        return goto(chain.name)

    def _log(self, rule: Meaning) -> tuple[Part, ...]:
        parts, told = logged(rule.origin, self._tier, self._direction)
        self._told[told.prefix] = told
        return parts

    def _verdict(self, rule: Meaning, after: Verdict) -> tuple[Part, ...]:
        match rule.action:
            case Action.ALLOW:
                return (self._allowed,)
            case Action.PASS:
                return (after,)
            case Action.LOG:
                return self._log(rule)
        return (self._deny(rule.origin.policy, reject=rule.reject),)

    def _run(self, stem: str, run: list[Meaning], after: Verdict) -> Iterator[Rule]:
        verdict, comment = self._verdict(run[0], after), _comment(run)
        if not _mergeable(run[0]) or (self._passing and run[0].named):
            for parts in self._matching.alternatives(run[0]):
                yield Rule(*parts, *verdict, comment=comment)
            return
        anybodys = [rule for rule in run if _MANNER(rule).anybody]
        if any(not rule.ports for rule in anybodys):
            yield Rule(*verdict, comment=comment)
            return
        before = self._before.get(stem, {})  # what that version found out of a rule still holds
        peers = {id(rule): before.get(id(rule)) or self._peers_of(stem, rule) for rule in run}
        self._peers[stem] = peers
        kinds = set("".join({each.kinds for each in peers.values()}))
        for parts in (*_anybody(anybodys), *self._lookups(stem, kinds)):
            yield Rule(*parts, *verdict, comment=comment)

    def _peers_of(self, stem: str, rule: Meaning) -> Peers:
        """Return who a rule of a run is about."""
        entries = tuple(self._entries(stem, rule))
        kinds = "".join(sorted({kind for entry in entries for kind in entry.kinds}))
        watches = frozenset(each for entry in entries for each in entry.group.watches)
        return Peers(rule, entries, kinds, watches)

    def _entries(self, stem: str, rule: Meaning) -> Iterator[Entry]:
        """Yield who a rule of a run is about, with its ports."""
        if not rule.far.all_of:
            named_only = tuple(Ports(each.protocol, (), each.names) for each in rule.ports if each.names)
            if named_only:
                yield Entry(stem, EVERY_POD, named_only, families=self._families)
            return
        for group in rule.far.all_of[0]:
            own = isinstance(group, ServiceEndpoints) and self._direction != INGRESS
            yield Entry(stem, group, rule.ports, own, self._families)

    def _lookups(self, stem: str, kinds: Iterable[str]) -> Iterator[tuple[Part, ...]]:
        for family in self._families:
            address = saddr(family) if self._direction == INGRESS else daddr(family)
            for kind in sorted(kinds):
                yield (Lookup(*fields_of(kind, family, address), into=name(stem, kind, family)),)


@dataclass(frozen=True, slots=True)
class _Manner:
    """How a rule stands beside others.

    Attributes:
        never: can no packet match it?
        sort: rules that have this in common can be asked together.
        policy: whose it is, for comments.
        anybody: is it about every other end?
    """

    never: bool
    sort: tuple[object, ...]
    policy: str
    anybody: bool


def _manner(rule: Meaning) -> _Manner:
    denied = (rule.origin.policy, rule.reject) if rule.action is Action.DENY else ()
    alone = rule.action is Action.LOG or not _mergeable(rule)
    sort = (id(rule),) if alone else (rule.action, *denied)
    return _Manner(_never(rule), sort, str(rule.origin.policy), not rule.far.all_of)


_MANNER = Memo(_manner)


def _runs(rules: Iterable[Meaning], *, passing: bool) -> Iterator[list[Meaning]]:
    """Yield rules that can be asked together, in order; what is not simple stands alone."""

    def sort(rule: Meaning) -> tuple[object, ...]:
        return (id(rule),) if passing and rule.named else _MANNER(rule).sort

    for _, group in groupby((rule for rule in rules if not _MANNER(rule).never), key=sort):
        yield list(group)


def _mergeable(rule: Meaning) -> bool:
    """Tell whether a rule can share its lookups with others.

    A port's name is a pod's: beside networks it means the pods in there that have it, which is two questions.
    """
    named_ports = any(ports.names for ports in rule.ports)
    return rule.simple and not (named_ports and any(map(has_networks, _groups(rule))))


def _groups(rule: Meaning) -> Iterator[Group]:
    for union in rule.far.all_of:
        yield from union


def _never(rule: Meaning) -> bool:
    """Can no packet match: are ports stated, and the pod has none of them?"""
    sides = [rule.ports, rule.far.ports, rule.near.ports]
    return any(stated and not any(each.spans or each.names for each in stated) for stated in sides)


def _anybody(run: list[Meaning]) -> Iterator[tuple[Part, ...]]:
    """Yield the ports of a run that anybody may use, one comparison for each protocol."""
    held: dict[int, list[tuple[int, int]]] = {}
    for rule in run:
        for ports in rule.ports:
            if ports.protocol is not None and ports.spans:
                held.setdefault(ports.protocol, []).extend(ports.spans)
    for protocol, stated in sorted(held.items()):
        only = Compare(L4PROTO, word(protocol))
        yield (only,) if merged(stated) == [(0, 65535)] else (only, Compare(DPORT, *spans(stated)))


def _comment(run: list[Meaning]) -> str:
    origins = list(dict.fromkeys(_MANNER(rule).policy for rule in run))
    return plain(origins[0] if len(origins) == 1 else f"{len(origins)} policies, such as {origins[0]}")


def open_chain() -> Chain:
    """Return the chain that lets begin what it likes, and goes on nothing that was cut off."""
    midstream = Rule(Midstream(), Counter(), DROP, comment="cut off, or begun elsewhere")
    return Chain(OPEN, (_invalid(), midstream))


def _invalid() -> Rule:
    """Return what becomes of packets that connection tracking can make nothing of: neither old nor new."""
    return Rule(Compare(CT_STATE, "invalid"), Counter(), DROP)


__all__ = ["OPEN", "Program", "Side", "open_chain", "program"]
