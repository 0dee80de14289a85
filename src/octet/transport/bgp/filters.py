"""Filters with the meaning of Calico's BGPFilter: rules in order, the first that matches decides.

What lives here: values. No rule that matches means accept (projectcalico.org/v3, BGPFilter).
What it must not know: how BIRD spells it, which session uses which filter.
"""

from dataclasses import dataclass
from enum import Enum

from octet.cluster.objects import Network
from octet.errors import BadConfigurationError
from octet.transport.bgp.speaker import Community, check_asn, check_communities


class Action(Enum):
    """What becomes of a route."""

    ACCEPT = "accept"
    REJECT = "reject"


class Operator(Enum):
    """How a route's prefix is compared with a rule's (BGPFilter, matchOperator)."""

    EQUAL = "="
    NOT_EQUAL = "!="
    IN = "~"
    NOT_IN = "!~"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; what is not given matches everything, what is given must match together.

    Attributes:
        cidr: compared with the route's prefix by ``operator``.
        lengths: (shortest, longest) prefix length, with ``IN`` and ``NOT_IN``.
        learned: only routes that a peer told us (BGPFilter, source RemotePeers).
        interface: only routes through this interface.
        communities: the route bears all of them.
        path_prefix: AS numbers that the path begins with, nearest first.
        of_own_as: is the route from a peer of our own AS (iBGP), from another (eBGP), or either (None)?
        add_communities, prepend: what happens to the route before it is accepted.
    """

    action: Action
    cidr: Network | None = None
    operator: Operator = Operator.IN
    lengths: tuple[int, int] | None = None
    learned: bool = False
    interface: str = ""
    communities: tuple[Community, ...] = ()
    path_prefix: tuple[int, ...] = ()
    of_own_as: bool | None = None
    add_communities: tuple[Community, ...] = ()
    prepend: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Filter:
    """Rules by direction and family.

    Raises:
        BadConfigurationError: a rule is of the wrong family or contradicts itself; names filter and field.
    """

    name: str
    import_v4: tuple[Rule, ...] = ()
    export_v4: tuple[Rule, ...] = ()
    import_v6: tuple[Rule, ...] = ()
    export_v6: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        for direction in ("import", "export"):
            for family in (4, 6):
                for number, rule in enumerate(self.rules(direction, family)):
                    _check(f"filter {self.name}", f"{direction}V{family}[{number}]", rule, family)

    def rules(self, direction: str, family: int) -> tuple[Rule, ...]:
        """Return the rules of ``import`` or ``export`` for a family."""
        held: tuple[Rule, ...] = getattr(self, f"{direction}_v{family}")
        return held


def _check(source: str, field: str, rule: Rule, family: int) -> None:
    if rule.cidr is not None and rule.cidr.version != family:
        raise BadConfigurationError(source, f"{field}.cidr", str(rule.cidr), f"is not IPv{family}")
    if rule.lengths is not None:
        _check_lengths(source, f"{field}.prefixLength", rule)
    check_communities(source, f"{field}.communities", rule.communities)
    check_communities(source, f"{field}.operations", rule.add_communities)
    for asn in (*rule.path_prefix, *rule.prepend):
        check_asn(source, f"{field}.asPath", asn)


def _check_lengths(source: str, field: str, rule: Rule) -> None:
    """Refuse lengths that no prefix within the rule's has. Raises BadConfigurationError."""
    low, high = rule.lengths or (0, 0)
    if rule.cidr is None or rule.operator not in {Operator.IN, Operator.NOT_IN}:
        problem = "needs a cidr, compared with In or NotIn"
        raise BadConfigurationError(source, field, f"{low}-{high}", problem)
    if not rule.cidr.prefixlen <= low <= high <= rule.cidr.max_prefixlen:
        hint = f"{rule.cidr.prefixlen} to {rule.cidr.max_prefixlen}, shortest first"
        raise BadConfigurationError(source, field, f"{low}-{high}", "no prefix has that length", hint=hint)
