"""A node with one of each kernel object, as flannel's and a routed model's node would have.

What lives here: the blueprint. What it must not know: which test disturbs it and how.
"""

from ipaddress import ip_address, ip_interface, ip_network

from octet.blueprint import (
    Address,
    Blueprint,
    Bridge,
    FdbEntry,
    Ifb,
    Link,
    Neighbour,
    Route,
    RouteKind,
    Rule,
    Shaper,
    Sysctl,
    Vxlan,
    nft,
)

PEER = "0a:58:0a:02:00:00"

NODE_STATE = Blueprint(
    [
        Sysctl("net/ipv4/ip_forward", "1"),
        Sysctl("net/ipv4/conf/br0/rp_filter", "1"),
        Sysctl("net/ipv4/neigh/br0/gc_stale_time", "77"),
        Link("br0", Bridge(), "bridge", mtu=1400, mac="0a:58:0a:01:00:01", ipv6_autoconf=False),
        Link("vx0", Vxlan(1, 8472, ip_address("10.1.0.1")), "overlay", mtu=1350, mac="0a:58:0a:01:00:00"),
        Link("shape0", Ifb(), "shaping"),
        Address("br0", ip_interface("10.1.0.1/24")),
        Address("br0", ip_interface("fd01::1/64")),
        Address("vx0", ip_interface("10.1.0.0/32")),
        Neighbour("vx0", ip_address("10.2.0.0"), PEER),
        Neighbour("vx0", ip_address("fd02::"), PEER),
        Neighbour("br0", ip_address("10.9.0.9"), proxy=True),
        Neighbour("br0", ip_address("fd09::9"), proxy=True),
        FdbEntry("vx0", PEER, ip_address("192.0.2.2")),
        Route(ip_network("10.2.0.0/24"), "vx0", ip_address("10.2.0.0"), onlink=True),
        Route(ip_network("fd02::/64"), "vx0", ip_address("fd02::"), onlink=True),
        Route(ip_network("10.3.0.0/24"), "br0", ip_address("10.1.0.3"), source=ip_address("10.1.0.1")),
        Route(ip_network("10.4.0.0/16"), kind=RouteKind.BLACKHOLE),
        Rule(100, 4, 1000, mark=(1, 3)),
        Rule(101, 6, 1000, source=ip_network("fd01::/64")),
        Shaper("shape0", 8_000_000, 800_000, redirect_from="br0"),
        nft.Chain("one", (nft.Rule(nft.Compare(nft.IIFNAME, "a"), nft.DROP),)),
        nft.Set("members", ("ipv4_addr",)),
        nft.Element("members", ip_address("10.0.0.1")),
    ]
)
"""One of each kind, several of which stand on each other."""

DISTURBANCES = {
    "bridge deleted": "ip link del br0",
    "vxlan deleted": "ip link del vx0",
    "ifb deleted": "ip link del shape0",
    "vxlan set down": "ip link set vx0 down",
    "bridge set down": "ip link set br0 down",
    "mtu changed": "ip link set br0 mtu 1300",
    "link-local addresses let in": "ip link set br0 addrgenmode eui64",
    "mac changed": "ip link set vx0 address 02:00:00:00:00:09",
    "renamed": "ip link set shape0 name other0",
    "address 4 deleted": "ip address del 10.1.0.1/24 dev br0",
    "address 6 deleted": "ip address del fd01::1/64 dev br0",
    "address 6 without its route": "ip address change fd01::1/64 dev br0 noprefixroute",
    "addresses flushed": "ip address flush dev vx0",
    "route 4 deleted": "ip route del 10.2.0.0/24",
    "route 6 deleted": "ip -6 route del fd02::/64",
    "blackhole deleted": "ip route del blackhole 10.4.0.0/16",
    "our routes flushed": "ip route flush proto 111",
    "route altered": "ip route replace 10.2.0.0/24 dev br0 proto 111",
    "neighbour deleted": "ip neigh del 10.2.0.0 dev vx0",
    "neighbour altered": "ip neigh replace 10.2.0.0 dev vx0 lladdr 02:00:00:00:00:01 nud permanent",
    "neighbour no longer permanent": "ip neigh change fd02:: dev vx0 lladdr 02:00:00:00:00:01 nud stale",
    "proxy 4 deleted": "ip neigh del proxy 10.9.0.9 dev br0",
    "proxy 6 deleted": "ip neigh del proxy fd09::9 dev br0",
    "fdb entry deleted": f"bridge fdb del {PEER} dev vx0 self",
    "fdb entry altered": f"bridge fdb replace {PEER} dev vx0 dst 192.0.2.9 self permanent",
    "rule 4 deleted": "ip rule del priority 100",
    "rule 6 deleted": "ip -6 rule del priority 101",
    "forwarding turned off": "sysctl -qw net.ipv4.ip_forward=0",
    "reverse path filter turned off": "sysctl -qw net.ipv4.conf.br0.rp_filter=0",
    "unannounced setting changed": "sysctl -qw net.ipv4.neigh.br0.gc_stale_time=60",
    "shaper deleted": "tc qdisc del dev shape0 root",
    "shaper altered": "tc qdisc change dev shape0 root handle 6f63: tbf rate 5mbit burst 100000 limit 200000",
    "redirection deleted": "tc qdisc del dev br0 ingress",
    "element deleted": "nft delete element inet octet members { 10.0.0.1 }",
    "chain emptied": "nft flush chain inet octet one",
    "set deleted": "nft delete set inet octet members",
    "table deleted": "nft delete table inet octet",
    "ruleset flushed": "nft flush ruleset",
}
"""What hands do to it, by what the kernel then lacks."""
