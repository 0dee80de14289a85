"""One endpoint and direction as chains: its tiers, each rule or run of rules a few lookups.

What lives here: chains, and which sets they ask. What it must not know: which endpoints have the program, who
is in the sets.

Consecutive rules that do the same and say only "who, and which port" are one run: whatever their number, a
packet meets at most one lookup for each kind of set. So ten thousand NetworkPolicies for one pod cost a new
connection as much as one. A chain is entered by ``goto``, so ``return`` is "allowed": the packet goes on to
what its other end has to say.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from weakref import WeakValueDictionary

from octet.blueprint import KernelObject
from octet.blueprint.nft import (
    CT_STATE,
    DROP,
    RETURN,
    Chain,
    Compare,
    Counter,
    Element,
    Lookup,
    Midstream,
    Part,
    Rule,
    Set,
    Verdict,
    daddr,
    goto,
    saddr,
)
from octet.cluster.netpol import INGRESS
from octet.cluster.objects import Pod
from octet.cluster.view import View
from octet.policy.conditions import Matching, spans
from octet.policy.groups import EVERY_POD, Networks, ServiceEndpoints
from octet.policy.holders import Entry, declarations, fields_of, name, of_networks
from octet.policy.resolving import resolved
from octet.policy.rules import DEFAULT, Action, Origin, Ports, Side, Span, Stage, digest
from octet.policy.rules import Rule as Meaning
from octet.policy.runs import begins, chunks, manner, mergeable, runs, split
from octet.policy.runs import identity as identity_of
from octet.policy.told import Told, denied, logged, plain

_BUILT: "WeakValueDictionary[tuple[object, ...], Program]" = WeakValueDictionary()
"""Programs that somebody has, so that pods with the same policies share the work."""

_NEWEST: "WeakValueDictionary[str, Program]" = WeakValueDictionary()
"""The same by entrance: what has not changed is taken from the version before."""

MANY_POLICIES = 64
"""Policies for one pod and direction above which its program goes by the pod's namespace, labels and account:
it stays where a policy comes or goes, but no other kind of pod shares it."""

CHUNK = 64
"""Policies of a tier whose rules share a chain where there are many: what one change writes anew."""

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
        sets, chains: their declarations, and what asks them.
        ports: what is in sets of ports.
        rules: all of its policies'.
        entries: who is in the sets.
        told: what the log's prefixes stand for.
        watches: which collections of the view addresses in the sets come from.
        peers: of which rule the entries are: by stem, then by the rule's number.
        written: the rules of runs whose sets go by what they say, by stem and the way on.
    """

    entrance: str
    identity: str
    sets: tuple[KernelObject, ...]
    chains: tuple[KernelObject, ...]
    ports: Mapping[Set, tuple[Span, ...]]
    rules: tuple[Meaning, ...]
    entries: tuple[Entry, ...]
    families: tuple[int, ...]
    told: tuple[Told, ...]
    watches: frozenset[str]
    peers: Mapping[str, Mapping[int, Peers]]
    written: Mapping[tuple[str, str], tuple[Rule, ...]]

    @property
    def size(self) -> int:
        """About how many elements its sets have that are no pods'."""
        groups = (entry.group for entry in self.entries)
        blocks = (len(group.cidrs) + len(group.exceptions) for group in groups if isinstance(group, Networks))
        return sum(map(len, self.ports.values())) + sum(blocks)

    def held(self, view: View) -> Iterator[KernelObject]:
        """Yield what is in its sets but for pods. Raises TooLargeError."""
        for declared, held in self.ports.items():
            yield from (Element(declared.name, value) for value in spans(held))
        yield from of_networks(view, self.entries)


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
    named = not passing and any(stage.named for stage in stages)
    steady = tracked and not passing and _are_many(stages)
    key = (
        tuple(stage.identity for stage in stages),
        direction,
        families,
        pod.ports if named else (),
        allowed,
        tracked,
        passing,
        (pod.namespace, tuple(sorted(pod.labels.items())), pod.service_account) if steady else (),
    )
    held = _BUILT.get(key)
    if held is None:
        mine = tuple(resolved(stage, pod, direction) for stage in stages) if named else stages
        lasting = tracked and not passing and _only_allows(mine)
        identity = names = digest(key)
        if steady or lasting:
            names = digest(("" if steady else stages[0].name, *key[1:]))
        writer = _Writer(mine, direction, families, names, allowed, tracked=tracked, passing=passing)
        writer.by_content = steady and not lasting
        held = _BUILT[key] = writer.program(identity)
        _NEWEST[held.entrance] = held
    return held


def forget() -> None:
    """Write everything anew from now on, though somebody may have it."""
    _BUILT.clear()
    _NEWEST.clear()


def _are_many(stages: tuple[Stage, ...]) -> bool:
    return sum(len(stage.policies) for stage in stages) > MANY_POLICIES


def _only_allows(stages: tuple[Stage, ...]) -> bool:
    """May sets stay when policies change? Where all they do is to allow, in one tier that denies the rest.

    A packet on its way when a transaction is made may meet old rules and new elements: of some that deny
    and some that allow, it could be let through though both old and new forbid it.
    """
    first = stages[0]
    return len(stages) == 1 and bool(first.name) and first.otherwise is Action.DENY and first.allows


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
        self._peers: dict[str, Mapping[int, Peers]] = {}
        self._denials: dict[str, Chain] = {}
        self._told: dict[str, Told] = {}
        self._tier = ""
        self._written: dict[tuple[str, str], tuple[Rule, ...]] = {}
        self._written_before = before.written if before is not None else {}
        self.by_content = False  # where policies deny, other rules never ask sets of the same names

    def program(self, identity: str) -> Program:
        chains = [chain for number, stage in enumerate(self._stages) for chain in self._chains(number, stage)]
        alone = dict.fromkeys(self._matching.entries)
        stems: dict[str, str] = {}
        for entry in alone:
            stems[entry.stem] = stems.get(entry.stem, "") + entry.kinds
        watches = {each for entry in alone for each in entry.group.watches}
        for stem, held in self._peers.items():
            stems[stem] = stems.get(stem, "") + "".join({peers.kinds for peers in held.values()})
            watches.update(*{peers.watches for peers in held.values()})
        declared = (declarations(stem, kinds, self._families) for stem, kinds in stems.items())
        sets = [each for held in declared for each in held]
        return Program(
            entrance=self._name(0),
            identity=identity,
            sets=(*sets, *self._matching.ports),
            chains=(*chains, *self._denials.values()),
            ports=self._matching.ports,
            rules=tuple(rule for stage in self._stages for rule in stage.rules),
            entries=(*alone, *self._shared()),
            families=self._families,
            told=tuple(self._told.values()),
            watches=frozenset(watches),
            peers=self._peers,
            written=self._written,
        )

    def _shared(self) -> Iterator[Entry]:
        return (entry for held in self._peers.values() for each in held.values() for entry in each.entries)

    def _name(self, number: int) -> str:
        return self._stem + (f"-{number}" if number else "")

    def _chains(self, number: int, stage: Stage) -> Iterator[Chain]:
        """Yield a tier's chain; of many policies several, each of which leads to the next one."""
        name, rules, policy = self._name(number), list[Rule](), ""
        self._tier = stage.tier
        if number == 0 and self._tracked:
            rules.append(_invalid())
            rules.append(Rule(Midstream(), self._deny(stage.policies[0], reject=stage.reject)))
        after = goto(self._name(number + 1)) if number + 1 < len(self._stages) else self._default(stage)
        found = runs(stage.rules, passing=self._passing)
        for index, run in enumerate(chunks(found, CHUNK) if self.by_content else found):
            if self.by_content and policy not in ("", manner(run[0]).policy) and begins(run[0], CHUNK):
                place = f"{self._name(number)}-at-{manner(run[0]).place}"
                yield Chain(name, (*rules, Rule(goto(place))))
                name, rules = place, []
            policy = manner(run[-1]).policy
            stem = f"{self._name(number)}-{index}"
            rules += self._by_content(run, after) if self.by_content else self._run(stem, run, after)
        end = after if stage.otherwise is Action.PASS else self._deny(stage.policies[-1], reject=stage.reject)
        rules.append(Rule(end, comment=plain(f"end of tier {stage.tier}")))
        yield Chain(name, tuple(rules))

    def _by_content(self, run: list[Meaning], after: Verdict) -> Iterable[Rule]:
        """Return a run's rules, whose sets go by what it says; as the version before has them, if it has."""
        stem = f"policy-r-{digest((self._direction, self._families, *map(identity_of, run)))}"
        manners = map(manner, run)
        if not mergeable(run[0]) or any(each.twice or each.anybody for each in manners):
            return self._run(stem, run, after)  # what it asks beside its own sets is noted as it is written
        key = (stem, f"{after} {self._tier}")
        held = self._written_before.get(key)
        if held is None or stem not in self._before:
            held = tuple(self._run(stem, run, after))
        else:
            self._verdict(run[0], after)  # who is denied is told, and counted
            self._peers[stem] = self._before[stem]
        self._written[key] = held
        return held

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
        for parts in self._parts(stem, run):
            yield Rule(*parts, *verdict, comment=comment)

    def _parts(self, stem: str, run: list[Meaning]) -> Iterator[tuple[Part, ...]]:
        """Yield what has to hold of a packet that a run is about: any of these."""
        if not mergeable(run[0]) or (self._passing and run[0].named):
            yield from self._matching.alternatives(run[0])
            return
        anybodys = [rule for rule in run if manner(rule).anybody]
        if any(not rule.ports for rule in anybodys):
            yield ()
            return
        run, twice = split(run)
        before = self._before.get(stem, {})  # what that version found out of a rule still holds
        peers = {id(rule): before.get(id(rule)) or self._peers_of(stem, rule) for rule in run}
        self._peers[stem] = peers
        kinds = set("".join({each.kinds for each in peers.values()}))
        yield from self._matching.anybody(anybodys)
        yield from self._lookups(stem, kinds)
        for rule in twice:
            yield from self._matching.alternatives(rule)

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


def _comment(run: list[Meaning]) -> str:
    origins = list(dict.fromkeys(manner(rule).policy for rule in run))
    return plain(origins[0] if len(origins) == 1 else f"{len(origins)} policies, such as {origins[0]}")


def open_chain() -> Chain:
    """Return the chain that lets begin what it likes, and goes on nothing that was cut off."""
    midstream = Rule(Midstream(), Counter(), DROP, comment="cut off, or begun elsewhere")
    return Chain(OPEN, (_invalid(), midstream))


def _invalid() -> Rule:
    """Return what becomes of packets that connection tracking can make nothing of: neither old nor new."""
    return Rule(Compare(CT_STATE, "invalid"), Counter(), DROP)


__all__ = ["OPEN", "Program", "Side", "forget", "open_chain", "program"]
