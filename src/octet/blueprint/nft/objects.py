"""What the table holds: chains with their rules, sets, maps and their elements; each one a kernel object.

What lives here: the objects, their identity and their nft text. What it must not know: how a transaction
orders them (``kernel.nft``), which feature wants them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from octet.blueprint.base import Key
from octet.blueprint.nft.packet import Part, Verdict
from octet.blueprint.nft.values import Value, canonical, check_name, check_text

TABLE = "inet octet"
"""Family and name of the only table of ours; ``inet`` sees IPv4 and IPv6 (nft(8))."""

HOOKS = ("prerouting", "input", "forward", "output", "postrouting")
"""Where a base chain can sit (nft(8), family inet)."""


@dataclass(frozen=True, slots=True)
class Table:
    """The table itself. It exists while it holds anything; wanting it keeps it even when empty."""

    @property
    def key(self) -> Key:
        """Identity: there is one."""
        return ("nft-table",)

    def __str__(self) -> str:
        return f"table {TABLE}"


@dataclass(frozen=True, slots=True, init=False)
class Rule:
    """Matches and statements, from left to right, as in nft.

    Attributes:
        comment: why the rule exists, for who reads ``nft list ruleset``; at most 100 characters.
    """

    parts: tuple[Part, ...]
    comment: str

    def __init__(self, *parts: Part, comment: str = "") -> None:
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "comment", comment)
        check_text(comment)
        if not parts:
            raise ValueError("a rule of nothing")

    def __str__(self) -> str:
        body = " ".join(str(part) for part in self.parts)
        return f'{body} comment "{self.comment}"' if self.comment else body


@dataclass(frozen=True, slots=True)
class Foreign:
    """A rule or declaration in our table that we did not write, as nft lists it; only ever read."""

    listing: str

    def __str__(self) -> str:
        return self.listing


@dataclass(frozen=True, slots=True)
class Hook:
    """Where and when a base chain sees packets.

    Attributes:
        kind: ``filter``, ``nat`` or ``route``.
        at: one of HOOKS.
        priority: lower runs first; conntrack is -200, dstnat -100, filter 0, srcnat 100 (nft(8)).
        drops: what happens to a packet that no rule decided: dropped, or by default accepted.
    """

    kind: str
    at: str
    priority: int
    drops: bool = False

    def __post_init__(self) -> None:
        if self.kind not in {"filter", "nat", "route"} or self.at not in HOOKS:
            raise ValueError(f"no base chain can be a {self.kind} chain at {self.at}")
        if self.kind == "nat" and self.at == "forward":
            raise ValueError("address translation has no forward hook")

    def __str__(self) -> str:
        policy = "drop" if self.drops else "accept"
        return f"type {self.kind} hook {self.at} priority {self.priority}; policy {policy};"


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain with all its rules: one object, replaced as a whole in one transaction.

    Attributes:
        hook: of a base chain; None is a chain that others jump to.
    """

    name: str
    rules: tuple[Rule | Foreign, ...] = ()
    hook: Hook | Foreign | None = None

    def __post_init__(self) -> None:
        check_name(self.name)

    @property
    def key(self) -> Key:
        """Identity: the name."""
        return ("nft-chain", self.name)

    @property
    def ours(self) -> bool:
        """Is every part of it something that we could have written, nothing a mere listing?"""
        return not any(isinstance(each, Foreign) for each in (self.hook, *self.rules))

    def __str__(self) -> str:
        lines = [f"chain {self.name} {{"]
        lines += [f"\t{self.hook}"] if self.hook else []
        return "\n".join([*lines, *(f"\t{rule}" for rule in self.rules), "}"])


@dataclass(frozen=True, slots=True)
class Set:
    """The declaration of a set; what it holds are ``Element`` objects of their own.

    Attributes:
        type: nft data types, concatenated: ``("ifname", "ipv4_addr")``.
        interval: may elements be networks and ranges? Looking up stays constant work, or a small tree walk.
    """

    name: str
    type: tuple[str, ...]
    interval: bool = False

    def __post_init__(self) -> None:
        check_name(self.name)

    @property
    def key(self) -> Key:
        """Identity: the name; sets and maps share their names."""
        return ("nft-set", self.name)

    @property
    def body(self) -> str:
        """The declaration between the braces."""
        return f"type {' . '.join(self.type)};{' flags interval;' if self.interval else ''}"

    def __str__(self) -> str:
        return f"set {self.name} {{ {self.body} }}"


@dataclass(frozen=True, slots=True)
class Map:
    """The declaration of a map from keys to values, or with ``value`` ``("verdict",)`` to verdicts.

    Attributes:
        type: nft data types of the key.
        value: nft data types of the value; ``("ipv4_addr", "inet_service")`` is what ``dnat`` takes.
    """

    name: str
    type: tuple[str, ...]
    value: tuple[str, ...] = ("verdict",)
    interval: bool = False

    def __post_init__(self) -> None:
        check_name(self.name)

    @property
    def key(self) -> Key:
        """Identity: the name; sets and maps share their names."""
        return ("nft-set", self.name)

    @property
    def body(self) -> str:
        """The declaration between the braces."""
        flags = " flags interval;" if self.interval else ""
        return f"type {' . '.join(self.type)} : {' . '.join(self.value)};{flags}"

    def __str__(self) -> str:
        return f"map {self.name} {{ {self.body} }}"


@dataclass(frozen=True, slots=True, init=False)
class Element:
    """One element of one set or map. Adding or removing one is one small command, whatever else is there.

    Attributes:
        of: the set or map.
        values: the key, one value per concatenated type.
        target: of a map: the value, or a verdict; None in a set.
        key: identity: the set and the key in it; there are many elements, and each is asked for it often.
    """

    of: str
    values: tuple[Value, ...]
    target: tuple[Value, ...] | Verdict | None
    key: Key = field(init=False, compare=False, repr=False)

    def __init__(self, of: str, *values: Value, target: tuple[Value, ...] | Verdict | None = None) -> None:
        object.__setattr__(self, "of", of)
        object.__setattr__(self, "values", tuple(canonical(value) for value in values))
        object.__setattr__(self, "target", target)
        object.__setattr__(self, "key", ("nft-element", of, *map(str, self.values)))
        check_name(of)

    def __str__(self) -> str:
        held = " . ".join(str(value) for value in self.values)
        return f"element {self.of} {{ {held}{self._to()} }}"

    def _to(self) -> str:
        if self.target is None:
            return ""
        if isinstance(self.target, Verdict):
            return f" : {self.target}"
        return f" : {' . '.join(str(value) for value in self.target)}"


NftObject = Table | Chain | Set | Map | Element
"""Everything that can be in the table."""


def names_in(rule: Rule) -> Iterator[str]:
    """Yield the sets and maps that a rule looks into."""
    for part in rule.parts:
        name = getattr(part, "set", None) or getattr(part, "map", None)
        if isinstance(name, str):
            yield name
