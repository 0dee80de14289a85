"""Puts many objects into a lab's store; run inside the lab, told the objects as lines of JSON.

What lives here: the program ``python -m octet.measure.policing.filling``, and who starts it.
What it must not know: what the objects are for.
"""

import asyncio
import json
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from octet.errors import OctetError
from octet.lab import Lab
from octet.measure.policing.crowds import Object
from octet.store.contract import ConflictError
from octet.store.embedded import EmbeddedStore

STORE = Path("/run/octet/store.db")
"""Where every process of a lab sees the store that its agents share."""

_LIMIT = 180
"""Seconds that a hundred thousand objects may take."""


def fill(lab: Lab, node: str, objects: Iterable[Object]) -> None:
    """Create objects in a lab's store, as they are. Raises OctetError."""
    text = "".join(f"{json.dumps(item)}\n" for item in objects)
    done = lab.exec(node, [sys.executable, "-m", __name__], text=text, timeout=_LIMIT)
    if done.returncode != 0:
        raise OctetError(f"filling the store: {(done.stderr.strip().splitlines() or ['says nothing'])[-1]}")


async def take(lines: Iterable[str]) -> None:
    """Create the objects that lines of JSON are. Raises OctetError."""
    async with EmbeddedStore(STORE) as store:
        for line in lines:
            item = json.loads(line)
            with suppress(ConflictError):  # a namespace that a pod came to before
                await store.create(item["kind"], item)


if __name__ == "__main__":
    asyncio.run(take(sys.stdin))
