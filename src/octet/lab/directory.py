"""The cluster's objects as a lab writes them: through the same store that the agents share.

What lives here: create, replace, patch and list on top of the store's contract.
What it must not know: processes, the kernel.
"""

import contextlib
from collections.abc import Mapping
from typing import Any

from octet.errors import NotFoundError
from octet.lab.objects import Object, namespace_object
from octet.store.contract import ConflictError, Store

SYSTEM_NAMESPACES = ("default", "kube-system")


class Directory:
    """The store of a lab."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def create(self, kind: str, item: Mapping[str, Any]) -> Object:
        """Store a new object. Raises ConflictError."""
        return dict(await self._store.create(kind, item))

    async def put(self, kind: str, item: Mapping[str, Any]) -> tuple[str, Object]:
        """Create or replace an object whatever it was; return "created" or "configured", and the object.

        The status stays as it was where the new one has none: it belongs to others than who applies.
        """
        metadata = item["metadata"]
        while True:
            try:
                return "created", await self.create(kind, item)
            except ConflictError:
                pass
            try:
                held = await self._store.get(kind, metadata["name"], metadata.get("namespace", ""))
                return "configured", dict(await self._store.update(kind, _replacing(held, item)))
            except (NotFoundError, ConflictError):
                continue

    async def update_status(self, kind: str, name: str, namespace: str, status: Mapping[str, Any]) -> Object:
        """Replace parts of an object's status. Raises NotFoundError."""
        return await self._merge(kind, name, namespace, "status", status)

    async def update_metadata(
        self, kind: str, name: str, namespace: str, metadata: Mapping[str, Any]
    ) -> Object:
        """Replace parts of an object's metadata. Raises NotFoundError."""
        return await self._merge(kind, name, namespace, "metadata", metadata)

    async def _merge(
        self, kind: str, name: str, namespace: str, part: str, values: Mapping[str, Any]
    ) -> Object:
        while True:
            held = await self._store.get(kind, name, namespace)
            changed = {**held, part: {**held.get(part, {}), **values}}
            try:
                return dict(await self._store.update(kind, changed))
            except ConflictError:
                continue

    async def list(self, kind: str, namespace: str = "") -> list[Object]:
        """Return the objects of a kind, of one namespace or of all."""
        listing = await self._store.list(kind)
        wanted = (
            item for item in listing.objects if namespace in {"", item["metadata"].get("namespace", "")}
        )
        return [dict(item) for item in wanted]

    async def remove(self, kind: str, name: str, namespace: str = "") -> None:
        """Remove an object. Raises NotFoundError."""
        await self._store.delete(kind, name, namespace)

    async def discard(self, kind: str, name: str, namespace: str = "") -> None:
        """Remove an object; absent is done."""
        with contextlib.suppress(NotFoundError):
            await self.remove(kind, name, namespace)

    async def ensure_namespace(self, name: str) -> None:
        """Make a namespace where there is none."""
        try:
            await self.create("Namespace", namespace_object(name))
        except ConflictError:
            return


def _replacing(held: Mapping[str, Any], item: Mapping[str, Any]) -> Object:
    metadata = {**item["metadata"], "resourceVersion": held["metadata"]["resourceVersion"]}
    status = {"status": held["status"]} if "status" in held and "status" not in item else {}
    return {**item, **status, "metadata": metadata}
