"""Sets of addresses and ports, and who is in them: the elements that one address or one network comes to.

What lives here: ``Entry`` (who is in which set), the sets' declarations, their elements.
What it must not know: chains and rules, which policy wants a set.

Every set has a stem and a last letter. Exact keys are in hashes (``h`` addresses, ``p`` addresses with
ports), networks and ranges in interval sets (``n`` networks, ``r`` addresses with ranges of ports, ``q``
networks with ports), so looking up is the same work however many there are. Intervals of a set must not
overlap: those of ``r`` are made disjoint for each address, those of ``n`` and ``q`` for all of a stem. What
goes by name stands beside the address of the pod that asked (``naming``): ``d`` alone, ``e`` with ports,
``f`` with ranges of ports.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from octet.blueprint import KernelObject
from octet.blueprint.nft import DPORT, L4PROTO, Element, Field, Range, Set, saddr
from octet.blueprint.nft.values import PROTOCOLS
from octet.cluster.calico_rules import NUMBERS
from octet.cluster.objects import Address, Pod
from octet.cluster.view import View
from octet.policy.groups import (
    CalicoEndpoints,
    DomainAddresses,
    Group,
    KubernetesPods,
    Networks,
    NodeAddresses,
    ServiceEndpoints,
    ends,
    merged,
)
from octet.policy.limits import MOST_WORK, TooLargeError
from octet.policy.rules import Ports, Span

_WORDS = {number: name for name, number in PROTOCOLS.items()}
_NAMES = {number: name for name, number in NUMBERS.items()}
_KINDS: dict[int, type[IPv4Address] | type[IPv6Address]] = {4: IPv4Address, 6: IPv6Address}
_INTERVAL = {"h": False, "p": False, "n": True, "r": True, "q": True, "d": False, "e": False, "f": True}
PORTED = "prqef"
"""Letters of sets of addresses with ports."""

PAIRED = "def"
"""Letters of sets that have the pod's own address before the other one; of egress only."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Who is in the sets of a stem.

    Attributes:
        ports: with which ports; empty is the address alone.
        own_ports: with the ports that the group itself says (a service's endpoints).
        families: for which there are sets.
    """

    stem: str
    group: Group
    ports: tuple[Ports, ...] = ()
    own_ports: bool = False
    families: tuple[int, ...] = (4, 6)

    @property
    def kinds(self) -> str:
        """The letters of the sets that it may have elements in."""
        if self.own_ports:
            return "p"
        exact = any(first == last for ports in self.ports for first, last in ports.spans)
        named = any(ports.names for ports in self.ports)
        ranged = any(first != last for ports in self.ports for first, last in ports.spans)
        if isinstance(self.group, DomainAddresses):
            return "d" if not self.ports else "e" * exact + "f" * ranged
        kinds = ""
        if has_pods(self.group):
            kinds += "h" if not self.ports else "p" * (exact or named) + "r" * ranged
        if has_networks(self.group):
            hosts = isinstance(self.group, NodeAddresses | ServiceEndpoints)
            kinds += ("h" if hosts else "hn") if not self.ports else "pq"
        return kinds


def has_pods(group: Group) -> bool:
    """May pods be in it by what they are?"""
    return isinstance(group, KubernetesPods | CalicoEndpoints)


def has_networks(group: Group) -> bool:
    """May addresses be in it, for every pod alike, that are no pods'?"""
    return not isinstance(group, KubernetesPods | DomainAddresses)


def word(protocol: int) -> str | int:
    """Return a protocol as rules and sets name it."""
    return _WORDS.get(protocol, protocol)


def name(stem: str, kind: str, family: int) -> str:
    """Return the name of one set of a stem."""
    return f"{stem}-{kind}{family}"


@lru_cache(1 << 16)
def declarations(stem: str, kinds: str, families: tuple[int, ...]) -> tuple[Set, ...]:
    """Return the sets of a stem."""
    found = []
    for family in families:
        for kind in sorted(set(kinds)):
            ends = (f"ipv{family}_addr",) * (2 if kind in PAIRED else 1)
            ports = ("inet_proto", "inet_service") if kind in PORTED else ()
            found.append(Set(name(stem, kind, family), (*ends, *ports), interval=_INTERVAL[kind]))
    return tuple(found)


def fields_of(kind: str, family: int, address: Field) -> tuple[Field, ...]:
    """Return what a lookup in a set of a kind is about, if the other end has an address."""
    ends = (saddr(family), address) if kind in PAIRED else (address,)
    return (*ends, L4PROTO, DPORT) if kind in PORTED else ends


def of_address(address: Address, pod: Pod, entries: Iterable[Entry]) -> Iterator[KernelObject]:
    """Yield what one pod's address is in, given the entries whose groups have the pod."""
    ranges: dict[tuple[str, int], list[Span]] = {}
    for entry in entries:
        if not entry.ports:
            yield Element(name(entry.stem, "h", address.version), address)
        for protocol, span in _spans(entry.ports, pod):
            if span[0] == span[1]:
                yield Element(name(entry.stem, "p", address.version), address, word(protocol), span[0])
            else:
                ranges.setdefault((entry.stem, protocol), []).append(span)
    for (stem, protocol), spans in ranges.items():
        for first, last in merged(spans):
            port = Range(first, last)
            yield Element(name(stem, "r", address.version), address, word(protocol), port)


def _spans(ports: Iterable[Ports], pod: Pod) -> Iterator[tuple[int, Span]]:
    for each in ports:
        if each.protocol is not None:
            yield from ((each.protocol, span) for span in each.spans)
        yield from named(each, pod)


def named(ports: Ports, pod: Pod) -> Iterator[tuple[int, Span]]:
    """Yield protocol and port of a pod's container ports with one of the names."""
    for held in pod.ports:
        number = NUMBERS[held.protocol]
        if held.name in ports.names and ports.protocol in (None, number):
            yield number, (held.port, held.port)


def of_networks(view: View, entries: Iterable[Entry]) -> Iterator[KernelObject]:
    """Yield what else is in the sets, whoever asks: networks, nodes, endpoints of services.

    Raises:
        TooLargeError: to find out what they come to is too much work.
    """
    plain: dict[tuple[str, int], list[Span]] = {}
    ported: dict[tuple[str, int, int], list[tuple[Span, Span]]] = {}
    for entry in entries:
        if entry.own_ports and isinstance(entry.group, ServiceEndpoints):
            yield from _service(view, entry, entry.group)
            continue
        for family in entry.families if has_networks(entry.group) else ():
            where = _addresses(entry.group, view, family)
            if not entry.ports:
                plain.setdefault((entry.stem, family), []).extend(where)
            for protocol, span in _numbered(entry.ports):
                ported.setdefault((entry.stem, protocol, family), []).extend((each, span) for each in where)
    for (stem, family), spans in plain.items():
        yield from _plain(stem, family, spans)
    for (stem, protocol, family), pairs in ported.items():
        yield from _ported(stem, family, word(protocol), pairs)


def _addresses(group: Group, view: View, family: int) -> list[Span]:
    """Return the first and last addresses of what belongs to a group and is no pod's."""
    if isinstance(group, Networks):
        return group.spans(family)
    return [ends(each) for each in group.networks(view) if each.version == family]


def _numbered(ports: Iterable[Ports]) -> Iterator[tuple[int, Span]]:
    for each in ports:
        if each.protocol is not None:
            yield from ((each.protocol, span) for span in each.spans)


def _service(view: View, entry: Entry, group: ServiceEndpoints) -> Iterator[Element]:
    for address, protocol, port in group.ports(view):
        if port and address.version in entry.families:
            yield Element(name(entry.stem, "p", address.version), address, word(protocol), port)


def _plain(stem: str, family: int, spans: Iterable[Span]) -> Iterator[Element]:
    kind, wide = _KINDS[family], list[Span]()
    for first, last in dict.fromkeys(spans):
        if first == last:
            yield Element(name(stem, "h", family), kind(first))
        else:
            wide.append((first, last))
    for first, last in merged(wide):
        yield Element(name(stem, "n", family), Range(kind(first), kind(last)))


def _ported(
    stem: str, family: int, protocol: str | int, pairs: Iterable[tuple[Span, Span]]
) -> Iterator[Element]:
    kind, rest = _KINDS[family], list[tuple[Span, Span]]()
    for where, ports in dict.fromkeys(pairs):
        if where[0] == where[1] and ports[0] == ports[1]:
            yield Element(name(stem, "p", family), kind(where[0]), protocol, ports[0])
        else:
            rest.append((where, ports))
    for (first, last), ports in pieces(rest):
        yield Element(name(stem, "q", family), Range(kind(first), kind(last)), protocol, Range(*ports))


def pieces(pairs: Iterable[tuple[Span, Span]], work: int = MOST_WORK) -> Iterator[tuple[Span, Span]]:
    """Yield disjoint rectangles that cover the same addresses and ports.

    Raises:
        TooLargeError: there are too many that overlap; ``work`` is how many may be looked at.
    """
    changes: dict[int, Counter[Span]] = {}
    for (first, last), ports in pairs:
        changes.setdefault(first, Counter())[ports] += 1
        changes.setdefault(last + 1, Counter())[ports] -= 1
    open_spans: Counter[Span] = Counter()
    start, spans = 0, list[Span]()
    for at in sorted(changes):
        open_spans.update(changes[at])
        open_spans = +open_spans
        work -= len(open_spans)
        if work < 0:
            raise TooLargeError
        now = merged(open_spans)
        if now != spans:
            yield from (((start, at - 1), span) for span in spans)
            start, spans = at, now


__all__ = [
    "PAIRED",
    "PORTED",
    "Entry",
    "declarations",
    "fields_of",
    "has_networks",
    "has_pods",
    "merged",
    "name",
    "named",
    "of_address",
    "of_networks",
    "pieces",
    "word",
]
