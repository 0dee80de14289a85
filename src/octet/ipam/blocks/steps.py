"""What a decision wants done with the store, one request at a time, without knowing a store.

What lives here: requests, and the generators that yield them. A request is answered by what the store
returns, or by an error raised at the ``yield``. Between two requests anything may happen, also the death of
who asked: what any prefix of a generator's requests leaves behind, the next one to come along repairs.
What it must not know: any store, tasks, time.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from octet.cluster.blocks import Affinity, Block, Handle, cidr_name, handle_name
from octet.cluster.reading import Network
from octet.errors import BadConfigurationError, NotFoundError, NotReadyError, OctetError

BLOCK, AFFINITY, HANDLE = "IPAMBlock", "BlockAffinity", "IPAMHandle"
TRIES = 100
"""Lost races in a row before it is told (libcalico-go/lib/ipam/ipam.go, datastoreRetries)."""

Object = Mapping[str, Any]
T = TypeVar("T")
V = TypeVar("V", Block, Affinity, Handle)


class RaceError(OctetError):
    """Somebody else wrote or made the object first; whoever answers requests raises it for a conflict."""


@dataclass(frozen=True, slots=True)
class List:
    """Return every object of a kind."""

    kind: str


@dataclass(frozen=True, slots=True)
class Get:
    """Return one object. Raises NotFoundError."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Create:
    """Make an object and return it. Raises RaceError where there is one of that name."""

    kind: str
    item: Object


@dataclass(frozen=True, slots=True)
class Update:
    """Replace an object at its revision and return it. Raises RaceError, NotFoundError."""

    kind: str
    item: Object


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove an object at this revision. Raises RaceError, NotFoundError."""

    kind: str
    name: str
    revision: str


Request = List | Get | Create | Update | Delete
Steps = Generator[Request, Any, T]
"""Yields requests, is sent answers, returns what came of it. Another error ends it: nothing is known then."""


def affinity_name(node: str, cidr: Network) -> str:
    """Return the name of a node's claim of a block."""
    return Affinity(node, cidr).name


def block(cidr: Network) -> Steps[Block | None]:
    """Return a block; None where there is none. One that somebody is about to delete is deleted."""
    found = yield from _get(BLOCK, cidr_name(cidr), Block.from_object)
    return (yield from _unless_deleted(BLOCK, found))


def affinity(node: str, cidr: Network) -> Steps[Affinity | None]:
    """Return a node's claim of a block; None where there is none. One about to be deleted is deleted."""
    found = yield from _get(AFFINITY, affinity_name(node, cidr), Affinity.from_object)
    return (yield from _unless_deleted(AFFINITY, found))


def handle(name: str) -> Steps[Handle | None]:
    """Return a handle; None where there is none. One that somebody is about to delete is deleted."""
    found = yield from _get(HANDLE, handle_name(name), Handle.from_object)
    return (yield from _unless_deleted(HANDLE, found))


def blocks() -> Steps[tuple[Block, ...]]:
    """Return every block that can be read."""
    items: Sequence[Object] = yield List(BLOCK)
    return tuple(each for each in _readable(items, Block.from_object) if not each.deleted)


def affinities() -> Steps[tuple[Affinity, ...]]:
    """Return every claim that can be read."""
    items: Sequence[Object] = yield List(AFFINITY)
    return tuple(each for each in _readable(items, Affinity.from_object) if not each.deleted)


def gone(kind: str, held: Block | Affinity | Handle) -> Steps[bool]:
    """Delete an object as it was read; False where somebody has changed it since."""
    name = handle_name(held.handle) if isinstance(held, Handle) else held.name
    try:
        yield Delete(kind, name, held.revision)
    except NotFoundError:
        return True
    except RaceError:
        return False
    return True


def persistent(attempt: Callable[[], Steps[T]], what: str) -> Steps[T]:
    """Try again, from the first request, as long as a race is lost. Raises NotReadyError after TRIES."""
    for _ in range(TRIES):
        try:
            return (yield from attempt())
        except RaceError:
            continue
    raise NotReadyError(f"{what} changed {TRIES} times while it was being written")


def _get(kind: str, name: str, parse: Callable[[Object], V]) -> Steps[V | None]:
    try:
        item: Object = yield Get(kind, name)
    except NotFoundError:
        return None
    return parse(item)


def _unless_deleted(kind: str, found: V | None) -> Steps[V | None]:
    if found is None or not found.deleted:
        return found
    yield from gone(kind, found)
    return None


def _readable(items: Sequence[Object], parse: Callable[[Object], V]) -> list[V]:
    found = []
    for item in items:
        try:
            found.append(parse(item))
        except BadConfigurationError:
            continue
    return found
