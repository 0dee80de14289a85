"""Our own Node object: made and kept where no kubelet does, and told what peers must know.

What lives here: reading, merging and writing it with compare-and-swap. What it must not know: what the
annotations mean.
"""

from collections.abc import Mapping
from typing import Any

from octet.cluster.changes import Underlay
from octet.store.contract import ConflictError, NotFoundError, Store

TRIES = 10
"""Conflicts in a row before somebody else is told: each means that another writer got through."""


def _internal(underlay: Underlay) -> list[dict[str, str]]:
    held = [each.ip for each in (underlay.v4, underlay.v6) if each is not None]
    return [{"type": "InternalIP", "address": str(address)} for address in held]


def with_addresses(node: Mapping[str, Any], underlay: Underlay) -> dict[str, Any]:
    """Return the object with our underlay's addresses, and ready; others' kinds of both are kept."""
    status = node.get("status", {})
    kept = [each for each in status.get("addresses", []) if each.get("type") != "InternalIP"]
    others = [each for each in status.get("conditions", []) if each.get("type") != "Ready"]
    conditions = [{"type": "Ready", "status": "True"}, *others]
    addresses = [*_internal(underlay), *kept]
    return {**node, "status": {**status, "addresses": addresses, "conditions": conditions}}


def with_annotations(node: Mapping[str, Any], said: Mapping[str, str]) -> dict[str, Any]:
    """Return the object with these annotations among its own."""
    metadata = node.get("metadata", {})
    merged = {**metadata.get("annotations", {}), **said}
    return {**node, "metadata": {**metadata, "annotations": merged}}


async def publish(
    store: Store, name: str, underlay: Underlay, said: Mapping[str, str], *, register: bool
) -> None:
    """Write what this node tells others; with ``register`` also that it exists and where.

    Raises:
        NotFoundError: there is no such Node and we are not to make it.
        ConflictError: others kept changing it in between.
        UnavailableError: the store cannot be reached.
    """
    for _ in range(TRIES):
        try:
            found = await store.get("Node", name)
        except NotFoundError:
            if not register:
                raise
            found = None
        wanted = with_annotations(found or _new(name), said)
        wanted = with_addresses(wanted, underlay) if register else wanted
        if wanted == found:
            return
        try:
            await (store.create("Node", wanted) if found is None else store.update("Node", wanted))
        except (ConflictError, NotFoundError):
            continue
        return
    raise ConflictError(f"Node {name} changed {TRIES} times while it was being written")


def _new(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
