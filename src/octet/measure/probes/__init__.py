"""The probes of a path between two pods, one module each.

What lives here: the list. What it must not know: candidates, rounds, statistics.
"""

from octet.measure.places import Probe
from octet.measure.probes.connections import Connections
from octet.measure.probes.latency import Latency
from octet.measure.probes.mtu import Mtu
from octet.measure.probes.stream import Stream

PROBES: tuple[Probe, ...] = (Mtu(), Latency(), Connections(), Stream())
"""In the order they run: the light ones first, so that a stream's aftermath disturbs nothing."""

__all__ = ["PROBES", "Connections", "Latency", "Mtu", "Stream"]
