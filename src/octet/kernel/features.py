"""What this kernel can do: every feature is tried out, never guessed from a version.

What lives here: the table of features with what needs them, three-valued answers, the throwaway process that
asks. What it must not know: models beyond their names, how a feature is tried (``probes``).
"""

import errno
import os
import selectors
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from pathlib import Path

import msgspec

from octet.kernel import namespaces, probes
from octet.kernel.nft.library import NftError


class Answer(Enum):
    """Is it there?"""

    YES = "yes"
    NO = "no"
    UNKNOWN = "could not tell"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a probe found.

    Attributes:
        why: for no and could not tell, what the kernel said; empty for yes.
    """

    answer: Answer
    why: str = ""


@dataclass(frozen=True, slots=True)
class Feature:
    """One row of the table.

    Attributes:
        needed_for: models and abilities that use it.
        since: the first kernel that has it.
        option: the kernel's configuration option.
    """

    name: str
    summary: str
    needed_for: tuple[str, ...]
    since: str
    option: str
    probe: probes.Probe = field(repr=False, compare=False)


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

_ABSENT = {
    errno.EOPNOTSUPP,
    errno.EPROTONOSUPPORT,
    errno.EAFNOSUPPORT,
    errno.ENOSYS,
    errno.ENOENT,
    errno.EINVAL,
    errno.ENODEV,
    errno.ENOSPC,
}
"""Answers of kernels that lack what was asked: unknown kind, protocol, family, call, expression, limit 0."""

_FORBIDDEN = {errno.EPERM, errno.EACCES}
_PATIENCE = 30.0  # seconds for one answer; all take about 0.1, but a slow machine may have to load modules


@cache
def probe() -> Mapping[str, Finding]:
    """Return what every feature's probe found, by name; asked once per process.

    A child process tries everything in a network namespace of its own (and a user namespace, where it may not
    otherwise) and is gone afterwards, with all that it made.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _answer(writer)
    os.close(writer)
    try:
        text = _read(reader)
    finally:
        os.close(reader)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    found = _decode(text)
    silent = Finding(Answer.UNKNOWN, "the probe did not answer")
    return {feature.name: found.get(feature.name, silent) for feature in FEATURES}


def lacking(names: Iterable[str]) -> tuple[str, ...]:
    """Return a sentence for each of the named features that this kernel surely lacks.

    Raises:
        KeyError: there is no feature of that name.
    """
    found = probe()
    table = {feature.name: feature for feature in FEATURES}
    return tuple(
        f"the kernel has no {table[name].summary} ({found[name].why}): "
        f"{table[name].option}, in Linux since {table[name].since}"
        for name in names
        if found[name].answer is Answer.NO
    )


def _read(reader: int) -> bytes:
    """Return all that the child says within the time there is."""
    parts: list[bytes] = []
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ)
        while selector.select(_PATIENCE):
            part = os.read(reader, 1 << 16)
            if not part:
                break
            parts.append(part)
    return b"".join(parts)


def _decode(text: bytes) -> dict[str, Finding]:
    lines = [msgspec.json.decode(line, type=tuple[str, str, str]) for line in text.splitlines()]
    return {name: Finding(Answer(answer), why) for name, answer, why in lines}


def _answer(writer: int) -> None:
    """Try everything in the child, and end it. Says each answer at once: a probe may crash or hang."""
    who = "root" if os.geteuid() == 0 else f"user {os.geteuid()}"
    try:
        obstacle = _hide()
        for feature in sorted(FEATURES, key=lambda each: each.name == "user-namespaces"):
            finding = _judge(feature, obstacle, who)
            row = (feature.name, finding.answer.value, finding.why)
            os.write(writer, msgspec.json.encode(row) + b"\n")
    finally:
        os._exit(0)


def _hide() -> str:
    """Move into namespaces of our own; return why not, or nothing."""
    user, group = os.geteuid(), os.getegid()
    try:
        namespaces.unshare(namespaces.CLONE_NEWNET)
    except PermissionError:
        try:
            namespaces.unshare(namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWNET)
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"0 {user} 1")
            Path("/proc/self/gid_map").write_text(f"0 {group} 1")
        except OSError as error:
            return f"needs root, or user namespaces for user {user}: {error.strerror}"
    except OSError as error:
        return f"no network namespace to try it in: {error.strerror}"
    return ""


def _judge(feature: Feature, obstacle: str, who: str) -> Finding:
    if obstacle:
        return Finding(Answer.UNKNOWN, obstacle)
    try:
        feature.probe()
    except OSError as error:
        return judge(error, who)
    return Finding(Answer.YES)


def judge(error: OSError, who: str) -> Finding:
    """Return what an error of a probe says: the kernel lacks it, ``who`` may not, or something else."""
    said = os.strerror(error.number) if isinstance(error, NftError) else str(error.strerror or error)
    said = "the kernel does not know it" if error.errno == errno.ENOENT else said
    if error.errno in _FORBIDDEN:
        return Finding(Answer.UNKNOWN, f"{who} may not try it here: {said}")
    return Finding(Answer.NO if error.errno in _ABSENT else Answer.UNKNOWN, said)
