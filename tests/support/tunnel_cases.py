"""The rows of the kernel's contract about packets in packets: not every kernel that runs the tests has these.

What lives here: ``TUNNELS``; tests/qemu judges them in Debian's kernel, tests/unit in memory.
What it must not know: any kernel.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address

from contract_case import Case
from octet.blueprint import FouPort, InUdp, Ip6Tunnel, Ipip, Link

HERE, THERE = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")
HERE6, THERE6 = IPv6Address("2001:db8::1"), IPv6Address("2001:db8::2")

TUNNELS = (
    Case(
        "ipip to one peer",
        Ipip,
        Link("tun0", Ipip(HERE, THERE, 225, InUdp(5555)), "test tunnel", mtu=1400),
        Link("tun0", Ipip(HERE, ip_address("192.0.2.3")), "test tunnel", mtu=1300),
        (
            "ip -d link show tun0",
            "remote 192.0.2.2 local 192.0.2.1 ttl 225 pmtudisc encap gue encap-sport auto encap-dport 5555",
        ),
        "remote 192.0.2.3 local 192.0.2.1 ttl inherit pmtudisc",
        base=(FouPort(5555),),
        foreign="ip link add tun0 type bridge",
        undo="ip link del tun0",
        feature="fou",
    ),
    Case(
        "ipip to all peers",
        Ipip,
        Link("tun0", Ipip(HERE), "test tunnel", mtu=1400),
        Link("tun0", Ipip(THERE), "renamed", mtu=1300, up=False),
        ("ip -d link show tun0", "remote any local 192.0.2.1 ttl inherit pmtudisc"),
        "remote any local 192.0.2.2 ttl inherit pmtudisc",
        foreign="ip link add tun0 type ipip local 192.0.2.9 remote any",
        undo="ip link del tun0",
        feature="ipip",
    ),
    Case(
        "ip6tnl",
        Ip6Tunnel,
        Link("tun0", Ip6Tunnel(HERE6, THERE6, 225, InUdp(5555)), "test tunnel", mtu=1400),
        Link("tun0", Ip6Tunnel(HERE6, THERE6, 64), "test tunnel", mtu=1300),
        (
            "ip -d link show tun0",
            "ip6ip6 remote 2001:db8::2 local 2001:db8::1 hoplimit 225 encaplimit none",
        ),
        "ip6ip6 remote 2001:db8::2 local 2001:db8::1 hoplimit 64 encaplimit none",
        base=(FouPort(5555, 6),),
        foreign="ip link add tun0 type bridge",
        undo="ip link del tun0",
        feature="fou6",
    ),
    Case(
        "fou",
        FouPort,
        FouPort(5555),
        FouPort(5555, protocol=4),
        ("ip fou show", "port 5555 gue"),
        "port 5555 ipproto 4",
        foreign="ip fou add port 5555 ipproto 4",
        undo="ip fou del port 5555",
        feature="fou",
    ),
    Case(
        "fou 6",
        FouPort,
        FouPort(5555, 6),
        FouPort(5555, 6, protocol=41),
        ("ip -6 fou show", "port 5555 gue"),
        "port 5555 ipproto 41",
        foreign="ip -6 fou add port 5555 ipproto 41",
        undo="ip -6 fou del port 5555",
        feature="fou6",
    ),
)
"""Each names the feature that a kernel must have."""
