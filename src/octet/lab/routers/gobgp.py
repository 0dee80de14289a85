"""A router's GoBGP: gobgpd for sessions, and a mirror of its routes in the kernel.

What lives here: rendering. What it must not know: how routes reach the kernel (``mirror``).
"""

import json
import sys
from collections.abc import Iterator

from octet.lab.names import Network, everywhere
from octet.lab.routers import HOLD, KEEPALIVE, RETRY, Command, Neighbour, Program, Router

PLACE = "/run/gobgp"
_NODES = "nodes"
_REFUSED = "from-nodes"
_FAMILIES = {4: "ipv4-unicast", 6: "ipv6-unicast"}


def program(router: Router) -> Program:
    """Return what starts GoBGP as this router; ``gobgp`` asks it on the loopback device."""
    words = ("gobgpd", "--config-file", f"{PLACE}/gobgpd.toml", "--api-hosts", "127.0.0.1:50051")
    mirror = (sys.executable, "-m", "octet.lab.routers.mirror", *map(str, router.versions))
    return Program(PLACE, (Command(words), Command(mirror)), {"gobgpd.toml": configuration(router)})


def configuration(router: Router) -> str:
    """Return the text of gobgpd.toml."""
    blocks = [
        f"[global.config]\n  as = {router.asn}\n  router-id = {json.dumps(str(router.id))}",
        "[global.use-multiple-paths.config]\n  enabled = true",
        *(_session(neighbour) for neighbour in router.neighbours),
        *_nodes(router),
        *_refusals(router),
    ]
    return "\n\n".join(blocks) + "\n"


def _families(versions: tuple[int, ...], table: str) -> str:
    head = f"  [[{table}.afi-safis]]\n    [{table}.afi-safis.config]"
    return "\n".join(f'{head}\n      afi-safi-name = "{_FAMILIES[version]}"' for version in versions)


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
    neighbor-address = "{neighbour.address}"
    peer-as = {neighbour.asn}
  [neighbors.transport.config]
    local-address = "{neighbour.local}"
{_timers("neighbors")}
{_families((neighbour.address.version,), "neighbors")}"""


def _nodes(router: Router) -> Iterator[str]:
    """Yield what lets any number of nodes of any AS call from the rack's subnets."""
    if router.nodes:
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
    """Yield the policy that keeps nodes' default routes and the fabric's own networks out."""
    sets = {version: [each for each in router.kept if each.version == version] for version in router.versions}
    for version, kept in sets.items():
        prefixes = "\n".join(_prefix(network) for network in kept)
        default = f'  [[defined-sets.prefix-sets.prefix-list]]\n    ip-prefix = "{everywhere(version)}"'
        yield f'[[defined-sets.prefix-sets]]\n  prefix-set-name = "kept{version}"\n{default}\n{prefixes}'
    listed = ", ".join(f'"{network}"' for network in router.nodes)
    head = f'[[defined-sets.neighbor-sets]]\n  neighbor-set-name = "{_NODES}"'
    yield f"{head}\n  neighbor-info-list = [{listed}]"
    statements = "\n".join(_statement(version) for version in router.versions)
    yield f'[[policy-definitions]]\n  name = "{_REFUSED}"\n{statements}'
    yield f'[global.apply-policy.config]\n  import-policy-list = ["{_REFUSED}"]'


def _prefix(network: Network) -> str:
    return f"""\
  [[defined-sets.prefix-sets.prefix-list]]
    ip-prefix = "{network}"
    masklength-range = "{network.prefixlen}..{network.max_prefixlen}\""""


def _statement(version: int) -> str:
    return f"""\
  [[policy-definitions.statements]]
    name = "kept{version}"
    [policy-definitions.statements.conditions.match-prefix-set]
      prefix-set = "kept{version}"
    [policy-definitions.statements.conditions.match-neighbor-set]
      neighbor-set = "{_NODES}"
    [policy-definitions.statements.actions]
      route-disposition = "reject-route\""""
