"""What a store does to an object on its way in: checks, stamps, and the answer to "did it change?".

What lives here: the rules that all our own stores share, so that they cannot differ. Pure but for the clock
and random identities. What it must not know: where objects are kept, the meaning of any kind.
Sources: Kubernetes API conventions ("Metadata", "Concurrency control"), object names (RFC 1123), etcd's
request limit of 1.5 MiB.
"""

import re
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, overload

import msgspec

from octet.errors import BadConfigurationError
from octet.store.contract import ConflictError, NotFoundError, Object

LARGEST = 1_572_864  # bytes of an object as JSON: etcd's 1.5 MiB, and so Kubernetes'
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", re.ASCII)
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
KIND = re.compile(r"[A-Z][A-Za-z0-9]{0,62}", re.ASCII)


class Key(NamedTuple):
    """What an object is found by; cluster-scoped kinds have an empty namespace."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class Documents(Sequence[Object]):
    """Objects that are kept as JSON and decoded when they are asked for.

    Decoded they take seven times the memory (100,000 small pods: 320 MiB), and who lists reads each once.
    """

    __slots__ = ("_bodies",)

    def __init__(self, bodies: Sequence[bytes]) -> None:
        self._bodies = bodies

    def __len__(self) -> int:
        return len(self._bodies)

    @overload
    def __getitem__(self, index: int) -> Object: ...

    @overload
    def __getitem__(self, index: slice) -> "Documents": ...

    def __getitem__(self, index: int | slice) -> "Object | Documents":
        if isinstance(index, slice):
            return Documents(self._bodies[index])
        return decode(self._bodies[index])


def key_of(kind: str, item: Object) -> Key:
    """Return an object's key; raises BadConfigurationError where it cannot be stored under one."""
    metadata = item.get("metadata")
    if not isinstance(metadata, Mapping):
        raise BadConfigurationError(f"{kind} (no name)", "metadata", metadata, "must be an object")
    key = Key(kind, metadata.get("namespace") or "", metadata.get("name") or "")
    _check(KIND, kind, kind, "kind", "must be a kind such as NetworkPolicy")
    _check(NAME, key.name, str(key), "metadata.name", "must be a lower-case DNS name of at most 253 bytes")
    if key.namespace != "":
        _check(NAMESPACE, key.namespace, str(key), "metadata.namespace", "must be a lower-case DNS label")
    if item.get("kind", kind) != kind:
        raise BadConfigurationError(str(key), "kind", item["kind"], f"must be {kind}")
    return key


def encode(key: Key, item: Object) -> bytes:
    """Return an object as JSON; raises BadConfigurationError where it is not JSON or too large."""
    try:
        body = msgspec.json.encode(item)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadConfigurationError(str(key), "object", "...", f"is not JSON: {error}") from error
    if len(body) > LARGEST:
        raise BadConfigurationError(str(key), "size", len(body), f"must be at most {LARGEST} bytes of JSON")
    return body


def decode(body: bytes) -> dict[str, Any]:
    """Return the object that ``encode`` wrote; each call returns a new one."""
    item: dict[str, Any] = msgspec.json.decode(body)
    return item


def first(key: Key, item: Object, revision: int) -> dict[str, Any]:
    """Return the first state of a new object: with identity, time of creation and revision."""
    metadata = {
        "uid": str(uuid.uuid4()),
        "creationTimestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **_stated(item["metadata"]),
        "resourceVersion": str(revision),
    }
    return {"kind": key.kind, **item, "metadata": metadata}


def following(key: Key, held: dict[str, Any], item: Object, revision: int) -> dict[str, Any] | None:
    """Return the state that follows ``held`` if it becomes ``item``, or None where nothing changes.

    Raises:
        ConflictError: ``item`` was made from another revision, or for another object of the same name.
    """
    given, known = item["metadata"], held["metadata"]
    same_revision(key, held, given.get("resourceVersion"))
    if given.get("uid") not in (None, known["uid"]):
        raise ConflictError(f"{key} is not the object with uid {given['uid']}", hint="read it again")
    kept = {field: known[field] for field in ("uid", "creationTimestamp")}
    metadata = {**_stated(given), **kept, "resourceVersion": known["resourceVersion"]}
    # Through JSON, because what is held went through it: tuples became lists, keys strings.
    wanted = decode(encode(key, {"kind": key.kind, **item, "metadata": metadata}))
    return None if wanted == held else stamped(wanted, revision)


def stamped(held: dict[str, Any], revision: int) -> dict[str, Any]:
    """Return an object with another revision."""
    return {**held, "metadata": {**held["metadata"], "resourceVersion": str(revision)}}


def same_revision(key: Key, held: Object, wanted: str | int | None) -> None:
    """Raise ConflictError unless an object is still at the revision that is wanted; None wants none."""
    found = held["metadata"]["resourceVersion"]
    if wanted not in (None, "") and str(wanted) != found:
        raise ConflictError(f"{key} is at revision {found}, not {wanted}", hint="read it again")


def missing(key: Key) -> NotFoundError:
    """Return the error for an object that is not there."""
    return NotFoundError(f"there is no {key}")


def existing(key: Key) -> ConflictError:
    """Return the error for an object that is there already."""
    return ConflictError(f"{key} exists already", hint="update it instead")


def _stated(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in metadata.items() if value is not None}


def _check(pattern: re.Pattern[str], value: object, owner: str, field: str, problem: str) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise BadConfigurationError(owner, field, value, problem)
