"""Does a set of objects make a table that the kernel would take, and mean what it says?

What lives here: every check that needs more than one object: names that exist, types that agree, jumps that
end, translation at hooks that allow it. What it must not know: rendering, the kernel.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from octet.blueprint.base import KernelObject
from octet.blueprint.nft.fields import IIFNAME, NFPROTO, OIFNAME, Field
from octet.blueprint.nft.matches import Compare, Lookup, ReversePath
from octet.blueprint.nft.objects import Chain, Element, Hook, Map, Rule, Set
from octet.blueprint.nft.packet import Part, Verdict
from octet.blueprint.nft.statements import InlineVerdicts, Masquerade, Nat, NatMap, Reject, VerdictMap
from octet.blueprint.nft.values import Value, fits, is_span

DEEPEST = 16
"""Jumps inside jumps that the kernel allows (NFT_JUMP_STACK_SIZE, include/net/netfilter/nf_tables.h)."""

_NAT_HOOKS = {"dnat": {"prerouting", "output"}, "snat": {"postrouting", "input"}}
_NAT_DATA = {
    4: {("ipv4_addr",), ("ipv4_addr", "inet_service")},
    6: {("ipv6_addr",), ("ipv6_addr", "inet_service")},
}


_LACKING = {"prerouting": OIFNAME, "input": OIFNAME, "output": IIFNAME}
"""What a packet has not at a hook: the kernel compares an empty name, or once did not match at all."""


@dataclass(frozen=True)
class _Table:
    chains: dict[str, Chain]
    sets: dict[str, Set | Map]
    elements: tuple[Element, ...]


def validate(objects: Iterable[KernelObject]) -> None:
    """Refuse nftables objects that do not fit together; other kernel objects are passed over.

    Raises:
        ValueError: names every problem, one per line.
    """
    problems = list(find_problems(objects))
    if problems:
        raise ValueError("\n".join(problems))


def find_problems(objects: Iterable[KernelObject]) -> Iterator[str]:
    """Yield a sentence for everything in which the objects do not fit together."""
    held = list(objects)
    table = _Table(
        {item.name: item for item in held if isinstance(item, Chain)},
        {item.name: item for item in held if isinstance(item, Set | Map)},
        tuple(item for item in held if isinstance(item, Element)),
    )
    for chain in table.chains.values():
        for rule in chain.rules:
            if isinstance(rule, Rule):
                yield from (f"chain {chain.name}: {rule}: {problem}" for problem in _rule(rule, table))
    for element in table.elements:
        yield from (f"{element}: {problem}" for problem in _element(element, table))
    yield from _jumps(table)


def _rule(rule: Rule, table: _Table) -> Iterator[str]:
    if {4, 6} <= {family for part in rule.parts for family in _families(part)}:
        yield "asks for IPv4 and IPv6 at once, which nft refuses and no packet is"
    asked = set[str]()
    for part in rule.parts:
        fields = _fields(part)
        asked |= {each.text for each in fields}
        if any(each.needs_protocol for each in fields) and "meta l4proto" not in asked:
            yield "a port without the protocol: other protocols have other things at its place"
        if isinstance(part, Nat) and part.port is not None and "meta l4proto" not in asked:
            yield "translation of a port without the protocol that has it"
        yield from _lookup(part, table)
        if isinstance(part, Verdict):
            yield from _target(part, table)


def _fields(part: Part) -> tuple[Field, ...]:
    if isinstance(part, Lookup | VerdictMap | NatMap):
        return part.fields
    return (part.field,) if isinstance(part, Compare | InlineVerdicts) else ()


def _families(part: Part) -> set[int]:
    """Return the families that packets must have for this part of a rule."""
    found = {each.family for each in _fields(part)}
    if isinstance(part, Nat | NatMap):
        found.add(part.family)
    if isinstance(part, Compare) and part.field == NFPROTO and not part.negated:
        found |= {int(str(value)[-1]) for value in part.values} if len(part.values) == 1 else set()
    return found


def _lookup(part: Part, table: _Table) -> Iterator[str]:
    if isinstance(part, Lookup):
        yield from _declared(part.set, part.fields, table, Set)
    elif isinstance(part, VerdictMap):
        yield from _declared(part.map, part.fields, table, Map)
        yield from _data(part.map, table, {("verdict",)})
    elif isinstance(part, NatMap):
        yield from _declared(part.map, part.fields, table, Map)
        yield from _data(part.map, table, _NAT_DATA[part.family])
    elif isinstance(part, InlineVerdicts):
        for _, verdict in part.verdicts:
            yield from _target(verdict, table)


def _declared(
    name: str, fields: tuple[Field, ...], table: _Table, kind: type[Set] | type[Map]
) -> Iterator[str]:
    found = table.sets.get(name)
    if not isinstance(found, kind):
        yield f"there is no {kind.__name__.lower()} {name}"
    elif found.type != (asked := tuple(each.kind for each in fields)):
        yield f"{name} holds {found.type}, asked for {asked}"


def _data(name: str, table: _Table, allowed: set[tuple[str, ...]]) -> Iterator[str]:
    found = table.sets.get(name)
    if isinstance(found, Map) and found.value not in allowed:
        yield f"{name} leads to {found.value}, not to {' or '.join(map(str, sorted(allowed)))}"


def _target(verdict: Verdict, table: _Table) -> Iterator[str]:
    if not verdict.chain:
        return
    chain = table.chains.get(verdict.chain)
    if chain is None:
        yield f"there is no chain {verdict.chain}"
    elif chain.hook is not None:
        yield f"{verdict.chain} is a base chain: nothing can jump there"


def _element(element: Element, table: _Table) -> Iterator[str]:
    holder = table.sets.get(element.of)
    if holder is None:
        yield f"there is no set or map {element.of}"
        return
    yield from _typed(element.values, holder.type)
    if not holder.interval and any(is_span(value) for value in element.values):
        yield f"{element.of} holds no networks or ranges: it was declared without interval"
    if isinstance(holder, Set) != (element.target is None):
        yield "a set's element leads nowhere, a map's must lead somewhere"
    elif isinstance(element.target, Verdict):
        yield from _target(element.target, table)
        yield from (
            []
            if holder == Map(holder.name, holder.type, ("verdict",), holder.interval)
            else [f"{element.of} does not lead to verdicts"]
        )
    elif element.target is not None and isinstance(holder, Map):
        yield from _typed(element.target, holder.value)


def _typed(values: tuple[Value, ...], kinds: tuple[str, ...]) -> Iterator[str]:
    if len(values) != len(kinds):
        yield f"{len(values)} values for {kinds}"
        return
    for value, kind in zip(values, kinds, strict=True):
        if not fits(value, kind) or (kind == "ifname" and is_span(value)):
            yield f"{value!r} is no {kind}"


def _jumps(table: _Table) -> Iterator[str]:
    leads = {name: _leads(chain, table) for name, chain in table.chains.items()}
    for name, chain in table.chains.items():
        if isinstance(chain.hook, Hook):
            yield from _walk(name, chain.hook, leads, table)


def _leads(chain: Chain, table: _Table) -> set[str]:
    targets = set[str]()
    maps = set[str]()
    for rule in chain.rules:
        for part in rule.parts if isinstance(rule, Rule) else ():
            targets |= {part.chain} if isinstance(part, Verdict) else set()
            maps |= {part.map} if isinstance(part, VerdictMap) else set()
            targets |= {v.chain for _, v in part.verdicts} if isinstance(part, InlineVerdicts) else set()
    for element in table.elements if maps else ():
        if element.of in maps and isinstance(element.target, Verdict):
            targets.add(element.target.chain)
    return (targets - {""}) & set(table.chains)


def _walk(base: str, hook: Hook, leads: dict[str, set[str]], table: _Table) -> Iterator[str]:
    """Go through all that a base chain reaches, level by level; a loop never runs out of levels."""
    level, seen = {base}, set[str]()
    for _ in range(DEEPEST):
        for name in sorted(level - seen):
            yield from _placed(table.chains[name], hook)
        seen |= level
        level = {target for name in level for target in leads[name]}
        if not level:
            return
    yield f"chain {base}: jumps go round in a circle, or deeper than {DEEPEST}, through {sorted(level)}"


def _placed(chain: Chain, hook: Hook) -> Iterator[str]:
    for rule in chain.rules:
        for part in rule.parts if isinstance(rule, Rule) else ():
            if not _allowed(part, hook):
                yield f"chain {chain.name}: {part}: not possible in a {hook.kind} chain at {hook.at}"


def _allowed(part: Part, hook: Hook) -> bool:
    if isinstance(part, Masquerade):
        return (hook.kind, hook.at) == ("nat", "postrouting")
    if isinstance(part, Nat | NatMap):
        return hook.kind == "nat" and hook.at in _NAT_HOOKS[part.how]
    if isinstance(part, Reject):
        return hook.kind == "filter" and hook.at in {"prerouting", "input", "forward", "output"}
    if hook.at in _LACKING and _LACKING[hook.at] in _fields(part):
        return False
    return not isinstance(part, ReversePath) or hook.at in {"prerouting", "input", "forward"}
