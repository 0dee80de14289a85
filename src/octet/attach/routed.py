"""Pods as hosts of their own, one route each: no bridge, no broadcast domain, as Calico attaches them.

What lives here: ``RoutedAttach``. What it must not know: which model wants it, transports, policies.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_interface, ip_network

from octet.attach import EndpointPlan
from octet.attach.bridge import destinations
from octet.attach.names import link_name, purpose
from octet.attach.source_check import source_check
from octet.blueprint import (
    Address,
    Blueprint,
    KernelObject,
    Link,
    Neighbour,
    Route,
    Scope,
    Sysctl,
    Veth,
    mac,
)
from octet.cluster.endpoint import ROUTED_PREFIX, Attachment, Endpoint, NodeNetwork

GATEWAY_V4 = IPv4Address("169.254.1.1")
"""Every pod's IPv4 gateway; nobody has it, the node answers for it (Calico's data path)."""

HOST_MAC = "ee:ee:ee:ee:ee:ee"
"""The node's end of every pair; not unique, as each pair is a network of two (Calico's data path)."""

GATEWAY_V6 = mac.link_local(HOST_MAC)
"""Every pod's IPv6 gateway: fe80::ecee:eeff:feee:eeee, which every node's end really has."""

MAIN_INTERFACE = "eth0"
"""The interface that Kubernetes means by "the pod's" (kubelet reads pod addresses from it)."""


@dataclass(frozen=True, slots=True)
class RoutedAttach:
    """A pair per pod, a ``/32`` or ``/128`` in the pod and one route to it on the node.

    Pods have permanent neighbour entries for their gateway and nodes for their pods, so nobody ever waits for
    ARP or ND. A pod that flushes its entries gets answers at once: by proxy ARP without the kernel's random
    delay (up to 0.8 s, ``proxy_delay``) for IPv4, while the IPv6 gateway is the node's own address. Proxy ARP
    needs the node to have a route to the gateway's address, so a default route (net/ipv4/arp.c, arp_process).
    """

    @property
    def shared_link(self) -> str:
        """None: every packet of a pod is routed by the node."""
        return ""

    def host_link(self, attachment: Attachment, namespace: str = "", pod: str = "") -> str:
        """Return Calico's name for a pod's main interface, and one made of the attachment for others.

        Calico's is ``cali`` and 11 digits of SHA-1 over ``namespace.pod``. A pod's second interface would get
        the same one, and so would a pod that the runtime did not name.
        """
        if namespace and pod and attachment.interface == MAIN_INTERFACE:
            text = f"{namespace}.{pod}".encode()
            return link_name(ROUTED_PREFIX, hashlib.sha1(text, usedforsecurity=False).hexdigest())
        return link_name(ROUTED_PREFIX, attachment.digest())

    def gateways(self, network: NodeNetwork, endpoint: Endpoint) -> tuple[str | None, str | None]:
        """Return the link-local gateways, v4 and v6, of the families that the pod has."""
        del network
        return (str(GATEWAY_V4) if endpoint.v4 else None, str(GATEWAY_V6) if endpoint.v6 else None)

    def node(self, network: NodeNetwork) -> Blueprint:
        """Return the check that a pod sends from its own addresses only; nothing else is shared by pods."""
        del network
        return source_check(ROUTED_PREFIX)

    def endpoint(self, network: NodeNetwork, endpoint: Endpoint) -> EndpointPlan:
        """Return the pair: the pod's end with addresses and gateways, the node's end with routes to it."""
        name, why = endpoint.attachment.interface, purpose(endpoint.attachment)
        inner = Link(
            name,
            Veth(endpoint.host_link, HOST_MAC),
            why,
            mtu=endpoint.mtu,
            mac=endpoint.mac,
            ipv6_autoconf=endpoint.v6 is not None,
        )
        outer = Link(
            endpoint.host_link,
            Veth(name, endpoint.mac),
            why,
            mtu=endpoint.mtu,
            mac=HOST_MAC,
            ipv6_autoconf=False,
        )
        deaf = Sysctl(f"net/ipv6/conf/{name}/accept_ra", "0")
        return EndpointPlan(
            pod=Blueprint([inner, deaf, *_pod_layer3(network, endpoint)]),
            node=Blueprint([outer, *_node_settings(endpoint), *_node_layer3(endpoint)]),
        )


def _pod_layer3(network: NodeNetwork, endpoint: Endpoint) -> Iterator[KernelObject]:
    """Yield the address alone in its network, the gateway's fixed MAC, and routes through it."""
    name = endpoint.attachment.interface
    for own in endpoint.addresses:
        gateway: IPv4Address | IPv6Address = GATEWAY_V4 if own.version == 4 else GATEWAY_V6
        yield Address(name, ip_interface(own))
        yield Neighbour(name, gateway, HOST_MAC)
        if own.version == 4:
            yield Route(ip_network(gateway), name, scope=Scope.LINK)
        for destination in destinations(network, endpoint, own.version):
            yield Route(destination, name, gateway)


def _node_layer3(endpoint: Endpoint) -> Iterator[KernelObject]:
    """Yield the one route to each address, the pod's MAC, and the IPv6 gateway address."""
    link = endpoint.host_link
    for own in endpoint.addresses:
        yield Route(ip_network(own), link, scope=Scope.LINK if own.version == 4 else Scope.GLOBAL)
        yield Neighbour(link, own, endpoint.mac)
    if endpoint.v6:
        yield Address(link, ip_interface(f"{GATEWAY_V6}/64"), Scope.LINK)


def _node_settings(endpoint: Endpoint) -> Iterator[Sysctl]:
    """Yield how the node's end answers for gateways, and what it takes from the pod.

    ``rp_filter`` is strict here; ``source_check`` repeats it, as the kernel takes the larger of this and
    ``all``'s, and 2 (loose) is larger than 1 (strict) (ip-sysctl.rst).
    """
    link = endpoint.host_link
    yield Sysctl(f"net/ipv6/conf/{link}/accept_ra", "0")
    if endpoint.v4:
        yield Sysctl(f"net/ipv4/conf/{link}/rp_filter", "1")
        yield Sysctl(f"net/ipv4/conf/{link}/proxy_arp", "1")
        yield Sysctl(f"net/ipv4/neigh/{link}/proxy_delay", "0")
    if endpoint.v6:
        yield Sysctl(f"net/ipv6/conf/{link}/proxy_ndp", "1")
        yield Sysctl(f"net/ipv6/neigh/{link}/proxy_delay", "0")
