"""May a running connection go on? What this node's pods and host endpoints say of its first packet by now.

What lives here: everything that a connection is asked on its way, asked in one go. What it must not know: the
kernel, how connections are listed or ended.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from octet.cluster.netpol import EGRESS, INGRESS
from octet.cluster.objects import Address, HostEndpoint, Pod
from octet.cluster.view import View
from octet.policy.hosts import FAILSAFE, PLACES, Place, by_interface, settles, stages_at
from octet.policy.judge import Judgement, Packet, PodAt, judge
from octet.policy.resolving import resolved
from octet.policy.rules import Stage

StagesOf = Callable[[Pod, str], tuple[Stage, ...]]
"""Finds the tiers of a pod's direction."""

REMEMBERED = 4096
"""Answers that are kept: many connections of two ends differ by one port that no rule asks for."""

_WORDS = {6: "tcp", 17: "udp"}


@dataclass(frozen=True, slots=True)
class Way:
    """How a running connection passes this node.

    Attributes:
        packet: its first one, after translation of its destination.
        asked: where that was sent before translation, and to which port; None where it was the same.
        came, left: interfaces of the node that it comes in and leaves by; empty where the node itself is that
            end, None where nobody looked.
    """

    packet: Packet
    asked: tuple[Address, int] | None = None
    came: str | None = None
    left: str | None = None

    def passes(self, place: Place) -> bool:
        """Does it meet the policies of a place? Untracked ones it met with each packet."""
        hooks = {
            "prerouting": bool(self.came),
            "input": self.left == "",
            "forward": bool(self.came and self.left),
            "output": self.came == "",
        }
        return hooks[place.hook.at] and place.tracked

    def link(self, place: Place) -> str:
        """Return the interface whose policies a place asks."""
        return (self.came if place.direction == INGRESS else self.left) or ""

    def at(self, place: Place) -> Packet:
        """Return the first packet as it was there."""
        if self.asked is None or not place.before_translation:
            return self.packet
        return replace(self.packet, destination=self.asked[0], port=self.asked[1])


class Lasting:
    """Judges running connections, for as long as nothing changes.

    Args:
        view: in which names mean what they ever meant, so that what they allowed goes on.
        local: this node's pods (namespace and name; no name where nobody said) by address.
        pod_at: finds the pod that has an address.
        stages_of: finds a pod's tiers.
        links: match the interfaces that pods are behind.
    """

    def __init__(
        self,
        view: View,
        local: Mapping[Address, tuple[str, str]],
        pod_at: PodAt,
        stages_of: StagesOf,
        links: tuple[str, ...],
    ) -> None:
        self._view = view
        self._local = local
        self._pod_at = pod_at
        self._stages_of = stages_of
        self._links = links
        self._named, self._every = by_interface(view)
        self._tiers: dict[tuple[str, str, str], tuple[tuple[Stage, ...], bool]] = {}
        self._places: dict[tuple[str, str], tuple[Stage, ...] | None] = {}
        self._said: dict[tuple[str, Packet], bool] = {}

    def is_here(self, address: Address) -> bool:
        """Is it the address of a pod of this node?"""
        return address in self._local

    def allows(self, way: Way) -> bool:
        """May it go on? What a policy that keeps running connections forbids may.

        What the node itself began is not asked about at pods, as a kubelet's probes are not.
        """
        return (way.came == "" or self._at_pods(way.packet)) and self._at_hosts(way)

    def _at_pods(self, packet: Packet) -> bool:
        ends = ((EGRESS, packet.source), (INGRESS, packet.destination))
        return all(self._at_pod(packet, direction, end) for direction, end in ends if end in self._local)

    def _at_pod(self, packet: Packet, direction: str, address: Address) -> bool:
        pod = self._pod_at(address)
        if pod is None:
            return not self._local[address][1]  # a pod that nobody told of yet is shut
        stages, particular = self._stages(pod, direction)
        alike = packet if particular else replace(packet, source_port=0)
        if (direction, alike) not in self._said:
            if len(self._said) >= REMEMBERED:
                self._said.clear()
            self._said[direction, alike] = _goes_on(judge(stages, alike, direction, self._view, self._pod_at))
        return self._said[direction, alike]

    def _stages(self, pod: Pod, direction: str) -> tuple[tuple[Stage, ...], bool]:
        """Return a pod's tiers, and whether they ask for ports of who begins a connection."""
        key = (*pod.key, direction)
        if key not in self._tiers:
            stages = self._stages_of(pod, direction)
            self._tiers[key] = stages, any(map(_asks_for_source_ports, stages))
        return self._tiers[key]

    def _at_hosts(self, way: Way) -> bool:
        for place, host in self._asked(way):
            packet = way.at(place)
            ports = FAILSAFE[place.direction].get(_WORDS.get(packet.protocol, ""), ())
            if place.hook.at != "forward" and packet.port in ports:
                continue
            found = self._at_host(place, host, packet)
            if not _goes_on(found):
                return False
            if found.stage is not None and settles(place):
                return True
        return True

    def _asked(self, way: Way) -> Iterator[tuple[Place, HostEndpoint]]:
        if way.came is None or not (self._named or self._every):
            return
        for place in PLACES:
            host = self._host(way.link(place)) if way.passes(place) else None
            if host is not None:
                yield place, host

    def _host(self, link: str) -> HostEndpoint | None:
        """Return the host endpoint of an interface; what pods are behind has none but by name."""
        if link in self._named:
            return self._named[link]
        return None if any(fnmatchcase(link, other) for other in ("", "lo", *self._links)) else self._every

    def _at_host(self, place: Place, host: HostEndpoint, packet: Packet) -> Judgement:
        key = (place.suffix, host.name)
        if key not in self._places:
            self._places[key] = self._stages_at(place, host)
        stages = self._places[key]
        if stages is None:
            return Judgement(allowed=True)
        return judge(stages, packet, place.direction, self._view, self._pod_at)

    def _stages_at(self, place: Place, host: HostEndpoint) -> tuple[Stage, ...] | None:
        stages = stages_at(self._view, host, place)
        if stages is None or place.hook.at == "forward":
            return stages
        named = Pod(host.name, "", ports=host.ports)
        return tuple(resolved(stage, named, place.direction) for stage in stages)


def _goes_on(found: Judgement) -> bool:
    return found.allowed or (found.stage is not None and found.stage.keep)


def _asks_for_source_ports(stage: Stage) -> bool:
    sides = (side for rule in stage.rules for side in (rule.far, rule.near))
    return any(side.ports or side.no_ports for side in sides)


__all__ = ["Lasting", "Way"]
