"""The addresses of this node's own tunnels: taken out of IPAM, told to peers by annotation of its Node.

What lives here: asking for them, again while there is none. What it must not know: which tunnels there are
(``models.encapsulation``), how an address is taken, how a Node is written.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from octet.cluster.objects import Address
from octet.cluster.view import View
from octet.errors import OctetError
from octet.models import encapsulation

log = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds before an address that could not be had is asked for again."""

Take = Callable[[str, int, str], Awaitable[Address | None]]
"""Returns the address that a handle has on this node, of a family, with Calico's attribute ``type``."""


class Tunnels:
    """Takes addresses as tunnels need them; one that a Node tells already is taken again, and is the same."""

    def __init__(self, take: Take, again: Callable[[], None]) -> None:
        """Use ``take`` for each address, and call ``again`` when ``told`` should be asked once more."""
        self._take = take
        self._again = again

    async def told(self, view: View) -> Mapping[str, str]:
        """Return the annotations of the addresses that this node has."""
        said: dict[str, str] = {}
        for wanted in encapsulation.addresses(view):
            try:
                found = await self._take(wanted.handle.format(view.me), wanted.family, wanted.kind)
            except OctetError as error:
                log.info("no address for a tunnel yet", extra={"tunnel": wanted.kind, "reason": str(error)})
                found = None
            if found is not None:
                said[wanted.annotation] = str(found)
            else:
                asyncio.get_running_loop().call_later(PAUSE, self._again)
        return said
