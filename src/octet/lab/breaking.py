"""Where in a fabric its faults are: which links are down, and the nftables table of each switch and router.

What lives here: the way from Faults and a Fabric to links and rules. What it must not know: how nft is run.

A loss is at the fabric's own end of a wire, never on a node. What crosses a bridge is seen by nftables'
bridge family, whether the bridge passes it on or its router takes it; what a router has on links of its own
is seen by the inet family.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from octet.lab.fabric import End, Fabric
from octet.lab.faults import PROTOCOLS, SCALE, Drop, Faults

TABLE = "octet_lab_faults"

_PRIORITY = {"bridge": 0, "inet": -350}
"""In a router before connection tracking and everything else (nft(8), priorities: raw is -300)."""


def down(faults: Faults, fabric: Fabric) -> frozenset[End]:
    """Return the ends of wires that are taken down; the other end loses its carrier."""
    return frozenset(
        wire.near
        for wire in fabric.wires
        if any(wire.touches(name) for name in faults.isolated)
        or any(wire.joins(*pair) for pair in faults.severed)
    )


def tables(faults: Faults, fabric: Fabric) -> Mapping[str, str]:
    """Return text for ``nft -f`` by namespace: replaces whatever was there, in one transaction each."""
    found = {space: _Table() for space in _spaces(fabric)}
    for one, other in sorted(faults.severed):
        for space, rules in _between_ports(fabric, one, other):
            found[space].add("bridge", ["forward"], [f"{rule}drop" for rule in rules])
    for drop in faults.drops:
        whats = [f"{what}{_chance(drop)}drop" for what in _packets(drop)]
        for space, family, chains, ends in _places(drop, fabric):
            found[space].add(family, chains, [f"{end}{what}" for end in ends for what in whats])
    return {space: table.render() for space, table in found.items()}


def _spaces(fabric: Fabric) -> list[str]:
    """Return the namespaces that are the fabric's own: they have the near ends of wires."""
    return list(dict.fromkeys(wire.near.space for wire in fabric.wires))


@dataclass
class _Table:
    """The rules of one namespace, by family and chain."""

    chains: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, family: str, chains: Iterable[str], rules: Iterable[str]) -> None:
        added = list(rules)
        for chain in chains:
            self.chains[family, chain] += added

    def render(self) -> str:
        return "".join(self._family(family) for family in _PRIORITY)

    def _family(self, family: str) -> str:
        head = f"add table {family} {TABLE}\ndelete table {family} {TABLE}\n"
        held = {chain: rules for (its, chain), rules in self.chains.items() if its == family}
        if not held:
            return head
        body = "".join(_chain(chain, _PRIORITY[family], rules) for chain, rules in held.items())
        return f"{head}table {family} {TABLE} {{\n{body}}}\n"


def _chain(name: str, priority: int, rules: list[str]) -> str:
    hook = f"type filter hook {name} priority {priority}; policy accept;"
    body = "".join(f"\t\t{rule}\n" for rule in rules)
    return f"\tchain {name} {{\n\t\t{hook}\n{body}\t}}\n"


def _between_ports(fabric: Fabric, one: str, other: str) -> Iterator[tuple[str, list[str]]]:
    """Yield where two nodes of one switch are told from all others: the namespace, and both directions."""
    near, far = fabric.ports.get(one), fabric.ports.get(other)
    if near is not None and far is not None and near.space == far.space:
        there = f'iifname "{near.link}" oifname "{far.link}" '
        back = f'iifname "{far.link}" oifname "{near.link}" '
        yield near.space, [there, back]


_Place = tuple[str, str, tuple[str, ...], list[str]]


def _places(drop: Drop, fabric: Fabric) -> Iterator[_Place]:
    """Yield (namespace, family, chains, ends) of every rule that a loss needs."""
    if not drop.node:
        for space in dict.fromkeys(port.space for port in fabric.ports.values()):
            yield space, "bridge", _bridge_chains(space, fabric), [""]
        return
    for space, ends in _between_ports(fabric, drop.node, drop.peer):
        yield space, "bridge", ("forward",), ends
    for wire in fabric.wires:
        if wire.joins(drop.node, drop.peer) if drop.peer else wire.touches(drop.node):
            yield from _at(wire.near, fabric)


def _at(end: End, fabric: Fabric) -> Iterator[_Place]:
    into, out = f'iifname "{end.link}" ', f'oifname "{end.link}" '
    if fabric.bridged(end):
        yield end.space, "bridge", _bridge_chains(end.space, fabric), [into, out]
    else:
        yield end.space, "inet", ("prerouting",), [into]
        yield end.space, "inet", ("postrouting",), [out]


def _bridge_chains(space: str, fabric: Fabric) -> tuple[str, ...]:
    """Return where packets of a bridge are met: a router's bridge also takes and gives them itself."""
    return ("forward", "input", "output") if space in fabric.routers else ("forward",)


def _chance(drop: Drop) -> str:
    return "" if drop.percent == 100 else f"numgen random mod {SCALE} < {round(drop.percent * 100)} "


def _packets(drop: Drop) -> tuple[str, ...]:
    if drop.port:
        return tuple(f"{drop.protocol} {end} {drop.port} " for end in ("dport", "sport"))
    return (f"meta l4proto {PROTOCOLS[drop.protocol]} ",) if drop.protocol else ("",)
