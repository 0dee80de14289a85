"""What every kernel port does, as one table: kinds of objects by verbs, for the real one and the fake.

What lives here: ``CASES``; what a case is says ``contract_case``, the verbs are ``kernel_verbs``.
What it must not know: which kernel it is; the real one is judged by ``ip``, ``bridge``, ``tc`` and ``nft``.
"""

import errno
import os
import tempfile
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

from contract_case import Case, Harness
from octet.blueprint import (
    Address,
    Bridge,
    ConfigFile,
    Daemon,
    FdbEntry,
    Ifb,
    Link,
    Neighbour,
    Route,
    RouteKind,
    Rule,
    Scope,
    Shaper,
    Sysctl,
    Veth,
    Vxlan,
    nft,
)
from tunnel_cases import TUNNELS

DAEMONS = Path(tempfile.gettempdir()) / f"octet-contract-{os.getpid()}"
"""Where the real kernel's daemons have their files."""

MAC, OTHER_MAC = "0a:58:0a:01:00:01", "0a:58:0a:01:00:02"


BRIDGE = Link("br0", Bridge(), "test bridge", mtu=1450, mac=MAC, ipv6_autoconf=False)
VXLAN = Link("vx0", Vxlan(7, 8472, ip_address("10.1.0.1")), "test overlay", mtu=1400, mac=OTHER_MAC)
IFB = Link("shape0", Ifb(), "test shaping")
PAIR = Link("eth0", Veth("pod0", OTHER_MAC), "test pod", mtu=1400, mac=MAC)
NET4, NET6 = Address("br0", ip_interface("10.1.0.1/24")), Address("br0", ip_interface("fd01::1/64"))
CHAIN = nft.Chain("one", (nft.Rule(nft.Compare(nft.IIFNAME, "a"), nft.DROP),))
OTHER_CHAIN = nft.Chain("one", (nft.Rule(nft.Compare(nft.IIFNAME, "b"), nft.DROP),))
MEMBERS = nft.Set("members", ("ipv4_addr",))
JUMPS = nft.Map("jumps", ("ifname",))
LIST_TABLE = "nft list table inet octet"


def route(text: str, link: str | None = "br0", **more: Any) -> Route:
    """Return a route by its destination's text."""
    return Route(ip_network(text), link, **more)


CASES = (
    Case(
        "bridge",
        Bridge,
        BRIDGE,
        Link("br0", Bridge(multicast_snooping=False), "renamed", mtu=1300, mac=OTHER_MAC, up=False),
        ("ip -d link show br0", "octet:test bridge"),
        "octet:renamed",
        foreign="ip link add br0 type bridge",
        undo="ip link del br0",
    ),
    Case(
        "vxlan",
        Vxlan,
        VXLAN,
        Link("vx0", Vxlan(8, 4789, ip_address("fd01::1"), lower="br0"), "test overlay", mtu=1300),
        ("ip -d link show vx0", "vxlan id 7 local 10.1.0.1 srcport 0 0 dstport 8472 nolearning"),
        "vxlan id 8 local fd01::1 dev br0 srcport 0 0 dstport 4789 nolearning",
        base=(BRIDGE,),
        foreign="ip link add vx0 type vxlan id 9 dstport 9999 local 10.1.0.1",
        undo="ip link del vx0",
    ),
    *TUNNELS,
    Case(
        "ifb",
        Ifb,
        IFB,
        Link("shape0", Ifb(), "test shaping", mtu=1300, up=False),
        ("ip -d link show shape0", "octet:test shaping"),
        "mtu 1300",
        foreign="ip link add shape0 type ifb",
        undo="ip link del shape0",
    ),
    Case(
        "veth",
        Veth,
        PAIR,
        Link("eth0", Veth("pod0", OTHER_MAC), "test pod", mtu=1300, mac=MAC, up=False),
        ("ip -d link show eth0", f"link/ether {MAC}"),
        "mtu 1300",
        foreign="ip link add eth0 type bridge",
        undo="ip link del eth0",
        in_pod=True,
    ),
    Case(
        "address 4",
        Address,
        NET4,
        Address("br0", NET4.interface, scope=Scope.LINK, prefix_route=False),
        ("ip -4 address show dev br0", "inet 10.1.0.1/24 scope global br0"),
        "inet 10.1.0.1/24 scope link noprefixroute br0",
        base=(BRIDGE,),
        orphan=errno.ENODEV,
    ),
    Case(
        "address 6",
        Address,
        NET6,
        Address("br0", NET6.interface, prefix_route=False),
        ("ip -6 address show dev br0", "inet6 fd01::1/64 scope global nodad"),
        "noprefixroute",
        base=(BRIDGE,),
        orphan=errno.ENODEV,
    ),
    Case(
        "route 4",
        Route,
        route("10.2.0.0/24", via=ip_address("10.1.0.9"), source=ip_address("10.1.0.1"), mtu=1300),
        route("10.2.0.0/24", scope=Scope.LINK),
        ("ip route show 10.2.0.0/24", "via 10.1.0.9 dev br0 proto 111 src 10.1.0.1 linkdown mtu 1300"),
        "10.2.0.0/24 dev br0 proto 111 scope link",
        base=(BRIDGE, NET4),
        foreign="ip route add blackhole 10.2.0.0/24",
        undo="ip route del 10.2.0.0/24",
        orphan=errno.ENODEV,
    ),
    Case(
        "route 6",
        Route,
        route("fd02::/64", via=ip_address("fd02::"), onlink=True),
        route("fd02::/64", via=ip_address("fd01::9")),
        ("ip -6 route show fd02::/64", "via fd02:: dev br0 proto 111 metric 1024 onlink"),
        "via fd01::9 dev br0 proto 111",
        base=(BRIDGE, NET6),
        foreign="ip -6 route add unreachable fd02::/64",
        undo="ip -6 route del fd02::/64",
        orphan=errno.ENODEV,
    ),
    Case(
        "blackhole",
        Route,
        route("10.3.0.0/16", None, kind=RouteKind.BLACKHOLE, table=1000, metric=7),
        route("10.3.0.0/16", None, kind=RouteKind.THROW, table=1000, metric=7),
        ("ip route show table 1000", "blackhole 10.3.0.0/16 proto 111 metric 7"),
        "throw 10.3.0.0/16 proto 111 metric 7",
        foreign="ip route add unreachable 10.3.0.0/16 table 1000 metric 7",
        undo="ip route del unreachable 10.3.0.0/16 table 1000 metric 7",
    ),
    Case(
        "unreachable",
        Route,
        route("fd03::/32", None, kind=RouteKind.UNREACHABLE, table=1000),
        route("fd03::/32", None, kind=RouteKind.BLACKHOLE, table=1000),
        ("ip -6 route show table 1000", "unreachable fd03::/32 dev lo proto 111"),
        "blackhole fd03::/32 dev lo proto 111",
        foreign="ip -6 route add throw fd03::/32 table 1000",
        undo="ip -6 route del throw fd03::/32 table 1000",
    ),
    Case(
        "neighbour 4",
        Neighbour,
        Neighbour("br0", ip_address("10.2.0.0"), MAC),
        Neighbour("br0", ip_address("10.2.0.0"), OTHER_MAC),
        ("ip neigh show dev br0", f"10.2.0.0 lladdr {MAC} PERMANENT proto 111"),
        f"10.2.0.0 lladdr {OTHER_MAC} PERMANENT proto 111",
        base=(BRIDGE,),
        foreign=f"ip neigh add 10.2.0.0 lladdr {OTHER_MAC} dev br0 nud permanent",
        undo="ip neigh del 10.2.0.0 dev br0",
        orphan=errno.ENODEV,
    ),
    Case(
        "neighbour 6",
        Neighbour,
        Neighbour("br0", ip_address("fd02::"), MAC),
        Neighbour("br0", ip_address("fd02::"), OTHER_MAC),
        ("ip -6 neigh show dev br0", f"fd02:: lladdr {MAC} PERMANENT proto 111"),
        f"fd02:: lladdr {OTHER_MAC} PERMANENT proto 111",
        base=(BRIDGE,),
        foreign=f"ip neigh add fd02:: lladdr {OTHER_MAC} dev br0 nud permanent",
        undo="ip neigh del fd02:: dev br0",
        orphan=errno.ENODEV,
    ),
    Case(
        "proxy 4",
        Neighbour,
        Neighbour("br0", ip_address("10.9.0.9"), proxy=True),
        None,
        ("ip neigh show proxy dev br0", "10.9.0.9 proxy proto 111"),
        base=(BRIDGE,),
        orphan=errno.ENODEV,
    ),
    Case(
        "proxy 6",
        Neighbour,
        Neighbour("br0", ip_address("fd09::9"), proxy=True),
        None,
        ("ip -6 neigh show proxy dev br0", "fd09::9 proxy proto 111"),
        base=(BRIDGE,),
        orphan=errno.ENODEV,
    ),
    Case(
        "fdb",
        FdbEntry,
        FdbEntry("vx0", MAC, ip_address("192.0.2.7")),
        FdbEntry("vx0", MAC, ip_address("192.0.2.8")),
        ("bridge fdb show dev vx0", f"{MAC} dst 192.0.2.7 self permanent"),
        f"{MAC} dst 192.0.2.8 self permanent",
        base=(VXLAN,),
        orphan=errno.ENODEV,
    ),
    Case(
        "rule 4",
        Rule,
        Rule(100, 4, 1000, source=ip_network("10.1.0.0/16"), mark=(1, 3), incoming="br0"),
        Rule(100, 4, 254, source=ip_network("10.1.0.0/16"), mark=(1, 3), incoming="br0"),
        (
            "ip rule show priority 100",
            "from 10.1.0.0/16 fwmark 0x1/0x3 iif br0 [detached] lookup 1000 proto 111",
        ),
        "lookup main proto 111",
    ),
    Case(
        "rule 6",
        Rule,
        Rule(101, 6, 1000, destination=ip_network("fd01::/16")),
        Rule(101, 6, 255, destination=ip_network("fd01::/16")),
        ("ip -6 rule show priority 101", "from all to fd01::/16 lookup 1000 proto 111"),
        "lookup local proto 111",
    ),
    Case(
        "sysctl",
        Sysctl,
        Sysctl("net/ipv4/ip_forward", "1"),
        Sysctl("net/ipv4/ip_forward", "0"),
        ("sysctl net.ipv4.ip_forward", "= 1"),
        "= 0",
    ),
    Case(
        "sysctl of a link",
        Sysctl,
        Sysctl("net/ipv4/conf/br0/rp_filter", "1"),
        Sysctl("net/ipv4/conf/br0/rp_filter", "2"),
        ("sysctl net.ipv4.conf.br0.rp_filter", "= 1"),
        "= 2",
        base=(BRIDGE,),
        orphan=errno.ENOENT,
    ),
    Case(
        "shaper",
        Shaper,
        Shaper("shape0", 8_000_000, 800_000, redirect_from="br0"),
        Shaper("shape0", 16_000_000, 800_000, redirect_from="br0"),
        ("tc qdisc show dev shape0", "rate 8Mbit"),
        "rate 16Mbit",
        base=(BRIDGE, IFB),
        orphan=errno.ENODEV,
    ),
    Case(
        "daemon",
        Daemon,
        Daemon("bgp", "bird"),
        None,
        (f"birdc -s {DAEMONS}/bgp/control.sock show status", "Daemon is up and running"),
        base=(ConfigFile("bgp", "bird.conf", ("router id 10.0.0.1;\nprotocol device { }\n",)),),
    ),
    Case(
        "file of a daemon",
        ConfigFile,
        ConfigFile("bgp", "one.conf", ("one\n",)),
        ConfigFile("bgp", "one.conf", ("two\n",)),
        (f"cat {DAEMONS}/bgp/config/one.conf", "one"),
        "two",
    ),
    Case("nft table", nft.Table, nft.Table(), None, ("nft list tables", "table inet octet")),
    Case("nft chain", nft.Chain, CHAIN, OTHER_CHAIN, (LIST_TABLE, 'iifname "a" drop'), 'iifname "b" drop'),
    Case(
        "nft set",
        nft.Set,
        MEMBERS,
        nft.Set("members", ("ipv6_addr",)),
        (LIST_TABLE, "set members"),
        "ipv6_addr",
    ),
    Case(
        "nft map",
        nft.Map,
        JUMPS,
        nft.Map("jumps", ("ipv4_addr",)),
        (LIST_TABLE, "map jumps"),
        "ipv4_addr : verdict",
    ),
    Case(
        "nft element",
        nft.Element,
        nft.Element("jumps", "a", target=nft.DROP),
        nft.Element("jumps", "a", target=nft.ACCEPT),
        (LIST_TABLE, '"a" : drop'),
        '"a" : accept',
        base=(JUMPS,),
    ),
)
"""Every kind of kernel object, some in both families."""

__all__ = ["CASES", "DAEMONS", "Case", "Harness"]
