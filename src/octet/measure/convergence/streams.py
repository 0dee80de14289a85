"""Programs that run in a lab's namespaces: streams of numbered packets, and a watch for a route's end.

What lives here: an echo, a sender that says which packets were not answered, the watch. All times are of
CLOCK_MONOTONIC, which is one for all namespaces of a machine (time_namespaces(7)).
What it must not know: labs, what is broken meanwhile.
"""

import json
import select
import socket
import struct
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

PORT = 7
"""The echo's (RFC 862)."""

INTERVAL = 0.005
"""Seconds between two packets of a stream."""

WAYS = 4
"""Streams to each address, each from a port of its own: routers share them out over equal paths."""

GRACE = 0.5
"""Seconds that an answer may take."""

_NUMBER = struct.Struct(">Q")


def echo() -> None:
    """Answer every packet, for ever."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.bind(("", PORT))
        while True:
            data, sender = here.recvfrom(64)
            with suppress(OSError):  # no way back: a lost packet
                here.sendto(data, sender)


def send(addresses: Sequence[str]) -> None:
    """Send until stdin ends; print when packets were sent that nobody answered, and how many there were."""
    flows = [
        (socket.socket(socket.AF_INET, socket.SOCK_DGRAM), each) for each in addresses for _ in range(WAYS)
    ]
    for here, _ in flows:
        here.setblocking(False)
    waiting: dict[tuple[int, int], float] = {}
    number = 0
    due = time.monotonic()
    while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
        for flow, (here, address) in enumerate(flows):
            waiting[flow, number] = time.monotonic()
            with suppress(OSError):  # no route: a lost packet
                here.sendto(_NUMBER.pack(number), (address, PORT))
        _collect(flows, waiting)
        number, due = number + 1, due + INTERVAL
    time.sleep(GRACE)
    _collect(flows, waiting)
    sys.stdout.write(json.dumps({"sent": number * len(flows), "lost": sorted(waiting.values())}))


def _collect(flows: Sequence[tuple[socket.socket, str]], waiting: dict[tuple[int, int], float]) -> None:
    for flow, (here, _) in enumerate(flows):
        with suppress(BlockingIOError):
            while True:
                waiting.pop((flow, _NUMBER.unpack(here.recv(64))[0]), None)


def watch(address: str, limit: float) -> None:
    """Print when this namespace has no route to an address any more; null if it has one to the end."""
    end = time.monotonic() + limit
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        while time.monotonic() < end:
            try:
                here.connect((address, PORT))
            except OSError:
                sys.stdout.write(json.dumps(time.monotonic()))
                return
            time.sleep(INTERVAL / 2)
    sys.stdout.write("null")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["echo"]:
            echo()
        case ["send", *targets]:
            send(targets)
        case ["watch", target, seconds]:
            watch(target, float(seconds))
