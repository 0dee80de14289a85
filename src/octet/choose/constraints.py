"""Hard constraints: what rules a provider out, in three values, each with the fact that does it.

What lives here: the table, one row for each thing that can be asked for, and how a row is judged.
What it must not know: how providers are ranked. Nothing in a ranking can make up for a constraint.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from octet.choose import conditions, installing, nodes, steps
from octet.choose.decision import Finding
from octet.choose.evidence import of_fact
from octet.choose.facts.catalogue import version
from octet.choose.facts.values import Certainty, Provider, Truth
from octet.choose.judgement import Judgement, of_key
from octet.choose.requirements import NOTHING_TO_LEAVE, Requirements

Judge = Callable[[Requirements, Provider], Judgement]


@dataclass(frozen=True, slots=True)
class Constraint:
    """One thing that a provider must have or must not need.

    Attributes:
        id: the same in every run; what decisions, tests and pages call it.
        does: what is asked for, as it follows "the provider can".
        fields: the requirements that ask for it, all of them.
        asked: do these requirements ask for it?
        judge: does this provider meet it?
        beside: requirements that it reads, too, and that ask for nothing.
    """

    id: str
    does: str
    fields: tuple[str, ...]
    asked: Callable[[Requirements], bool]
    judge: Judge
    beside: tuple[str, ...] = ()

    def judged(self, requirements: Requirements, provider: Provider) -> Finding:
        """Return what it says about a provider, where it is asked for."""
        judged = self.judge(requirements, provider)
        return Finding(
            constraint=self.id,
            title=self.does,
            verdict=_VERDICTS[judged.truth],
            fields=tuple(
                each
                for each in dict.fromkeys((*self.fields, *judged.beside))
                if getattr(requirements, each) is not None
            ),
            because=_because(self.does, provider, judged),
            evidence=judged.evidence,
            condition=judged.condition,
        )


_VERDICTS: Mapping[Truth, Literal["met", "unknown", "ruled out"]] = {
    Truth.YES: "met",
    Truth.NO: "ruled out",
    Truth.UNKNOWN: "unknown",
}
_CAN = {Truth.YES: "{} can {}", Truth.NO: "{} cannot {}", Truth.UNKNOWN: "it is not known whether {} can {}"}


def _because(does: str, provider: Provider, judged: Judgement) -> str:
    if judged.says:
        return judged.says
    if judged.condition and judged.truth is not Truth.YES:
        return f"{_CAN[judged.truth].format(provider.title, does)} here: {_lower(judged.condition)}"
    doubt = any(each.certainty == Certainty.UNVERIFIED.value for each in judged.evidence)
    tail = ": what is said about it is unverified" if doubt and judged.truth is Truth.UNKNOWN else ""
    return _CAN[judged.truth].format(provider.title, does) + tail


def _lower(text: str) -> str:
    """Return a note as it follows a colon; names keep their capitals."""
    first = text.partition(" ")[0].rstrip(":,;")
    return text[:1].lower() + text[1:] if first in _SMALL else text


_SMALL = frozenset({"Beta", "By", "For", "In", "Not", "Off", "Partly", "Through", "With", "As"})


def needed(field: str) -> Callable[[Requirements], bool]:
    """Return whether a yes-or-no field was answered with yes."""
    return lambda requirements: getattr(requirements, field) is True


def ability(key: str, *, wanted: bool = True) -> Judge:
    """Return the judge of a fact that must be yes, or must be no."""
    return lambda requirements, provider: of_key(requirements, provider, key, wanted=wanted)


def _feature(field: str, key: str, does: str) -> Constraint:
    return Constraint(key, does, (field,), needed(field), ability(key))


def through_kops(requirements: Requirements) -> bool:
    """Tell whether the operator may have nothing but what kops lets its users reach."""
    return requirements.installer == "kops" and requirements.bring_your_own is not True


def _by_kops(
    key: str, does: str, fields: tuple[str, ...], asked: Callable[[Requirements], bool]
) -> Constraint:
    """Return a constraint on what kops lets its users reach of a provider that it has built in."""

    def judge(requirements: Requirements, provider: Provider) -> Judgement:
        if not steps.of(provider, "kops"):
            return Judgement(Truth.YES, (), f"{provider.title} is never installed by kops itself")
        judged = of_key(requirements, provider, key)
        if judged.truth is Truth.NO and requirements.bring_your_own is None:
            says = f"{provider.title} cannot {does}; with a manifest of your own kops has no say"
            return replace(judged.doubted(), says=says)
        return judged

    reads = ("installer", "bring_your_own", *fields)
    return Constraint(key, does, reads, lambda r: through_kops(r) and asked(r), judge)


_PLACES = {
    "aws": "aws",
    "azure": "azure",
    "gcp": "gcp",
    "bare-metal": "own-machines",
    "laptop": "own-machines",
}
"""Where nodes are, as the facts call it. Another cloud may be like one's own machines, which nobody knows."""


def _runs_there(requirements: Requirements, provider: Provider) -> Judgement:
    fact = provider.facts.get("clouds")
    if fact is None:
        return Judgement(Truth.UNKNOWN, ())
    evidence = (of_fact(provider, fact),)
    place = _PLACES.get(str(requirements.cloud), "")
    says = f"{provider.title} runs on {evidence[0].says}, and your nodes are on {requirements.cloud}"
    if fact.truth is not Truth.YES or not isinstance(fact.value, tuple):
        return Judgement(Truth.UNKNOWN, evidence)
    if place:
        return Judgement(Truth.YES if place in fact.value else Truth.NO, evidence, says)
    return Judgement(Truth.UNKNOWN if "own-machines" in fact.value else Truth.NO, evidence, says)


def _private_topology(requirements: Requirements, provider: Provider) -> Judgement:
    """Route tables of each zone are AWS' way; where the cloud isn't known, what fails there is a doubt."""
    judged = of_key(requirements, provider, "aws-private-topology")
    return judged.doubted() if requirements.cloud is None else judged


def _kernel(requirements: Requirements, provider: Provider) -> Judgement:
    fact = provider.facts.get("kernel-minimum")
    if fact is None or fact.truth is not Truth.YES or requirements.kernel is None:
        return Judgement(Truth.UNKNOWN, () if fact is None else (of_fact(provider, fact),))
    evidence = (of_fact(provider, fact),)
    says = f"{provider.title} needs Linux {fact.value} or later, and your oldest is {requirements.kernel}"
    if version(str(fact.value)) <= version(requirements.kernel):
        return Judgement(Truth.YES, evidence, "" if fact.value == "any" else says)
    fitted = "" if fact.when is None else fact.when.or_kernel
    if fitted and version(fitted)[:2] == version(requirements.kernel)[:2]:
        return Judgement(Truth.UNKNOWN, evidence, f"{says} ({_lower(conditions.words(fact))})")
    return Judgement(Truth.NO, evidence, says)


_ALIVE = {
    "active": Truth.YES,
    "experimental": Truth.YES,
    "legacy": Truth.UNKNOWN,
    "deprecated": Truth.NO,
    "unmaintained": Truth.NO,
    "archived": Truth.NO,
}
"""Does a project of this standing publish fixes? A legacy part is whose product it is in to say."""


def _maintained(_requirements: Requirements, provider: Provider) -> Judgement:
    fact = provider.facts.get("status")
    if fact is None:
        return Judgement(Truth.UNKNOWN, ())
    truth = _ALIVE[str(fact.value)] if fact.truth is Truth.YES else Truth.UNKNOWN
    return Judgement(
        truth, (of_fact(provider, fact),), f"{provider.title} is {fact.value or 'of unknown standing'}"
    )


def _not_the_old_one(requirements: Requirements, provider: Provider) -> Judgement:
    truth = Truth.NO if provider.name == requirements.leaving else Truth.YES
    return Judgement(
        truth, (), f"{provider.title} is what you leave" if truth is Truth.NO else "it is another one"
    )


def _wants_policy(requirements: Requirements) -> bool:
    return requirements.policy_ingress is True or requirements.policy_egress is True


CONSTRAINTS: tuple[Constraint, ...] = (
    Constraint(
        "installer",
        "be had with your installer",
        ("installer", "installer_version", "kubernetes", "bring_your_own"),
        lambda r: r.installer not in {None, "other"},
        installing.possible,
    ),
    Constraint(
        "cloud",
        "run where your nodes are",
        ("cloud",),
        lambda r: r.cloud is not None,
        _runs_there,
    ),
    _by_kops(
        "kops-outside-aws",
        "be used outside AWS through kops",
        ("cloud",),
        lambda r: r.cloud not in {None, "aws"},
    ),
    Constraint(
        "aws-private-topology",
        "work where the subnets of each zone have a route table of their own",
        ("cloud", "private_topology"),
        lambda r: r.private_topology is True and r.cloud in {None, "aws"},
        _private_topology,
    ),
    _by_kops(
        "kops-private-topology",
        "be used in a private topology through kops",
        ("private_topology",),
        needed("private_topology"),
    ),
    Constraint(
        "ipv6-only",
        "work with IPv6 alone",
        ("ip_family",),
        lambda r: r.ip_family == "ipv6",
        ability("ipv6-only"),
    ),
    _by_kops(
        "kops-ipv6-only",
        "be used with IPv6 alone through kops",
        ("ip_family",),
        lambda r: r.ip_family == "ipv6",
    ),
    Constraint(
        "dual-stack",
        "work with IPv4 and IPv6 at once",
        ("ip_family",),
        lambda r: r.ip_family == "dual",
        ability("dual-stack"),
    ),
    _feature("policy_ingress", "policy-ingress", "enforce NetworkPolicy for what reaches pods"),
    _feature("policy_egress", "policy-egress", "enforce NetworkPolicy for what pods reach"),
    _by_kops(
        "kops-policy",
        "enforce NetworkPolicy as kops installs it",
        ("policy_ingress", "policy_egress"),
        _wants_policy,
    ),
    _feature("policy_cluster_wide", "policy-cluster-wide", "have policies for the whole cluster"),
    _feature("policy_by_name", "policy-by-name", "have policies that name DNS names"),
    _feature("encryption", "encryption", "encrypt what passes between nodes"),
    _by_kops(
        "kops-encryption",
        "have its encryption switched on through kops",
        ("encryption",),
        needed("encryption"),
    ),
    _feature("multicast", "multicast", "carry multicast between pods of different nodes"),
    _feature("windows", "windows", "have Windows nodes"),
    Constraint(
        "needs-layer-2",
        "work beyond one layer-2 segment",
        ("layer2",),
        lambda r: r.layer2 is False,
        ability("needs-layer-2", wanted=False),
    ),
    _feature("bgp", "bgp", "speak BGP with your own routers"),
    _feature("udp_only", "udp-only", "work where only UDP passes between nodes"),
    _feature("partial_mesh", "partial-mesh-relay", "relay for nodes that can't reach each other"),
    Constraint(
        "nodes",
        "grow to as many nodes as you have and expect",
        ("nodes", "nodes_in_two_years"),
        lambda r: r.most_nodes is not None,
        nodes.room,
        beside=("cloud",),
    ),
    Constraint(
        "routes",
        "do with the routes that a cloud's table holds",
        ("cloud", "nodes", "nodes_in_two_years"),
        lambda r: r.most_nodes is not None and r.cloud in {None, "aws"},
        nodes.routes,
    ),
    Constraint(
        "kernel-minimum",
        "run on your oldest kernel",
        ("kernel",),
        lambda r: r.kernel is not None,
        _kernel,
    ),
    _feature("kube_proxy_replacement", "replaces-kube-proxy", "do kube-proxy's work"),
    Constraint(
        "needs-database",
        "do without a database of its own",
        ("outside_database",),
        lambda r: r.outside_database is False,
        ability("needs-database", wanted=False),
    ),
    _feature("paid_support", "commercial-support", "come with support that one can buy"),
    Constraint(
        "maintained",
        "get fixes from its authors",
        ("maintained",),
        needed("maintained"),
        _maintained,
    ),
    Constraint(
        "leaving",
        "be something else than what you leave",
        ("leaving",),
        lambda r: r.leaving not in {None, NOTHING_TO_LEAVE},
        _not_the_old_one,
    ),
)
"""Every constraint, in the order in which questions are asked."""

BY_ID: Mapping[str, Constraint] = {constraint.id: constraint for constraint in CONSTRAINTS}


def findings(requirements: Requirements, provider: Provider) -> tuple[Finding, ...]:
    """Return what every constraint that is asked for says about a provider, in the table's order."""
    asked = (constraint for constraint in CONSTRAINTS if constraint.asked(requirements))
    return tuple(constraint.judged(requirements, provider) for constraint in asked)
