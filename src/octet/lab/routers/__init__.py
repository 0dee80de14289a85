"""A fabric's routers as values, and what their software is told: files and commands for BIRD, FRR and GoBGP.

What lives here: Router, Neighbour, Program; one module per software turns the first into the last.
What it must not know: how a router is reached or started (``process``), which fabric it is part of.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from octet.lab.names import Address, Network

HOLD, KEEPALIVE = 9, 3
"""Seconds after which a silent neighbour is gone, and between signs of life: a data centre's usual values."""

RETRY = 1
"""Seconds between attempts to connect."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another router, at the other end of a link, in one family.

    Attributes:
        name: unique among the neighbours of a router.
        link: the device towards it.
        local: the own address on that link.
    """

    name: str
    link: str
    local: Address
    address: Address
    asn: int


@dataclass(frozen=True, slots=True)
class Router:
    """What one router is; everything that is connected to it, it announces.

    Attributes:
        software: one of ``racks.SOFTWARE``.
        nodes: subnets from which nodes may open sessions.
        kept: networks that no node may announce.
        defaults: IP versions of which it originates a default route.
    """

    name: str
    software: str
    asn: int
    id: IPv4Address
    versions: tuple[int, ...]
    neighbours: tuple[Neighbour, ...]
    nodes: tuple[Network, ...] = ()
    kept: tuple[Network, ...] = ()
    defaults: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """One process of a router.

    Attributes:
        socket: name of a file in the router's own directory that is there once the process can be asked;
        empty is not waited for.
    """

    words: tuple[str, ...]
    socket: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """Everything a router's software is started with.

    Attributes:
        place: where the software and its tools look for sockets; for a router's processes, its own directory.
        files: text by name, in that directory.
        covers: what its processes see of that directory in place of the machine's, by path; a name that is no
        file is a folder, at first empty.
    """

    place: str
    commands: tuple[Command, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    covers: Mapping[str, str] = field(default_factory=dict)
