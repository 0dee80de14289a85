"""The list of transports: what a model can choose from, each with its defaults.

What lives here: one line for each. What it must not know: which model chooses which, and its options.
"""

from collections.abc import Callable, Mapping

from octet.transport import Transport
from octet.transport.flannel.netconf import VxlanBackend
from octet.transport.flannel.vxlan import flannel_host_gateway, flannel_vxlan
from octet.transport.host_gateway import HostGateway
from octet.transport.kopeio import kopeio_vxlan
from octet.transport.kube_router.overlay import PORT, Overlay
from octet.transport.reach import PodNetworks
from octet.transport.tunnelling import Mode

TRANSPORTS: Mapping[str, Callable[[PodNetworks], Transport]] = {
    "host-gw": HostGateway,
    "flannel host-gw": flannel_host_gateway,
    "flannel vxlan": lambda networks: flannel_vxlan(VxlanBackend(), networks),
    "flannel vxlan, direct": lambda networks: flannel_vxlan(VxlanBackend(direct_routing=True), networks),
    "kopeio vxlan": kopeio_vxlan,
    "kube-router overlay": lambda networks: Overlay(networks, Mode.ALWAYS),
    "kube-router overlay in UDP": lambda networks: Overlay(networks, Mode.ALWAYS, in_udp=PORT),
    "kube-router overlay, subnet": lambda networks: Overlay(networks, bare=True),
}
"""What makes each of them for a cluster's pod networks; every test of the contract runs over all."""
