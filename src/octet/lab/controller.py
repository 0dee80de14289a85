"""What kube-controller-manager does for a lab: every node gets its pod CIDRs.

What lives here: watching nodes and assigning. What it must not know: how a CIDR is chosen (``ipam.assign``).
"""

import sys
from collections.abc import Mapping
from typing import Any

from octet.cluster.objects import Node
from octet.errors import NotFoundError
from octet.ipam.assign import Assigner
from octet.lab.names import NODE_MASK, Plan, texts
from octet.store.contract import ConflictError, EventType, ExpiredError, Store


class Controller:
    """Hands out node CIDRs for as long as it runs."""

    def __init__(self, store: Store, plan: Plan) -> None:
        self._store = store
        self._assigner = Assigner(
            plan.pod_cidrs, v4_mask=NODE_MASK[4], v6_mask=NODE_MASK[6], reserved=plan.service_cidrs
        )

    async def run(self) -> None:
        """Watch nodes for ever; lists again when the store forgot where it was."""
        while True:
            listing = await self._store.list("Node")
            for item in listing.objects:
                await self._see(item)
            try:
                async for event in self._store.watch("Node", listing.revision):
                    if event.type is EventType.DELETED:
                        self._assigner.release(event.object["metadata"]["name"])
                    else:
                        await self._see(event.object)
            except ExpiredError:
                continue

    async def _see(self, item: Mapping[str, Any]) -> None:
        node = Node.from_object(item)
        if node.pod_cidrs:
            self._assigner.know(node)
            return
        try:
            await self._store.update("Node", with_cidrs(item, texts(self._assigner.assign(node.name))))
        except (ConflictError, NotFoundError) as error:
            # The change that was in the way is an event that comes next.
            sys.stderr.write(f"node CIDR of {node.name}: {error}\n")


def with_cidrs(item: Mapping[str, Any], cidrs: list[str]) -> dict[str, Any]:
    """Return a Node object with these pod CIDRs, first one also under its older name."""
    return {**item, "spec": {**item.get("spec", {}), "podCIDR": cidrs[0], "podCIDRs": cidrs}}
