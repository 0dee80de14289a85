"""New TCP connections per second: connect, one byte there, one byte back, close.

What lives here: the command line and the reading of ``octet.measure.connect``.
What it must not know: candidates.
"""

import sys
from dataclasses import dataclass

import msgspec

from octet.measure import metrics
from octet.measure.places import ProbeFailedError, Reading, Stretch, ask, serving

PORT = 7002
_PROGRAM = (sys.executable, "-m", "octet.measure.connect")


class Count(msgspec.Struct):
    """What the client prints: finished connections, failed ones, and for how long it tried."""

    connections: int
    failures: int
    seconds: float


def parse(text: str) -> Count:
    """Read the client's line. Raises ProbeFailedError where no connection came to its end."""
    try:
        count = msgspec.json.decode(text, type=Count)
    except msgspec.MsgspecError as error:
        raise ProbeFailedError(f"connect: not its JSON: {error}") from error
    if not count.connections:
        raise ProbeFailedError(f"connect: no connection, {count.failures} failures")
    return count


@dataclass(frozen=True, slots=True)
class Connections:
    """Connections one client makes one after the other; what separates paths most (conntrack, NAT, rules)."""

    name: str = "connections"

    def run(self, path: Stretch, seconds: float) -> Reading:
        """Connect for this long."""
        with serving(path.server, (*_PROGRAM, "serve", path.address, str(PORT)), PORT):
            client = (*_PROGRAM, "ask", path.address, str(PORT), str(seconds))
            count = parse(ask(path.client, client, limit=seconds + 15))
        values = {metrics.CONNECTIONS.key: count.connections / count.seconds}
        return Reading(values, {"connections": count.connections, "failures": count.failures})
