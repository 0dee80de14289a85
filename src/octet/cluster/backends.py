"""Service addresses, and which endpoints of a service answer at them now.

What lives here: ``Vip``; the endpoints that are ready. What it must not know: how an address is announced or
translated, which model asks.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from octet.cluster.objects import Address, EndpointSlice, Network, Service, ServicePort, SliceEndpoint
from octet.cluster.view import View

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
        return tuple(
            endpoint
            for held in _slices(view, self.service, self.address.version)
            for endpoint in held.endpoints
            if endpoint.ready and endpoint.addresses and (not self.local or endpoint.node == view.me)
        )

    def targets(self, view: View, port: ServicePort) -> tuple[tuple[Address, int], ...]:
        """Return (address, port) of each of these endpoints for one port of the service, each once."""
        found = {
            (endpoint.addresses[0], each.port): None
            for held in _slices(view, self.service, self.address.version)
            for each in held.ports
            if each.name == port.name and each.protocol == port.protocol and each.port
            for endpoint in held.endpoints
            if endpoint.ready and endpoint.addresses and (not self.local or endpoint.node == view.me)
        }
        return tuple(sorted(found, key=lambda target: (int(target[0]), target[1])))


def _slices(view: View, service: Service, family: int) -> Iterator[EndpointSlice]:
    """Yield the slices of a service in one family; one that is missing takes nothing from the others."""
    behind: Mapping[tuple[str, str], EndpointSlice] = view.slices.behind(service.key)
    yield from (each for _, each in sorted(behind.items()) if each.family == family)
