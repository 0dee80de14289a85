"""The contract every store keeps: Kubernetes' own semantics, because the big one is Kubernetes.

What lives here: the protocol, its values and its errors. What it must not know: any store.
Source of the semantics: Kubernetes API concepts, "Efficient detection of changes" and "Resource versions".
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from octet.errors import NotFoundError, NotReadyError, OctetError

Object = Mapping[str, Any]
"""A Kubernetes-shaped object: ``metadata.name``, ``metadata.namespace``, ``metadata.resourceVersion`` ..."""


class ConflictError(OctetError):
    """Somebody changed or made the object first: read it again, decide again."""


class ExpiredError(OctetError):
    """The revision asked for is gone from the store's memory: list again, then watch from there."""


class UnavailableError(NotReadyError):
    """The store cannot answer now; what was asked has not happened, or may have: read before retrying."""


class EventType(Enum):
    """What happened to an object."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class Event:
    """One change, in the store's order; ``object`` of a deletion is the last state."""

    type: EventType
    object: Object
    revision: int


@dataclass(frozen=True, slots=True)
class Listing:
    """All objects of a kind at one revision; a watch from that revision misses nothing.

    Attributes:
        objects: by name. It may make each object anew when it is asked for, so go through it once.
    """

    objects: Sequence[Object]
    revision: int


class Store(Protocol):
    """A place where nodes agree. ``kind`` is Kubernetes' singular kind, as in ``"Node"``."""

    async def list(self, kind: str) -> Listing:
        """Return every object of a kind and the revision that this is true at."""
        ...

    def watch(self, kind: str, revision: int) -> AsyncIterator[Event]:
        """Yield every change after a revision, in order, for ever. Raises ExpiredError, UnavailableError."""
        ...

    async def get(self, kind: str, name: str, namespace: str = "") -> Object:
        """Return one object. Raises NotFoundError."""
        ...

    async def create(self, kind: str, item: Object) -> Object:
        """Store a new object and return it with its resourceVersion. Raises ConflictError if it exists."""
        ...

    async def update(self, kind: str, item: Object) -> Object:
        """Replace an object and return it; equal content keeps its resourceVersion.

        With ``metadata.resourceVersion`` it is a compare-and-swap. Raises ConflictError, NotFoundError.
        """
        ...

    async def delete(self, kind: str, name: str, namespace: str = "", revision: int | None = None) -> None:
        """Remove an object, if given only at that resourceVersion. Raises NotFoundError, ConflictError."""
        ...

    async def close(self) -> None:
        """Let go; watches end. Idempotent."""
        ...


__all__ = [
    "ConflictError",
    "Event",
    "EventType",
    "ExpiredError",
    "Listing",
    "NotFoundError",
    "Object",
    "Store",
    "UnavailableError",
]
