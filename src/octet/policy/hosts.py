"""Calico's host endpoints: the node's own interfaces under policy, with ports that stay open in any case.

What lives here: which policies an interface has at which hook, and the chains that lead there.
What it must not know: pods, how policies become programs.
Source: Calico's reference, HostEndpoint ("Failsafe rules"), and policies for hosts (applyOnForward, preDNAT,
doNotTrack).

At four places a packet may meet policies, in this order: untracked ones before connection tracking, those
before translation, then the ordinary ones of what is for the node itself, or of what is passed on. The first
two deny by a rule only. Ordinary ones deny what nothing allows, of what is passed on only where one is.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from octet.blueprint import KernelObject
from octet.blueprint.nft import (
    ACCEPT,
    CT_STATE,
    DPORT,
    ICMPV6_TYPE,
    IIFNAME,
    L4PROTO,
    OIFNAME,
    RETURN,
    Chain,
    Compare,
    Hook,
    Marked,
    Notrack,
    Part,
    Rule,
    SetMark,
    Verdict,
    goto,
)
from octet.cluster.calico import CalicoNetworkPolicy
from octet.cluster.netpol import EGRESS, INGRESS
from octet.cluster.objects import HostEndpoint, Pod
from octet.cluster.view import View
from octet.policy.dialects.calico import of_host
from octet.policy.ordering import host_stages
from octet.policy.programs import Program, program
from octet.policy.rules import Action, Origin, Stage

EVERY = "*"
ALLOWING = "projectcalico-default-allow"
"""The profile that opens an interface where no policy says anything (auto host endpoints have it)."""

PROFILES = "profiles"
"""What stands in a tier's place after the last one."""

FAILSAFE = {
    INGRESS: {"tcp": (22, 179, 2379, 2380, 5473, 6443, 6666, 6667), "udp": (68,)},
    EGRESS: {"tcp": (179, 2379, 2380, 5473, 6443, 6666, 6667), "udp": (53, 67)},
}
"""Ports that no policy shuts (FelixConfiguration, failsafeInboundHostPorts and failsafeOutboundHostPorts)."""

UNTRACKED, SETTLED = "policy-host-untracked", "policy-host-settled"
"""Chains of packets that an untracked policy, or one before translation, allowed: no other is asked."""

SETTLED_MARK = 0x0080_0000
"""Bit of the packet mark that says so of the latter. kube-proxy uses 0xc000; Calico's own default has it."""

TRACKING = -200
"""Priority of connection tracking (nft(8))."""

DISCOVERY = ("nd-router-solicit", "nd-router-advert", "nd-neighbor-solicit", "nd-neighbor-advert")


@dataclass(frozen=True, slots=True)
class Place:
    """One hook where policies of a sort are asked.

    Attributes:
        suffix: ends the chain's name.
        wants: of which policies.
        direction: INGRESS or EGRESS.
        shut: is what nothing allows denied though no policy is there?
        allowed: what becomes of a packet that a policy allows here.
    """

    suffix: str
    hook: Hook
    direction: str
    wants: Callable[[CalicoNetworkPolicy], bool]
    shut: bool = False
    allowed: Verdict = RETURN

    @property
    def tracked(self) -> bool:
        """Does connection tracking come before it?"""
        return self.hook.priority > TRACKING

    @property
    def before_translation(self) -> bool:
        """Does translation of destinations come after it?"""
        return self.hook.at == "prerouting"


def _untracked(policy: CalicoNetworkPolicy) -> bool:
    return policy.untracked


def _before_nat(policy: CalicoNetworkPolicy) -> bool:
    return policy.before_nat


def _ordinary(policy: CalicoNetworkPolicy) -> bool:
    return not (policy.untracked or policy.before_nat)


def _forwarded(policy: CalicoNetworkPolicy) -> bool:
    return policy.forwarded and _ordinary(policy)


PLACES = (
    Place("untracked-in", Hook("filter", "prerouting", -301), INGRESS, _untracked, allowed=goto(UNTRACKED)),
    Place("untracked-out", Hook("filter", "output", -301), EGRESS, _untracked, allowed=goto(UNTRACKED)),
    Place("before-nat", Hook("filter", "prerouting", -150), INGRESS, _before_nat, allowed=goto(SETTLED)),
    Place("forward-in", Hook("filter", "forward", -1), INGRESS, _forwarded),
    Place("forward-out", Hook("filter", "forward", 1), EGRESS, _forwarded),
    Place("in", Hook("filter", "input", 1), INGRESS, _ordinary, shut=True),
    Place("out", Hook("filter", "output", 1), EGRESS, _ordinary, shut=True),
)
"""Around the pods' own policies: from the world first, towards the world last."""


@dataclass(frozen=True, slots=True)
class Hosts:
    """What this node's host endpoints come to: base chains, and the programs that they lead to."""

    objects: tuple[KernelObject, ...] = ()
    programs: tuple[Program, ...] = ()


def hosts(view: View, pods: tuple[str, ...]) -> Hosts:
    """Return it for node ``view.me``; ``pods`` matches the links that pods are behind, which do not count."""
    named, every = by_interface(view)
    if not named and every is None:
        return Hosts()
    chains: list[KernelObject] = []
    programs: dict[str, Program] = {}
    for place in PLACES:
        leads: list[Rule] = []
        for name, host in (*sorted(named.items()), *([(EVERY, every)] if every else [])):
            found = _program(view, host, place)
            if found is not None:
                programs[found.entrance] = found
                leads += [Rule(*_on(place, name, pods, named), goto(found.entrance))]
        if leads:
            chains.append(Chain(f"policy-host-{place.suffix}", (*_always(place), *leads), place.hook))
    untracked = Chain(UNTRACKED, (Rule(Notrack(), ACCEPT),))
    settled = Chain(SETTLED, (Rule(SetMark(SETTLED_MARK, SETTLED_MARK), ACCEPT),))
    return Hosts((*chains, untracked, settled), tuple(programs.values()))


def by_interface(view: View) -> tuple[dict[str, HostEndpoint], HostEndpoint | None]:
    """Return this node's host endpoints by interface, and the one of all others."""
    mine = [each for each in view.host_endpoints.values() if each.node == view.me]
    named = {name: each for each in mine if (name := interface(view, each)) not in ("", EVERY)}
    return named, next((each for each in mine if each.interface == EVERY), None)


def settles(place: Place) -> bool:
    """Is what a policy allows there allowed for good?"""
    return place.allowed is not RETURN


def interface(view: View, host: HostEndpoint) -> str:
    """Return the interface's name: stated, or the underlay's where that has an expected address, or empty."""
    if host.interface:
        return host.interface
    held = {each.ip for each in (view.underlay.v4, view.underlay.v6) if each is not None}
    return view.underlay.interface if held.intersection(host.addresses) else ""


def stages_at(view: View, host: HostEndpoint, place: Place) -> tuple[Stage, ...] | None:
    """Return the tiers that are asked at a place, or None where none is about it."""
    policies = [each for each in of_host(view, host, place.direction) if place.wants(each)]
    if not policies and not place.shut:
        return None
    stages = host_stages(view, policies, place.direction)
    if place.shut:
        return (*stages, _profiles(host))
    return stages if not settles(place) else tuple(_open(stage) for stage in stages)


def _program(view: View, host: HostEndpoint, place: Place) -> Program | None:
    stages = stages_at(view, host, place)
    if stages is None:
        return None
    pod = Pod(host.name, "", ports=host.ports)
    passing = place.hook.at == "forward"
    return program(stages, pod, place.direction, (4, 6), place.allowed, tracked=False, passing=passing)


def _open(stage: Stage) -> Stage:
    """Return a tier that denies by its rules only."""
    return replace(stage, otherwise=Action.PASS, identity=f"{stage.identity}-open")


def _profiles(host: HostEndpoint) -> Stage:
    """Return what comes after all tiers: allowed by the profile that says so, else denied."""
    allowing = ALLOWING in host.profiles
    otherwise = Action.PASS if allowing else Action.DENY
    origin = Origin("HostEndpoint", "", host.name)
    return Stage(PROFILES, (origin,), (), otherwise, identity=f"profiles {host.name} {otherwise.value}")


def _on(place: Place, name: str, pods: tuple[str, ...], named: Iterable[str]) -> Iterator[Part]:
    """Yield what packets of an interface have; those of ``*`` are of none that has an endpoint of its own."""
    field = IIFNAME if place.direction == INGRESS else OIFNAME
    if name != EVERY:
        yield Compare(field, name)
        return
    for other in ("lo", *pods, *sorted(named)):
        yield Compare(field, other, negated=True)


def _always(place: Place) -> Iterator[Rule]:
    """Yield what passes whatever policies say."""
    if place.tracked:
        running = Compare(CT_STATE, "established", "related", "untracked")
        yield Rule(running, ACCEPT)
        yield Rule(Marked(SETTLED_MARK, SETTLED_MARK), ACCEPT)
    if place.hook.at == "forward":
        return
    yield Rule(Compare(ICMPV6_TYPE, *DISCOVERY), ACCEPT, comment="neighbour discovery")
    for protocol, ports in FAILSAFE[place.direction].items():
        yield Rule(Compare(L4PROTO, protocol), Compare(DPORT, *ports), ACCEPT, comment="failsafe")
