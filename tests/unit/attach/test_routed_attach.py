from dataclasses import replace
from ipaddress import ip_address

import pytest

from octet.attach.routed import RoutedAttach
from octet.blueprint import Address, Blueprint, Link, Neighbour, Route, nft
from octet.cluster.endpoint import Attachment, Endpoint, NodeNetwork

ROUTED = RoutedAttach()


def lines(blueprint: Blueprint) -> list[str]:
    return str(blueprint).splitlines()


def test_inside_an_ipv4_pod(only_v4: NodeNetwork, pod_v4: Endpoint) -> None:
    """A pod is alone in its network and knows the MAC of the gateway that nobody has."""
    assert lines(ROUTED.endpoint(only_v4, pod_v4).pod) == [
        "address 10.244.1.5/32 dev eth0",
        (
            "link eth0 veth (pod octet/c1/eth0) mtu 1450 mac 0a:58:0a:f4:01:05 "
            "peer veth0 address ee:ee:ee:ee:ee:ee"
        ),
        "neighbour 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0",
        "route 0.0.0.0/0 via 169.254.1.1 dev eth0",
        "route 169.254.1.1/32 dev eth0 scope link",
        "sysctl net/ipv6/conf/eth0/accept_ra = 0",
    ]


def test_on_the_node_of_an_ipv4_pod(only_v4: NodeNetwork, pod_v4: Endpoint) -> None:
    """The node has one route to the pod, answers ARP for everything at once, and checks its source."""
    assert lines(ROUTED.endpoint(only_v4, pod_v4).node) == [
        (
            "link veth0 veth (pod octet/c1/eth0) mtu 1450 mac ee:ee:ee:ee:ee:ee "
            "peer eth0 address 0a:58:0a:f4:01:05"
        ),
        "neighbour 10.244.1.5 lladdr 0a:58:0a:f4:01:05 dev veth0",
        "route 10.244.1.5/32 dev veth0 scope link",
        "sysctl net/ipv4/conf/veth0/proxy_arp = 1",
        "sysctl net/ipv4/conf/veth0/rp_filter = 1",
        "sysctl net/ipv4/neigh/veth0/proxy_delay = 0",
        "sysctl net/ipv6/conf/veth0/accept_ra = 0",
    ]


def test_inside_an_ipv6_pod(only_v6: NodeNetwork, pod_v6: Endpoint) -> None:
    """The IPv6 gateway is the link-local address of the fixed MAC."""
    assert lines(ROUTED.endpoint(only_v6, pod_v6).pod) == [
        "address fd00:10:244:1::5/128 dev eth0",
        (
            "link eth0 veth (pod octet/c1/eth0) mtu 1430 mac 0a:58:0a:f4:01:05 "
            "peer veth0 address ee:ee:ee:ee:ee:ee addrgenmode eui64"
        ),
        "neighbour fe80::ecee:eeff:feee:eeee lladdr ee:ee:ee:ee:ee:ee dev eth0",
        "route ::/0 via fe80::ecee:eeff:feee:eeee dev eth0",
        "sysctl net/ipv6/conf/eth0/accept_ra = 0",
    ]


def test_on_the_node_of_an_ipv6_pod(only_v6: NodeNetwork, pod_v6: Endpoint) -> None:
    """The node really has the gateway's address, so a pod that flushed its entries gets an answer."""
    assert lines(ROUTED.endpoint(only_v6, pod_v6).node) == [
        "address fe80::ecee:eeff:feee:eeee/64 dev veth0",
        (
            "link veth0 veth (pod octet/c1/eth0) mtu 1430 mac ee:ee:ee:ee:ee:ee "
            "peer eth0 address 0a:58:0a:f4:01:05"
        ),
        "neighbour fd00:10:244:1::5 lladdr 0a:58:0a:f4:01:05 dev veth0",
        "route fd00:10:244:1::5/128 dev veth0",
        "sysctl net/ipv6/conf/veth0/accept_ra = 0",
        "sysctl net/ipv6/conf/veth0/proxy_ndp = 1",
        "sysctl net/ipv6/neigh/veth0/proxy_delay = 0",
    ]


def test_a_dual_stack_pod_is_both(
    dual: NodeNetwork, only_v4: NodeNetwork, only_v6: NodeNetwork, pod: Endpoint
) -> None:
    """What a dual-stack pod has beside its link is what a pod of each family has."""
    both = ROUTED.endpoint(dual, pod)
    four = ROUTED.endpoint(only_v4, replace(pod, v6=None))
    six = ROUTED.endpoint(only_v6, replace(pod, v4=None))
    for part in ("pod", "node"):
        joined = [each for plan in (four, six) for each in getattr(plan, part) if not isinstance(each, Link)]
        assert getattr(both, part) - Blueprint(getattr(both, part).of(Link)) == Blueprint(joined)


def test_nobody_waits_for_an_answer(dual: NodeNetwork, pod: Endpoint) -> None:
    """Every gateway a pod routes through and every pod a node routes to has a permanent neighbour entry."""
    plan = ROUTED.endpoint(dual, pod)
    gateways = {route.via for route in plan.pod.of(Route) if route.via}
    assert gateways == {each.address for each in plan.pod.of(Neighbour)}
    assert {route.destination.network_address for route in plan.node.of(Route)} == {
        each.address for each in plan.node.of(Neighbour)
    }


def test_gateways_for_the_result(dual: NodeNetwork, pod: Endpoint, pod_v6: Endpoint) -> None:
    """The CNI result names the link-local gateways of the families that the pod has."""
    assert ROUTED.gateways(dual, pod) == ("169.254.1.1", "fe80::ecee:eeff:feee:eeee")
    assert ROUTED.gateways(dual, pod_v6) == (None, "fe80::ecee:eeff:feee:eeee")


def test_calicos_name_for_a_named_pod() -> None:
    """A pod's main interface has the name that Calico gives it: cali and SHA-1 of namespace.pod."""
    attachment = Attachment("octet", "c1", "eth0")
    # echo -n default.nginx | sha1sum
    assert ROUTED.host_link(attachment, "default", "nginx") == "calic440f455693"


@pytest.mark.parametrize(
    ("attachment", "namespace", "pod"),
    [
        (Attachment("octet", "c1", "eth0"), "", ""),
        (Attachment("octet", "c1", "eth1"), "default", "nginx"),
        (Attachment("other", "c1", "eth1"), "default", "nginx"),
    ],
)
def test_other_interfaces_have_names_of_their_own(attachment: Attachment, namespace: str, pod: str) -> None:
    """Two attachments of one pod never clash, and a pod without a name has a link name all the same."""
    name = ROUTED.host_link(attachment, namespace, pod)
    assert name == "cali" + attachment.digest()[:11]
    assert name != ROUTED.host_link(Attachment("octet", "c1", "eth0"), "default", "nginx")


def test_the_source_check_is_one_chain(dual: NodeNetwork) -> None:
    """All pods share one rule, before connection tracking; the routes to them are its data."""
    chain = ROUTED.node(dual).get(("nft-chain", "pod-source"))
    hook, rule = str(chain).splitlines()[1:3]
    assert hook == "\ttype filter hook prerouting priority -300; policy accept;"
    assert rule.startswith('\tiifname "cali*" fib saddr . iif oif missing counter drop comment')


class Routed(nft.Surroundings):
    """A node where one pod's address is routed to its link."""

    def way_to(self, address: object) -> str:
        return "cali1" if address == ip_address("10.244.1.5") else "eth0"


@pytest.mark.parametrize(
    ("source", "link", "dropped"),
    [("10.244.1.5", "cali1", False), ("10.244.1.6", "cali1", True), ("192.0.2.9", "eth0", False)],
)
def test_forged_packets_go_nowhere(dual: NodeNetwork, source: str, link: str, dropped: bool) -> None:
    """A packet from a pod with somebody else's address matches the rule; its own and others' do not."""
    chain = ROUTED.node(dual).get(("nft-chain", "pod-source"))
    packet = nft.Packet(source=ip_address(source), destination=ip_address("10.244.2.2"), iif=link)
    matches = [part.evaluate(packet, Routed()) for part in chain.rules[0].parts[:2]]
    assert all(step is not None for step in matches) is dropped


def test_ipv6_address_of_the_host_end_is_link_scoped(only_v6: NodeNetwork, pod_v6: Endpoint) -> None:
    """The gateway address has link scope, as the kernel will say."""
    (address,) = ROUTED.endpoint(only_v6, pod_v6).node.of(Address)
    assert address.scope.value == "link"
