"""One session as one file.

What lives here: ``session``. What it must not know: other sessions.
"""

from octet.blueprint import Blueprint, ConfigFile, Inline, Secret
from octet.errors import BadConfigurationError
from octet.transport.bgp.rendering.common import reached
from octet.transport.bgp.rendering.filtering import called
from octet.transport.bgp.rendering.words import (
    DAEMON,
    Lines,
    block,
    indented,
    joined,
    pattern,
    slug,
    symbol,
    tagging,
    text,
)
from octet.transport.bgp.sessions import Bfd, NextHop, Session
from octet.transport.bgp.speaker import Speaker

BFD = ConfigFile(DAEMON, "bfd.conf", ("protocol bfd { }\n",))
"""The protocol that watches peers; it opens its ports, so it is there only while a session needs it."""

ROUTER = "peer"


def peer_file(name: str, kind: str = ROUTER) -> str:
    """Return the name of a session's file."""
    return f"{kind}.{slug(name)}.conf"


def session(speaker: Speaker, peer: Session) -> Blueprint:
    """Return a session's file, and what it needs beside.

    Raises:
        BadConfigurationError: a family of the session of which this node has no address, an interface that
            BIRD can't be told.
    """
    missing = [family for family in peer.families if speaker.address(family) is None]
    if missing:
        problem = "has families of which this node has no address"
        raise BadConfigurationError(f"peer {peer.name}", "families", ",".join(map(str, missing)), problem)
    kind = "node" if peer.node else ROUTER
    head, tail = _protocol(speaker, peer, kind)
    parts: tuple[str | Secret | Inline, ...] = (joined([*head, *tail, "}"]),)
    if peer.password is not None:
        parts = (joined(head) + '  password "', peer.password, '";\n' + joined([*tail, "}"]))
    file = ConfigFile(DAEMON, peer_file(peer.name, kind), parts)
    return Blueprint([file, *([BFD] if peer.bfd is not None else [])])


def _protocol(speaker: Speaker, peer: Session, kind: str) -> tuple[Lines, Lines]:
    """Return the lines before and after the password."""
    lines = _way(peer, kind)
    lines.append(f"protocol bgp {symbol(kind, peer.name)} {{")
    lines += indented(_identity(speaker, peer))
    rest = [*_timers(speaker, peer), *_roles(speaker, peer)]
    for family in peer.families:
        rest += _channel(speaker, peer, family)
    return lines, indented(rest)


def _way(peer: Session, kind: str) -> Lines:
    """Return the route to the peer itself, where it needs one."""
    if peer.reached_by is None:
        return []
    family, length = peer.address.version, peer.address.max_prefixlen
    route = f"route {peer.address}/{length} via {peer.reached_by};"
    return block(f"protocol static {symbol('via', f'{kind}.{peer.name}')}", [f"ipv{family};", route])


def _identity(speaker: Speaker, peer: Session) -> Lines:
    source = (peer.source or speaker.address(peer.address.version)) if peer.bound else None
    asn = peer.local_asn or speaker.asn
    lines = [f"description {text(peer.name)};"]
    local = f"local {source} " if source is not None else "local "
    port = f"port {speaker.port} " if speaker.port != 179 else ""
    lines.append(f"{local}{port}as {asn};")
    lines.append(f"neighbor {peer.address} port {peer.port} as {peer.asn};")
    if peer.interface:
        lines.append(f"interface {pattern(f'peer {peer.name}', 'interface', peer.interface)};")
    lines.append("direct;" if peer.hops == 1 else f"multihop {peer.hops};")
    lines += ["ttl security on;"] if peer.ttl_security else []
    lines += ["strict bind on;"] if speaker.strict_bind and source is not None else []
    return lines


def _timers(speaker: Speaker, peer: Session) -> Lines:
    times = peer.timers
    lines = [
        f"hold time {times.hold};",
        f"keepalive time {times.keepalive};",
        f"connect delay time {times.connect_delay};",
        f"connect retry time {times.connect_retry};",
        f"error wait time {times.error_wait[0]}, {times.error_wait[1]};",
    ]
    kept = peer.restart_time or speaker.restart_time
    if not peer.graceful or speaker.restart_time is None or kept is None:
        return [*lines, "graceful restart aware;"]
    return [*lines, "graceful restart on;", f"graceful restart time {kept};"]


def _roles(speaker: Speaker, peer: Session) -> Lines:
    lines = ["passive on;"] if peer.passive else []
    if peer.client_of is not None and _internal(speaker, peer):
        lines += ["rr client;", f"rr cluster id {peer.client_of};"]
    lines += [f"allow local as {peer.own_as};"] if peer.own_as else []
    return [*lines, *(_bfd(peer.bfd) if peer.bfd is not None else [])]


def _bfd(bfd: Bfd) -> Lines:
    lines = [f"min rx interval {bfd.receive} ms;", f"min tx interval {bfd.transmit} ms;"]
    return block("bfd", [*lines, f"multiplier {bfd.multiplier};"], "};")


def _internal(speaker: Speaker, peer: Session) -> bool:
    return peer.asn == (peer.local_asn or speaker.asn)


def _channel(speaker: Speaker, peer: Session, family: int) -> Lines:
    own = next((each for each in peer.next_hop_address if each.version == family), speaker.address(family))
    lines = [f"next hop address {own};"]
    lines += [f"next hop {peer.next_hop.value};"] if peer.next_hop is not NextHop.AUTO else []
    lines += ["gateway recursive;"] if peer.hops > 1 else []
    lines += ["extended next hop on;"] if peer.extended_next_hop and family == 4 else []
    lines += ["add paths on;"] if peer.add_paths else []
    lines += block("import filter", _believed(speaker, peer, family), "};")
    lines += block("export filter", _told(speaker, peer, family), "};")
    return block(f"ipv{family}", lines, "};")


def _carried(speaker: Speaker, family: int) -> str:
    """Return the condition under which we carry a packet for a route without the routers' help."""
    return f"(left{family}() || {reached(speaker.near)})"


def _calls(speaker: Speaker, peer: Session, direction: str, family: int) -> Lines:
    names = peer.imports if direction == "import" else peer.exports
    internal = "true" if _internal(speaker, peer) else "false"
    return [f"{called(name, direction, family)}({internal});" for name in names]


def _believed(speaker: Speaker, peer: Session, family: int) -> Lines:
    calls = _calls(speaker, peer, "import", family)
    return [f"if refused{family}() then reject;", *calls, "accept;"]


def _told(speaker: Speaker, peer: Session, family: int) -> Lines:
    """Return the statements that let out what the peer is to be told, and nothing else."""
    outside = not peer.node
    known = [f'proto = "owned{family}"'] if peer.node or peer.tell_pods else []
    known += [f'proto = "services{family}"'] if outside and peer.tell_services else []
    if peer.transit:
        known += ['proto ~ "node:*"'] if peer.nodes_only else ["source = RTS_BGP"]
    known += [f'(proto ~ "node:*" && {_carried(speaker, family)})'] if peer.passes_on else []
    if not known:
        return ["reject;"]
    changes = [f"tag{family}();", *tagging(peer.communities)]
    if peer.passes_on and peer.next_hop is NextHop.AUTO and peer.hops == 1:
        # Said anew it is kept (RFC 4271, 5.1.3): the router sends to that node, not through this one.
        kept = f'proto ~ "node:*" && {reached(speaker.near)}'
        changes.append(f"if {kept} then bgp_next_hop = bgp_next_hop;")
    if peer.prepend is not None:
        changes += [f"bgp_path.prepend({peer.prepend.asn});"] * peer.prepend.times
    calls = _calls(speaker, peer, "export", family)
    return [f"if !({' || '.join(known)}) then reject;", *changes, *calls, "accept;"]
