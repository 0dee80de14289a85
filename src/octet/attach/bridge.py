"""Pods as ports of one learning bridge that holds the gateway addresses.

What lives here: ``BridgeAttach``. What it must not know: which model wants it (the bridge's name is given),
transports, masquerading.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_interface, ip_network

from octet.attach import EndpointPlan
from octet.attach.names import link_name, purpose
from octet.blueprint import (
    Address,
    Blueprint,
    Bridge,
    BridgePort,
    FdbEntry,
    KernelObject,
    Link,
    Neighbour,
    Route,
    Scope,
    Sysctl,
    Veth,
    mac,
)
from octet.cluster.endpoint import BRIDGED_PREFIX, Attachment, Endpoint, NodeNetwork

EVERYWHERE = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}


@dataclass(frozen=True, slots=True)
class BridgeAttach:
    """A bridge with the first address of each pod CIDR; every pod is a port and routes through that address.

    The bridge's MAC follows from its gateway address, so it stays when ports come and go (a bridge would
    otherwise take the lowest MAC of its ports) and when the bridge is made anew: pods need not ask again.

    Attributes:
        bridge: the device's name: ``cni0`` (flannel), ``kopeio``.
        hairpin: may a pod reach itself through a service address.
        isolated: do pods reach each other through the node only, which can then say who may (see below).

    Isolated ports pass nothing to each other, and a port takes frames of its pod's MAC only. The node answers
    for its pods' addresses among them (proxy ARP, proxied neighbours) and routes to each pod by its own link,
    with a permanent entry. So one table sees all packets, and nobody takes another's place by ARP or by MAC.
    It works with br_netfilter and without: the one would hand translated packets from port to port, where the
    route led back to the bridge, and without the other answers from behind a service address would miss us.
    nftables' bridge family cannot be used instead: its connection tracking (nf_conntrack_bridge) is a module
    that kernels, this project's own test machine among them, lack.
    """

    bridge: str
    hairpin: bool = True
    isolated: bool = False

    @property
    def shared_link(self) -> str:
        """The bridge: pods on it reach each other without the node's IP stack."""
        return self.bridge

    def host_link(self, attachment: Attachment, namespace: str = "", pod: str = "") -> str:
        """Return the port's name: ``veth`` and 11 digits of the attachment, whatever the pod's name is."""
        del namespace, pod
        return link_name(BRIDGED_PREFIX, attachment.digest())

    def gateways(self, network: NodeNetwork, endpoint: Endpoint) -> tuple[str | None, str | None]:
        """Return the bridge's addresses that this pod routes through, v4 and v6."""
        return (
            str(network.gateway_v4) if endpoint.v4 and network.gateway_v4 else None,
            str(network.gateway_v6) if endpoint.v6 and network.gateway_v6 else None,
        )

    def node(self, network: NodeNetwork) -> Blueprint:
        """Return the bridge, its gateway addresses, and that it takes no advertised routes from pods.

        A pod that says it is a router would otherwise get the node's IPv6 traffic (CVE-2020-10749).
        """
        held = list(_gateway_interfaces(network))
        own = mac.of_address(held[0].ip) if held else None
        link = Link(self.bridge, Bridge(), "attach bridge", mtu=network.mtu, mac=own, ipv6_autoconf=False)
        addresses = [Address(self.bridge, each) for each in held]
        if network.v6 is not None and own is not None:
            addresses.append(_link_local(self.bridge, own))
        deaf = Sysctl(f"net/ipv6/conf/{self.bridge}/accept_ra", "0")
        return Blueprint([link, *addresses, deaf, *(self._answers(network) if self.isolated else ())])

    def _answers(self, network: NodeNetwork) -> Iterator[KernelObject]:
        """Yield how the node answers among isolated pods, without the kernel's random delay.

        Pods are reached by their own links and come in by the bridge, so the reverse-path check is loose.
        """
        if network.v4 is not None:
            yield Sysctl(f"net/ipv4/conf/{self.bridge}/proxy_arp", "1")
            yield Sysctl(f"net/ipv4/conf/{self.bridge}/rp_filter", "2")
            yield Sysctl(f"net/ipv4/neigh/{self.bridge}/proxy_delay", "0")
        if network.v6 is not None:
            yield Sysctl(f"net/ipv6/conf/{self.bridge}/proxy_ndp", "1")
            yield Sysctl(f"net/ipv6/neigh/{self.bridge}/proxy_delay", "0")

    def endpoint(self, network: NodeNetwork, endpoint: Endpoint) -> EndpointPlan:
        """Return the pair: the pod's end with addresses and routes, the node's end as a port."""
        name, why = endpoint.attachment.interface, purpose(endpoint.attachment)
        port_mac = mac.of_text(f"port {endpoint.attachment}")
        inner = Link(
            name,
            Veth(endpoint.host_link, port_mac),
            why,
            mtu=endpoint.mtu,
            mac=endpoint.mac,
            ipv6_autoconf=endpoint.v6 is not None,
        )
        port = Link(
            endpoint.host_link,
            Veth(name, endpoint.mac),
            why,
            mtu=endpoint.mtu,
            mac=port_mac,
            master=self.bridge,
            port=BridgePort(self.hairpin, self.isolated, locked=self.isolated),
            ipv6_autoconf=False,
        )
        layer3 = _pod_layer3(network, endpoint)
        deaf = Sysctl(f"net/ipv6/conf/{name}/accept_ra", "0")
        known = self._known(network, endpoint) if self.isolated else ()
        return EndpointPlan(pod=Blueprint([inner, deaf, *layer3]), node=Blueprint([port, *known]))

    def _known(self, network: NodeNetwork, endpoint: Endpoint) -> Iterator[KernelObject]:
        """Yield the one MAC that the port takes, and the way to each address."""
        link = endpoint.host_link
        yield FdbEntry(link, endpoint.mac)
        for address in endpoint.addresses:
            four = address.version == 4
            gateway = network.gateway_v4 if four else network.gateway_v6
            yield Route(ip_network(address), link, scope=Scope.LINK if four else Scope.GLOBAL, source=gateway)
            yield Neighbour(link, address, endpoint.mac)
        if endpoint.v6:
            yield Neighbour(self.bridge, endpoint.v6, proxy=True)


def _gateway_interfaces(network: NodeNetwork) -> Iterator[IPv4Interface | IPv6Interface]:
    for gateway, cidr in ((network.gateway_v4, network.v4), (network.gateway_v6, network.v6)):
        if gateway is not None and cidr is not None:
            yield ip_interface(f"{gateway}/{cidr.prefixlen}")


def _link_local(bridge: str, own: str) -> Address:
    """Return the link-local address that the bridge would give itself, without the wait for duplicates.

    A router asks for its neighbours from that address only (net/ipv6/ndisc.c, ndisc_send_ns), so packets for
    the first pods of an IPv6 node would be lost while the kernel looks for duplicates, 1 to 2 s.
    """
    return Address(bridge, ip_interface(f"{mac.link_local(own)}/64"), Scope.LINK)


def _pod_layer3(network: NodeNetwork, endpoint: Endpoint) -> Iterator[KernelObject]:
    """Yield addresses with the pod CIDR's prefix, and routes through the bridge."""
    name = endpoint.attachment.interface
    for own, cidr, gateway in (
        (endpoint.v4, network.v4, network.gateway_v4),
        (endpoint.v6, network.v6, network.gateway_v6),
    ):
        if own is None or cidr is None:
            continue
        yield Address(name, ip_interface(f"{own}/{cidr.prefixlen}"))
        for destination in destinations(network, endpoint, own.version):
            yield Route(destination, name, gateway)


def destinations(network: NodeNetwork, endpoint: Endpoint, family: int) -> list[IPv4Network | IPv6Network]:
    """Return what a pod reaches through this interface: everything, or only the cluster's pods.

    The latter is for interfaces that another network's default route must not be taken from.
    """
    if endpoint.default_route:
        return [EVERYWHERE[family]]
    return [each for each in network.cluster if each.version == family]
