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
from ipaddress import IPv4Address, IPv6Address

from octet.blueprint import KernelObject
from octet.blueprint.nft import (
    DPORT,
    L4PROTO,
    Element,
    Field,
    Network,
    Range,
    Set,
    collapse,
    saddr,
)
from octet.blueprint.nft.values import PROTOCOLS
from octet.cluster.calico_rules import NUMBERS
from octet.cluster.objects import Address, Pod
from octet.cluster.view import View
from octet.policy.groups import (
    CalicoEndpoints,
    DomainAddresses,
    Group,
    KubernetesPods,
    NodeAddresses,
    ServiceEndpoints,
)
from octet.policy.rules import Ports, Span

_WORDS = {number: name for name, number in PROTOCOLS.items()}
_NAMES = {number: name for name, number in NUMBERS.items()}
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


def declarations(stem: str, kinds: Iterable[str], families: Iterable[int]) -> Iterator[Set]:
    """Yield the sets of a stem."""
    for family in families:
        for kind in sorted(set(kinds)):
            ends = (f"ipv{family}_addr",) * (2 if kind in PAIRED else 1)
            ports = ("inet_proto", "inet_service") if kind in PORTED else ()
            yield Set(name(stem, kind, family), (*ends, *ports), interval=_INTERVAL[kind])


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


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return ranges in order, those that touch or overlap as one."""
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def of_networks(view: View, entries: Iterable[Entry]) -> Iterator[KernelObject]:
    """Yield what else is in the sets, whoever asks: networks, nodes, endpoints of services."""
    plain: dict[str, list[Network]] = {}
    ported: dict[tuple[str, int], list[tuple[Network, Span]]] = {}
    for entry in entries:
        if entry.own_ports and isinstance(entry.group, ServiceEndpoints):
            yield from _service(view, entry, entry.group)
            continue
        for network in entry.group.networks(view) if has_networks(entry.group) else ():
            if network.version not in entry.families:
                continue
            if not entry.ports:
                plain.setdefault(entry.stem, []).append(network)
            for protocol, span in _numbered(entry.ports):
                ported.setdefault((entry.stem, protocol), []).append((network, span))
    for stem, networks in plain.items():
        yield from _plain(stem, networks)
    for (stem, protocol), pairs in ported.items():
        for family in (4, 6):
            held = [pair for pair in pairs if pair[0].version == family]
            yield from _ported(stem, family, word(protocol), held)


def _numbered(ports: Iterable[Ports]) -> Iterator[tuple[int, Span]]:
    for each in ports:
        if each.protocol is not None:
            yield from ((each.protocol, span) for span in each.spans)


def _service(view: View, entry: Entry, group: ServiceEndpoints) -> Iterator[Element]:
    for address, protocol, port in group.ports(view):
        if port and address.version in entry.families:
            yield Element(name(entry.stem, "p", address.version), address, word(protocol), port)


def _plain(stem: str, networks: list[Network]) -> Iterator[Element]:
    hosts = {each for each in networks if each.prefixlen == each.max_prefixlen}
    for host in hosts:
        yield Element(name(stem, "h", host.version), host.network_address)
    for family in (4, 6):
        for network in collapse((each for each in networks if each not in hosts), family):
            yield Element(name(stem, "n", family), network)


def _ported(
    stem: str, family: int, protocol: str | int, pairs: list[tuple[Network, Span]]
) -> Iterator[Element]:
    rest: list[tuple[Network, Span]] = []
    for network, span in pairs:
        if network.prefixlen == network.max_prefixlen and span[0] == span[1]:
            yield Element(name(stem, "p", family), network.network_address, protocol, span[0])
        else:
            rest.append((network, span))
    for where, span in pieces(rest):
        yield Element(name(stem, "q", family), where, protocol, Range(*span))


def pieces(pairs: Iterable[tuple[Network, Span]]) -> Iterator[tuple[Range, Span]]:
    """Yield disjoint rectangles that cover the same addresses and ports, all of one family."""
    held = list(pairs)
    changes: dict[int, Counter[Span]] = {}
    for network, span in held:
        changes.setdefault(int(network.network_address), Counter())[span] += 1
        changes.setdefault(int(network.broadcast_address) + 1, Counter())[span] -= 1
    kind = IPv4Address if held and held[0][0].version == 4 else IPv6Address
    open_spans: Counter[Span] = Counter()
    start, spans = 0, list[Span]()
    for at in sorted(changes):
        open_spans.update(changes[at])
        now = merged(span for span, count in open_spans.items() if count)
        if now != spans:
            yield from ((Range(kind(start), kind(at - 1)), span) for span in spans)
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
