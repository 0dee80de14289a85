"""A router's BIRD 2: its configuration file and its one process.

What lives here: rendering. What it must not know: ``transport.bgp``, Octet's own speaker on a node, which has
to get along with a lab's router.
"""

from collections.abc import Iterator

from octet.lab.names import Network
from octet.lab.routers import HOLD, KEEPALIVE, RETRY, Command, Neighbour, Program, Router

PLACE = "/run/bird"
"""Where Debian's bird and birdc have their socket."""

STATIC = 4
"""What the lab's routes to nodes are marked with (RTPROT_STATIC, linux/rtnetlink.h)."""

_EVERYWHERE = {4: "0.0.0.0/0", 6: "::/0"}


def program(router: Router) -> Program:
    """Return what starts BIRD as this router; its tools find it without being told where."""
    words = ("bird", "-f", "-c", f"{PLACE}/bird.conf", "-s", f"{PLACE}/bird.ctl", "-P", f"{PLACE}/bird.pid")
    return Program(PLACE, (Command(words, "bird.ctl"),), {"bird.conf": configuration(router)})


def configuration(router: Router) -> str:
    """Return the text of bird.conf. ``extra/*.conf`` beside it is read as well, where somebody puts it."""
    blocks = [
        f"# {router.name} of an octet lab\nlog stderr all;\nrouter id {router.id};",
        "protocol device { scan time 2; }\nprotocol bfd { accept direct; }",
        *(_family(router, version) for version in router.versions),
        _template(),
        *(_session(router, each) for each in router.neighbours),
        *_nodes(router),
        'include "extra/*.conf";',
    ]
    return "\n\n".join(blocks) + "\n"


def _family(router: Router, version: int) -> str:
    """Return what holds for all sessions of a family: connected routes in, best routes to the kernel."""
    kept = [network for network in router.kept if network.version == version]
    default = f"route {_EVERYWHERE[version]} unreachable;" if version in router.defaults else ""
    return f"""\
protocol direct direct{version} {{ ipv{version}; }}
protocol static static{version} {{ ipv{version}; {default} }}
protocol kernel kernel{version} {{
  learn;
  merge paths on limit 16;
  ipv{version} {{
    import filter {{ if krt_source = {STATIC} then accept; reject; }};
    export filter {{ if source = RTS_BGP then accept; reject; }};
  }};
}}
filter from_nodes{version} {{ if net ~ [ {_refused(kept, version)} ] then reject; accept; }}"""


def _refused(kept: list[Network], version: int) -> str:
    return ", ".join([_EVERYWHERE[version], *(f"{network}+" for network in kept)])


def _template() -> str:
    return f"""\
template bgp session {{
  hold time {HOLD};
  keepalive time {KEEPALIVE};
  connect delay time 0;
  connect retry time {RETRY};
  error wait time {RETRY}, {HOLD};
}}"""


def _session(router: Router, neighbour: Neighbour) -> str:
    # A router that is killed is to be missed at once; nodes that restart are waited for (RFC 4724).
    return f"""\
protocol bgp {neighbour.name} from session {{
  local {neighbour.local} as {router.asn};
  neighbor {neighbour.address} as {neighbour.asn};
  graceful restart off;
  ipv{neighbour.local.version} {{ import all; export all; }};
}}"""


def _nodes(router: Router) -> Iterator[str]:
    """Yield one passive session for any number of nodes, for each subnet that nodes may call from."""
    for network in router.nodes:
        channels = "\n".join(_channel(version, network) for version in router.versions)
        yield f"""\
protocol bgp nodes{network.version} from session {{
  local as {router.asn};
  neighbor range {network} external;
  dynamic name "node{network.version}_";
  bfd on;
{channels}
}}"""


def _channel(version: int, network: Network) -> str:
    # Next hops of the other family than the session's (RFC 8950).
    extended = " extended next hop on;" if version == 4 and network.version == 6 else ""
    return f"  ipv{version} {{ import filter from_nodes{version}; export all;{extended} }};"
