"""Settings that the kernel announces: forwarding, reverse-path filter, proxied neighbours.

What lives here: RTM_NEWNETCONF (linux/netconf.h), read only. What it must not know: /proc, other settings.
"""

from collections.abc import Iterator

from octet.blueprint import Sysctl
from octet.kernel.netlink import wire
from octet.kernel.netlink.interfaces import Interfaces
from octet.kernel.netlink.kind import AF_INET, AF_INET6

RTM_NEWNETCONF = 80
_IFINDEX, _FORWARDING, _RP_FILTER, _PROXY = 1, 2, 3, 5
_ALL, _DEFAULT = -1, -2
_NAMES = {
    AF_INET: ("ipv4", {_FORWARDING: "forwarding", _RP_FILTER: "rp_filter", _PROXY: "proxy_arp"}),
    AF_INET6: ("ipv6", {_FORWARDING: "forwarding", _PROXY: "proxy_ndp"}),
}
_ANNOUNCED = {family: set(names.values()) for family, names in _NAMES.values()}
_ALIASES = {"net/ipv4/conf/all/forwarding": "net/ipv4/ip_forward"}


def decode(body: bytes, known: Interfaces) -> Iterator[Sysctl]:
    """Return the settings that a message announces, by every path they have under /proc/sys."""
    found = wire.attributes(body, 4)
    family, names = _NAMES.get(body[0], ("", {}))
    link = _link(found.get(_IFINDEX, b""), known)
    for attribute, name in names.items():
        if attribute not in found or not link:
            continue
        path, value = f"net/{family}/conf/{link}/{name}", str(wire.as_int(found[attribute]))
        yield Sysctl(path, value)
        if path in _ALIASES:
            yield Sysctl(_ALIASES[path], value)


def announced(item: Sysctl) -> bool:
    """Does the kernel announce changes of this setting?"""
    if item.path in _ALIASES.values():
        return True
    _, family, *middle, name = item.path.split("/")
    return len(middle) == 2 and middle[0] == "conf" and name in _ANNOUNCED.get(family, ())


def _link(payload: bytes, known: Interfaces) -> str:
    index = int.from_bytes(payload, "little" if wire.LITTLE else "big", signed=True)
    return {_ALL: "all", _DEFAULT: "default"}.get(index) or known.name(index)
