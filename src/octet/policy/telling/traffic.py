"""Which ports are worth asking about: those that a policy or a container names, and one for all others.

What lives here: ``Traffic`` and its words, and the list for some Views. What it must not know: who talks.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from octet.cluster.calico_rules import NUMBERS
from octet.cluster.netpol import EGRESS, INGRESS
from octet.cluster.objects import Pod
from octet.cluster.view import View
from octet.errors import BadConfigurationError
from octet.policy.ordering import stages
from octet.policy.rules import EVERY_PORT, Ports, Rule, Span

NAMES = {6: "TCP", 17: "UDP", 132: "SCTP", 1: "ICMP", 58: "ICMPv6"}
PORTED = (6, 17, 132)
ECHO = {1: 8, 58: 128}
"""ICMP type of an echo request, by protocol."""

ICMP_OF = {4: 1, 6: 58}
"""The protocol of echo requests, by family."""

LAST = 65535
_FIRST_OTHER = 33333


@dataclass(frozen=True, slots=True, order=True)
class Traffic:
    """What flows carry that all rules treat alike.

    Attributes:
        protocol: IANA's number.
        port, last: of the destination, both included; 0 where the protocol has none.
        rest: does the port stand for all that nobody names?
    """

    protocol: int
    port: int = 0
    last: int = 0
    rest: bool = False

    @property
    def ports(self) -> str:
        """The ports alone."""
        return f"{self.port}-{self.last}" if self.last > self.port else str(self.port)

    def __str__(self) -> str:
        word = NAMES[self.protocol]
        if self.protocol in ECHO:
            return f"{word} echo"
        return f"other {word}" if self.rest else f"{self.ports}/{word}"


def read(text: str) -> Traffic:
    """Return the traffic that a person names: ``80``, ``80/tcp``, ``53/UDP``, ``icmp``, ``icmpv6``.

    Raises:
        BadConfigurationError: it is none of these.
    """
    left, _, right = text.partition("/")
    number = NUMBERS.get((right or ("TCP" if left.isdecimal() else left)).upper(), 0)
    if number in PORTED and left.isdecimal() and 1 <= int(left) <= LAST:
        return Traffic(number, int(left), int(left))
    if number in ECHO and not right:
        return Traffic(number)
    hint = "such as 80/tcp, 53/udp, 9/sctp, icmp"
    raise BadConfigurationError("policy", "--port", text, "is no port and protocol", hint=hint)


def worth_asking(views: Iterable[View]) -> tuple[Traffic, ...]:
    """Return what can make a difference in some views.

    That is every port that a rule or a container names, of each protocol that has ports, in ranges that all
    rules treat alike; one port that none names; and echo requests.
    """
    named = {span for view in views for span in _spans(view)} - {EVERY_PORT}
    cuts = sorted({edge for first, last in named for edge in (first, last + 1)})
    cells = [(a, b - 1) for a, b in pairwise(cuts) if any(first <= a <= last for first, last in named)]
    candidates = (*range(_FIRST_OTHER, LAST + 1), *range(1, _FIRST_OTHER))
    other = next((port for port in candidates if not _covers(cells, port)), 0)
    found = [Traffic(protocol, *cell) for protocol in PORTED for cell in cells]
    found += [Traffic(protocol, other, other, rest=True) for protocol in PORTED if other]
    return (*found, *(Traffic(protocol) for protocol in ECHO))


def single_ports(traffic: Collection[Traffic]) -> Iterator[Traffic]:
    """Yield single ports for ranges: the ends of each, and the neighbours that nobody names."""
    found: dict[Traffic, None] = {}
    for each in traffic:
        found |= dict.fromkeys(
            Traffic(each.protocol, port, port, each.rest) for port in (each.port, each.last)
        )
        named = [(other.port, other.last) for other in traffic if other.protocol == each.protocol]
        if each.last > each.port:
            beyond = (port for port in (each.port - 1, each.last + 1) if 1 <= port <= LAST)
            found |= dict.fromkeys(
                Traffic(each.protocol, port, port, rest=True) for port in beyond if not _covers(named, port)
            )
    yield from found


def summary(some: Collection[Traffic], everything: Collection[Traffic]) -> str:
    """Return the words for some of what was asked: ``everything``, ``80/TCP``, ``TCP but 80, 443``."""
    if set(some) >= set(everything):
        return "everything"
    return ", ".join(word for protocol in NAMES for word in _words(protocol, set(some), set(everything)))


def _words(protocol: int, some: set[Traffic], everything: set[Traffic]) -> Iterator[str]:
    """Yield the words for one protocol: its ports, or, where what nobody names is among it, all but some."""
    mine = sorted(each for each in some if each.protocol == protocol)
    others = sorted(each for each in everything - some if each.protocol == protocol)
    if protocol not in PORTED or not any(each.rest for each in mine):
        yield from map(str, mine)
    elif others:
        yield f"{NAMES[protocol]} but {', '.join(each.ports for each in others)}"
    else:
        yield NAMES[protocol]


def different(view: View) -> Iterator[Pod]:
    """Yield one pod for each kind of pod that selectors can tell apart."""
    kinds: dict[object, Pod] = {}
    for pod in view.pods.values():
        kinds.setdefault((pod.namespace, frozenset(pod.labels.items()), pod.service_account), pod)
    yield from kinds.values()


def rules_of(view: View) -> set[Rule]:
    """Return every rule that is about some pod."""
    return {
        rule
        for pod in different(view)
        for direction in (INGRESS, EGRESS)
        for stage in stages(view, pod, direction)
        for rule in stage.rules
    }


def _covers(spans: Iterable[Span], port: int) -> bool:
    return any(first <= port <= last for first, last in spans)


def _spans(view: View) -> Iterator[Span]:
    for pod in view.pods.values():
        yield from ((port.port, port.port) for port in pod.ports)
    for rule in rules_of(view):
        yield from (span for ports in _ports(rule) for span in ports.spans)


def _ports(rule: Rule) -> Iterator[Ports]:
    yield from rule.ports
    yield from (*rule.near.no_ports, *rule.far.no_ports)
