"""What is broken or mended, and how long it took until packets flowed again.

What lives here: the four scenes, each measured on one site. What it must not know: who is measured.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from octet.errors import OctetError
from octet.measure.convergence.sites import Racked
from octet.measure.convergence.streams import GRACE, INTERVAL

AFTER = 3.0
"""Seconds that streams run on once all is well."""

EXPIRED = 12.0
"""Seconds after which silence is known: the racks' routers hold sessions for 9 s (lab.routers)."""

NEVER = 30.0
"""Seconds after which a route that is still there is said to have stayed."""


@dataclass(slots=True)
class Stream:
    """How many packets were sent, and when those that nobody answered (CLOCK_MONOTONIC)."""

    sent: int = 0
    lost: list[float] = field(default_factory=list)

    def outage(self) -> float:
        """Return the seconds from the first to the last lost packet; 0 where none was."""
        return self.lost[-1] - self.lost[0] + INTERVAL if self.lost else 0.0

    def until(self, event: float) -> float:
        """Return the seconds from an event to the last lost packet."""
        return max(0.0, self.lost[-1] - event + INTERVAL) if self.lost else 0.0


@contextmanager
def streaming(site: Racked, *nodes: str) -> Iterator[Stream]:
    """Stream from the pod on node1 to those on these nodes while the block runs."""
    command = site.program("send", *(site.addresses[node] for node in nodes))
    found, pipe = Stream(), subprocess.PIPE
    with site.lab.popen("on-node1", command, stdin=pipe, stdout=pipe, text=True) as sender:
        try:
            time.sleep(1)
            yield found
        finally:
            said, _ = sender.communicate(timeout=GRACE + 30)
        told = json.loads(said)
        found.sent, found.lost = told["sent"], told["lost"]
    if not found.sent > len(found.lost):
        raise OctetError(f"of {found.sent} packets to {', '.join(nodes)} none was answered")


def cut_uplink(site: Racked) -> float:
    """Pull the cable between a rack's router and one of two spines; the other carries all."""
    with streaming(site, "node3", "node4") as stream:
        site.lab.cut("tor1", "spine1")
        site.settle(("node1", "node3", "node4"))
        time.sleep(AFTER)
    return stream.outage()


def dead_reflector(site: Racked) -> float:
    """Unplug a node that reflects; streams between others run on while its sessions expire."""
    with streaming(site, "node3", "node4") as stream:
        site.lab.cut("node2")
        time.sleep(EXPIRED)
    return stream.outage()


def dead_node(site: Racked) -> float:
    """Unplug a node and wait until the host beyond the spines has no route to its pods any more."""
    site.lab.cut("node4")
    event = time.monotonic()
    command = site.program("watch", site.addresses["node4"], str(NEVER))
    gone = json.loads(site.lab.exec("outside", command, timeout=NEVER + 30).stdout)
    return NEVER if gone is None else max(0.0, gone - event)


def healed_partition(site: Racked) -> float:
    """Unplug a rack's router until all its sessions have expired, plug it in, and wait for the streams."""
    with streaming(site, "node3", "node4") as stream:
        site.lab.cut("tor2")
        time.sleep(EXPIRED)
        site.lab.heal()
        event = time.monotonic()
        site.settle(("node1", "node3", "node4"))
        time.sleep(AFTER)
    return stream.until(event)


SCENES: Mapping[str, Callable[[Racked], float]] = {
    "a cut uplink: streams lose": cut_uplink,
    "a dead reflector: streams lose": dead_reflector,
    "a dead node: its route ends after": dead_node,
    "a healed partition: streams flow after": healed_partition,
}
"""What is measured, by what the page calls it; each returns seconds and leaves the fabric broken or not."""


def play(site: Racked, scene: str) -> float:
    """Return the seconds of a scene, and mend everything after it. Raises OctetError."""
    try:
        return SCENES[scene](site)
    finally:
        site.lab.heal()
        site.settle()
