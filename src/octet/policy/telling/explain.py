"""Why one flow may pass or not: whom which policies select, and the rule that decides.

What lives here: the answer for two ends and one kind of traffic. What it must not know: nftables, printing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from octet.cluster.netpol import EGRESS, INGRESS
from octet.cluster.objects import Pod
from octet.cluster.view import View
from octet.policy.gates import TUNNELS
from octet.policy.groups import DomainAddresses
from octet.policy.judge import Judgement, Packet, judge
from octet.policy.ordering import stages
from octet.policy.rules import Action, Stage
from octet.policy.telling.ends import NODE, End
from octet.policy.telling.traffic import ECHO, NAMES, Traffic
from octet.policy.telling.words import rule_words

_UDP = 17
SOURCE_PORT = 40000
"""What a client's own port is taken to be; few rules ask for it."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is said at one end, or by no policy at all.

    Attributes:
        direction: INGRESS or EGRESS; empty where policy is not asked.
        pod: whose policy it is.
        selecting: the policies that select the pod, by tier, in the order in which they are asked.
        tier, policy, rule: who decides; empty where none does; no rule is the end of a tier.
        words: the sentence.
    """

    words: str
    allowed: bool
    direction: str = ""
    pod: str = ""
    selecting: tuple[tuple[str, tuple[str, ...]], ...] = ()
    tier: str = ""
    policy: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer: the flow passes where every step allows it.

    Attributes:
        family: 4 or 6.
    """

    source: str
    destination: str
    family: int
    steps: tuple[Step, ...]

    @property
    def allowed(self) -> bool:
        """May it pass?"""
        return all(step.allowed for step in self.steps)

    @property
    def decisive(self) -> Step:
        """The step that decides: the first that forbids, else the last one."""
        return next((step for step in self.steps if not step.allowed), self.steps[-1])


def explain(view: View, source: End, destination: End, traffic: Traffic) -> list[Explanation]:
    """Return the answer for each address family that both ends have, and the traffic can have."""
    found = []
    for mine in source.addresses:
        for theirs in destination.addresses:
            if mine.version == theirs.version and NAMES[traffic.protocol] != _OTHER_ICMP[mine.version]:
                packet = packet_of(mine, theirs, traffic)
                steps = tuple(_steps(view, source, destination, packet))
                found.append(Explanation(str(source), str(destination), mine.version, steps))
    return found


_OTHER_ICMP = {4: "ICMPv6", 6: "ICMP"}


def packet_of(source: object, destination: object, traffic: Traffic) -> Packet:
    """Return a connection's first packet."""
    icmp = (ECHO[traffic.protocol], 0) if traffic.protocol in ECHO else None
    ports = (0, 0) if icmp else (SOURCE_PORT, traffic.port)
    return Packet(source, destination, traffic.protocol, *ports, icmp)  # type: ignore[arg-type]  # both are addresses


def _steps(view: View, source: End, destination: End, packet: Packet) -> Iterable[Step]:
    exempt = exemption(source, destination, packet)
    if exempt is not None:
        yield exempt
        return
    for end, direction in ((source, EGRESS), (destination, INGRESS)):
        if end.pod is not None:
            yield _step(view, end.pod, packet, direction)


def exemption(source: End, destination: End, packet: Packet) -> Step | None:
    """Return what is decided without policies, or None."""
    if source.pod is None and destination.pod is None:
        return Step("neither end is a pod, and policies of pods are not asked", allowed=True)
    if source.pod is not None and source.pod == destination.pod:
        return Step("a pod always reaches itself", allowed=True)
    if source.kind == NODE and source.node == destination.node:
        return Step("a node always reaches its own pods, so that their probes work", allowed=True)
    if source.pod is not None and packet.protocol == _UDP and packet.port in TUNNELS:
        return Step("no pod sends VXLAN itself, whatever policies say", allowed=False)
    return None


def _step(view: View, pod: Pod, packet: Packet, direction: str) -> Step:
    held = stages(view, pod, direction)
    found = judge(held, packet, direction, view)
    rule = found.rule
    return Step(
        words=_sentence(held, found, direction),
        allowed=found.allowed,
        direction=direction,
        pod="/".join(pod.key),
        selecting=tuple((stage.tier, tuple(map(str, stage.policies))) for stage in held),
        tier=found.stage.tier if found.stage is not None else "",
        policy=str(rule.origin.policy) if rule is not None else _last(found.stage),
        rule=str(rule.origin) if rule is not None else "",
    )


def _last(stage: Stage | None) -> str:
    """Return the policy that the end of a tier is counted under."""
    return str(stage.policies[-1]) if stage is not None else ""


def _sentence(held: tuple[Stage, ...], found: Judgement, direction: str) -> str:
    word = direction.lower()
    if not held:
        return f"no policy selects it for {word}, and what nothing forbids is allowed"
    if found.stage is None:
        return f"every tier that selects it for {word} passes it on, and what nothing forbids is allowed"
    if found.rule is not None:
        return f"{found.rule.origin} in tier {found.stage.tier} {rule_words(found.rule, direction)}"
    policies = ", ".join(map(str, found.stage.policies))
    text = f"no rule of {policies} in tier {found.stage.tier} matches, and what they don't allow is denied"
    names = _names(found.stage)
    if names and direction == EGRESS:
        text += f" (what {', '.join(names)} means is not known here; who asks for a name may learn it)"
    return text


def _names(stage: Stage) -> list[str]:
    """Return the domain names that rules of a tier allow."""
    groups = (
        group
        for rule in stage.rules
        if rule.action is Action.ALLOW
        for union in rule.far.all_of
        for group in union
    )
    return list(
        dict.fromkeys(
            name for group in groups if isinstance(group, DomainAddresses) for name in group.domains
        )
    )
