"""A router's GoBGP: gobgpd for sessions, and FRR's zebra, through which it puts routes into the kernel.

What lives here: rendering. What it must not know: FRR's own BGP.
"""

import json
from collections.abc import Iterator

from octet.lab.routers import HOLD, KEEPALIVE, RETRY, Command, Neighbour, Program, Router, frr

_NODES = "nodes"
_FAMILIES = {4: "ipv4-unicast", 6: "ipv6-unicast"}


def program(router: Router) -> Program:
    """Return what starts GoBGP as this router; ``gobgp`` asks it on the loopback device."""
    words = ("gobgpd", "--config-file", f"{frr.PLACE}/gobgpd.toml", "--api-hosts", "127.0.0.1:50051")
    files = {"zebra.conf": f"hostname {router.name}\n", "gobgpd.toml": configuration(router), **frr.FILES}
    return Program(frr.PLACE, (frr.zebra(), Command(words)), files, frr.COVERS)


def configuration(router: Router) -> str:
    """Return the text of gobgpd.toml."""
    blocks = [
        f"[global.config]\n  as = {router.asn}\n  router-id = {json.dumps(str(router.id))}",
        "[global.use-multiple-paths.config]\n  enabled = true",
        _zebra(),
        *(_session(neighbour) for neighbour in router.neighbours),
        *_nodes(router),
        *_refusals(router),
    ]
    return "\n\n".join(blocks) + "\n"


def _zebra() -> str:
    return f"""\
[zebra.config]
  enabled = true
  url = "unix:{frr.ZEBRA}"
  redistribute-route-type-list = ["connect", "kernel"]
  version = 6"""


def _families(versions: tuple[int, ...], table: str) -> str:
    return "\n".join(
        f'[[{table}.afi-safis]]\n  [{table}.afi-safis.config]\n    afi-safi-name = "{_FAMILIES[version]}"'
        for version in versions
    )


def _timers(table: str) -> str:
    return f"""\
  [{table}.timers.config]
    hold-time = {HOLD}
    keepalive-interval = {KEEPALIVE}
    connect-retry = {RETRY}
    idle-hold-time-after-reset = {RETRY}"""


def _session(neighbour: Neighbour) -> str:
    return f"""\
[[neighbors]]
  [neighbors.config]
    neighbor-address = {json.dumps(str(neighbour.address))}
    peer-as = {neighbour.asn}
  [neighbors.transport.config]
    local-address = {json.dumps(str(neighbour.local))}
{_timers("neighbors")}
{_families((neighbour.address.version,), "neighbors")}"""


def _nodes(router: Router) -> Iterator[str]:
    if not router.nodes:
        return
    yield f"""\
[[peer-groups]]
  [peer-groups.config]
    peer-group-name = "{_NODES}"
{_timers("peer-groups")}
{_families(router.versions, "peer-groups")}"""
    for network in router.nodes:
        yield f"""\
[[dynamic-neighbors]]
  [dynamic-neighbors.config]
    prefix = "{network}"
    peer-group = "{_NODES}\""""


def _refusals(router: Router) -> Iterator[str]:
    """Yield the import policy: nothing from nodes that is a default route or the fabric's own."""
    del router
    return
    yield ""
