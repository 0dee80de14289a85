"""What a part of the kernel looks like to ``HostKernel``: netlink, sysctl, tc and nftables alike.

What lives here: one protocol, so that a new facility is one class and one line in one list.
What it must not know: any facility; the order in which they are used (``plan``).
"""

from collections.abc import Iterable
from typing import Protocol

from octet.blueprint import Blueprint, Change, KernelObject
from octet.kernel.port import Outcome


class Facility(Protocol):
    """One part of one network namespace, for the kinds of objects that it knows. Not thread-safe."""

    @property
    def atomic(self) -> bool:
        """Does ``apply`` make its whole change at once (nftables)?

        An atomic facility gets additions, alterations and removals in one call. Any other gets additions
        and alterations in one call and, after all facilities have had theirs, the removals in another.
        """
        ...

    def handles(self, item: KernelObject) -> bool:
        """Is this object one of the kinds it knows? Pure and cheap: called for every object of a change."""
        ...

    def read(self, wanted: Blueprint) -> Iterable[KernelObject]:
        """Return everything of ours that it holds, as values equal to the wanted ones where it is as wanted.

        ``wanted`` is the whole blueprint, not only the kinds it knows.
        """
        ...

    def apply(self, change: Change) -> Outcome:
        """Make a change of its own kinds true, as ``port.Kernel.apply``; never raises for one bad object."""
        ...

    def close(self) -> None:
        """Let go of sockets and handles; idempotent."""
        ...
