"""The port through which everybody else reaches one network namespace.

What lives here: the protocol that the real kernel (``host.HostKernel``) and the fake (``fake.FakeKernel``)
share, and what a change came to. What it must not know: how either does it.
"""

from dataclasses import dataclass, field
from typing import Protocol, Self

from octet.blueprint import Blueprint, Change, KernelObject

ROUTE_PROTOCOL = 0x6F
"""Marks every route, rule and neighbour of ours (rtnetlink(7): values above 4, RTPROT_STATIC, are free)."""

ALIAS_PREFIX = "octet:"
"""Starts the alias of every link of ours; a link without it is somebody else's and is never altered."""

RETIRED_GROUP = 0x6F63
"""Link group (ip-link(8)) of detached pod links that wait to be deleted together."""

NFT_TABLE = "octet"
"""Our only nftables table (one per family used)."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One object the kernel would not take or give up.

    Attributes:
        errno: the kernel's number, positive; EEXIST on a link or route means it is there and not ours.
        reason: a sentence for a person.
    """

    item: KernelObject
    errno: int
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.item}: {self.reason or self.errno}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is true after a change: which parts of it are in force and which are not.

    Attributes:
        done: objects that are now as the change wanted (present if added or altered, absent if removed).
        failed: the rest, with the reason.
    """

    done: tuple[KernelObject, ...] = ()
    failed: tuple[Failure, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Did all of it come true?"""
        return not self.failed


class Kernel(Protocol):
    """One network namespace: read what is ours, change it, let pods in and out. Not thread-safe."""

    def read(self, wanted: Blueprint) -> Blueprint:
        """Return what the namespace holds of ours, whether wanted or not.

        Ours: links with our alias, addresses on them, routes and rules with our protocol number, permanent
        neighbours and fdb entries on our links, our nftables tables with their elements, shapers on our
        links, and of sysctls those that ``wanted`` names. An object that differs from what is wanted only in
        what the kernel adds by itself reads as equal to it. Costs a full dump: never on a hot path.
        """
        ...

    def apply(self, change: Change) -> Outcome:
        """Make a change true, without reading first: adds before removals, in an order the kernel accepts.

        Adding what is already there exactly is done; removing what is absent is done. A veth is created from
        its pod's end (see ``enter``): adding one here configures the end that is already here. Removing a
        veth retires it: when this returns it passes no packet, and ``reap`` deletes it.
        """
        ...

    def enter(self, namespace: int) -> "Kernel":
        """Return the port of another namespace, by open descriptor, whose veths have their peers here.

        The caller closes it. Errors: OSError when the descriptor is no network namespace.
        """
        ...

    def reap(self) -> int:
        """Delete all retired links in one operation; return how many had been retired since the last time."""
        ...

    def close(self) -> None:
        """Let go of sockets; idempotent."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...
