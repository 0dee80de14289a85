"""All that other programs can see of a network namespace, to compare before and after.

What lives here: one function. What it must not know: what is being tested.
"""

import json
import subprocess

from octet.kernel import namespaces

KERNELS_OWN = frozenset({"tunl0", "ip6tnl0", "gre0", "gretap0", "erspan0", "ip6gre0", "sit0"})
"""Devices that appear in every namespace once a module is loaded, and belong to nobody."""


def snapshot(descriptor: int) -> dict[str, object]:
    """Return all that other programs can see of a namespace: links, addresses, routes, rules, nftables."""

    def ask(*command: str) -> object:
        with namespaces.inside(descriptor):
            text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return json.loads(text) if "-j" in command else text

    links = [link for link in ask("ip", "-j", "addr") if link["ifname"] not in KERNELS_OWN]
    return {
        "links": sorted(link["ifname"] for link in links),
        "addresses": [sorted(a["local"] for a in link["addr_info"]) for link in links],
        "routes": ask("ip", "-j", "route", "show", "table", "all"),
        "routes6": ask("ip", "-6", "-j", "route", "show", "table", "all"),
        "rules": ask("ip", "-j", "rule"),
        "rules6": ask("ip", "-6", "-j", "rule"),
        "neighbours": ask("ip", "-j", "neigh", "show", "nud", "permanent"),
        "nft": ask("nft", "list", "ruleset"),
    }
