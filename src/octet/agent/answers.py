"""What a runtime is told about an endpoint, and what it asked for in our own terms.

What lives here: endpoint and plan to a CNI result, requested ranges. Pure.
What it must not know: JSON, the kernel, the journal.
"""

from ipaddress import ip_address

from octet.attach import EndpointPlan
from octet.blueprint import Address, Link, Route
from octet.cluster.endpoint import Endpoint
from octet.cni.config import IpRange, NetworkConfig
from octet.cni.spec.failures import CniError, Code
from octet.cni.spec.result import Address as IpAddress
from octet.cni.spec.result import Dns, Interface, Ip, Result
from octet.cni.spec.result import Route as ResultRoute
from octet.ipam.node_cidr import Range

NO_DNS = Dns()


def result(
    endpoint: Endpoint,
    plan: EndpointPlan,
    gateways: tuple[str | None, str | None],
    netns: str,
    config: NetworkConfig,
) -> Result:
    """Return the result of an ADD: what came before in the chain, and ours appended.

    Args:
        endpoint: what was attached.
        plan: what was made; addresses and routes come from it.
        gateways: of v4 and v6, to name beside the addresses.
        netns: the pod's namespace as the runtime calls it.
        config: the request's, for prevResult and DNS.
    """
    previous = config.previous or Result()
    name, pod = endpoint.attachment.interface, plan.pod
    inside = len(previous.interfaces) + 1
    via = {4: gateways[0], 6: gateways[1]}
    ips = tuple(
        Ip(held.interface, _gateway(via[held.interface.version]), inside)
        for held in pod.of(Address)
        if held.link == name
    )
    routes = tuple(ResultRoute(route.destination, route.via) for route in pod.of(Route) if route.link == name)
    return Result(
        interfaces=(*previous.interfaces, _host(endpoint, plan), _inner(endpoint, netns)),
        ips=(*previous.ips, *ips),
        routes=(*previous.routes, *routes),
        dns=previous.dns if config.dns == NO_DNS else config.dns,
    )


def _host(endpoint: Endpoint, plan: EndpointPlan) -> Interface:
    link = plan.node.get(("link", endpoint.host_link))
    mac = link.mac if isinstance(link, Link) else None
    return Interface(endpoint.host_link, mac=mac or "", mtu=endpoint.mtu)


def _inner(endpoint: Endpoint, netns: str) -> Interface:
    return Interface(endpoint.attachment.interface, mac=endpoint.mac, mtu=endpoint.mtu, sandbox=netns)


def _gateway(text: str | None) -> IpAddress | None:
    return ip_address(text) if text else None


def has_default_route(previous: Result | None) -> bool:
    """Did a plugin before us in the chain give the pod its default route?"""
    return previous is not None and any(route.destination.prefixlen == 0 for route in previous.routes)


def ranges(config: NetworkConfig) -> tuple[Range, ...]:
    """Return the first and last address of every range that the runtime wants chosen from.

    Raises:
        CniError: 7 where two sets are of one family: an interface gets one address of each.
    """
    families = [one_set[0].subnet.version for one_set in config.ip_ranges]
    if len(set(families)) < len(families):
        problem = "has two sets of one family, and an interface gets one address of each family"
        raise CniError(Code.INVALID_CONFIG, f"runtimeConfig.ipRanges {problem}")
    return tuple(_range(each) for one_set in config.ip_ranges for each in one_set)


def _range(wanted: IpRange) -> Range:
    return wanted.start or wanted.subnet[0], wanted.end or wanted.subnet[-1]
