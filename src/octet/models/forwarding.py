"""The settings by which a machine becomes a router for its pods.

What lives here: forwarding of both families. What it must not know: how pods attach, which transport.
"""

from collections.abc import Iterator

from octet.blueprint import Blueprint, Sysctl
from octet.cluster.endpoint import NodeNetwork
from octet.cluster.view import View


def forwarding(view: View, network: NodeNetwork) -> Blueprint:
    """Return the sysctls for the families that this node has pods in."""
    return Blueprint(_sysctls(view, network))


def _sysctls(view: View, network: NodeNetwork) -> Iterator[Sysctl]:
    """Yield them; the order matters to the kernel: ``all`` overwrites every interface's own value.

    A machine whose interfaces forward no longer listens to routers, and loses the default route that it has
    from one (every node of some clouds). ``accept_ra=2`` would make it listen again, also where the
    administrator had told it not to. So the underlay stays a host by its own ``forwarding=0``: its
    ``accept_ra`` goes on meaning what it meant, and packets are forwarded all the same, since for that only
    ``all`` counts (ip-sysctl.rst, conf/interface/forwarding; net/ipv6/ip6_output.c, ip6_forward).
    """
    if 4 in network.families:
        yield Sysctl("net/ipv4/ip_forward", "1")
    if 6 in network.families:
        yield Sysctl("net/ipv6/conf/all/forwarding", "1")
        yield Sysctl(f"net/ipv6/conf/{view.underlay.interface}/forwarding", "0")
