"""Which service addresses routers are told, and what in services' annotations could not be understood.

What lives here: ``offers``, ``told``. What it must not know: sessions, who answers at a service address.
Source: cloudnativelabs/kube-router, pkg/controllers/routing/ecmp_vip.go; docs/user-guide.md.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from octet.cluster.backends import LOCAL, REMEMBERED, Vip
from octet.cluster.objects import Address, Network, Service
from octet.cluster.same import Same
from octet.cluster.view import View
from octet.errors import BadConfigurationError
from octet.transport.bgp import aggregated
from octet.transport.kube_router.flags import Advertised
from octet.transport.kube_router.words import PREFIX, Said, annotation

CLUSTER, EXTERNAL, BALANCED = (
    f"service.advertise.{each}" for each in ("clusterip", "externalip", "loadbalancerip")
)
ONLY_LOCAL, SKIP_BALANCED = "service.local", "service.skiplbips"
SERVICE_KEYS = (CLUSTER, EXTERNAL, BALANCED, ONLY_LOCAL, SKIP_BALANCED)
"""Annotations of services; of the last two the original asks whether they are there, whatever they say."""

PROXY_KEYS = tuple(
    f"service.{each}" for each in ("dsr", "scheduler", "schedflags", "hairpin", "hairpin.externalips")
)
"""Annotations of services for kube-router's service proxy, which is not here: each is remarked upon."""


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
    """Return the addresses that flags and annotations want told, those of the oldest service first.

    A bad annotation costs what it is about only: the addresses of one kind, or other nodes.
    """
    return _offers(Same(view.services), flags)


@lru_cache(maxsize=4)
def _offers(services: Same[Mapping[tuple[str, str], Service]], flags: Advertised) -> Offers:
    found = [_of(Same(service), flags) for service in sorted(services.held.values(), key=_age)]
    return Offers(
        tuple(vip for each in found for vip in each.vips),
        tuple(remark for each in found for remark in each.remarks),
    )


def told(view: View, vips: Iterable[Vip], aggregates: Iterable[Network]) -> tuple[Network, ...]:
    """Return what this node tells: addresses at which it has somebody to answer, or ranges of them."""
    everywhere: set[Address] = set()
    here_only: set[Address] = set()
    for vip in vips:
        if vip.endpoints(view):
            (here_only if vip.local else everywhere).add(vip.address)
    return aggregated(everywhere, here_only - everywhere, aggregates)


def _age(service: Service) -> tuple[str, str, str]:
    """Return what puts the oldest first; times in UTC sort as texts (RFC 3339)."""
    return service.created, *service.key


@lru_cache(maxsize=REMEMBERED)
def _of(held: Same[Service], flags: Advertised) -> Offers:
    """Return what one service offers; the same as long as it is the same."""
    service = held.held
    vips: list[Vip] = []
    remarks = [
        f"Service {service.namespace}/{service.name}: {PREFIX}{each} says nothing here: "
        "it is for kube-router's service proxy, and services are kube-proxy's"
        for each in PROXY_KEYS
        if PREFIX + each in service.annotations
    ]
    if service.type == "ExternalName" or service.headless:
        return Offers((), tuple(remarks))
    says = _Says(service, remarks)
    only_local = says.present(ONLY_LOCAL)
    inside = only_local or service.internal_policy == LOCAL
    outside = only_local or service.external_policy == LOCAL
    if says.wants(CLUSTER, flags.cluster):
        vips += [Vip(each, service, inside) for each in service.cluster_ips]
    for key, default, addresses, ranges in (
        (EXTERNAL, flags.external, service.external_ips, flags.external_ranges),
        (BALANCED, flags.load_balancer, service.load_balancer_ips, flags.load_balancer_ranges),
    ):
        if not says.wants(key, default) or (key == BALANCED and says.present(SKIP_BALANCED)):
            continue
        strange = [*_outside(addresses, ranges)] if flags.strict else []
        vips += [Vip(each, service, outside) for each in addresses if each not in strange]
        remarks += [
            f"Service {service.namespace}/{service.name}: {each} is not told: it lies in none of the ranges"
            for each in strange
        ]
    return Offers(tuple(vips), tuple(remarks))


def _outside(addresses: Iterable[Address], ranges: tuple[Network, ...]) -> Iterator[Address]:
    """Yield addresses out of all ranges: anybody who may make services could claim them (CVE-2020-8554)."""
    yield from (each for each in addresses if not any(each in network for network in ranges))


@dataclass(frozen=True, slots=True)
class _Says:
    """What a service's annotations say; one that can't be read is remarked upon, and is about itself only."""

    service: Service
    remarks: list[str]

    def wants(self, key: str, default: bool) -> bool:
        """Shall addresses of a kind be told? Not where what the service says of them can't be read."""
        return self._read(key, Said.parsed, default, False, "the addresses that it is about are not told")

    def present(self, key: str) -> bool:
        """Is it there? So is what can't be read: fewer nodes or addresses are told for it, never more."""
        return self._read(key, Said.present, False, True, "it counts as true")

    def _read(self, key: str, meaning: Callable[[Said], bool], absent: bool, bad: bool, so: str) -> bool:
        service = self.service
        said = annotation(f"Service {service.namespace}/{service.name}", service.annotations, key)
        try:
            return absent if said is None else meaning(said)
        except BadConfigurationError as error:
            self.remarks.append(f"{so}: {error}")
            return bad
