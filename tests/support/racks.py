"""What tests of routed labs ask: is somebody reached, and over which devices.

What lives here: questions to a lab, and waiting for their answers. What it must not know: any test.
"""

import time
from collections.abc import Callable

from octet.lab import Lab


def wait_for(true: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until something is so; fail when it takes longer."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def reaches(lab: Lab, target: str, address: str, count: int = 3) -> bool:
    """Do all of a few pings come back?"""
    ping = lab.exec(target, ["ping", "-c", str(count), "-i", "0.05", "-W", "1", address])
    return " 0% packet loss" in ping.stdout


def ways(lab: Lab, target: str, destination: str) -> list[str]:
    """The devices of a route's next hops."""
    held = [each for each in lab.routes(target)[target] if str(each.destination) == destination]
    return sorted(hop.dev for each in held for hop in each.hops)
