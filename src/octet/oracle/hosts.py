"""Host endpoints (projectcalico.org/v3 HostEndpoint): what Calico's policies do to nodes themselves.

What lives here: which host endpoint a flow meets, the failsafe ports, the stages untracked, pre-DNAT, normal
and forwarded. What it must not know: what a policy's rule matches, pods' own policies.

A node without a host endpoint on an interface has no policy there. Between a node and its own pods no host
endpoint stands (Felix's filter chains send pods' interfaces past them).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from octet.oracle.flows import EGRESS, INGRESS, Address, Flow, Reason, Verdict, protocol_number
from octet.oracle.policies import Asked, Policy, Tier, applying, judge
from octet.oracle.world import Endpoint, World

ALL_INTERFACES = "*"
ALLOWING_PROFILE = "projectcalico-default-allow"
_TCP, _UDP = protocol_number("TCP"), protocol_number("UDP")
_CLUSTER = ((_TCP, port) for port in (179, 2379, 2380, 5473, 6443, 6666, 6667))
_BOTH = frozenset(_CLUSTER)
FAILSAFE = {
    INGRESS: _BOTH | {(_TCP, 22), (_UDP, 68)},
    EGRESS: _BOTH | {(_UDP, 53), (_UDP, 67)},
}
"""Ports of a node that no policy closes, (protocol, port): FelixConfiguration's failsafe ports, defaults."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A flow at a node's interface.

    Attributes:
        forwarded: is the node only on the way?
    """

    node: str
    direction: str
    forwarded: bool


def crossings(world: World, flow: Flow) -> Iterator[Crossing]:
    """Yield where a flow leaves a node and where it comes into one, in that order."""
    origin, target = _place(world, flow.source), _place(world, flow.destination)
    if origin.node and origin.node == target.node:
        return
    if origin.node:
        yield Crossing(origin.node, EGRESS, origin.pod)
    if target.node:
        yield Crossing(target.node, INGRESS, target.pod)


def judge_crossing(world: World, tiers: Sequence[Tier], crossing: Crossing, flow: Flow) -> Verdict | None:
    """Return what the host endpoint there says, or None where nothing stands in the way."""
    endpoint = endpoint_at(world, crossing, flow)
    if endpoint is None:
        return None
    asking = _Asking(tiers, endpoint, crossing, flow)
    failsafe = (flow.number, flow.port) in FAILSAFE[crossing.direction]
    if failsafe and not crossing.forwarded:
        return asking.verdict(True, "a failsafe port of the node")
    early = None if failsafe else asking.early()
    return early if early is not None else asking.settled()


def endpoint_at(world: World, crossing: Crossing, flow: Flow) -> Endpoint | None:
    """Return the host endpoint of an interface: by its name, else by its addresses, else that of all.

    One without a name is that of the interface with an expected address: here, of the one by which a node is
    joined to others, which has the node's addresses.
    """
    here = [each for each in world.host_endpoints() if each.node == crossing.node]
    named = [each for each in here if each.interface == flow.interface and flow.interface]
    unnamed = [each for each in here if not each.interface and _is_at(world, crossing.node, each)]
    whole = [each for each in here if each.interface == ALL_INTERFACES]
    return next(iter(named + unnamed + whole), None)


def _is_at(world: World, node: str, endpoint: Endpoint) -> bool:
    nodes = (item for address in endpoint.addresses for item in world.nodes_at(address))
    return any(item["metadata"]["name"] == node for item in nodes)


@dataclass(frozen=True, slots=True)
class _Place:
    node: str
    pod: bool


def _place(world: World, address: Address) -> _Place:
    pod = world.pod_at(address)
    if pod is not None:
        return _Place(pod.node, pod=True)
    nodes = world.nodes_at(address)
    return _Place(nodes[0]["metadata"]["name"] if nodes else "", pod=False)


@dataclass(frozen=True, slots=True)
class _Asking:
    """One endpoint, asked about one flow in stages."""

    tiers: Sequence[Tier]
    endpoint: Endpoint
    crossing: Crossing
    flow: Flow

    def ask(self, counts: Callable[[Policy], bool], *, ends: bool = True) -> Verdict | None:
        asked = Asked(self.endpoint, self.crossing.direction, counts, ends)
        return judge(self.tiers, asked, self.flow)

    def early(self) -> Verdict | None:
        """Return what is said before a packet's way is known, so that failsafe ports count for every way.

        What a node only passes on does not meet untracked policies again where it leaves: Felix has them at
        the raw table's PREROUTING and OUTPUT.
        """
        incoming = self.crossing.direction == INGRESS
        if not incoming and self.crossing.forwarded:
            return None
        found = self.ask(lambda policy: policy.stage == "untracked", ends=False)
        if found is None and incoming:
            return self.ask(lambda policy: policy.stage == "prednat", ends=False)
        return found

    def settled(self) -> Verdict:
        """Return what the policies without a stage say, and what is so where they say nothing."""
        forwarded = self.crossing.forwarded
        counts = _for_forwarded if forwarded else _for_the_host
        found = self.ask(counts)
        if found is not None:
            return found
        if forwarded:
            return self.verdict(True, f"no policy for forwarded traffic decides at {self.endpoint.what}")
        allowed = ALLOWING_PROFILE in self.endpoint.profiles
        asked = Asked(self.endpoint, self.crossing.direction, counts)
        some = any(applying(tier, asked) for tier in self.tiers)
        why = "its policies pass, and" if some else "it has no policy, and"
        word = "its profile allows" if allowed else "no profile allows"
        return self.verdict(allowed, f"{self.endpoint.what}: {why} {word}")

    def verdict(self, allowed: bool, words: str) -> Verdict:
        return Verdict(allowed, (Reason(self.crossing.direction, words),))


def _for_the_host(policy: Policy) -> bool:
    return not policy.stage


def _for_forwarded(policy: Policy) -> bool:
    return not policy.stage and policy.forward
