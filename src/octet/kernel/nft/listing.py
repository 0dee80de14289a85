"""What nft prints of our table, taken apart into objects again.

What lives here: splitting a listing into its blocks, reading declarations back, and asking a scratch
namespace how the kernel would print what is wanted. What it must not know: transactions, elements.

A chain is compared as text that the same library prints for the same rules in an empty namespace: exact for
every version of nft, and after a restart too, without keeping anything.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from octet.blueprint.nft import TABLE, Chain, Foreign, Map, Rule, Set, Verdict
from octet.blueprint.nft.objects import names_in
from octet.kernel.nft.library import Output

LIST = f"list table {TABLE}"
"""The command that prints everything of ours."""

DECLARATIONS = Output.STATELESS | Output.TERSE
"""Print neither counters nor elements."""

_OPENING = re.compile(r"\t(chain|set|map) (\S+) \{")
_TYPE = re.compile(r"type ([\w .]+?)(?: : ([\w .]+))?")


@dataclass(frozen=True, slots=True)
class Block:
    """One chain, set or map as listed: kind, name, and the lines between the braces."""

    kind: str
    name: str
    lines: tuple[str, ...]


def blocks(listing: str) -> Iterator[Block]:
    """Yield the blocks of a table's listing, in its order."""
    opening: re.Match[str] | None = None
    lines: list[str] = []
    for line in listing.splitlines():
        if opening and line == "\t}":
            yield Block(opening[1], opening[2], tuple(lines))
            opening, lines = None, []
        elif opening:
            lines.append(line.strip())
        else:
            opening = _OPENING.fullmatch(line)


def declaration(block: Block) -> Set | Map:
    """Return the set or map that a block declares; one with properties that we never give has an odd type."""
    lines = list(block.lines)
    interval = "flags interval" in lines
    rest = [line for line in lines if line != "flags interval"]
    found = _TYPE.fullmatch(rest[0]) if len(rest) == 1 else None
    kinds = tuple(found[1].split(" . ")) if found else tuple(lines)
    if block.kind == "set":
        return Set(block.name, kinds, interval)
    return Map(block.name, kinds, tuple((found[2] or "").split(" . ")) if found else (), interval)


def foreign_chain(block: Block) -> Chain:
    """Return a chain that is not as we would write it, with its lines as nft lists them."""
    hooked = bool(block.lines) and block.lines[0].startswith("type ")
    rules = tuple(Foreign(line) for line in block.lines[hooked:])
    return Chain(block.name, rules, Foreign(block.lines[0]) if hooked else None)


def declare(chain: Chain) -> str:
    """Return the command that makes an empty chain, or changes the policy of one that is there."""
    hook = f" {{ {chain.hook} }}" if chain.hook else ""
    return f"add chain {TABLE} {chain.name}{hook}"


def fill(chain: Chain) -> Iterator[str]:
    """Yield the commands that give an empty chain its rules."""
    for rule in chain.rules:
        yield f"add rule {TABLE} {chain.name} {rule}"


def rehearsal(chains: Iterable[Chain], sets: Iterable[Set | Map]) -> list[str]:
    """Return commands that, in an empty namespace, make these chains and whatever they refer to."""
    wanted = list(chains)
    known = {item.name: item for item in sets}
    named = {name for chain in wanted for name in _asked(chain) if name in known}
    targets = {name for chain in wanted for name in _targets(chain)} - {chain.name for chain in wanted}
    lines = [f"add table {TABLE}"]
    lines += [declare_set(known[name]) for name in sorted(named)]
    lines += [declare(Chain(name)) for name in sorted(targets)]
    lines += [declare(chain) for chain in wanted]
    lines += [line for chain in wanted for line in fill(chain)]
    return lines


def declare_set(item: Set | Map) -> str:
    """Return the command that declares a set or map."""
    kind = "set" if isinstance(item, Set) else "map"
    return f"add {kind} {TABLE} {item.name} {{ {item.body} }}"


def _asked(chain: Chain) -> Iterator[str]:
    for rule in chain.rules:
        if isinstance(rule, Rule):
            yield from names_in(rule)


def _targets(chain: Chain) -> Iterator[str]:
    for rule in chain.rules:
        for part in rule.parts if isinstance(rule, Rule) else ():
            verdicts = [part] if isinstance(part, Verdict) else [v for _, v in getattr(part, "verdicts", ())]
            yield from (verdict.chain for verdict in verdicts if verdict.chain)
