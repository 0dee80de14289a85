"""What the rules say of one packet, rule by rule: for running connections, and for who asks why.

What lives here: the plain meaning of stages. What it must not know: nftables, how stages are compiled.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from octet.cluster.netpol import INGRESS
from octet.cluster.objects import Address, Pod
from octet.cluster.view import View
from octet.policy.groups import Candidate, DomainAddresses, Group, Networks, ServiceEndpoints
from octet.policy.holders import named
from octet.policy.rules import DEFAULT, Action, Ports, Rule, Side, Stage

PodAt = Callable[[Address], Pod | None]
"""Finds the pod that has an address."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A connection's first packet, after translation of its destination.

    Attributes:
        protocol: IANA's number.
        source_port, port: 0 where the protocol has none.
        icmp: type and code.
    """

    source: Address
    destination: Address
    protocol: int
    source_port: int = 0
    port: int = 0
    icmp: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was decided.

    Attributes:
        stage: the tier that decided; None where none did.
        rule: the rule that did; None is the end of the tier.
    """

    allowed: bool
    stage: Stage | None = None
    rule: Rule | None = None


def judge(
    stages: Iterable[Stage], packet: Packet, direction: str, view: View, pod_at: PodAt | None = None
) -> Judgement:
    """Return what one endpoint's stages of a direction say of a packet."""
    asked = _Asked(packet, direction, view, pod_at or view.pods.at)
    for stage in stages:
        found = next(
            (rule for rule in stage.rules if rule.action is not Action.LOG and asked.is_meant(rule)), None
        )
        action = found.action if found is not None else stage.otherwise
        if action is not Action.PASS:
            return Judgement(action is Action.ALLOW, stage, found)
    return Judgement(DEFAULT is Action.ALLOW)


class _Asked:
    """One packet, and what has been found out about it."""

    def __init__(self, packet: Packet, direction: str, view: View, pod_at: PodAt) -> None:
        self._packet = packet
        self._incoming = direction == INGRESS
        self._view = view
        self._pods = {each: pod_at(each) for each in (packet.source, packet.destination)}

    def is_meant(self, rule: Rule) -> bool:
        """Does everything hold that a rule states?"""
        packet = self._packet
        far, near = packet.source, packet.destination
        if not self._incoming:
            far, near = near, far
        return (
            rule.family in (0, packet.source.version)
            and rule.protocol in (None, packet.protocol)
            and (rule.not_protocol is None or rule.not_protocol != packet.protocol)
            and (rule.icmp is None or self._is_icmp(rule.icmp))
            and (rule.not_icmp is None or not self._is_icmp(rule.not_icmp))
            and (not rule.ports or self._on(rule.ports, packet.destination, packet.port))
            and self._side(rule.far, far)
            and self._side(rule.near, near)
        )

    def _is_icmp(self, wanted: tuple[int, int | None]) -> bool:
        found = self._packet.icmp
        return found is not None and found[0] == wanted[0] and wanted[1] in (None, found[1])

    def _side(self, side: Side, address: Address) -> bool:
        port = self._packet.source_port if address == self._packet.source else self._packet.port
        return (
            all(any(self.inside(group, address) for group in union) for union in side.all_of)
            and not any(self.inside(group, address) for group in side.none_of)
            and (not side.ports or self._on(side.ports, address, port))
            and not (side.no_ports and self._on(side.no_ports, address, port))
        )

    def inside(self, group: Group, address: Address) -> bool:
        """Does an address belong to a group?"""
        if isinstance(group, DomainAddresses):
            return address in group.means(self._view, self._packet.source)
        if isinstance(group, ServiceEndpoints) and address == self._packet.destination:
            wanted = (address, self._packet.protocol, self._packet.port)
            return wanted in set(group.ports(self._view))
        if isinstance(group, Networks):
            return group.holds(address)
        pod = self._pods[address]
        if pod is not None and group.has(Candidate(self._view, pod)):
            return True
        return any(address in network for network in group.networks(self._view))

    def _on(self, stated: Iterable[Ports], address: Address, port: int) -> bool:
        protocol, pod = self._packet.protocol, self._pods[address]
        for each in stated:
            numbered = each.protocol == protocol and any(first <= port <= last for first, last in each.spans)
            if numbered or (pod is not None and (protocol, (port, port)) in named(each, pod)):
                return True
        return False
