"""Why packets of this node to an address go where they go: what the cluster says, what the kernel does.

What lives here: the answer of ``/routes``. What it must not know: HTTP, any model, how a person is told.
"""

from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qs

import msgspec

from octet.agent.desired import Desired
from octet.agent.health import Answer
from octet.agent.network import Network
from octet.attach.names import is_of_a_pod
from octet.blueprint import FdbEntry, Ipip, Link, Neighbour, Vxlan
from octet.blueprint.daemons import ROUTE_METRIC
from octet.cluster.objects import Address
from octet.errors import OctetError
from octet.kernel.daemons import Daemons, bird
from octet.kernel.port import ROUTE_PROTOCOL
from octet.kernel.ways import Hop, Match, Way
from octet.models.model import Running
from octet.models.whereabouts import BLOCK, CIDR, OUTSIDE, Whereabouts, whereabouts
from octet.transport.bgp import DAEMON
from octet.transport.bgp.status import tellers

QUICK = 1.0
"""Seconds that the speaker may take to answer: pods wait meanwhile."""

KERNEL, OCTET, BIRD = "kernel", "octet", "octet (bird)"
_OWNERS = {2: KERNEL, ROUTE_PROTOCOL: OCTET, bird.ROUTE_PROTOCOL: "bird", 3: "by hand", 4: "by hand (static)"}


class Routing:
    """Answers for one node."""

    def __init__(
        self,
        running: Running,
        network: Network,
        desired: Desired,
        daemons: Daemons,
        ask: Callable[[Address], Way],
    ) -> None:
        self._running = running
        self._network = network
        self._desired = desired
        self._daemons = daemons
        self._ask = ask

    def answer(self, query: str) -> Answer:
        """Answer ``to=ADDRESS`` with all that is known, as JSON; 400 where that is no address."""
        text = parse_qs(query).get("to", [""])[0]
        try:
            address = ip_address(text)
        except ValueError:
            return 400, "text/plain", f"{text!r} is no IP address\n".encode()
        return 200, "application/json", msgspec.json.encode(self.why(address))

    def why(self, address: Address) -> dict[str, Any]:
        """Return whose the address is, the route that matches, the next hop, and what is wrong with it."""
        view = self._network.view
        try:
            found = whereabouts(self._running, view, address)
        except OctetError as error:
            found = Whereabouts(OUTSIDE, obstacles=(str(error),))
        way = self._ask(address)
        match, hop = way.match, way.hop
        return {
            "address": str(address),
            "on": view.me,
            "kind": found.kind,
            "prefix": _text(found.prefix),
            "pool": found.pool or None,
            "node": found.node or None,
            "apart": found.apart,
            "owner": found.owner or None,
            "route": None if match is None else _route(match),
            "told_by": self._tellers(match),
            "next_hop": None if hop is None else _hop(hop),
            "source": _text(way.source),
            "transport": self._transport(match, hop),
            "machine": _text(self._machine(hop)),
            "problems": [*found.obstacles, *_problems(found, way, view.me)],
        }

    def _transport(self, match: Match | None, hop: Hop | None) -> str:
        """Return by which means the packet goes, in a few words."""
        if match is None or hop is None:
            return "nowhere"
        link = self._desired.objects.get(("link", hop.link))
        if match.kind == "local":
            return "this node itself"
        if isinstance(link, Link) and is_of_a_pod(link.purpose):
            return "a pod of this node"
        if isinstance(link, Link):
            return f"{type(link.detail).__name__.lower()} {hop.link}"
        owner = _owner(match)
        return {BIRD: "BGP", OCTET: "a plain route", KERNEL: "the node's own network"}.get(
            owner, "not Octet's"
        )

    def _machine(self, hop: Hop | None) -> Address | None:
        """Return to which machine a tunnel sends it: what the entries behind the next hop say."""
        if hop is None or hop.via is None:
            return None
        link = self._desired.objects.get(("link", hop.link))
        if not isinstance(link, Link):
            return None
        if not isinstance(link.detail, Vxlan):
            return hop.via if isinstance(link.detail, Ipip) else None
        held = self._desired.blueprint()
        macs = {each.mac for each in held.of(Neighbour) if (each.link, each.address) == (hop.link, hop.via)}
        ends = (each for each in held.of(FdbEntry) if each.link == hop.link and each.mac in macs)
        return next((each.destination for each in ends), None)

    def _tellers(self, match: Match | None) -> list[str]:
        """Return whose word BIRD takes for a route of its own."""
        if match is None or _owner(match) != BIRD or DAEMON not in self._daemons.running:
            return []
        try:
            reply = self._daemons.ask(DAEMON, f"show route {match.destination}", QUICK)
        except OSError:
            return []
        return list(tellers(each.text for each in reply.lines))


def _owner(match: Match) -> str:
    if match.protocol == bird.ROUTE_PROTOCOL and match.metric == ROUTE_METRIC:
        return BIRD
    return _OWNERS.get(match.protocol, f"protocol {match.protocol}")


def _route(match: Match) -> dict[str, Any]:
    return {
        "destination": str(match.destination),
        "kind": match.kind,
        "owner": _owner(match),
        "protocol": match.protocol,
        "metric": match.metric,
        "table": match.table,
        "hops": [_hop(each) for each in match.hops if each.link],
    }


def _hop(hop: Hop) -> dict[str, str | None]:
    return {"via": _text(hop.via), "dev": hop.link}


def _problems(found: Whereabouts, way: Way, me: str) -> Iterator[str]:
    """Yield what is wrong, as sentences."""
    ours = found.kind in (BLOCK, CIDR)
    if ours and not found.node:
        yield f"no node has {'a block' if found.kind == BLOCK else 'a pod CIDR'} that it is in"
    if way.hop is None and found.node == me and way.match is not None:
        yield f"no pod of this node has it: {way.match.destination} is a {way.match.kind} for what is free"
    elif way.hop is None:
        yield f"the kernel sends it nowhere: {way.refusal}"
    elif ours and found.node not in ("", me) and way.match is not None and _passing(found, way.match):
        yield f"no route for {found.prefix}: {way.match.destination} takes it, whoever knows the way there"


def _passing(found: Whereabouts, match: Match) -> bool:
    """Is the route that matches shorter than what the node has?"""
    return found.prefix is not None and match.destination.prefixlen < found.prefix.prefixlen


def _text(value: object) -> str | None:
    return None if value is None else str(value)
