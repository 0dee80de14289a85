"""Why one flow may pass or not: whom which policies select, and the rule that decides.

What lives here: the answer for two ends and one kind of traffic. What it must not know: nftables, printing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from octet.cluster.netpol import EGRESS, INGRESS
from octet.cluster.objects import Address, Pod
from octet.cluster.view import View
from octet.policy.gates import TUNNELS
from octet.policy.groups import DomainAddresses
from octet.policy.judge import Judgement, Packet, judge
from octet.policy.ordering import REFUSED, stages
from octet.policy.rules import Action, Stage
from octet.policy.telling.crossing import crossings
from octet.policy.telling.ends import NODE, End
from octet.policy.telling.traffic import ECHO, ICMP_OF, Traffic
from octet.policy.telling.words import rule_words

SOURCE_PORT = 40000
"""What a client's own port is taken to be; few rules ask for it."""

_UDP = 17


@dataclass(frozen=True, slots=True)
class Step:
    """What is said at one end, or by no policy at all.

    Attributes:
        direction: INGRESS or EGRESS; empty where policy is not asked.
        pod: whose policy it is: a pod's, or ``host endpoint NAME``.
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
    """The answer for one address family: the flow passes where every step allows it."""

    family: int
    steps: tuple[Step, ...]


_NOBODY = Step("neither end has policy", allowed=True)
_Asked = tuple[str, str, tuple[Stage, ...], Judgement, str]
"""Who is asked, in which direction, the tiers, what they say, and words where no tier was asked."""


class Explainer:
    """Answers about one View; what it found out about a pod it keeps.

    Args:
        view: the cluster.
        closed: UDP ports that no pod may send to, as the running model has them (``Gate.closed``).
    """

    def __init__(self, view: View, closed: tuple[int, ...] = TUNNELS) -> None:
        self.view = view
        self._closed = closed
        self._stages: dict[tuple[str, str, str], tuple[Stage, ...]] = {}

    def stages(self, pod: Pod, direction: str) -> tuple[Stage, ...]:
        """Return the tiers that decide about a pod in a direction."""
        key = (*pod.key, direction)
        if key not in self._stages:
            self._stages[key] = stages(self.view, pod, direction)
        return self._stages[key]

    def explain(self, source: End, destination: End, traffic: Traffic) -> Iterator[Explanation]:
        """Yield the answer for each address family that both ends and the traffic have."""
        for packet in packets(source, destination, traffic):
            exempt = exemption(source, destination, packet, self._closed)
            steps = (exempt,) if exempt is not None else tuple(self._steps(source, destination, packet))
            yield Explanation(packet.source.version, steps or (_NOBODY,))

    def verdict(self, source: End, destination: End, packet: Packet) -> tuple[bool, str]:
        """Return whether a packet may pass, and who decides: the first that forbids, else the last one."""
        exempt = exemption(source, destination, packet, self._closed)
        if exempt is not None:
            return exempt.allowed, exempt.words
        decided = ""
        for _, _, _, found, _ in self._asked(source, destination, packet):
            decided = _decider(found) or decided
            if not found.allowed:
                return False, decided
        return True, decided

    def _steps(self, source: End, destination: End, packet: Packet) -> Iterator[Step]:
        for asked in self._asked(source, destination, packet):
            yield _step(asked, self.view.refused)

    def _asked(self, source: End, destination: End, packet: Packet) -> Iterator[_Asked]:
        """Yield what everybody says whom a packet meets, in its order: pods inside, nodes between them."""
        if source.pod is not None:
            yield self._pod(source.pod, EGRESS, packet)
        for each in crossings(self.view, source, destination, packet):
            yield f"host endpoint {each.name}", each.direction, each.held, each.found, each.words
        if destination.pod is not None:
            yield self._pod(destination.pod, INGRESS, packet)

    def _pod(self, pod: Pod, direction: str, packet: Packet) -> _Asked:
        held = self.stages(pod, direction)
        return "/".join(pod.key), direction, held, judge(held, packet, direction, self.view), ""


def _step(asked: _Asked, refused: Mapping[str, str]) -> Step:
    name, direction, held, found, words = asked
    rule = found.rule
    return Step(
        words=words or _sentence(held, found, direction, refused),
        allowed=found.allowed,
        direction=direction,
        pod=name,
        selecting=tuple((stage.tier, tuple(map(str, stage.policies))) for stage in held),
        tier=found.stage.tier if found.stage is not None else "",
        policy=_decider(found),
        rule=str(rule.origin) if rule is not None else "",
    )


def packets(source: End, destination: End, traffic: Traffic) -> Iterator[Packet]:
    """Yield a first packet for each address family that both ends and the traffic have."""
    for mine in source.addresses:
        for theirs in destination.addresses:
            fits = traffic.protocol not in ECHO or traffic.protocol == ICMP_OF[mine.version]
            if fits and mine.version == theirs.version:
                yield _packet(mine, theirs, traffic)


def _packet(source: Address, destination: Address, traffic: Traffic) -> Packet:
    if traffic.protocol in ECHO:
        return Packet(source, destination, traffic.protocol, icmp=(ECHO[traffic.protocol], 0))
    return Packet(source, destination, traffic.protocol, SOURCE_PORT, traffic.port)


def exemption(
    source: End, destination: End, packet: Packet, closed: tuple[int, ...] = TUNNELS
) -> Step | None:
    """Return what is decided without policies, or None; ``closed`` as in ``Gate``."""
    if source.pod is not None and source.pod == destination.pod:
        return Step("a pod always reaches itself", allowed=True)
    own = source.kind == NODE and destination.pod is not None
    if own and source.node and source.node == destination.node:
        return Step("a node always reaches its own pods, so that their probes work", allowed=True)
    if source.pod is not None and packet.protocol == _UDP and packet.port in closed:
        return Step("no pod sends VXLAN or other tunnels itself, whatever policies say", allowed=False)
    return None


def _decider(found: Judgement) -> str:
    """Return the policy that decides; the end of a tier is put to the last policy of it."""
    if found.rule is not None:
        return str(found.rule.origin.policy)
    return str(found.stage.policies[-1]) if found.stage is not None else ""


HOW = "a resolver that its node believes, by UDP or TCP"
"""How names are learned (``octet.agent.learning``)."""


def _sentence(held: tuple[Stage, ...], found: Judgement, direction: str, refused: Mapping[str, str]) -> str:
    word = direction.lower()
    if found.stage is not None and found.stage.tier == REFUSED:
        policy = str(found.stage.policies[0])
        return f"{policy} is refused, and what it selects is isolated: {refused[policy]}"
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
        text += f" (what {', '.join(names)} means to it is learned when it asks {HOW})"
    return text


def _names(stage: Stage) -> list[str]:
    """Return the domain names that rules of a tier allow."""
    allowing = (rule for rule in stage.rules if rule.action is Action.ALLOW)
    groups = (group for rule in allowing for union in rule.far.all_of for group in union)
    named = (group for group in groups if isinstance(group, DomainAddresses))
    return list(dict.fromkeys(name for group in named for name in group.domains))
