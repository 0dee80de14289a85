"""What a runtime is told about an endpoint, and how a plugin's earlier result must agree with it.

What lives here: endpoint and plan to a CNI result, and the comparison that CHECK makes. Pure.
What it must not know: JSON, the kernel, the journal.
"""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address

from octet.blueprint import Address, Blueprint, Route
from octet.cluster.endpoint import Endpoint
from octet.cni.spec.result import Address as IpAddress
from octet.cni.spec.result import Dns, Interface, Ip, Result
from octet.cni.spec.result import Route as ResultRoute


def result(
    endpoint: Endpoint,
    pod: Blueprint,
    gateways: tuple[str | None, str | None],
    netns: str,
    *,
    before: Result | None = None,
    dns: Dns | None = None,
) -> Result:
    """Return the result of an ADD: what came before in the chain, and ours appended.

    Args:
        endpoint: what was attached.
        pod: what the pod's namespace was given; addresses and routes come from it.
        gateways: of v4 and v6, to name beside the addresses.
        netns: the pod's namespace as the runtime calls it.
        before: prevResult, None when we are the first of the chain.
        dns: what the runtime asked to have passed on.
    """
    previous = before or Result()
    first = len(previous.interfaces)
    name = endpoint.attachment.interface
    host = Interface(endpoint.host_link, mtu=endpoint.mtu)
    own = Interface(name, mac=endpoint.mac, mtu=endpoint.mtu, sandbox=netns)
    via = {4: gateways[0], 6: gateways[1]}
    ips = tuple(
        Ip(held.interface, _gateway(via[held.interface.version]), first + 1)
        for held in pod.of(Address)
        if held.link == name
    )
    routes = tuple(ResultRoute(route.destination, route.via) for route in pod.of(Route) if route.link == name)
    return Result(
        interfaces=(*previous.interfaces, host, own),
        ips=(*previous.ips, *ips),
        routes=(*previous.routes, *routes),
        dns=dns if dns and dns != Dns() else previous.dns,
    )


def _gateway(text: str | None) -> IpAddress | None:
    return ip_address(text) if text else None


def has_default_route(previous: Result | None) -> bool:
    """Did a plugin before us in the chain give the pod its default route?"""
    return previous is not None and any(route.destination.prefixlen == 0 for route in previous.routes)


def disagreements(endpoint: Endpoint, previous: Result) -> Iterator[str]:
    """Yield where a prevResult contradicts what we know of the endpoint, a sentence each.

    Chained plugins may add to a result and change what they are for (a MAC, an MTU), so only what is ours
    and is missing counts: the interface and its addresses.
    """
    name = endpoint.attachment.interface
    numbers = [
        number for number, held in enumerate(previous.interfaces) if held.name == name and held.sandbox
    ]
    if not numbers:
        yield f"prevResult has no interface {name} in a sandbox"
    held = {ip.address.ip for ip in previous.ips if ip.interface is None or ip.interface in numbers}
    for address in endpoint.addresses:
        if address not in held:
            yield f"prevResult lacks the address {address} of {name}"


def with_mtu(endpoint: Endpoint, mtu: int) -> Endpoint:
    """Return the endpoint as it must be where the path takes at most ``mtu`` bytes."""
    return endpoint if endpoint.mtu <= mtu else replace(endpoint, mtu=mtu)
