"""The same topology without Octet: BIRD on each node as an operator would configure it by hand.

What lives here: one text per node. What it must not know: ``transport.bgp``, which is compared with it.
Timers and scan times are those of Calico's row, so that what differs is no number in a file.
"""

from collections.abc import Sequence
from dataclasses import dataclass

CLUSTER = "244.0.0.1"


@dataclass(frozen=True, slots=True)
class Site:
    """A node and what its operator knows of the cluster.

    Attributes:
        address: of the node.
        pods: the network of its pods.
        tor: address and AS number of its rack's router.
        reflectors: addresses of the nodes that reflect, this one perhaps among them.
        others: addresses of the nodes that do not, this one perhaps among them.
    """

    address: str
    pods: str
    tor: tuple[str, int]
    reflectors: Sequence[str]
    others: Sequence[str]


def configuration(site: Site) -> str:
    """Return the text of bird.conf."""
    reflects = site.address in site.reflectors
    clients = site.others if reflects else ()
    peers = [each for each in site.reflectors if each != site.address]
    address, asn = site.tor
    return "\n".join(
        [
            _HEAD.format(site=site),
            *(_internal(site, each, f"reflector{number}", "") for number, each in enumerate(peers)),
            *(_internal(site, each, f"client{number}", _REFLECT) for number, each in enumerate(clients)),
            _TOR.format(site=site, address=address, asn=asn, timers=f"{_COMMON}\n{_TO_ROUTERS}"),
        ]
    )


_AMONG_NODES = "  connect delay time 1; connect retry time 2; error wait time 1, 30;"
_TO_ROUTERS = "  connect delay time 2; connect retry time 5; error wait time 5, 30;"
_COMMON = "  hold time 90; keepalive time 30; graceful restart on; graceful restart time 120;"

_REFLECT = f"  rr client; rr cluster id {CLUSTER};\n"

_HEAD = """\
router id {site.address};
protocol device {{ scan time 10; }}
protocol direct {{ ipv4; interface "eth0"; }}
protocol static pods {{ ipv4; route {site.pods} unreachable; }}
protocol kernel {{
  scan time 10;
  merge paths on;
  ipv4 {{ import none; export filter {{ if source = RTS_BGP then accept; reject; }}; }};
}}"""

_INTERNAL = """\
protocol bgp {name} {{
  local {site.address} as 64512;
  neighbor {other} as 64512;
  multihop;
{timers}
{more}  ipv4 {{ import all; export where proto = "pods" || proto ~ "reflector*" || proto ~ "client*"; }};
}}"""

_TOR = """\
protocol bgp tor {{
  local {site.address} as 64512;
  neighbor {address} as {asn};
  allow local as 1;
{timers}
  ipv4 {{ import filter {{ if net = 0.0.0.0/0 then reject; accept; }}; export where proto = "pods"; }};
}}"""


def _internal(site: Site, other: str, name: str, more: str) -> str:
    return _INTERNAL.format(site=site, other=other, name=name, timers=f"{_COMMON}\n{_AMONG_NODES}", more=more)
