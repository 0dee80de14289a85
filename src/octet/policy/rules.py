"""The one form that every dialect becomes: rules in order, tier after tier, for one endpoint and direction.

What lives here: ``Rule``, ``Stage``, and what happens where no policy says anything.
What it must not know: any dialect, addresses, nftables.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from hashlib import sha1

from octet.policy.groups import Group


class Action(Enum):
    """What a rule does with a packet."""

    ALLOW = "allow"
    DENY = "deny"
    PASS = "pass"  # noqa: S105 - the word is the API's
    LOG = "log"


DEFAULT = Action.ALLOW
"""What becomes of a packet that no tier decided. This is the only place that states it: Kubernetes' pods may
talk where nobody forbids it, and Calico's profile of every namespace says the same."""

Span = tuple[int, int]
"""First and last port, both included."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports of one protocol: any of these numbers or names.

    Attributes:
        protocol: IANA number; None with names only, which then say it.
        spans: numbers; every port of the protocol is ``(0, 65535)``.
        names: of container ports, meant for the pod that has the port.
    """

    protocol: int | None
    spans: tuple[Span, ...] = ()
    names: tuple[str, ...] = ()


EVERY_PORT: Span = (0, 65535)


def gathered(ports: Iterable[Ports]) -> tuple[Ports, ...]:
    """Return the same ports as one value for each protocol, in the order in which they were said."""
    spans: dict[int | None, dict[Span, None]] = {}
    names: dict[int | None, dict[str, None]] = {}
    for each in ports:
        spans.setdefault(each.protocol, {}).update(dict.fromkeys(each.spans))
        names.setdefault(each.protocol, {}).update(dict.fromkeys(each.names))
    return tuple(Ports(protocol, tuple(held), tuple(names[protocol])) for protocol, held in spans.items())


@dataclass(frozen=True, slots=True)
class Side:
    """What must hold of one end of a packet.

    Attributes:
        all_of: of each of these, the address is in one of the groups.
        none_of: the address is in none of these.
        ports: its port is one of these; empty is unstated.
        no_ports: its port is none of these.
    """

    all_of: tuple[tuple[Group, ...], ...] = ()
    none_of: tuple[Group, ...] = ()
    ports: tuple[Ports, ...] = ()
    no_ports: tuple[Ports, ...] = ()


ANY_SIDE = Side()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a rule is written: kind, namespace (or empty), name, and index; -1 is the policy as a whole."""

    kind: str
    namespace: str
    name: str
    index: int = -1

    def __str__(self) -> str:
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {where}" + (f" rule {self.index + 1}" if self.index >= 0 else "")

    @property
    def policy(self) -> "Origin":
        """The policy, without the rule."""
        return Origin(self.kind, self.namespace, self.name)


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to a packet of which everything stated holds.

    Attributes:
        far: the other end: the source of an ingress rule, the destination of an egress rule.
        near: the endpoint's own end, for dialects that can say something of it.
        family: 4 or 6; 0 is both.
        protocol, not_protocol: IANA numbers; None is unstated. With ports, those say it.
        icmp, not_icmp: (type, code), code None is any.
        ports: which ports of the destination, whichever end that is; empty is unstated.
        reject: is who is denied told?
    """

    action: Action
    origin: Origin
    far: Side = ANY_SIDE
    near: Side = ANY_SIDE
    family: int = 0
    protocol: int | None = None
    not_protocol: int | None = None
    icmp: tuple[int, int | None] | None = None
    not_icmp: tuple[int, int | None] | None = None
    ports: tuple[Ports, ...] = ()
    reject: bool = False

    @property
    def named(self) -> bool:
        """Does it name ports that may be the endpoint's own?"""
        own = (*self.ports, *self.near.ports, *self.near.no_ports)
        return any(ports.names for ports in own)

    @property
    def simple(self) -> bool:
        """Does it say no more than who the other end is, and which port of the destination?"""
        others = (self.protocol, self.not_protocol, self.icmp, self.not_icmp)
        plain = self.far.none_of == () and not (self.far.ports or self.far.no_ports)
        unstated = self.near == ANY_SIDE and self.family == 0 and all(each is None for each in others)
        return plain and unstated and len(self.far.all_of) <= 1


def digest(what: object) -> str:
    """Return twelve digits that stand for a value made of frozen values."""
    return sha1(repr(what).encode(), usedforsecurity=False).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Stage:
    """One tier, as far as it is about one endpoint and direction.

    Attributes:
        policies: those of it that select the endpoint, in their order.
        otherwise: what becomes of packets that no rule decided: DENY or PASS.
        reject: is who is denied at the end told?
        keep: do running connections go on that this tier forbids from now on?
        identity: stands for all of it: equal ones are equal tiers.
        name: stands for which policies these are, whatever they say; empty where the identity must do.
        allows: do all rules allow, and can be asked together?
        named: do rules name ports of the endpoint itself, so that they mean something else for each?
    """

    tier: str
    policies: tuple[Origin, ...]
    rules: tuple[Rule, ...]
    otherwise: Action
    reject: bool = False
    keep: bool = False
    identity: str = ""
    named: bool = False
    name: str = ""
    allows: bool = False
