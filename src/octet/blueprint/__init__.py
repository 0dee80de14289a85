"""Desired kernel state as values: what a network namespace should hold.

What lives here: frozen values for kernel objects, their keys, and the container that compares them.
What it must not know: netlink, ifindexes, clocks, host names, or who wants the state and why.
"""

from octet.blueprint.base import Blueprint, Change, KernelObject, Key
from octet.blueprint.daemons import ConfigFile, Daemon, Inline, Secret
from octet.blueprint.layer3 import Address, FdbEntry, Neighbour, Route, RouteKind, Rule, Scope
from octet.blueprint.links import (
    Bridge,
    BridgePort,
    FouPort,
    Ifb,
    InUdp,
    Ip6Tunnel,
    Ipip,
    Link,
    LinkDetail,
    Veth,
    Vxlan,
)
from octet.blueprint.tuning import Shaper, Sysctl

__all__ = [
    "Address",
    "Blueprint",
    "Bridge",
    "BridgePort",
    "Change",
    "ConfigFile",
    "Daemon",
    "FdbEntry",
    "FouPort",
    "Ifb",
    "InUdp",
    "Inline",
    "Ip6Tunnel",
    "Ipip",
    "KernelObject",
    "Key",
    "Link",
    "LinkDetail",
    "Neighbour",
    "Route",
    "RouteKind",
    "Rule",
    "Scope",
    "Secret",
    "Shaper",
    "Sysctl",
    "Veth",
    "Vxlan",
]
