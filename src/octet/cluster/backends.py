"""Service addresses, and which endpoints of a service answer at them now.

What lives here: ``Vip``; the endpoints that are ready. What was found of a service is remembered until its
slices change, so that another service's change asks nothing again. What it must not know: how an address is
announced or translated, which model asks.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network

from octet.cluster.objects import Address, EndpointSlice, Network, Service, ServicePort, SliceEndpoint
from octet.cluster.same import Same
from octet.cluster.view import View

REMEMBERED = 1 << 16
"""Answers about services that are kept: more than a large cluster has ports of addresses."""

Behind = Mapping[tuple[str, str], EndpointSlice]
"""The slices of one service."""

LOCAL = "Local"
"""The traffic policy by which a node answers with its own endpoints only."""


@dataclass(frozen=True, slots=True)
class Vip:
    """An address of a service that leads to nodes from outside of the cluster.

    Attributes:
        local: does a node answer with its own endpoints only (traffic policy Local)?
    """

    address: Address
    service: Service
    local: bool

    @property
    def sources(self) -> tuple[Network, ...] | None:
        """Who may come: loadBalancerSourceRanges, at a load balancer's addresses; None is everybody."""
        limited = self.service.source_ranges and self.address in self.service.load_balancer_ips
        return self.service.source_ranges if limited else None

    def endpoints(self, view: View) -> tuple[SliceEndpoint, ...]:
        """Return the endpoints that are ready and that this node answers with; none is no answer."""
        return _endpoints(self._behind(view), self.address.version, view.me if self.local else None)

    def targets(self, view: View, port: ServicePort) -> tuple[tuple[Address, int], ...]:
        """Return (address, port) of each of these endpoints for one port of the service, each once."""
        return _targets(self._behind(view), self.address.version, view.me if self.local else None, port)

    def _behind(self, view: View) -> Same[Behind]:
        return Same(view.slices.behind(self.service.key))


@lru_cache(maxsize=REMEMBERED)
def alone(address: Address) -> Network:
    """Return the prefix of one address."""
    return ip_network(address)


@lru_cache(maxsize=REMEMBERED)
def _endpoints(behind: Same[Behind], family: int, node: str | None) -> tuple[SliceEndpoint, ...]:
    held = _slices(behind.held, family)
    return tuple(each for slice_ in held for each in _ready(slice_, node))


@lru_cache(maxsize=REMEMBERED)
def _targets(
    behind: Same[Behind], family: int, node: str | None, port: ServicePort
) -> tuple[tuple[Address, int], ...]:
    found = {
        (endpoint.addresses[0], each.port): None
        for held in _slices(behind.held, family)
        for each in held.ports
        if each.name == port.name and each.protocol == port.protocol and each.port
        for endpoint in _ready(held, node)
    }
    return tuple(sorted(found, key=lambda target: (int(target[0]), target[1])))


def _slices(behind: Behind, family: int) -> Iterator[EndpointSlice]:
    """Yield the slices of a service in one family; one that is missing takes nothing from the others."""
    yield from (each for _, each in sorted(behind.items()) if each.family == family)


def _ready(held: EndpointSlice, node: str | None) -> Iterator[SliceEndpoint]:
    """Yield the endpoints of a slice that are ready, of one node or of all."""
    for each in held.endpoints:
        if each.ready and each.addresses and node in (None, each.node):
            yield each
