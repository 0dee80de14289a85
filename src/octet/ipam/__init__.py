"""Who decides which pod gets which address. Pure state machines; whoever drives one keeps its state.

What lives here: one module or folder per way, and what all of them can do (``Addresses``).
What it must not know: files, stores, CNI.
"""

from collections.abc import Iterable
from typing import Protocol

from octet.cluster.endpoint import Attachment
from octet.cluster.reading import Address
from octet.ipam.node_cidr import Allocation, Counts, Pool, Range, State, TakenError


class Addresses(Protocol):
    """A node's addresses, given and taken without waiting: ``Pool``, ``blocks.shelf.Shelf``."""

    def allocate(
        self,
        owner: Attachment,
        requested: Iterable[Address] = (),
        ranges: Iterable[Range] = (),
        pod: tuple[str, str] = ("", ""),
    ) -> Allocation:
        """Give an owner one address of each family, all or none; an owner who has some keeps those.

        Raises:
            NotReadyError, ExhaustedError, BadConfigurationError: as each way says.
        """
        ...

    def release(self, owner: Attachment) -> Allocation | None:
        """Take an owner's addresses back, free at once; return what it had, None if nothing."""
        ...

    def hold(self, owner: Attachment) -> Allocation | None:
        """Take an owner's addresses back; nobody gets them until ``settle``."""
        ...

    def settle(self, given_up: Allocation) -> None:
        """Free addresses that ``hold`` took back. Idempotent."""
        ...

    def counts(self, family: int) -> Counts:
        """Return how many addresses of a family (4 or 6) are in which state."""
        ...


__all__ = ["Addresses", "Allocation", "Counts", "Pool", "State", "TakenError"]
