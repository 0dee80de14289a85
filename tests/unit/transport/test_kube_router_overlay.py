from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Interface, ip_address

import pytest

from octet.blueprint import Blueprint, FouPort, Link, Route, Rule
from octet.blueprint.nft import Chain
from octet.cluster.view import View
from octet.errors import NotReadyError
from octet.transport.kube_router.overlay import PORT, TABLE, Overlay, device
from octet.transport.tunnelling import Mode

ViewOf = Callable[..., View]
FULL, IN_UDP = Overlay(mode=Mode.ALWAYS), Overlay(mode=Mode.ALWAYS, in_udp=PORT)
SUBNET, NEVER = Overlay(), Overlay(mode=Mode.NEVER)


def lines(blueprint: Blueprint) -> list[str]:
    return str(blueprint).splitlines()


def routed(view: View) -> View:
    """Put a router between this node and all others."""
    return replace(view, underlay=replace(view.underlay, v4=IPv4Interface("192.0.2.1/32")))


def test_a_peer_has_a_tunnel_of_its_own(flannel: ViewOf) -> None:
    """The tunnel is between the nodes' addresses; behind it are the peer's pods, and the peer for ours."""
    view = flannel("v4", "kopeio-vxlan")
    assert lines(FULL.peer(view, view.nodes["node2"])) == [
        "element tunnel-nodes4 { 192.0.2.2 }",
        "link tun-c0000202 ipip (transport overlay) mtu 1480 local 192.0.2.1 remote 192.0.2.2 ttl 225",
        "route 10.244.2.0/24 dev tun-c0000202 src 192.0.2.1",
        "route 192.0.2.2/32 dev tun-c0000202 table 77",
        "sysctl net/ipv4/conf/tun-c0000202/rp_filter = 2",
    ]


def test_pods_reach_the_other_node_itself_through_the_tunnel(flannel: ViewOf) -> None:
    """What this node's pods send, and nobody else does, looks into table 77 first, where nodes are."""
    view = flannel("v4", "kopeio-vxlan")
    (rule,) = FULL.node(view).of(Rule)
    assert (str(rule.source), rule.table) == ("10.244.1.0/24", TABLE)
    assert rule.priority < 32766


def test_between_nodes_of_one_network_nothing_is_wrapped(flannel: ViewOf) -> None:
    """With overlay type subnet, BGP's own routes lead to nodes that no router is before."""
    view = flannel("v4", "kopeio-vxlan")
    assert SUBNET.peer(view, view.nodes["node2"]).of(Link) == []
    assert SUBNET.peer(view, view.nodes["node2"]).of(Route) == []
    assert [link.name for link in SUBNET.peer(routed(view), view.nodes["node2"]).of(Link)] == ["tun-c0000202"]


def test_without_bgp_near_routes_are_made_here(flannel: ViewOf) -> None:
    """Where nobody else makes them, the transport does."""
    view = flannel("v4", "kopeio-vxlan")
    routes = Overlay(bare=True).peer(view, view.nodes["node2"]).of(Route)
    assert [str(route) for route in routes] == ["route 10.244.2.0/24 via 192.0.2.2 dev eth0"]


def test_an_overlay_that_is_switched_off_holds_nothing(flannel: ViewOf) -> None:
    """Neither devices nor rules, lists or ports, and pods have the whole MTU."""
    view = routed(flannel("v4", "kopeio-vxlan"))
    assert len(NEVER.node(view)) == len(NEVER.peer(view, view.nodes["node2"])) == 0
    assert (NEVER.mtu(view), NEVER.ports) == (1500, ())


def test_a_tunnel_in_udp_ends_at_a_port(flannel: ViewOf) -> None:
    """GUE: the kernel takes packets out at 5555, for each family, and pods may not send there."""
    view = flannel("dual", "kopeio-vxlan")
    assert IN_UDP.node(view).of(FouPort) == [FouPort(5555, 4), FouPort(5555, 6)]
    assert IN_UDP.ports == (5555,)
    text = str(IN_UDP.peer(view, view.nodes["node2"]))
    assert "mtu 1468 local 192.0.2.1 remote 192.0.2.2 ttl 225 encap gue encap-dport 5555" in text
    assert "ip6tunnel (transport overlay) mtu 1448 local 2001:db8::1 remote 2001:db8::2" in text


@pytest.mark.parametrize(
    ("overlay", "families", "mtu"),
    [
        (FULL, "v4", 1480),
        (FULL, "v6", 1460),
        (FULL, "dual", 1460),
        (IN_UDP, "v4", 1468),
        (IN_UDP, "v6", 1448),
    ],
)
def test_what_pods_may_send(flannel: ViewOf, overlay: Overlay, families: str, mtu: int) -> None:
    """The underlay's MTU without the outer header, and without UDP and GUE where they are."""
    assert overlay.mtu(flannel(families, "kopeio-vxlan")) == mtu


def test_every_tunnel_has_what_fits_through_it(flannel: ViewOf) -> None:
    """Each family's tunnel has its own MTU; pods have the smaller one."""
    view = flannel("dual", "kopeio-vxlan")
    assert [link.mtu for link in FULL.peer(view, view.nodes["node2"]).of(Link)] == [1480, 1460]


def test_names_tell_nodes_apart() -> None:
    """The original names the tunnels to 21.3.0.4 and 2.13.0.4 alike, and one of the nodes is not reached."""
    names = {device(ip_address(text)) for text in ("21.3.0.4", "2.13.0.4", "2.1.30.4", "fd00::1", "fd00::11")}
    assert len(names) == 5
    assert all(len(name) <= 15 for name in names)


@pytest.mark.parametrize(
    ("overlay", "rule"),
    [
        (FULL, "meta l4proto 4 ip saddr != @tunnel-nodes4"),
        (IN_UDP, "meta l4proto udp th dport 5555 ip saddr != @tunnel-nodes4"),
    ],
)
def test_only_nodes_send_wrapped_packets(flannel: ViewOf, overlay: Overlay, rule: str) -> None:
    """A machine that is no node can't put packets into the pod network; what nodes send is not tracked."""
    guard, arriving, leaving = overlay.node(flannel("v4", "kopeio-vxlan")).of(Chain)
    assert str(guard.rules[0]).startswith(f"{rule} counter drop")
    assert str(arriving.rules[0]) == rule.replace("!= ", "") + " notrack"
    assert str(leaving.rules[0]) == rule.replace("saddr != ", "daddr ") + " notrack"


def test_a_peer_of_the_other_family_says_so(flannel: ViewOf, changed: ViewOf) -> None:
    """A node that has said no address of the pods' family is named with the reason."""
    view = changed(flannel("v4", "kopeio-vxlan"), "node2", ips="2001:db8::2")
    assert len(FULL.peer(view, view.nodes["node2"])) == 0
    assert FULL.obstacles(view, view.nodes["node2"]) == ("node node2 has no IPv4 InternalIP",)


def test_before_there_is_a_pod_cidr(flannel: ViewOf) -> None:
    """A node that has no pods yet cannot say what they may send."""
    with pytest.raises(NotReadyError, match="nobody has no pod CIDR yet"):
        FULL.mtu(replace(flannel("v4", "kopeio-vxlan"), me="nobody"))
