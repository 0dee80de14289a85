"""A router's FRR: zebra for the kernel's routes and bgpd for sessions, each with a file of its own.

What lives here: rendering. What it must not know: BIRD, GoBGP.
"""

from collections.abc import Iterator

from octet.lab.routers import HOLD, KEEPALIVE, RETRY, Command, Neighbour, Program, Router

PLACE = "/run/frr"
"""Where Debian's FRR and vtysh have their sockets."""

_PROGRAMS = "/usr/lib/frr"
_ZEBRA = "zserv.api"
_FILES = {"vtysh.conf": "", "group": "root:x:0:\nfrrvty:x:0:root\n"}
_COVERED = {"/etc/group": "group", "/etc/frr": ".", "/var/tmp": "scratch"}  # noqa: S108 - covered, not used
"""FRR insists on its user being in its own group, of which a lab in a user namespace has none but root's, and
keeps crash logs in /var/tmp, which is the machine's."""

_PLAIN = "no zebra nexthop kernel enable\n"
"""Every route has its own next hops: FRR 8.4 does not put a link that was down back into a kernel's group."""

NEEDS = (f"{_PROGRAMS}/zebra", f"{_PROGRAMS}/bgpd")
_NODES = "NODES"
_EVERYWHERE = {4: "0.0.0.0/0", 6: "::/0"}


def program(router: Router) -> Program:
    """Return what starts FRR as this router."""
    files = {"zebra.conf": _head(router) + _PLAIN, "bgpd.conf": configuration(router), **_FILES}
    zebra = _daemon("zebra", "-z", f"{PLACE}/{_ZEBRA}", socket=_ZEBRA)
    return Program(PLACE, (zebra, _daemon("bgpd", "-p", "179", "-z", f"{PLACE}/{_ZEBRA}")), files, _COVERED)


def _daemon(name: str, *words: str, socket: str = "") -> Command:
    files = ("-f", f"{PLACE}/{name}.conf", "-i", f"{PLACE}/{name}.pid", "--vty_socket", PLACE)
    user = ("-u", "root", "-g", "root", "--log", "stdout")
    return Command((f"{_PROGRAMS}/{name}", *files, *user, *words), socket or f"{name}.vty")


def configuration(router: Router) -> str:
    """Return the text of bgpd.conf."""
    lines = [
        *_head(router).splitlines(),
        f"router bgp {router.asn}",
        f" bgp router-id {router.id}",
        " no bgp ebgp-requires-policy",
        " no bgp default ipv4-unicast",
        " bgp bestpath as-path multipath-relax",
        f" timers bgp {KEEPALIVE} {HOLD}",
        *(line for neighbour in router.neighbours for line in _session(neighbour)),
        f" neighbor {_NODES} peer-group",
        f" neighbor {_NODES} remote-as external",
        *(f" bgp listen range {network} peer-group {_NODES}" for network in router.nodes),
        *(line for version in router.versions for line in _family(router, version)),
        "exit",
        *(line for version in router.versions for line in _refusals(router, version)),
    ]
    return "\n".join(lines) + "\n"


def _head(router: Router) -> str:
    return f"hostname {router.name}\nlog stdout informational\n"


def _session(neighbour: Neighbour) -> Iterator[str]:
    head = f" neighbor {neighbour.address}"
    yield f"{head} remote-as {neighbour.asn}"
    yield f"{head} timers connect {RETRY}"
    yield f"{head} advertisement-interval 0"


def _family(router: Router, version: int) -> Iterator[str]:
    yield f" address-family ipv{version} unicast"
    yield "  redistribute connected"
    # The lab's routes to nodes are the kernel's to zebra.
    yield "  redistribute kernel"
    yield "  maximum-paths 16"
    for neighbour in router.neighbours:
        if neighbour.address.version == version:
            yield f"  neighbor {neighbour.address} activate"
    yield f"  neighbor {_NODES} activate"
    yield f"  neighbor {_NODES} prefix-list FROM-NODES-{version} in"
    yield " exit-address-family"


def _refusals(router: Router, version: int) -> Iterator[str]:
    """Yield the prefix list that keeps default routes and the fabric's own networks from coming in."""
    word = "ip" if version == 4 else "ipv6"
    head = f"{word} prefix-list FROM-NODES-{version}"
    longest = 32 if version == 4 else 128
    kept = [network for network in router.kept if network.version == version]
    for number, network in enumerate(kept, 1):
        yield f"{head} seq {5 * number} deny {network} le {longest}"
    yield f"{head} seq 90 deny {_EVERYWHERE[version]}"
    yield f"{head} seq 95 permit {_EVERYWHERE[version]} le {longest}"
