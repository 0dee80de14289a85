"""What node1 of two nodes holds, in ip(8)'s words, by model and family (nftables: test_shared_rules)."""

import re

import pytest

from octet.blueprint import Blueprint, Link, Sysctl
from octet.models import example, find, names

NODE_V4 = """
address 10.244.1.1/24 dev BRIDGE
link BRIDGE bridge (attach bridge) mtu MTU mac 0a:58:0a:f4:01:01
sysctl net/ipv4/conf/BRIDGE/route_localnet = 1
sysctl net/ipv4/ip_forward = 1
sysctl net/ipv6/conf/BRIDGE/accept_ra = 0
"""
NODE_V6 = """
address fd00:10:244:1::1/64 dev BRIDGE
address LINKLOCAL/64 dev BRIDGE
link BRIDGE bridge (attach bridge) mtu MTU mac ca:9f:94:39:29:a7
sysctl net/ipv4/conf/BRIDGE/route_localnet = 1
sysctl net/ipv6/conf/all/forwarding = 1
sysctl net/ipv6/conf/eth0/forwarding = 0
sysctl net/ipv6/conf/BRIDGE/accept_ra = 0
"""

FLANNEL_V4 = """
address 10.244.1.0/32 dev flannel.1
link flannel.1 vxlan (transport vxlan) mtu 1450 mac 72:01:dd:3f:b9:2a vni 1 port 8472 local 192.0.2.1 dev eth0
sysctl net/ipv4/conf/flannel.1/rp_filter = 2
sysctl net/ipv6/conf/flannel.1/accept_ra = 0
"""
FLANNEL_V6 = """
address fd00:10:244:1::/128 dev flannel-v6.1
link flannel-v6.1 vxlan (transport vxlan) mtu 1430 mac f6:04:7b:e7:93:9c vni 1 port 8472 \
local 2001:db8::1 dev eth0
sysctl net/ipv6/conf/flannel-v6.1/accept_ra = 0
"""
KOPEIO_V4 = """
address 10.244.1.0/32 dev vxlan1
link vxlan1 vxlan (transport vxlan) mtu 1450 mac 00:53:0a:f4:01:00 vni 1 port 4789 local 192.0.2.1
sysctl net/ipv4/conf/vxlan1/rp_filter = 2
sysctl net/ipv6/conf/vxlan1/accept_ra = 0
"""
KOPEIO_V6 = """
address fd00:10:244:1::/128 dev vxlan1-v6
link vxlan1-v6 vxlan (transport vxlan) mtu 1430 mac 1a:29:58:a5:98:c1 vni 1 port 4789 local 2001:db8::1
sysctl net/ipv6/conf/vxlan1-v6/accept_ra = 0
"""
ANSWERS_V4 = """
sysctl net/ipv4/conf/cni0/proxy_arp = 1
sysctl net/ipv4/conf/cni0/rp_filter = 2
sysctl net/ipv4/neigh/cni0/proxy_delay = 0
"""
ANSWERS_V6 = """
sysctl net/ipv6/conf/cni0/proxy_ndp = 1
sysctl net/ipv6/neigh/cni0/proxy_delay = 0
"""
SPEAKER = """
daemon bgp (bird)
file bird.conf of bgp
file owned.conf of bgp
file policy.conf of bgp
"""
CALICO_V4 = SPEAKER + "route blackhole 10.244.1.0/26"
CALICO_V6 = SPEAKER + "route blackhole fd00:10:244:1::/122"
NO_OVERLAY_V4 = SPEAKER + ANSWERS_V4.replace("cni0", "kube-bridge")
NO_OVERLAY_V6 = SPEAKER + ANSWERS_V6.replace("cni0", "kube-bridge")
KUBE_ROUTER_V4 = NO_OVERLAY_V4 + "rule 32700: from 10.244.1.0/24 lookup 77"
KUBE_ROUTER_V6 = NO_OVERLAY_V6 + "rule 32700: from fd00:10:244:1::/64 lookup 77"
MTUS = {"kube-router": ("1480", "1460"), "kube-router:no-overlay": ("1500", "1500")}
"""Of models that don't use VXLAN, and hold more than the bridge all the same."""
WRAPPED_V4 = """
address 10.244.1.1/32 dev vxlan.calico
link vxlan.calico vxlan (transport vxlan) mtu 1450 mac 66:f9:37:c3:7e:94 vni 4096 port 4789 local 192.0.2.1 dev eth0
sysctl net/ipv4/conf/vxlan.calico/rp_filter = 2
sysctl net/ipv6/conf/vxlan.calico/accept_ra = 0
"""  # noqa: E501
WRAPPED_V6 = """
address fd00:10:244:1::1/128 dev vxlan-v6.calico
link vxlan-v6.calico vxlan (transport vxlan) mtu 1430 mac 66:0f:35:f2:60:df vni 4096 port 4789 local 2001:db8::1 dev eth0
sysctl net/ipv6/conf/vxlan-v6.calico/accept_ra = 0
"""  # noqa: E501
NODE = {
    "kube-router": ("kube-bridge", KUBE_ROUTER_V4, KUBE_ROUTER_V6),
    "kube-router:no-overlay": ("kube-bridge", NO_OVERLAY_V4, NO_OVERLAY_V6),
    "calico": ("", CALICO_V4, CALICO_V6),
    "calico:vxlan": ("", CALICO_V4 + WRAPPED_V4, CALICO_V6 + WRAPPED_V6),
    "canal": ("", FLANNEL_V4, FLANNEL_V6),
    "flannel": ("cni0", FLANNEL_V4, FLANNEL_V6),
    "flannel:policy": ("cni0", FLANNEL_V4 + ANSWERS_V4, FLANNEL_V6 + ANSWERS_V6),
    "flannel:direct": ("cni0", FLANNEL_V4, FLANNEL_V6),
    "flannel:host-gw": ("cni0", "", ""),
    "kopeio-vxlan": ("kopeio", KOPEIO_V4, KOPEIO_V6),
}

ROUTED_V4 = "route 10.244.2.0/24 via 192.0.2.2 dev eth0"
ROUTED_V6 = "route fd00:10:244:2::/64 via 2001:db8::2 dev eth0"
PEER = {
    "flannel": (
        """
fdb aa:18:2d:ca:91:c8 dst 192.0.2.2 dev flannel.1
neighbour 10.244.2.0 lladdr aa:18:2d:ca:91:c8 dev flannel.1
route 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink
""",
        """
fdb 6e:06:cb:e3:e7:0e dst 2001:db8::2 dev flannel-v6.1
neighbour fd00:10:244:2:: lladdr 6e:06:cb:e3:e7:0e dev flannel-v6.1
route fd00:10:244:2::/64 via fd00:10:244:2:: dev flannel-v6.1 onlink
""",
    ),
    "flannel:direct": (ROUTED_V4, ROUTED_V6),
    "flannel:host-gw": (ROUTED_V4, ROUTED_V6),
    "kopeio-vxlan": (
        """
fdb 00:53:0a:f4:02:00 dst 192.0.2.2 dev vxlan1
neighbour 10.244.2.0 lladdr 00:53:0a:f4:02:00 dev vxlan1
route 10.244.2.0/24 via 10.244.2.0 dev vxlan1 onlink
""",
        """
fdb f6:78:e2:b0:39:f7 dst 2001:db8::2 dev vxlan1-v6
neighbour fd00:10:244:2:: lladdr f6:78:e2:b0:39:f7 dev vxlan1-v6
route fd00:10:244:2::/64 via fd00:10:244:2:: dev vxlan1-v6 onlink
""",
    ),
}

SESSION = "file node.node2.conf of bgp"
PEER["kube-router:no-overlay"] = (SESSION, SESSION)
KNOWN = ("\nelement tunnel-nodes4 { 192.0.2.2 }", "\nelement tunnel-nodes6 { 2001:db8::2 }")
PEER["kube-router"] = (SESSION + KNOWN[0], SESSION + KNOWN[1])
PEER["calico"] = ("file node.node2.conf of bgp", "file node.node2.conf of bgp")
PEER["calico:vxlan"] = (
    """
element tunnel-nodes4 { 192.0.2.2 }
fdb 66:2d:bf:44:a6:8b dst 192.0.2.2 dev vxlan.calico
file node.node2.conf of bgp
neighbour 10.244.2.1 lladdr 66:2d:bf:44:a6:8b dev vxlan.calico
route 10.244.2.0/26 via 10.244.2.1 dev vxlan.calico onlink
""",
    """
element tunnel-nodes6 { 2001:db8::2 }
fdb 66:32:42:ed:de:d5 dst 2001:db8::2 dev vxlan-v6.calico
file node.node2.conf of bgp
neighbour fd00:10:244:2::1 lladdr 66:32:42:ed:de:d5 dev vxlan-v6.calico
route fd00:10:244:2::/122 via fd00:10:244:2::1 dev vxlan-v6.calico onlink
""",
)
PEER |= {"canal": PEER["flannel"], "flannel:policy": PEER["flannel"]}

EVERY = pytest.mark.parametrize("name", NODE)


def shared(bridge: str, text: str) -> str:
    """What a node has for its bridge and its families; without a bridge the families alone."""
    kept = [line for line in text.split("\n") if bridge or not {"BRIDGE", "LINKLOCAL"} & words(line)]
    return "\n".join(kept).replace("BRIDGE", bridge)


def words(line: str) -> set[str]:
    return set(re.split(r"[^A-Z]+", line))


def lines(*texts: str) -> list[str]:
    return sorted({line for text in texts for line in text.split("\n") if line})


def held(blueprint: Blueprint) -> list[str]:
    """Return what is no rule; of a daemon's files the names (their text: test_bgp_rendering)."""
    told = (re.sub(r", \d+ lines$", "", str(each)) for each in blueprint)
    return sorted(line for line in told if line.split()[0] not in {"chain", "map", "set"})


def node_and_peer(name: str, families: str) -> tuple[Blueprint, Blueprint]:
    running = find(name).parse({}, source="test")
    view = example.view(running, example.FAMILIES[families])
    return running.node(view), running.peer(view, view.peers[0])


def test_the_table_and_the_expectations_are_one_list() -> None:
    """No model or variant is without its expectations here."""
    assert sorted(NODE) == sorted(PEER) == sorted(names())


@EVERY
def test_an_ipv4_node(name: str) -> None:
    """An IPv4 node forwards, has its bridge, and the model's device for IPv4."""
    bridge, four, _ = NODE[name]
    mtu = MTUS.get(name, ("1450" if four else "1500", ""))[0]
    wanted = lines(shared(bridge, NODE_V4).replace("MTU", mtu), four)
    assert held(node_and_peer(name, "v4")[0]) == wanted


@EVERY
def test_an_ipv6_node(name: str) -> None:
    """An IPv6 node forwards, still listens to the routers of its underlay, and has nothing of IPv4."""
    bridge, _, six = NODE[name]
    mtu = MTUS.get(name, ("", "1430" if six else "1500"))[1]
    text = shared(bridge, NODE_V6).replace("LINKLOCAL", "fe80::c89f:94ff:fe39:29a7")
    wanted = lines(text.replace("MTU", mtu), six)
    assert held(node_and_peer(name, "v6")[0]) == wanted


@EVERY
def test_a_dual_stack_node(name: str) -> None:
    """A dual-stack node has what both have; its bridge has IPv4's MAC and the smaller MTU."""
    bridge, four, six = NODE[name]
    mtu = MTUS.get(name, ("", "1430" if six else "1500"))[1]
    text = shared(bridge, NODE_V4 + NODE_V6).replace("LINKLOCAL", "fe80::858:aff:fef4:101")
    text = text.replace("MTU", mtu)
    wanted = [line for line in lines(text, four, six) if "ca:9f:94:39:29:a7" not in line]
    assert held(node_and_peer(name, "dual")[0]) == wanted


@EVERY
@pytest.mark.parametrize(("families", "index"), [("v4", (0,)), ("v6", (1,)), ("dual", (0, 1))])
def test_one_peer(name: str, families: str, index: tuple[int, ...]) -> None:
    """A peer adds the entries of the families that it is reached in, and nothing else."""
    wanted = {*lines(*(PEER[name][each] for each in index))}
    assert held(node_and_peer(name, families)[1]) == sorted(wanted)


@EVERY
def test_the_same_view_gives_the_same_blueprint(name: str) -> None:
    """However often and wherever it is computed, one view has one blueprint."""
    assert node_and_peer(name, "dual") == node_and_peer(name, "dual")
    assert [each.key for each in node_and_peer(name, "dual")[0]] == [
        each.key for each in node_and_peer(name, "dual")[0]
    ]


@EVERY
def test_every_name_fits_the_kernel(name: str) -> None:
    """No device has a longer name than the kernel takes."""
    assert all(len(link.name) <= 15 for link in node_and_peer(name, "dual")[0].of(Link))


def test_all_forwarding_comes_before_the_underlays_own() -> None:
    """Writing `all` overwrites every interface, so the underlay's exception is written after it."""
    paths = [each.path for each in node_and_peer("flannel", "v6")[0].of(Sysctl)]
    assert paths.index("net/ipv6/conf/all/forwarding") < paths.index("net/ipv6/conf/eth0/forwarding")
