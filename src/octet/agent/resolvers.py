"""The resolvers that this node itself uses: pods with ``dnsPolicy: Default`` are given them.

What lives here: resolv.conf, read as the kubelet does. What it must not know: what pods ask.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from octet.cluster.objects import Address

PATHS = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
"""The usual one, and the one that systemd-resolved keeps its own resolvers in: kubeadm has the kubelet use
that where it is there, because the usual one leads to the node's own loopback."""

MOST = 3
"""Resolvers that count (resolv.conf(5), MAXNS)."""


def nameservers(paths: Iterable[Path] = PATHS) -> tuple[Address, ...]:
    """Return what the files say that pods could ask; a file that cannot be read says nothing."""
    found: dict[Address, None] = {}
    for path in paths:
        with suppress(OSError, UnicodeDecodeError):
            found |= dict.fromkeys(list(_read(path.read_text()))[:MOST])
    return tuple(each for each in found if not each.is_loopback)


def _read(text: str) -> Iterator[Address]:
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            with suppress(ValueError):
                yield ip_address(words[1])
