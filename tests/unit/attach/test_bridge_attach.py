from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from octet.attach import EndpointPlan
from octet.attach.bridge import BridgeAttach
from octet.blueprint import Address, BridgePort, Link
from octet.cluster.endpoint import Attachment, Endpoint, NodeNetwork

CNI0 = BridgeAttach("cni0")


def text(plan: EndpointPlan) -> tuple[list[str], list[str]]:
    return str(plan.pod).splitlines(), str(plan.node).splitlines()


def test_the_bridge_of_an_ipv4_node(only_v4: NodeNetwork) -> None:
    """A node has a bridge with the first address of its pod CIDR and a MAC made of that address."""
    assert str(CNI0.node(only_v4)).splitlines() == [
        "address 10.244.1.1/24 dev cni0",
        "link cni0 bridge (attach bridge) mtu 1450 mac 0a:58:0a:f4:01:01",
        "sysctl net/ipv6/conf/cni0/accept_ra = 0",
    ]


def test_the_bridge_of_an_ipv6_node(only_v6: NodeNetwork) -> None:
    """Without IPv4 the bridge's MAC is made of its IPv6 address."""
    assert str(CNI0.node(only_v6)).splitlines() == [
        "address fd00:10:244:1::1/64 dev cni0",
        "address fe80::c89f:94ff:fe39:29a7/64 dev cni0",
        "link cni0 bridge (attach bridge) mtu 1430 mac ca:9f:94:39:29:a7",
        "sysctl net/ipv6/conf/cni0/accept_ra = 0",
    ]


def test_the_bridge_of_a_dual_stack_node(dual: NodeNetwork) -> None:
    """Both gateway addresses are on one bridge, whose name is the model's."""
    assert str(BridgeAttach("kopeio").node(dual)).splitlines() == [
        "address 10.244.1.1/24 dev kopeio",
        "address fd00:10:244:1::1/64 dev kopeio",
        "address fe80::858:aff:fef4:101/64 dev kopeio",
        "link kopeio bridge (attach bridge) mtu 1430 mac 0a:58:0a:f4:01:01",
        "sysctl net/ipv6/conf/kopeio/accept_ra = 0",
    ]


def test_an_ipv4_pod(only_v4: NodeNetwork, pod_v4: Endpoint) -> None:
    """A pod has its address in the node's subnet and a default route; the node has one port more."""
    assert text(CNI0.endpoint(only_v4, pod_v4)) == (
        [
            "address 10.244.1.5/24 dev eth0",
            (
                "link eth0 veth (pod octet/c1/eth0) mtu 1450 mac 0a:58:0a:f4:01:05 "
                "peer veth0 address 82:b5:ee:3c:dd:4a"
            ),
            "route 0.0.0.0/0 via 10.244.1.1 dev eth0",
            "sysctl net/ipv6/conf/eth0/accept_ra = 0",
        ],
        [
            (
                "link veth0 veth (pod octet/c1/eth0) mtu 1450 mac 82:b5:ee:3c:dd:4a master cni0 "
                "peer eth0 address 0a:58:0a:f4:01:05 hairpin on"
            )
        ],
    )


def test_an_ipv6_pod(only_v6: NodeNetwork, pod_v6: Endpoint) -> None:
    """An IPv6 pod has nothing of IPv4."""
    assert text(CNI0.endpoint(only_v6, pod_v6))[0] == [
        "address fd00:10:244:1::5/64 dev eth0",
        (
            "link eth0 veth (pod octet/c1/eth0) mtu 1430 mac 0a:58:0a:f4:01:05 "
            "peer veth0 address 82:b5:ee:3c:dd:4a addrgenmode eui64"
        ),
        "route ::/0 via fd00:10:244:1::1 dev eth0",
        "sysctl net/ipv6/conf/eth0/accept_ra = 0",
    ]


def test_a_dual_stack_pod(dual: NodeNetwork, pod: Endpoint) -> None:
    """A dual-stack pod has an address and a default route in each family."""
    assert text(CNI0.endpoint(dual, pod))[0] == [
        "address 10.244.1.5/24 dev eth0",
        "address fd00:10:244:1::5/64 dev eth0",
        (
            "link eth0 veth (pod octet/c1/eth0) mtu 1430 mac 0a:58:0a:f4:01:05 "
            "peer veth0 address 82:b5:ee:3c:dd:4a addrgenmode eui64"
        ),
        "route 0.0.0.0/0 via 10.244.1.1 dev eth0",
        "route ::/0 via fd00:10:244:1::1 dev eth0",
        "sysctl net/ipv6/conf/eth0/accept_ra = 0",
    ]


def test_a_pod_reaches_itself_through_its_port(only_v4: NodeNetwork, pod_v4: Endpoint) -> None:
    """The port sends a pod's packets back to it, as a service that chose the same pod needs."""
    (port,) = CNI0.endpoint(only_v4, pod_v4).node.of(Link)
    assert port.port == BridgePort(hairpin=True)


def test_both_ends_know_each_others_mac(dual: NodeNetwork, pod: Endpoint) -> None:
    """Each end is created with the MAC that the other end's description gives, so udev changes nothing."""
    plan = CNI0.endpoint(dual, pod)
    (inner,), (port,) = plan.pod.of(Link), plan.node.of(Link)
    assert (inner.detail.peer_mac, port.detail.peer_mac) == (port.mac, inner.mac)
    assert (inner.detail.peer, port.detail.peer) == (port.name, inner.name)


@pytest.mark.parametrize(("fixture", "wanted"), [("pod_v4", False), ("pod_v6", True)])
def test_link_local_addresses_only_with_ipv6(
    request: pytest.FixtureRequest, dual: NodeNetwork, fixture: str, wanted: bool
) -> None:
    """A pod without an IPv6 address gets no link-local one either, and ports never do."""
    plan = CNI0.endpoint(dual, request.getfixturevalue(fixture))
    assert plan.pod.of(Link)[0].ipv6_autoconf is wanted
    assert plan.node.of(Link)[0].ipv6_autoconf is False


def test_the_bridge_asks_for_its_neighbours_at_once(only_v6: NodeNetwork) -> None:
    """The bridge's link-local address is given to it, so no packet waits for duplicate detection."""
    (link,), addresses = CNI0.node(only_v6).of(Link), CNI0.node(only_v6).of(Address)
    assert not link.ipv6_autoconf
    assert [address.scope.value for address in addresses] == ["global", "link"]


def test_a_second_interface_leaves_the_default_route_alone(dual: NodeNetwork, pod: Endpoint) -> None:
    """Where another network has the default route, only the cluster's pods are reached through this one."""
    routes = [
        line for line in text(CNI0.endpoint(dual, replace(pod, default_route=False)))[0] if "route" in line
    ]
    assert routes == [
        "route 10.244.0.0/16 via 10.244.1.1 dev eth0",
        "route fd00:10:244::/48 via fd00:10:244:1::1 dev eth0",
    ]


def test_another_pod_cidr_moves_the_gateway_address_only(only_v4: NodeNetwork) -> None:
    """A node that is given another CIDR gets the new gateway address and loses the old; the bridge stays."""
    moved = replace(only_v4, v4=ip_network("10.244.9.0/24"), gateway_v4=ip_address("10.244.9.1"))
    change = CNI0.node(moved).change_from(CNI0.node(only_v4))
    assert [str(each) for each in change.add] == ["address 10.244.9.1/24 dev cni0"]
    assert [str(each) for each in change.remove] == ["address 10.244.1.1/24 dev cni0"]
    assert [old.key for old, _ in change.alter] == [("link", "cni0")]


def test_the_bridge_follows_the_mtu(only_v4: NodeNetwork) -> None:
    """When the path shrinks, the bridge is altered in place and keeps addresses and MAC."""
    change = CNI0.node(replace(only_v4, mtu=1350)).change_from(CNI0.node(only_v4))
    ((old, new),) = change.alter
    assert (old.mtu, new.mtu, new.mac, change.add, change.remove) == (1450, 1350, old.mac, (), ())


def test_gateways_for_the_result(dual: NodeNetwork, pod: Endpoint, pod_v4: Endpoint) -> None:
    """The CNI result names the bridge's address for each family that the pod has, and none other."""
    assert CNI0.gateways(dual, pod) == ("10.244.1.1", "fd00:10:244:1::1")
    assert CNI0.gateways(dual, pod_v4) == ("10.244.1.1", None)


def test_a_pod_without_addresses_has_a_link_only(only_v4: NodeNetwork, pod_v4: Endpoint) -> None:
    """No address, no route."""
    plan = CNI0.endpoint(only_v4, replace(pod_v4, v4=None))
    assert plan.pod.of(Address) == []
    assert "route" not in str(plan.pod)


def test_port_names_fit_and_differ() -> None:
    """A port's name has 15 bytes and is another one for another container, network or interface."""
    names = {
        CNI0.host_link(Attachment(*parts))
        for parts in (("n", "c", "eth0"), ("m", "c", "eth0"), ("n", "d", "eth0"), ("n", "c", "eth1"))
    }
    assert len(names) == 4
    assert {len(name) for name in names} == {15}
