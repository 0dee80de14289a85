"""Masquerade: what pods send out of the cluster carries the node's address; what stays inside never does.

What lives here: one nftables chain, for any transport. What it must not know: which transport, the kernel.
"""

from collections.abc import Iterable, Iterator
from ipaddress import ip_network

from octet.blueprint import Blueprint
from octet.blueprint.nft import (
    DPORT,
    L4PROTO,
    RETURN,
    Chain,
    Compare,
    Hook,
    Lookup,
    Marked,
    Masquerade,
    Network,
    Rule,
    collapse,
    daddr,
    saddr,
)

CHAIN = "masquerade-pods"

KUBE_PROXY_MARK = 0x4000
"""kube-proxy masquerades packets with this bit itself (``--iptables-masquerade-bit`` 14, its default)."""

SOURCE_NAT = 100
"""Priority "srcnat" (nft(8))."""

MULTICAST = {4: ip_network("224.0.0.0/4"), 6: ip_network("ff00::/8")}
"""Never masqueraded: the group is the same inside and outside (as flannel's ``--ip-masq``)."""

BFD = (3784, 4784)
"""UDP ports of BFD, for one hop and for several (RFC 5881, 4; RFC 5883, 5)."""


def masquerade(
    cluster: Iterable[Network],
    sources: Iterable[Network] | None = None,
    spared: str = "",
    speaking: Iterable[int] = (),
) -> Blueprint:
    """Return the chain that masquerades pods' packets to the world outside.

    kube-proxy's mark is tested under its mask, since other bits of the mark belong to others, and a packet
    that has it is left to kube-proxy: two masquerade rules for one packet were flannel-io/flannel#1279.

    BGP and BFD know a peer by its address. A pod's with its node's address would be taken for the node, which
    takes the node's session over where peers restart gracefully (RFC 4724, 4.2); with its own it is nobody's.

    Args:
        cluster: pod networks of the whole cluster; between them no address is ever rewritten.
        sources: whose packets are masqueraded: this node's pod networks; None is the cluster's.
        spared: stem of the sets of addresses to which none is rewritten either; empty where there are none.
        speaking: TCP ports at which nodes and routers speak BGP; none where the node does not.
    """
    inside = tuple(cluster)
    outgoing = inside if sources is None else tuple(sources)
    theirs = Rule(
        Marked(KUBE_PROXY_MARK, KUBE_PROXY_MARK), RETURN, comment="kube-proxy masquerades this itself"
    )
    rules = [rule for family in (4, 6) for rule in _rules(family, inside, outgoing, spared)]
    hook = Hook("nat", "postrouting", SOURCE_NAT)
    return Blueprint([Chain(CHAIN, (theirs, *_spoken(speaking), *rules), hook)] if rules else [])


def _spoken(ports: Iterable[int]) -> Iterator[Rule]:
    held = sorted(set(ports))
    for protocol, numbers in (("tcp", held), ("udp", BFD)) if held else ():
        comment = f"{'BGP' if protocol == 'tcp' else 'BFD'}: no pod speaks for its node"
        yield Rule(Compare(L4PROTO, protocol), Compare(DPORT, *numbers), RETURN, comment=comment)


def _rules(
    family: int, cluster: Iterable[Network], sources: Iterable[Network], spared: str
) -> Iterator[Rule]:
    own = collapse(sources, family)
    if not own:
        return
    from_pods = Compare(saddr(family), *own)
    kept = collapse([*cluster, MULTICAST[family]], family)
    yield Rule(from_pods, Compare(daddr(family), *kept), RETURN, comment="inside the cluster, and multicast")
    if spared:
        known = Lookup(daddr(family), into=f"{spared}{family}")
        yield Rule(from_pods, known, RETURN, comment="to nodes, who know the way back")
    yield Rule(from_pods, Masquerade(), comment="pods to outside the cluster")
