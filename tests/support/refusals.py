"""Mistakes that a kernel refuses, and with which errno: asked of the real one and of the fake.

What lives here: the table. What it must not know: which kernel is asked.
"""

import errno
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

from octet.blueprint import Address, Bridge, KernelObject, Link, Route, Vxlan

TUNNEL = Link("vx0", Vxlan(1, 8472, ip_address("10.1.0.1"), lower="br0"), "overlay")
STANDING: tuple[KernelObject, ...] = (
    Link("br0", Bridge(), "bridge", mtu=1400),
    Link("down0", Bridge(), "bridge", up=False),
    Address("br0", ip_interface("10.1.0.1/24")),
    Address("br0", ip_interface("fd01::1/64")),
    TUNNEL,
)
"""What is there when the mistake is made."""

NOWHERE = ip_network("10.5.0.0/24")
REFUSALS: dict[str, tuple[KernelObject, int]] = {
    "a gateway nobody reaches": (Route(NOWHERE, "br0", ip_address("10.7.0.1")), errno.ENETUNREACH),
    "a v6 gateway nobody reaches": (
        Route(ip_network("fd05::/64"), "br0", ip_address("fd07::1")),
        errno.EHOSTUNREACH,
    ),
    "a link that is down": (Route(NOWHERE, "down0"), errno.ENETDOWN),
    "a source that is no address": (Route(NOWHERE, "br0", source=ip_address("10.7.0.1")), errno.EINVAL),
    "a VNI that is taken": (replace(TUNNEL, name="vx1"), errno.EEXIST),
    "a master that is no bridge": (Link("br1", Bridge(), "x", master="vx0"), errno.EOPNOTSUPP),
    "a master that is not there": (Link("br1", Bridge(), "x", master="br7"), errno.ENODEV),
    "a name that is too long": (Link("a-name-of-16-byte", Bridge(), "x"), errno.ERANGE),
    "a lower link that is not there": (
        Link("vx2", Vxlan(2, 8472, ip_address("10.1.0.1"), lower="br7"), "overlay"),
        errno.ENODEV,
    ),
}
