"""What is common to all of a node's sessions: tables, what goes into the kernel, what is never believed.

What lives here: ``bird.conf``, ``policy.conf``, ``owned.conf`` and ``services.conf``.
What it must not know: any session.
"""

from collections.abc import Iterable

from octet.blueprint import Blueprint, ConfigFile, Daemon
from octet.blueprint.daemons import ROUTE_METRIC
from octet.cluster.objects import Network
from octet.transport.bgp.rendering.words import (
    DAEMON,
    Lines,
    block,
    joined,
    pattern,
    tagging,
)
from octet.transport.bgp.speaker import Left, Speaker, of_family

HEAD = "# Made by octet, and made anew when something changes."

NEVER = {
    4: ("0.0.0.0/0", "0.0.0.0/8+", "127.0.0.0/8+", "169.254.0.0/16+", "224.0.0.0/4+", "255.255.255.255/32"),
    6: ("::/0", "::/128", "::1/128", "::ffff:0:0/96+", "fe80::/10+", "ff00::/8+"),
}
"""Never believed: default routes, and prefixes that no other machine can be at (RFC 6890)."""

PARTS = ("owned.conf", "services*.conf", "bfd*.conf", "filter.*.conf", "node.*.conf", "peer.*.conf")
"""What is read after tables and kernel, in this order; a pattern that matches nothing is no error."""

RECOVERY = 30
"""Seconds that a speaker that comes back waits for its peers, before it takes away routes that nobody told
again. Peers that live are back within their connect retry time; the others must hold nobody up."""

LOG_SIZE = 1 << 20
"""Bytes of the log, in the daemon's directory, before it begins anew; the one before is kept."""

_OUR_ROUTES = 0x6F  # kernel.port.ROUTE_PROTOCOL: what the agent itself put into the kernel


def daemon(speaker: Speaker) -> Blueprint:
    """Return the daemon and what is common to all sessions; a new block changes ``owned.conf`` only.

    Raises:
        BadConfigurationError: an interface pattern that BIRD can't be told.
    """
    files = {"bird.conf": _main(speaker), "policy.conf": _policy(speaker), "owned.conf": _owned(speaker)}
    held = [ConfigFile(DAEMON, name, (joined([HEAD, *lines]),)) for name, lines in files.items()]
    return Blueprint([Daemon(DAEMON, "bird"), *held]) | services(speaker.families, speaker.services)


def services(families: Iterable[int], networks: tuple[Network, ...]) -> Blueprint:
    """Return the service addresses that external peers are told, a file of their own; nothing of none.

    A model whose services change by themselves gives a speaker none, and has this as a contribution beside
    it: then a service's change is one file's change.
    """
    lines = [line for family in families for line in _static("services", networks, family)]
    told = [each for each in networks if each.version in families]
    return Blueprint([ConfigFile(DAEMON, "services.conf", (joined([HEAD, *lines]),))] if told else [])


def _main(speaker: Speaker) -> Lines:
    ignored = [f"-{pattern('speaker', 'ignored_interfaces', each)}" for each in speaker.ignored_interfaces]
    channels = [f"ipv{family};" for family in speaker.families]
    lines = [
        f'log "bird.log" {LOG_SIZE} "bird.log.1" {{ info, remote, warning, error, auth, fatal, bug }};',
        f"router id {speaker.router_id};",
        "timeformat protocol iso long ms;",
    ]
    if speaker.restart_time:
        lines.append(f"graceful restart wait {min(speaker.restart_time, RECOVERY)};")
    lines += ['include "policy.conf";']
    lines += block("protocol device", ["scan time 10;"])
    interfaces = ", ".join([*ignored, '"*"'])
    lines += block("protocol direct", [*channels, f"interface {interfaces};"])
    for family in speaker.families:
        lines += _kernel(speaker, family)
    return [*lines, *(f'include "{each}";' for each in PARTS)]


def _kernel(speaker: Speaker, family: int) -> Lines:
    """Return the way to and from the kernel's table.

    Learned routes serve to resolve next hops only: no session exports them. Routes stay when BIRD ends.
    """
    merge = [f"merge paths on limit {speaker.ecmp};"] if speaker.ecmp > 1 else []
    restart = ["graceful restart on;"] if speaker.restart_time else []
    install = ['if proto ~ "via:*" then accept;', "if source != RTS_BGP then reject;"]
    install += [f"if left{family}() then reject;", "accept;"]
    channel = [
        *block("import filter", [f"if krt_source = {_OUR_ROUTES} then reject;", "accept;"], "};"),
        *block("export filter", install, "};"),
    ]
    inner = [f"scan time {speaker.scan_time};", f"metric {ROUTE_METRIC};", "learn;", "persist;"]
    return block(
        f"protocol kernel kernel{family}",
        [*inner, *merge, *restart, *block(f"ipv{family}", channel, "};")],
    )


def _policy(speaker: Speaker) -> Lines:
    lines: Lines = []
    for family in speaker.families:
        never = ", ".join([*NEVER[family], *(f"{each}+" for each in of_family(speaker.refused, family))])
        lines += block(f"function refused{family}()", [f"return net ~ [ {never} ];"])
        lines += block(f"function left{family}()", [*_left(speaker, family), "return false;"])
        lines += block(f"function tag{family}()", _tags(speaker, family))
    return lines


def _left(speaker: Speaker, family: int) -> Lines:
    left = sorted({each for each in speaker.left if each.prefix.version == family}, key=_order)
    return [f"if {_condition(each, speaker.near)} then return true;" for each in left]


def _order(left: Left) -> tuple[Network, bool]:
    return left.prefix, left.unless_near


def _condition(left: Left, near: tuple[Network, ...]) -> str:
    inside = f"net ~ {left.prefix}"
    return f"{inside} && !{reached(near)}" if left.unless_near and near else inside


def reached(near: tuple[Network, ...]) -> str:
    """Return the condition under which a route's next hop is on one of these networks."""
    found = [f"bgp_next_hop ~ {each}" for family in (4, 6) for each in of_family(near, family)]
    return f"({' || '.join(found)})" if found else "false"


def _tags(speaker: Speaker, family: int) -> Lines:
    """Return statements that give a route the communities of every prefix that it lies in."""
    lines: Lines = []
    for tag in speaker.tagged:
        if tag.prefix.version == family:
            lines += block(f"if net ~ {tag.prefix} then", tagging(tag.communities))
    return [*lines, "return true;"]


def _owned(speaker: Speaker) -> Lines:
    lines: Lines = []
    for family in speaker.families:
        lines += _static("owned", speaker.owned, family)
    return lines


def _static(name: str, networks: tuple[Network, ...], family: int) -> Lines:
    routes = [f"route {each} unreachable;" for each in of_family(networks, family)]
    return block(f"protocol static {name}{family}", [f"ipv{family};", *routes])
