"""Which sessions this node has: the mesh's, and those of BGPPeers.

What lives here: ``with_node`` (one other node), ``with_routers``, ``filters_of``.
What it must not know: what is announced, BIRD's language.
Source: confd/pkg/backends/calico/client.go (updatePeersV1), bird.cfg.template.

Between two nodes there is one session at most: the first BGPPeer by name that brings them together says how
it is, the mesh where none does. Both nodes read the same objects, so both decide alike.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial

from msgspec.structs import replace as replace_fields

from octet.cluster.bgp import KEEP, SELF, BGPFilter, BGPPeer
from octet.cluster.bgp_filter import INTERNAL, FilterRule
from octet.cluster.objects import Address, Node
from octet.cluster.view import View
from octet.errors import BadConfigurationError
from octet.transport.bgp import (
    Action,
    Filter,
    Member,
    Mesh,
    NextHop,
    Operator,
    Rule,
    Session,
    Speaker,
    between,
    internal,
)
from octet.transport.bgp.sessions import FAR
from octet.transport.calico.directory import addresses_of
from octet.transport.calico.settings import TIMERS, member, mesh, myself, secret
from octet.transport.reach import on_link

_NEXT_HOPS = {SELF: NextHop.SELF, KEEP: NextHop.KEEP}
_OPERATORS = {
    "Equal": Operator.EQUAL,
    "NotEqual": Operator.NOT_EQUAL,
    "In": Operator.IN,
    "NotIn": Operator.NOT_IN,
}
HOLD, KEEPALIVE = 90, 30  # seconds; RFC 4271, 10


def with_node(view: View, speaker: Speaker, peer: Node) -> Iterator[Session]:
    """Yield the session with another node, if there is one. Raises BadConfigurationError for annotations."""
    me, other = myself(view), member(view, peer)
    for held in _peers(view):
        mine, theirs = _means(held, view.here) and _selects(view, held, peer), _is_selected(view, held, peer)
        if mine or theirs:
            claimed = held.asn if mine else held.local_asn  # localASNumber is what the other end claims to be
            stated = replace(other, asn=claimed or other.asn, port=held.port or other.port)
            said = held if mine else replace_fields(held, local_asn=0)
            found = internal(speaker, me, stated, Mesh(nodes_only=True, timers=TIMERS))
            yield from (_as_said(said, each) for each in found)
            return
    yield from between(speaker, me, other, mesh(view))


def with_routers(view: View, speaker: Speaker) -> Iterator[tuple[str, Callable[[], Session]]]:
    """Yield the sessions with what is no node of the cluster, a BGPPeer each: its name, and what makes it.

    What is made may raise BadConfigurationError.
    """
    me = myself(view)
    held: dict[tuple[Address, int], BGPPeer] = {}
    for each in _peers(view):
        if each.address is not None and _means(each, view.here) and not _at(view, each):
            held.setdefault((each.address, each.port), each)
    for (address, _), each in held.items():
        families = _families(speaker, each, address, held.values())
        if address not in (me.v4, me.v6) and address.version in families:
            yield each.name, partial(_with_router, view, me, each, address, families)


def mistaken(view: View) -> tuple[str, ...]:
    """Return which BGPPeers have an address that a node claims in an annotation alone."""
    found = []
    for each in _peers(view):
        claims = [node for node in view.nodes.values() if each.address in tuple(addresses_of(node))]
        for node in claims if _means(each, view.here) else ():
            if each.address not in node.internal_ips:
                what = "node" if _is_at(view, each, node) else "router"
                found.append(
                    f"BGPPeer {each.name} is taken for a {what}: node {node.name} says in an "
                    f"annotation that it is at {each.address}, which is no InternalIP of it"
                )
    return tuple(found)


def unfiltered(view: View) -> tuple[str, ...]:
    """Return which BGPPeers name a filter that nobody knows: BIRD refuses such a session."""
    return tuple(
        f"BGPPeer {each.name}: spec.filters: {name} is no BGPFilter's name, so BIRD refuses its session"
        for each in _peers(view)
        for name in (each.filters if _means(each, view.here) else ())
        if ("", name) not in view.bgp_filters
    )


def routed_outside(view: View, peer: Node) -> bool:
    """Tell whether this node has a session with a router, which may know the way to a peer."""
    known = set(addresses_of(peer))
    return any(
        each.address is not None and each.address not in known and _means(each, view.here)
        for each in view.bgp_peers.values()
    )


def filters_of(view: View) -> Iterator[tuple[str, Callable[[], Filter]]]:
    """Yield every BGPFilter as a filter: its name, and what makes it or raises BadConfigurationError."""
    for _, held in sorted(view.bgp_filters.items()):
        yield held.name, partial(_filter, held)


def _peers(view: View) -> list[BGPPeer]:
    return [held for _, held in sorted(view.bgp_peers.items())]


def _means(held: BGPPeer, node: Node | None) -> bool:
    """Is a node one of those that a BGPPeer gives sessions to?"""
    if node is None:
        return False
    if held.nodes is not None:
        return held.nodes.matches(node.labels)
    return not held.node or held.node == node.name


def _selects(view: View, held: BGPPeer, node: Node) -> bool:
    """Is a node one of those that a BGPPeer gives sessions with?"""
    if held.peers is not None:
        return held.peers.matches(node.labels)
    return _is_at(view, held, node)


def _at(view: View, held: BGPPeer) -> bool:
    """Is a BGPPeer's address a node's?"""
    return any(_is_at(view, held, node) for node in view.nodes.values())


def _is_at(view: View, held: BGPPeer, node: Node) -> bool:
    """Is a BGPPeer's address this node's: its InternalIP, or what it claims beside that AS number?"""
    if held.address is None or held.address not in addresses_of(node):
        return False
    return held.address in node.internal_ips or held.asn == _own_as(view, node)


def _own_as(view: View, node: Node) -> int:
    with suppress(BadConfigurationError):
        return member(view, node).asn
    return 0


def _is_selected(view: View, held: BGPPeer, peer: Node) -> bool:
    """Does a BGPPeer of another node select this one, which then knows of it by itself?"""
    here, wanted = view.here, held.peers
    if here is None or wanted is None or not held.mutual:
        return False
    return _means(held, peer) and wanted.matches(here.labels)


def _families(
    speaker: Speaker, held: BGPPeer, address: Address, others: Iterable[BGPPeer]
) -> tuple[int, ...]:
    """Return what is spoken about: both families, unless another BGPPeer has the same AS in the other one."""
    elsewhere = {each.address.version for each in others if each.address and each.asn == held.asn}
    return tuple(each for each in speaker.families if each == address.version or each not in elsewhere)


def _router(view: View, me: Member, held: BGPPeer, address: Address, families: tuple[int, ...]) -> Session:
    """Return the session with a router before what its BGPPeer says further.

    A neighbour's next hops are on its own link (RFC 4271, 5.1.3); an iBGP peer's are anywhere. What other
    nodes told us a router of another AS hears as far as we would not send it back to that router.
    """
    ours = held.asn == (held.local_asn or me.asn)
    direct = on_link(view, address) or address.is_link_local
    return Session(
        held.name,
        address,
        held.asn,
        families=families,
        interface=held.interface,
        port=held.port or 179,
        hops=1 if direct and not ours else FAR,
        client_of=me.cluster_id if ours else None,
        transit=ours and me.cluster_id is not None,
        passes_on=not ours,
        add_paths=ours,
    )


def _with_router(
    view: View, me: Member, held: BGPPeer, address: Address, families: tuple[int, ...]
) -> Session:
    return _as_said(held, _router(view, me, held, address, families))


def _as_said(held: BGPPeer, session: Session) -> Session:
    """Return a session with what its BGPPeer says of it."""
    keepalive = held.keepalive or KEEPALIVE
    return replace(
        session,
        local_asn=held.local_asn or session.local_asn,
        password=secret(held.password),
        hops=held.hops or session.hops,
        ttl_security=bool(held.hops),
        next_hop=_NEXT_HOPS.get(held.next_hop, session.next_hop),
        transit=session.transit or (held.next_hop == KEEP and not session.node),
        bound=held.bound,
        timers=replace(session.timers, hold=max(HOLD, 3 * keepalive), keepalive=keepalive),
        restart_time=held.restart_time,
        own_as=held.own_as,
        imports=held.filters,
        exports=held.filters,
        reached_by=held.reached_by,
    )


def _filter(held: BGPFilter) -> Filter:
    return Filter(
        held.name,
        *(
            tuple(map(_rule, rules))
            for rules in (held.import_v4, held.export_v4, held.import_v6, held.export_v6)
        ),
    )


def _rule(held: FilterRule) -> Rule:
    return Rule(
        Action.ACCEPT if held.accepts else Action.REJECT,
        held.cidr,
        _OPERATORS[held.operator],
        held.lengths,
        held.learned,
        held.interface,
        held.communities,
        held.path,
        None if not held.peer else held.peer == INTERNAL,
        held.add,
        held.prepend,
    )
