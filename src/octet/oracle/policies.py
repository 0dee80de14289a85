"""What every dialect comes to: policies in tiers, with rules that match a flow or not.

What lives here: the common shape and how a list of tiers decides. What it must not know: any dialect.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from octet.oracle.flows import Flow, Reason, Verdict
from octet.oracle.world import Endpoint

ALLOW, DENY, PASS, LOG = "Allow", "Deny", "Pass", "Log"

Matches = Callable[[Flow], bool | None]
"""Does a flow match? None where that depends on names nobody has learned."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a policy.

    Attributes:
        place: where it stands, as in ``ingress[0]``.
    """

    place: str
    action: str
    matches: Matches


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy.

    Attributes:
        what: kind, namespace and name.
        order: its place in its tier; equal ones are never there.
        selects: does it apply to an endpoint?
        rules: of each direction that it applies to.
        stage: of a policy for host endpoints: ``untracked``, ``prednat`` or empty.
        forward: does it also apply to what a host endpoint only forwards?
    """

    what: str
    tier: str
    order: tuple[float, str, str]
    selects: Callable[[Endpoint], bool]
    rules: dict[str, tuple[Rule, ...]]
    stage: str = ""
    forward: bool = False


@dataclass(frozen=True, slots=True)
class Tier:
    """Policies that are asked together.

    Attributes:
        ending: what happens to a flow that some policy of the tier applies to and none decides.
    """

    name: str
    order: float
    ending: str = DENY
    policies: list[Policy] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Step:
    """A rule on the way, or the end of a tier (no rule)."""

    tier: Tier
    policy: Policy | None = None
    rule: Rule | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the tiers: an endpoint's direction, and which policies count there.

    Attributes:
        ends: does a tier's end decide?
        counts: which policies take part.
    """

    endpoint: Endpoint
    direction: str
    counts: Callable[[Policy], bool]
    ends: bool = True


def judge(tiers: Sequence[Tier], asked: Asked, flow: Flow) -> Verdict | None:
    """Return what the tiers say of a flow, or None where all of them pass."""
    return _walk(list(_steps(tiers, asked)), asked, flow)


def applying(tier: Tier, asked: Asked) -> list[Policy]:
    """Return the policies of a tier that apply, in their order."""
    found = [
        policy
        for policy in tier.policies
        if asked.direction in policy.rules and asked.counts(policy) and policy.selects(asked.endpoint)
    ]
    return sorted(found, key=lambda policy: policy.order)


def _steps(tiers: Sequence[Tier], asked: Asked) -> Iterator[_Step]:
    for tier in sorted(tiers, key=lambda tier: (tier.order, tier.name)):
        policies = applying(tier, asked)
        for policy in policies:
            yield from (_Step(tier, policy, rule) for rule in policy.rules[asked.direction])
        if policies and asked.ends:
            yield _Step(tier)


def _walk(steps: list[_Step], asked: Asked, flow: Flow) -> Verdict | None:
    """Take the first step that decides; where a match is unknown, both ways must lead to the same."""
    for index, step in enumerate(steps):
        action = step.rule.action if step.rule else step.tier.ending
        matches = step.rule.matches(flow) if step.rule else True
        if matches is False or action == LOG:
            continue
        rest = [each for each in steps[index + 1 :] if action != PASS or each.tier is not step.tier]
        taken = _walk(rest, asked, flow) if action == PASS else _decided(step, asked, action == ALLOW)
        if matches:
            return taken
        return _either(taken, _walk(steps[index + 1 :], asked, flow), step, asked)
    return None


def _either(taken: Verdict | None, left: Verdict | None, step: _Step, asked: Asked) -> Verdict | None:
    """Return what both ways say, or that it is unknown; names are for pods, who may what nobody decides."""
    if len({each is None or each.allowed for each in (taken, left)}) == 1:
        return left
    words = "the rule is about names, and what they mean is not known here"
    return Verdict(None, (_reason(step, asked, words),))


def _decided(step: _Step, asked: Asked, allowed: bool) -> Verdict:
    if step.rule is None:
        words = (
            f"tier {step.tier.name} has policies for {asked.endpoint.what}, and none of their rules matches"
        )
    else:
        words = f"{step.policy.what if step.policy else ''} {step.rule.place} says {step.rule.action}"
    return Verdict(allowed, (_reason(step, asked, words),))


def _reason(step: _Step, asked: Asked, words: str) -> Reason:
    policy = step.policy.what if step.policy else ""
    return Reason(asked.direction, words, step.tier.name, policy, step.rule.place if step.rule else "")
