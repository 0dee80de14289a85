"""Destinations by name in the kernel: for each pod what it was told itself, and nobody else.

What lives here: each endpoint's pairs of own and other address, whose DNS packets are copied, who is
believed. Pure. What it must not know: how names are learned, chains, when anything changes.

The sets hold the pod's own address beside the other one (``own . far``), so pods that share a program do not
share what they know, and a packet meets as many lookups as if they did.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from weakref import WeakKeyDictionary

from octet.blueprint import Blueprint, KernelObject
from octet.blueprint.nft import Element, Range
from octet.cluster.endpoint import Attachment, Endpoint
from octet.cluster.objects import Address
from octet.cluster.view import View
from octet.policy import copying
from octet.policy.book import Meaning
from octet.policy.groups import LEARNED, DomainAddresses
from octet.policy.holders import Entry, merged, name, word
from octet.policy.programs import Program
from octet.policy.rules import Span

Owner = tuple[object, ...]

Outgoing = tuple[Endpoint, tuple[Program, ...]]
"""An endpoint, and the programs that its packets may go through."""

NOTHING: Meaning = {}

RESOLVERS: Owner = ("policy", "resolvers")

_ENTRIES: "WeakKeyDictionary[Program, tuple[Entry, ...]]" = WeakKeyDictionary()
"""Of programs that ask for names, who is asked for by name."""


@dataclass
class _Held:
    """What was decided about one endpoint.

    Attributes:
        entries: who is asked for by name.
        domains: the names.
        known: what names mean to each of its addresses.
        names: of each pair of own and other address, the names by which it is.
    """

    endpoint: Endpoint
    programs: tuple[Program, ...]
    entries: tuple[Entry, ...]
    domains: frozenset[str]
    known: list[Meaning]
    names: dict[tuple[Address, Address], list[str]] = field(default_factory=dict)


class Naming:
    """What names come to on one node. Not thread-safe.

    Attributes:
        resolvers: whose answers are believed.
    """

    def __init__(self) -> None:
        self.resolvers: frozenset[Address] = frozenset()
        self._held: dict[Attachment, _Held] = {}
        self._owners: dict[Address, Attachment] = {}

    @property
    def problem(self) -> str:
        """Why no name means anything, a sentence; empty is all well."""
        if not self._held or self.resolvers:
            return ""
        return "names in policies mean nothing: no resolver is known (the agent's policy.resolvers)"

    def asker(self, address: Address) -> Attachment | None:
        """Return the endpoint with policies about names that has an address."""
        return self._owners.get(address)

    def domains(self, key: Attachment) -> frozenset[str]:
        """Return the names, also ``*.`` ones, that an endpoint's policies are about."""
        return self._held[key].domains if key in self._held else frozenset()

    def settle(
        self, view: View, endpoints: Iterable[Outgoing], local: Mapping[Address, tuple[str, str]]
    ) -> dict[Owner, Blueprint]:
        """Return the contributions that are different from before; those of who is gone are empty.

        Args:
            view: what is known now.
            endpoints: of this node.
            local: which pod (namespace, name) has an address of this node.
        """
        changed: dict[Owner, Blueprint] = {}
        gone = set(self._held)
        for endpoint, programs in endpoints:
            asked = tuple(each for each in programs if LEARNED in each.watches)
            if not asked:
                continue
            gone.discard(endpoint.attachment)
            held = self._held.get(endpoint.attachment)
            if held is None or (held.endpoint, held.programs) != (endpoint, asked):
                held = self._begin(endpoint, asked, changed)
            self._names(view, held, changed)
        for key in gone:
            self._forget(key, changed)
        believed = copying.resolvers(view, local)
        if believed != self.resolvers:
            self.resolvers = believed
            changed[RESOLVERS] = Blueprint(copying.of_resolvers(believed))
        return changed

    def _begin(
        self, endpoint: Endpoint, asked: tuple[Program, ...], changed: dict[Owner, Blueprint]
    ) -> "_Held":
        """Take an endpoint in, or its next version."""
        key = endpoint.attachment
        self._forget(key, changed)
        entries = tuple(entry for each in asked for entry in entries_of(each))
        groups = (entry.group for entry in entries)
        named = (group for group in groups if isinstance(group, DomainAddresses))
        domains = frozenset(each for group in named for each in group.domains)
        self._owners |= dict.fromkeys(endpoint.addresses, key)
        changed[_owner(key)] = Blueprint(copying.of_endpoint(endpoint))
        self._held[key] = _Held(endpoint, asked, entries, domains, [NOTHING] * len(endpoint.addresses))
        return self._held[key]

    def _names(self, view: View, held: _Held, changed: dict[Owner, Blueprint]) -> None:
        """Decide about the addresses that are an endpoint's by other names than before."""
        endpoint = held.endpoint
        known = [view.learned.get(own, NOTHING) for own in endpoint.addresses]
        if all(new is old for new, old in zip(known, held.known, strict=True)):
            return
        held.known, before = known, held.names
        held.names = {}
        for own, names in zip(endpoint.addresses, known, strict=True):
            for asked, addresses in names.items():
                for far in addresses:
                    held.names.setdefault((own, far), []).append(asked)
        for pair in before.keys() | held.names.keys():
            if before.get(pair) != (names_now := held.names.get(pair, [])):
                part = Blueprint(elements(*pair, names_now, held.entries))
                changed[_owner(endpoint.attachment, *pair)] = part

    def _forget(self, key: Attachment, changed: dict[Owner, Blueprint]) -> None:
        held = self._held.pop(key, None)
        if held is None:
            return
        self._owners = {address: owner for address, owner in self._owners.items() if owner != key}
        changed |= {_owner(key, *pair): Blueprint() for pair in held.names}
        changed[_owner(key)] = Blueprint()


def opened(changed: Mapping[Owner, Blueprint]) -> Iterator[Address]:
    """Yield the addresses of endpoints that reach another by name after a change, perhaps since then."""
    for (_, kind, *rest), part in changed.items():
        if kind == "names" and len(part):
            yield from (own for own in rest[1:2] if isinstance(own, IPv4Address | IPv6Address))


def _owner(key: Attachment, *pair: Address) -> Owner:
    return ("policy", "names", key, *pair)


def entries_of(program: Program) -> tuple[Entry, ...]:
    """Return whom a program asks for by name."""
    found = _ENTRIES.get(program)
    if found is None:
        found = tuple(entry for entry in program.entries if isinstance(entry.group, DomainAddresses))
        _ENTRIES[program] = found
    return found


def elements(
    own: Address, far: Address, names: Iterable[str], entries: Iterable[Entry]
) -> Iterator[KernelObject]:
    """Yield what lets an endpoint's address reach another, which names mean."""
    if own.version != far.version:
        return
    mine, ranges = _about(own, names, entries), dict[tuple[str, int], list[Span]]()
    for stem in dict.fromkeys(entry.stem for entry in mine if not entry.ports):
        yield Element(name(stem, "d", own.version), own, far)
    for entry in mine:
        for ports in entry.ports:
            for span in ports.spans if ports.protocol is not None else ():
                ranges.setdefault((entry.stem, ports.protocol or 0), []).append(span)
    for (stem, protocol), spans in ranges.items():
        yield from _ported(stem, own, far, word(protocol), spans)


def _about(own: Address, names: Iterable[str], entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries that some names are covered by."""
    asked = list(names)
    return [
        each
        for each in entries
        if own.version in each.families
        and isinstance(each.group, DomainAddresses)
        and any(each.group.covers(one) for one in asked)
    ]


def _ported(
    stem: str, own: Address, far: Address, protocol: str | int, spans: list[Span]
) -> Iterator[KernelObject]:
    exact = {first for first, last in spans if first == last}
    for port in sorted(exact):
        yield Element(name(stem, "e", own.version), own, far, protocol, port)
    for first, last in merged(span for span in spans if span[0] != span[1]):
        yield Element(name(stem, "f", own.version), own, far, protocol, Range(first, last))
