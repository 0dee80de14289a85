"""The check that a pod sends from its own addresses only: strict reverse path, both families (RFC 3704, 2.2).

What lives here: one nftables chain. What it must not know: pods; the routes to them are the data.
"""

from octet.blueprint import Blueprint
from octet.blueprint.nft import DROP, IIFNAME, Chain, Compare, Counter, Hook, ReversePath, Rule

CHAIN = "pod-source"

BEFORE_CONNTRACK = -300
"""Priority "raw" (nft(8)): a forged packet shall not even make a conntrack entry."""


def source_check(prefix: str) -> Blueprint:
    """Return the chain that drops what comes in by ``prefix*`` from an address that isn't routed there.

    IPv6 has no ``rp_filter``, and IPv4's is as loose as the loosest of ``all`` and the link's own.
    """
    forged = Rule(
        Compare(IIFNAME, f"{prefix}*"),
        ReversePath(missing=True),
        Counter(),
        DROP,
        comment="source address of another pod or machine",
    )
    return Blueprint([Chain(CHAIN, (forged,), Hook("filter", "prerouting", BEFORE_CONNTRACK))])
