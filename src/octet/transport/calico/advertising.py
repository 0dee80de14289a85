"""Which service addresses this node announces to routers.

What lives here: ``advertised``. What it must not know: sessions, who turns a service address into a pod.
Source: confd/pkg/backends/calico/routes.go (advertiseThisService, setRoutesForKey).
"""

from collections.abc import Iterator

from octet.cluster.backends import LOCAL, Vip
from octet.cluster.bgp import BGPConfiguration
from octet.cluster.objects import Address, Network, Service
from octet.cluster.view import View
from octet.transport.bgp import aggregated

EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
"""A node with this label announces no service (Kubernetes' well-known labels)."""


def advertises(held: BGPConfiguration) -> bool:
    """Tell whether any service address is announced at all."""
    return bool(ranges(held))


def ranges(held: BGPConfiguration) -> tuple[Network, ...]:
    """Return the networks of which service addresses are announced."""
    return (*held.cluster_ips, *held.external_ips, *held.load_balancer_ips)


def advertised(view: View, held: BGPConfiguration) -> tuple[Network, ...]:
    """Return what is announced: ranges of what every node announces, single addresses of what some do.

    A service with external policy Cluster is announced by every node, one with Local by those that have an
    endpoint of it that is ready, in the family of the address; its cluster addresses too, for who comes from
    outside must find a pod. What kube-proxy skips, headless services and names of others, is not announced.
    """
    here = view.here
    if not advertises(held) or here is None or EXCLUDED in here.labels:
        return ()
    everywhere: set[Address] = set()
    here_only: set[Address] = set()
    for service in view.services.values():
        if service.type == "ExternalName" or service.headless:
            continue
        found = set(_addresses(service, held))
        if service.external_policy != LOCAL:
            everywhere |= found
        else:
            here_only |= {each for each in found if Vip(each, service, local=True).endpoints(view)}
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
