"""The table of kernel features: what each is, what needs it, which kernels have it, what would do without.

What lives here: one row for each. What it must not know: what a running kernel answers (``features``).
"""

from dataclasses import dataclass, field

from octet.kernel import probes


@dataclass(frozen=True, slots=True)
class Feature:
    """One row of the table.

    Attributes:
        needed_for: models and abilities that use it.
        since: the first kernel that has it.
        option: the kernel's configuration option.
        instead: what an operator can choose on a kernel without it; empty where there is nothing.
    """

    name: str
    summary: str
    needed_for: tuple[str, ...]
    since: str
    option: str
    probe: probes.Probe = field(repr=False, compare=False)
    instead: str = ""


_NAT = f"add chain {probes.TABLE} c {{ type nat hook postrouting priority 100; }}"
_FILTER = f"add chain {probes.TABLE} c {{ type filter hook prerouting priority 0; }}"
_PAIRS = f"add set {probes.TABLE} s {{ type ipv4_addr . inet_service; flags interval; }}"
_FLOWTABLE = f"add flowtable {probes.TABLE} f {{ hook ingress priority 0; devices = {{ lo }}; }}"
_OVERLAYS = ("flannel", "kopeio-vxlan", "canal", "calico (VXLAN)")
_ROUTED = ("calico", "canal", "romana")
_POLICY = ("policy of every model that has one",)

FEATURES: tuple[Feature, ...] = (
    Feature(
        "network-namespaces",
        "network namespaces",
        ("every model", "the lab"),
        "3.0",
        "CONFIG_NET_NS",
        probes.network_namespaces,
    ),
    Feature(
        "user-namespaces",
        "user namespaces",
        ("the lab as an ordinary user",),
        "3.8",
        "CONFIG_USER_NS",
        probes.user_namespaces,
    ),
    Feature("ipv6", "IPv6", ("IPv6 and dual stack",), "2.6.12", "CONFIG_IPV6", probes.ipv6),
    Feature("veth", "pairs of interfaces", ("every model",), "2.6.24", "CONFIG_VETH", probes.link("veth")),
    Feature(
        "bridge",
        "bridges",
        ("kubenet", "flannel", "kopeio-vxlan", "kube-router", "weave", "the lab"),
        "3.0",
        "CONFIG_BRIDGE",
        probes.link("bridge"),
    ),
    Feature("vxlan", "VXLAN", _OVERLAYS, "3.7", "CONFIG_VXLAN", probes.vxlan("192.0.2.1")),
    Feature(
        "vxlan6",
        "VXLAN over IPv6",
        tuple(f"{each} between IPv6 nodes" for each in _OVERLAYS),
        "3.12",
        "CONFIG_VXLAN",
        probes.vxlan("2001:db8::1"),
    ),
    Feature(
        "ipip",
        "IP in IP tunnels",
        ("calico (IPIP)", "flannel (IPIP)", "kube-router"),
        "3.8",
        "CONFIG_NET_IPIP",
        probes.link("ipip", local=2, remote=3),
        "VXLAN (calico: vxlanMode of the IPPool), or no tunnel where nodes share a network",
    ),
    Feature(
        "ip6tnl",
        "IPv6 in IPv6 tunnels",
        ("kube-router between IPv6 nodes",),
        "3.8",
        "CONFIG_IPV6_TUNNEL",
        probes.ip6_tunnel,
        "no tunnel where nodes share a network",
    ),
    Feature(
        "fou",
        "tunnels in UDP (GUE)",
        ("kube-router (tunnels in UDP)",),
        "3.18",
        "CONFIG_NET_FOU, CONFIG_NET_FOU_IP_TUNNELS",
        probes.fou(4),
        "IP in IP as it is, where the network between nodes passes IP protocol 4",
    ),
    Feature(
        "fou6",
        "tunnels in UDP over IPv6",
        ("kube-router (tunnels in UDP) between IPv6 nodes",),
        "4.7",
        "CONFIG_NET_FOU, CONFIG_IPV6_FOU, CONFIG_IPV6_FOU_TUNNEL",
        probes.fou(6),
        "IP in IP as it is, where the network between nodes passes IP protocol 41",
    ),
    Feature(
        "gre",
        "GRE tunnels",
        ("comparison with providers that use it",),
        "2.6.28",
        "CONFIG_NET_IPGRE",
        probes.link("gre", local=6, remote=7),
    ),
    Feature(
        "wireguard",
        "WireGuard",
        ("encryption between nodes",),
        "5.6",
        "CONFIG_WIREGUARD",
        probes.link("wireguard"),
    ),
    Feature(
        "esp",
        "IPsec ESP with AES-GCM",
        ("weave's encrypted fast datapath",),
        "2.6.25",
        "CONFIG_INET_ESP, CONFIG_CRYPTO_GCM",
        probes.esp,
    ),
    Feature(
        "dummy",
        "dummy interfaces",
        ("kube-router (service addresses on the node)",),
        "2.6.23",
        "CONFIG_DUMMY",
        probes.link("dummy"),
    ),
    Feature("tun", "tun devices", ("weave's userspace datapath",), "2.4", "CONFIG_TUN", probes.tun),
    Feature("ipvs", "IPVS", ("kube-router (IPVS)",), "2.6.28", "CONFIG_IP_VS", probes.ipvs),
    Feature(
        "nftables",
        "nftables tables of both families",
        ("masquerade and host ports of every model", *_POLICY),
        "3.14",
        "CONFIG_NF_TABLES_INET",
        probes.rules(_FILTER),
    ),
    Feature(
        "nftables-nat",
        "address translation in such tables",
        ("masquerade and host ports of every model",),
        "5.2",
        "CONFIG_NFT_NAT, CONFIG_NFT_MASQ",
        probes.rules(_NAT, f"add rule {probes.TABLE} c masquerade fully-random"),
    ),
    Feature(
        "nftables-fib",
        "routing lookups in rules",
        ("host ports of every model", *(f"source check of {each}" for each in _ROUTED)),
        "4.10",
        "CONFIG_NFT_FIB_INET",
        probes.rules(_FILTER, f"add rule {probes.TABLE} c fib saddr . iif oif missing drop"),
    ),
    Feature(
        "nftables-log",
        "copies of packets for the agent",
        ("names in policies", "telling of denied packets"),
        "2.6.14",
        "CONFIG_NETFILTER_NETLINK_LOG",
        probes.rules(_FILTER, f"add rule {probes.TABLE} c log group 79"),
    ),
    Feature(
        "locked-ports",
        "bridge ports for known MACs only",
        ("flannel with policy",),
        "5.18",
        "CONFIG_BRIDGE",
        probes.locked_ports,
    ),
    Feature(
        "nftables-concatenated-ranges",
        "sets of ranges in several fields",
        _POLICY,
        "5.6",
        "CONFIG_NF_TABLES",
        probes.rules(_PAIRS, f"add element {probes.TABLE} s {{ 10.0.0.0/8 . 80-90 }}"),
    ),
    Feature(
        "nftables-comments",
        "comments on tables",
        ("nothing yet: for people who read the listing",),
        "5.10",
        "CONFIG_NF_TABLES",
        probes.table_comment,
    ),
    Feature(
        "nftables-flowtable",
        "a fast path for established connections",
        ("nothing yet: throughput of routed models",),
        "4.16",
        "CONFIG_NF_FLOW_TABLE_INET",
        probes.rules(_FLOWTABLE),
    ),
    Feature(
        "conntrack-delete-by-filter",
        "forgetting connections by filter",
        ("UDP host ports (else the table is listed)",),
        "6.9",
        "CONFIG_NF_CT_NETLINK",
        probes.conntrack_filter,
    ),
    Feature(
        "conntrack-list-by-filter",
        "listing some IPv4 addresses' connections",
        ("cutting connections fast (else the table is listed)",),
        "5.8",
        "CONFIG_NF_CT_NETLINK",
        probes.conntrack_listing,
    ),
    Feature(
        "conntrack-mark",
        "marks on connections",
        ("cutting connections", *_POLICY),
        "2.6.10",
        "CONFIG_NF_CONNTRACK_MARK",
        probes.rules(_FILTER, f"add rule {probes.TABLE} c ct mark & 1 == 1 drop"),
    ),
    Feature(
        "sctp",
        "SCTP sockets",
        ("tests of SCTP; forwarding it needs no socket",),
        "2.6.12",
        "CONFIG_IP_SCTP",
        probes.sctp,
    ),
    Feature(
        "tbf",
        "token buckets",
        ("bandwidth limits of every model",),
        "2.2",
        "CONFIG_NET_SCH_TBF",
        probes.token_bucket,
    ),
    Feature(
        "ifb",
        "intermediate functional blocks",
        ("bandwidth limits of what a pod sends",),
        "2.6.23",
        "CONFIG_IFB",
        probes.link("ifb"),
    ),
    Feature(
        "redirect",
        "redirecting what enters a link",
        ("bandwidth limits of what a pod sends",),
        "2.6.12",
        "CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_U32, CONFIG_NET_ACT_MIRRED",
        probes.redirection,
    ),
    Feature(
        "bpf-tc",
        "BPF programs on links",
        ("nothing yet: direct redirection between pods",),
        "4.4",
        "CONFIG_NET_CLS_BPF, CONFIG_BPF_SYSCALL",
        probes.bpf_on_traffic_control,
    ),
    Feature(
        "link-groups",
        "deleting links by group",
        ("fast detaching of every model",),
        "4.1",
        "CONFIG_NET",
        probes.link_groups,
    ),
    Feature(
        "target-netnsid",
        "links of other namespaces without entering them",
        ("lowering the MTU of running pods",),
        "4.20",
        "CONFIG_NET_NS",
        probes.target_namespace,
    ),
)
"""Every feature that anything in Octet uses or reports. A new one is one row and one probe."""
