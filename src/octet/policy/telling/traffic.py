"""Which ports are worth asking about: those that a policy or a container names, and one for all others.

What lives here: ``Traffic`` and its words, and the list for a View. What it must not know: who talks.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count

from octet.cluster.calico_rules import NUMBERS
from octet.cluster.netpol import EGRESS, INGRESS
from octet.cluster.view import View
from octet.errors import BadConfigurationError
from octet.policy.ordering import stages
from octet.policy.rules import Ports, Rule, Span

NAMES = {number: name for name, number in NUMBERS.items()}
ECHO = {1: 8, 58: 128}
"""ICMP type of an echo request, by protocol."""

PORTED = tuple(NUMBERS[name] for name in ("TCP", "UDP", "SCTP"))
EVERYTHING = 65535
_FIRST_OTHER = 33333


@dataclass(frozen=True, slots=True, order=True)
class Traffic:
    """What a flow carries.

    Attributes:
        protocol: IANA's number.
        port: of the destination; 0 where the protocol has none.
        rest: does the port stand for all that nobody names?
    """

    protocol: int
    port: int = 0
    rest: bool = False

    def __str__(self) -> str:
        word = NAMES.get(self.protocol, str(self.protocol))
        if self.protocol in ECHO:
            return f"{word} echo"
        if self.protocol not in PORTED:
            return f"protocol {word}"
        return f"other/{word}" if self.rest else f"{self.port}/{word}"


def read(text: str) -> Traffic:
    """Return the traffic that a person names: ``80``, ``80/tcp``, ``53/UDP``, ``icmp``, ``icmpv6``.

    Raises:
        BadConfigurationError: it is none of these.
    """
    left, _, right = text.partition("/")
    name = (right or ("TCP" if left.isdecimal() else left)).upper()
    number = NUMBERS.get(name)
    hint = "such as 80/tcp, 53/udp, 9/sctp, icmp"
    if number in PORTED and left.isdecimal() and 1 <= int(left) <= EVERYTHING:
        return Traffic(number, int(left))
    if number in ECHO and not right:
        return Traffic(number)
    raise BadConfigurationError("policy", "--port", text, "is no port and protocol", hint=hint)


def worth_asking(views: Iterable[View]) -> tuple[Traffic, ...]:
    """Return what can make a difference in some views.

    That is every port that a rule or a container names, of each protocol that has ports; one port that none
    names; and echo requests. Of a range, its ends are asked, and what lies just beyond them.
    """
    spans = sorted({span for view in views for span in _spans(view)})
    ports = sorted({port for span in spans for port in _edges(span)})
    taken = [span for span in spans if span != (0, EVERYTHING)]
    other = next((port for port in _candidates() if not any(a <= port <= b for a, b in taken)), None)
    found = [Traffic(protocol, port) for protocol in PORTED for port in ports]
    if other is not None:
        found += [Traffic(protocol, other, rest=True) for protocol in PORTED]
    return (*found, *(Traffic(protocol) for protocol in ECHO))


def _candidates() -> Iterator[int]:
    yield from range(_FIRST_OTHER, EVERYTHING + 1)
    for port in count(1):
        if port == _FIRST_OTHER:
            return
        yield port


def _edges(span: Span) -> Iterator[int]:
    first, last = span
    if span == (0, EVERYTHING):
        return
    yield from {first, last}
    if first != last:
        yield from (port for port in (first - 1, last + 1) if 1 <= port <= EVERYTHING)


def _spans(view: View) -> Iterator[Span]:
    for pod in view.pods.values():
        yield from ((port.port, port.port) for port in pod.ports)
    seen: set[Rule] = set()
    alike = {
        (pod.namespace, frozenset(pod.labels.items()), pod.service_account): pod for pod in view.pods.values()
    }
    for pod in alike.values():
        for direction in (INGRESS, EGRESS):
            for stage in stages(view, pod, direction):
                seen.update(stage.rules)
    for rule in seen:
        yield from (span for ports in _ports(rule) for span in ports.spans)


def _ports(rule: Rule) -> Iterator[Ports]:
    yield from rule.ports
    if rule.near.no_ports or rule.far.no_ports:
        yield from (*rule.near.no_ports, *rule.far.no_ports)
