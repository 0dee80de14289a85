"""Host endpoints on a flow's way: where it leaves a node, and where it comes into one.

What lives here: which host endpoint stands there, and what its policies say, place after place.
What it must not know: pods' own policies, printing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from octet.cluster.netpol import EGRESS, INGRESS
from octet.cluster.objects import Address, HostEndpoint
from octet.cluster.view import View
from octet.policy.hosts import EVERY, FAILSAFE, PLACES, PROFILES, stages_at
from octet.policy.judge import Judgement, Packet, judge
from octet.policy.rules import Stage
from octet.policy.telling.ends import POD, End

_WORDS = {6: "tcp", 17: "udp"}
_FORWARD, _OUTPUT = "forward", "output"


@dataclass(frozen=True, slots=True)
class Crossing:
    """What is said at one host endpoint.

    Attributes:
        name: the host endpoint's.
        held: the tiers that were asked.
        words: in place of a rule, where none was asked.
    """

    name: str
    direction: str
    held: tuple[Stage, ...]
    found: Judgement
    words: str = ""


def crossings(view: View, source: End, destination: End, packet: Packet) -> Iterator[Crossing]:
    """Yield what host endpoints say, in the order in which a packet meets them."""
    if not view.host_endpoints or (source.node and source.node == destination.node):
        return
    for end, own, direction in (
        (source, packet.source, EGRESS),
        (destination, packet.destination, INGRESS),
    ):
        host = _at(view, end.node, own)
        if host is not None:
            yield _asked(view, host, packet, direction, forwarded=end.kind == POD)


def _at(view: View, node: str, own: Address) -> HostEndpoint | None:
    """Return the host endpoint of a node's way to others: of that interface, by address, or of all.

    Where nobody knows the interface, one that is named alone is taken for it.
    """
    mine = [each for each in view.host_endpoints.values() if each.node == node and node]
    uplink = view.underlay.interface
    stated = [each for each in mine if each.interface not in ("", EVERY)]
    named = [each for each in stated if each.interface == uplink]
    held = view.nodes.get(node)
    addresses = {own, *(held.internal_ips if held is not None else ())}
    expected = [each for each in mine if not each.interface and addresses.intersection(each.addresses)]
    every = [each for each in mine if each.interface == EVERY]
    alone = stated if len(mine) == 1 and not uplink else []
    return next(iter([*named, *expected, *every, *alone]), None)


def _asked(view: View, host: HostEndpoint, packet: Packet, direction: str, *, forwarded: bool) -> Crossing:
    ports = FAILSAFE[direction].get(_WORDS.get(packet.protocol, ""), ())
    if not forwarded and packet.port in ports:
        return Crossing(host.name, direction, (), Judgement(allowed=True), "a failsafe port of the node")
    asked: list[Stage] = []
    for place in PLACES:
        elsewhere = place.hook.at == _FORWARD if not forwarded else place.shut or place.hook.at == _OUTPUT
        held = None if elsewhere or place.direction != direction else stages_at(view, host, place)
        if held is None:
            continue
        asked += [stage for stage in held if stage.tier != PROFILES]
        found = judge(held, packet, direction, view)
        if found.stage is not None:
            end = found.stage.tier == PROFILES
            why = "no policy decides, and the host endpoint has no profile that allows" if end else ""
            return Crossing(host.name, direction, tuple(asked), found, why)
    why = (
        "no policy for forwarded traffic decides" if forwarded else "its profile allows what no policy denies"
    )
    return Crossing(host.name, direction, tuple(asked), Judgement(allowed=True), why)
