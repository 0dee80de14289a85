"""One rule as matches of nftables: what has to hold of a packet, as alternatives of parts that hold together.

What lives here: rules that say more than "who, and which port" (those are merged, ``programs``).
What it must not know: chains, verdicts, other rules.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

from octet.blueprint.nft import (
    DPORT,
    ICMP_CODE,
    ICMP_TYPE,
    ICMPV6_CODE,
    ICMPV6_TYPE,
    L4PROTO,
    NFPROTO,
    SPORT,
    Compare,
    Field,
    Lookup,
    Part,
    Range,
    Set,
    Value,
    daddr,
    saddr,
)
from octet.cluster.netpol import INGRESS
from octet.policy.groups import EVERY_POD, Group, ServiceEndpoints
from octet.policy.holders import Entry, fields_of, merged, name, word
from octet.policy.rules import EVERY_PORT, Ports, Rule, Side, Span, digest, gathered

Parts = tuple[Part, ...]

ICMP_WORDS: dict[int, dict[int, str]] = {
    4: {0: "echo-reply", 3: "destination-unreachable", 5: "redirect", 8: "echo-request", 11: "time-exceeded"},
    6: {
        1: "destination-unreachable",
        2: "packet-too-big",
        3: "time-exceeded",
        128: "echo-request",
        129: "echo-reply",
        130: "mld-listener-query",
        131: "mld-listener-report",
        132: "mld-listener-done",
        133: "nd-router-solicit",
        134: "nd-router-advert",
        135: "nd-neighbor-solicit",
        136: "nd-neighbor-advert",
        143: "mld2-listener-report",
    },
}
"""The types whose words stand in our rules (nft(8), ICMP and ICMPv6 types), by IANA's numbers."""

INLINE = 64
"""Ports, or ranges of them, that stand in a rule itself; more are a set."""

_ICMP_FIELDS = {4: (ICMP_TYPE, ICMP_CODE), 6: (ICMPV6_TYPE, ICMPV6_CODE)}
_FAMILY_OF = {1: 4, 58: 6}


@dataclass
class Matching:
    """Turns the rules of one direction into matches, and collects who is in the sets that they need.

    Attributes:
        passing: are the packets for others than the endpoint, so that names of ports are theirs?
        entries: who is in which set.
        ports: sets of ports too many to stand in a rule, and which.
    """

    direction: str
    families: tuple[int, ...]
    passing: bool = False
    entries: list[Entry] = field(default_factory=list)
    ports: dict[Set, tuple[Span, ...]] = field(default_factory=dict)
    _kinds: dict[str, set[str]] = field(default_factory=dict)

    def alternatives(self, rule: Rule) -> Iterator[Parts]:
        """Yield parts that hold together; a packet that any of them holds for is meant."""
        for family in self._families(rule):
            far, near = self._side(rule.far, family, far=True), self._side(rule.near, family, far=False)
            protocols = self._protocols(rule)
            ports, icmp = self._goal(rule, family), list(_icmp(rule))
            guard: Parts = (Compare(NFPROTO, f"ipv{family}"),) if rule.family else ()
            for parts in product(protocols, ports, icmp, far, near):
                yield (*guard, *(part for each in parts for part in each))

    def _families(self, rule: Rule) -> tuple[int, ...]:
        """Return the families to write the rule for; 0 is once, for both."""
        only = {each for each in (rule.family, _family_of_icmp(rule)) if each}
        if only:
            return tuple(only & set(self.families)) if len(only) == 1 else ()
        sides = (rule.far, rule.near)
        addressed = any(side.all_of or side.none_of for side in sides)
        named = any(ports.names for side in sides for ports in (*side.ports, *side.no_ports))
        goal = any(ports.names for ports in rule.ports)
        return self.families if addressed or named or goal else (0,)

    def _protocols(self, rule: Rule) -> list[Parts]:
        parts: list[Part] = []
        if rule.protocol is not None:
            parts.append(Compare(L4PROTO, word(rule.protocol)))
        if rule.not_protocol is not None:
            parts.append(Compare(L4PROTO, word(rule.not_protocol), negated=True))
        return [tuple(parts)]

    def _goal(self, rule: Rule, family: int) -> list[Parts]:
        """Return alternatives of the destination's ports; one of nothing where they are unstated."""
        if not rule.ports:
            return [()]
        far = self.passing or self.direction != INGRESS
        return [parts for each in rule.ports for parts in self._ports(each, family, far=far, source=False)]

    def _side(self, side: Side, family: int, *, far: bool) -> list[Parts]:
        source = far == (self.direction == INGRESS)
        address = saddr(family or 4) if source else daddr(family or 4)
        choices = [self._union(union, family, address, service_ports=not source) for union in side.all_of]
        if side.ports:
            choices.append(
                [parts for each in side.ports for parts in self._ports(each, family, far=far, source=source)]
            )
        excluded = [part for group in side.none_of for part in self._outside(group, family, address)]
        excluded += [part for each in side.no_ports for part in self._not_ports(each, family, source=source)]
        return [(*(part for each in chosen for part in each), *excluded) for chosen in product(*choices)]

    def anybody(self, rules: Iterable[Rule]) -> Iterator[Parts]:
        """Yield the ports that anybody may use of some rules, one comparison for each protocol."""
        for ports in gathered(ports for rule in rules for ports in rule.ports):
            if ports.protocol is not None and ports.spans:
                only = Compare(L4PROTO, word(ports.protocol))
                every = merged(ports.spans) == [EVERY_PORT]
                yield (only,) if every else (only, self._in(DPORT, ports.spans))

    def _in(self, asked: Field, stated: Iterable[Span], *, negated: bool = False) -> Part:
        """Return the match of a port; of many in a set of their own, shared by all that ask for the same."""
        held = merged(stated)
        if len(held) <= INLINE:
            return Compare(asked, *spans(held), negated=negated)
        into = _stem("s", held)
        ranged = any(first != last for first, last in held)
        self.ports[Set(into, ("inet_service",), interval=ranged)] = tuple(held)
        return Lookup(asked, into=into, negated=negated)

    def _asked(self, entry: Entry) -> None:
        """Note who is in a set."""
        self.entries.append(entry)
        self._kinds.setdefault(entry.stem, set()).update(entry.kinds)

    def _union(
        self, union: Sequence[Group], family: int, address: Field, *, service_ports: bool
    ) -> list[Parts]:
        """Return one lookup for each kind of set that a union of groups needs."""
        stem = _stem("u", (self.families, tuple(union)))
        for group in union:
            own = service_ports and isinstance(group, ServiceEndpoints)
            self._asked(Entry(stem, group, (), own, self.families))
        return [
            (Lookup(*fields_of(kind, family, address), into=name(stem, kind, family)),)
            for kind in sorted(self._kinds[stem])
        ]

    def _outside(self, group: Group, family: int, address: Field) -> Iterator[Part]:
        stem = _stem("u", (self.families, (group,)))
        self._asked(Entry(stem, group, families=self.families))
        for kind in sorted(self._kinds[stem]):
            yield Lookup(*fields_of(kind, family, address), into=name(stem, kind, family), negated=True)

    def _ports(self, ports: Ports, family: int, *, far: bool, source: bool) -> list[Parts]:
        """Return alternatives: numbers, and for the other end's pod its names."""
        found: list[Parts] = []
        asked = SPORT if source else DPORT
        protocol: Parts = (Compare(L4PROTO, word(ports.protocol)),) if ports.protocol is not None else ()
        if ports.spans:
            found.append((*protocol, self._in(asked, ports.spans)))
        if ports.names and far:
            found.append((self._named(ports, family, source=source, negated=False),))
        return found

    def _not_ports(self, ports: Ports, family: int, *, source: bool) -> Iterator[Part]:
        asked = SPORT if source else DPORT
        if ports.spans:
            yield self._in(asked, ports.spans, negated=True)
        if ports.names:
            yield self._named(ports, family, source=source, negated=True)

    def _named(self, ports: Ports, family: int, *, source: bool, negated: bool) -> Part:
        only = Ports(ports.protocol, (), ports.names)
        stem = _stem("q", (self.families, only))
        self._asked(Entry(stem, EVERY_POD, (only,), families=self.families))
        address, port = (saddr(family), SPORT) if source else (daddr(family), DPORT)
        return Lookup(address, L4PROTO, port, into=name(stem, "p", family), negated=negated)


def spans(held: Sequence[Span]) -> list[Value]:
    """Return ranges of ports as values, without overlap."""
    return [first if first == last else Range(first, last) for first, last in merged(held)]


def _stem(letter: str, what: object) -> str:
    """Return a name for sets of the same content, shared by all chains that ask for it."""
    return f"policy-{letter}-{digest(what)}"


def _icmp(rule: Rule) -> Iterator[Parts]:
    """Yield alternatives: a type and code, or any but those."""
    if rule.icmp is None and rule.not_icmp is None:
        yield ()
        return
    family = _FAMILY_OF[rule.protocol or 1]
    wanted = _type_and_code(rule.icmp, family) if rule.icmp else ()
    if rule.not_icmp is None:
        yield wanted
        return
    kind, code = rule.not_icmp
    type_field, code_field = _ICMP_FIELDS[family]
    yield (*wanted, Compare(type_field, _icmp_word(kind, family), negated=True))
    if code is not None:
        same = Compare(type_field, _icmp_word(kind, family))
        yield (*wanted, same, Compare(code_field, code, negated=True))


def _family_of_icmp(rule: Rule) -> int:
    """Return the family whose ICMP a rule asks for types of, or 0."""
    typed = rule.icmp is not None or rule.not_icmp is not None
    return _FAMILY_OF[rule.protocol or 1] if typed else 0


def _type_and_code(icmp: tuple[int, int | None], family: int) -> Parts:
    kind, code = icmp
    type_field, code_field = _ICMP_FIELDS[family]
    found: list[Part] = [Compare(type_field, _icmp_word(kind, family))]
    if code is not None:
        found.append(Compare(code_field, code))
    return tuple(found)


def _icmp_word(kind: int, family: int) -> Value:
    return ICMP_WORDS[family].get(kind, kind)
