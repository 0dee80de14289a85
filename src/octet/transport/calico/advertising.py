"""Which service addresses this node announces to routers.

What lives here: ``advertised``. What it must not know: sessions, who turns a service address into a pod.
Source: confd/pkg/backends/calico/routes.go (advertiseThisService, setRoutesForKey).
"""

from collections.abc import Iterator

from octet.cluster.bgp import BGPConfiguration
from octet.cluster.objects import Address, Network, Service
from octet.cluster.view import View
from octet.transport.bgp import aggregated

EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
"""A node with this label announces no service (Kubernetes' well-known labels)."""

LOCAL = "Local"


def advertises(held: BGPConfiguration) -> bool:
    """Tell whether any service address is announced at all."""
    return bool(held.cluster_ips or held.external_ips or held.load_balancer_ips)


def advertised(view: View, held: BGPConfiguration) -> tuple[Network, ...]:
    """Return what is announced: ranges of what every node announces, single addresses of what some do.

    A service with external policy Cluster is announced by every node, one with Local by those that have an
    endpoint of it that is ready; its cluster addresses too, for who comes from outside must find a pod.
    """
    here = view.here
    if not advertises(held) or here is None or EXCLUDED in here.labels:
        return ()
    everywhere: set[Address] = set()
    here_only: set[Address] = set()
    for service in view.services.values():
        found = set(_addresses(service, held))
        if not found:
            continue
        if service.external_policy != LOCAL:
            everywhere |= found
        elif _ready_here(view, service):
            here_only |= found
    whole = (*held.cluster_ips, *held.external_ips, *(held.load_balancer_ips if held.aggregated else ()))
    return aggregated(everywhere, here_only, whole)


def _addresses(service: Service, held: BGPConfiguration) -> Iterator[Address]:
    """Yield the addresses of a service that lie in networks to be announced."""
    for addresses, networks in (
        (service.cluster_ips, held.cluster_ips),
        (service.external_ips, held.external_ips),
        (service.load_balancer_ips, held.load_balancer_ips),
    ):
        for address in addresses:
            if any(address in network for network in networks):
                yield address


def _ready_here(view: View, service: Service) -> bool:
    slices = view.slices.behind(service.key).values()
    return any(each.node == view.me and each.ready for held in slices for each in held.endpoints)
