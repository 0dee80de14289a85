"""Which service addresses routers are told, and what in services' annotations could not be understood.

What lives here: ``offers``, ``told``. What it must not know: sessions, who answers at a service address.
Source: cloudnativelabs/kube-router, pkg/controllers/routing/ecmp_vip.go; docs/user-guide.md.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from octet.cluster.backends import LOCAL, Vip
from octet.cluster.objects import Address, Network, Service
from octet.cluster.view import View
from octet.errors import BadConfigurationError
from octet.transport.bgp import aggregated
from octet.transport.kube_router.flags import Advertised
from octet.transport.kube_router.words import annotation

CLUSTER, EXTERNAL, BALANCED = (
    f"service.advertise.{each}" for each in ("clusterip", "externalip", "loadbalancerip")
)
ONLY_LOCAL, SKIP_BALANCED = "service.local", "service.skiplbips"
SERVICE_KEYS = (CLUSTER, EXTERNAL, BALANCED, ONLY_LOCAL, SKIP_BALANCED)
"""Annotations of services; of the last two the original asks whether they are there, whatever they say."""


@dataclass(frozen=True, slots=True)
class Offers:
    """What may be told.

    Attributes:
        vips: addresses, whether or not somebody answers now.
        remarks: why services or addresses are left out, a sentence each.
    """

    vips: tuple[Vip, ...] = ()
    remarks: tuple[str, ...] = ()


def offers(view: View, flags: Advertised) -> Offers:
    """Return the addresses that flags and annotations want told. A bad annotation costs its service only."""
    vips: list[Vip] = []
    remarks: list[str] = []
    for _, service in sorted(view.services.items()):
        try:
            found, left_out = _of(service, flags)
        except BadConfigurationError as error:
            remarks.append(f"none of its addresses is told: {error}")
            continue
        vips += found
        remarks += left_out
    return Offers(tuple(vips), tuple(remarks))


def told(view: View, vips: Iterable[Vip], aggregates: Iterable[Network]) -> tuple[Network, ...]:
    """Return what this node tells: addresses at which it has somebody to answer, or ranges of them."""
    everywhere: set[Address] = set()
    here_only: set[Address] = set()
    for vip in vips:
        if vip.endpoints(view):
            (here_only if vip.local else everywhere).add(vip.address)
    return aggregated(everywhere, here_only - everywhere, aggregates)


def _of(service: Service, flags: Advertised) -> tuple[list[Vip], list[str]]:
    if service.type == "ExternalName" or service.headless:
        return [], []
    only_local = _present(service, ONLY_LOCAL)
    inside = only_local or service.internal_policy == LOCAL
    outside = only_local or service.external_policy == LOCAL
    vips, remarks = [], []
    if _wants(service, CLUSTER, flags.cluster):
        vips += [Vip(each, service, inside) for each in service.cluster_ips]
    for key, default, addresses, ranges in (
        (EXTERNAL, flags.external, service.external_ips, flags.external_ranges),
        (BALANCED, flags.load_balancer, service.load_balancer_ips, flags.load_balancer_ranges),
    ):
        if not _wants(service, key, default) or (key == BALANCED and _present(service, SKIP_BALANCED)):
            continue
        strange = [*_outside(addresses, ranges)] if flags.strict else []
        vips += [Vip(each, service, outside) for each in addresses if each not in strange]
        remarks += [
            f"Service {service.namespace}/{service.name}: {each} is not told: it lies in none of the ranges"
            for each in strange
        ]
    return vips, remarks


def _outside(addresses: Iterable[Address], ranges: tuple[Network, ...]) -> Iterator[Address]:
    """Yield addresses out of all ranges: anybody who may make services could claim them (CVE-2020-8554)."""
    yield from (each for each in addresses if not any(each in network for network in ranges))


def _wants(service: Service, key: str, default: bool) -> bool:
    said = annotation(f"Service {service.namespace}/{service.name}", service.annotations, key)
    return default if said is None else said.flag()


def _present(service: Service, key: str) -> bool:
    said = annotation(f"Service {service.namespace}/{service.name}", service.annotations, key)
    return said is not None and said.present()
