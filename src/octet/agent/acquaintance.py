"""An ADD may be quicker than the cluster's word of its pod, without which nobody knows the pod's policies.

What lives here: waiting for that word, not for long. What it must not know: CNI, policies.
"""

import asyncio

from octet.agent.network import Network

PATIENCE = 1.0
"""Seconds; a pod that is still unknown then is attached, and shut until the cluster tells of it."""


class Acquaintance:
    """Waits for pods."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._news = asyncio.Event()

    def notice(self) -> None:
        """Take note that the view is another."""
        self._news.set()

    async def made(self, namespace: str, name: str) -> None:
        """Wait until a pod is known; at once where it has no name."""
        try:
            async with asyncio.timeout(PATIENCE):
                while name and (namespace, name) not in self._network.view.pods:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return
